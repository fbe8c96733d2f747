"""Safeguards of the engine around the threads: the lease, claims, adoption, hints, taking up, the worker."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

LEASE = "unit/engine/test_lease.py::"
RECOVERY = "unit/engine/test_recovery.py::"
CANCEL = "unit/engine/test_cancel.py::"
CHILDREN = "unit/engine/test_children.py::"
HELD = "unit/engine/test_held.py::"
BUDGET = "unit/engine/test_budget.py::"
SLOTS = "unit/engine/test_slots.py::"
OVERTAKEN = "unit/engine/test_overtaken.py::"

lease = Room("app/engine/lease.py", promise="G3")
lease(
    "the lease ends by its own clock",
    "return monotonic() - self._held_from < self._seconds",
    "return monotonic() >= self._held_from",
    LEASE + "test_the_lease_counts_from_before_the_renewal_was_sent",
)
lease(
    "the lease counts from before its renewal was sent",
    "self._beaten_at = self._held_from = now\n",
    "self._beaten_at = self._held_from = monotonic()\n",
    LEASE + "test_the_lease_counts_from_before_the_renewal_was_sent",
)
lease(
    "who was taken for dead enters again",
    'driven elsewhere now")\n            await self._journal.open_incarnation(self.own)',
    'driven elsewhere now")',
    LEASE + "test_who_was_taken_for_dead_enters_again",
)
lease(
    "after an outage the others get a lease to be heard",
    "if missed or now - self._beaten_at > self._seconds:",
    "if missed or now < self._beaten_at:",
    LEASE + "test_after_an_outage_the_others_get_the_time_of_a_lease_to_be_heard",
    promise="G13",
)
lease(
    "after a heartbeat that failed too",
    "if missed or now - self._beaten_at > self._seconds:",
    "if now - self._beaten_at > self._seconds:",
    LEASE + "test_after_a_heartbeat_that_failed_the_others_get_the_time_of_a_lease",
    promise="G13",
)
lease(
    "a hidden process is not dead",
    'return None if _is_there(pid) else f"{pid}@"',
    'return f"{pid}@"',
    LEASE + "test_a_process_that_is_hidden_is_not_taken_for_ended",
)
lease(
    "who enters gives the silent a lease",
    "since = since if heartbeat == other.heartbeat_at else now",
    "since = since if heartbeat == other.heartbeat_at else 0.0",
    LEASE + "test_who_enters_gives_the_silent_the_time_of_a_lease",
    promise="G13",
)
lease(
    "the silent are taken off by a repeated look",
    "await self._take_off(other, other.heartbeat_at)",
    "await self._take_off(other, None)",
    LEASE + "test_who_is_heard_in_the_last_moment_keeps_its_threads",
)
lease(
    "a process elsewhere is not judged by its pid",
    "if other.host != self.own.host:",
    "if other is self.own:",
    LEASE + "test_only_the_provably_dead_are_taken_over_at_once",
)
lease(
    "a pid that was given again is another process",
    "return present is not None and present != other.process",
    'return present is not None and present.endswith("@")',
    LEASE + "test_only_the_provably_dead_are_taken_over_at_once",
)
lease(
    "a process that cannot be seen is not dead",
    "return present is not None and present != other.process",
    "return present != other.process",
    LEASE + "test_a_process_that_cannot_be_looked_at_is_not_taken_for_dead",
)
lease(
    "threads that nobody knows are swept",
    "            if await self._journal.sweep():",
    "            if self._freed is None:",
    LEASE + "test_threads_of_processes_that_nobody_knows_are_swept",
)
lease(
    "a takeover counts as a crash",
    "heard_at, crashed=True)",
    "heard_at, crashed=False)",
    LEASE + "test_a_takeover_counts_as_a_crash",
    promise="G15",
)
lease(
    "who leaves gives its threads to others at once",
    "            await self._journal.close_incarnation(self.own.id)",
    "            await self._journal.driven(self.own.id)",
    LEASE + "test_who_leaves_leaves_no_row",
    promise="G12",
)

claims = Room("app/engine/claims.py", promise="G3")
claims(
    "past the lease nothing is claimed",
    "        if not worker.may_start():\n            return\n",
    "",
    SLOTS + "test_past_the_lease_a_claim_takes_nothing",
)
claims(
    "what is ours and nobody drives is adopted",
    "for thread in undriven(ours, worker.begun(), worker.expected() | worker.ended):",
    "for thread in undriven({}, worker.begun(), worker.expected() | worker.ended):",
    RECOVERY + "test_a_start_whose_answer_is_lost_is_driven_all_the_same",
    promise="G13",
)
claims(
    "what another process took is stopped",
    "        for run in lost(runs, ours):\n            run.stop()\n",
    "",
    OVERTAKEN + "test_a_run_that_another_process_took_is_stopped_at_the_next_look",
)
claims(
    "a wish in the row is heeded at the next look",
    "            if thread.signal is not None:\n",
    "            if thread is None:\n",
    CANCEL + "test_another_process_lets_the_driver_cancel_it",
    promise="G10",
)
adoption = Room("app/engine/adoption.py", promise="G3")
adoption(
    "what is just being started or steered is not adopted",
    "if thread_id not in spared and thread.epoch",
    "if thread.epoch",
    RECOVERY + "test_what_is_driven_and_what_is_being_started_is_not_adopted",
    OVERTAKEN + "test_a_thread_that_is_just_being_steered_is_not_adopted",
)
adoption(
    "what is driven is not adopted",
    "thread.epoch > begun.get(thread_id, 0)",
    "thread.epoch > 0",
    RECOVERY + "test_what_is_driven_and_what_is_being_started_is_not_adopted",
)
hearing = Room("app/engine/hearing.py", promise="G7")
hearing(
    "what was steered elsewhere stops at the hint",
    "if row is None or row.epoch > run.thread.epoch:",
    "if row is None:",
    OVERTAKEN + "test_a_run_that_was_steered_elsewhere_stops_at_the_hint",
)
hearing(
    "a wish is heeded at the hint",
    "elif row.signal is not None:",
    "elif row.epoch < 0:",
    OVERTAKEN + "test_a_wish_is_heeded_at_the_hint",
    promise="G10",
)
hearing(
    "a thread that was deleted stops at the hint",
    "if row is None or row.epoch > run.thread.epoch:",
    "if row is not None and row.epoch > run.thread.epoch:",
    OVERTAKEN + "test_a_run_whose_thread_was_deleted_stops_at_the_hint",
)

takeup = Room("app/engine/takeup.py")
takeup(
    "recoveries have a budget",
    "if thread.recoveries > self._max_recoveries:",
    "if thread.recoveries < 0:",
    BUDGET + "test_after_ten_recoveries_in_a_row_that_brought_nothing_it_is_interrupted",
    promise="G15",
)
takeup(
    "the budget is looked at before a thread is loaded",
    "        if thread.recoveries > self._max_recoveries:  # before it is loaded: that may be what ends the process\n"
    "            await self._give_up_recovering(thread)\n"
    "            return None\n"
    "        spec = await self._specs(thread.definition_id)\n"
    "        loaded = await self._loaded(thread, spec)\n",
    "        spec = await self._specs(thread.definition_id)\n"
    "        loaded = await self._loaded(thread, spec)\n"
    "        if thread.recoveries > self._max_recoveries:\n"
    "            await self._give_up_recovering(thread)\n"
    "            return None\n",
    BUDGET + "test_a_thread_whose_loading_ends_its_process_is_given_up_too",
    promise="G15",
)
takeup(
    "an orphaned child is not run",
    "if await self._family.is_orphan(loaded):",
    "if loaded is None:",
    CHILDREN + "test_a_child_that_its_parents_cancel_did_not_reach_ends_when_it_is_taken_up",
    promise="G10",
)
takeup(
    "a wish to cancel outlives its driver",
    "if thread.signal is not None and wishes.is_cancel(thread.signal):",
    "if thread is None:",
    CANCEL + "test_a_wish_to_cancel_outlives_its_driver",
    promise="G10",
    also=(Edit(file="app/engine/run.py", old="if wishes.is_cancel(signal):", new="if signal is None:"),),
)
worker = Room("app/engine/worker.py")
worker(
    "past the lease no new thread is launched",
    " or not self.may_start():",
    ":",
    HELD + "test_nothing_is_taken_up_and_a_new_thread_waits_in_the_store",
    promise="G3",
)
worker(
    "a new drive waits until the old one let go",
    "                await asyncio.wait([old], timeout=self._grace)",
    "                await asyncio.sleep(0)",
    OVERTAKEN + "test_a_new_drive_waits_until_the_old_one_let_go",
    promise="G7",
)
worker(
    "a run that broke is given up",
    "            await self._take_up.give_up(run.thread if run is not None else thread, error)",
    "            _log.debug(error)",
    RECOVERY + "test_a_bug_in_the_drive_interrupts_the_thread_and_the_others_go_on",
)
worker(
    "slots are bounded",
    "self._taken >= self.slots",
    "self._taken < 0",
    SLOTS + "test_a_slot_that_is_not_there_is_not_given",
    promise="G11",
)
worker(
    "a goodbye lets steps end",
    "        for run in list(self._runs.values()):\n            run.leave()\n",
    "        for run in list(self._runs.values()):\n            run.stop()\n",
    RECOVERY + "test_a_goodbye_lets_running_steps_end_and_keeps_their_results",
    promise="G12",
)
worker(
    "a goodbye ends within its grace",
    "_, late = await asyncio.wait(late, timeout=self._grace)",
    "_, late = await asyncio.wait(late)",
    "unit/engine/test_late.py::test_a_goodbye_waits_for_no_step_beyond_its_grace",
    promise="G12",
)

_LEASE_RUNS = "        await stack.enter_async_context(background(self.lease.run()))\n"
_WORKER_RUNS = "        await stack.enter_async_context(self.worker.open(self._deps))\n"
worker(
    "a load that was overtaken begins nothing",
    "if loaded is not None and self._tasks.get(thread.thread_id) is asyncio.current_task():",
    "if loaded is not None:",
    OVERTAKEN + "test_a_load_that_was_overtaken_does_not_count_as_begun",
    promise="G3",
)
wiring = Room("app/bootstrap/engine.py", promise="G12")
wiring(
    "the lease outlives what runs to its end",
    _LEASE_RUNS + _WORKER_RUNS,
    _WORKER_RUNS + _LEASE_RUNS,
    "acceptance/test_leases.py::test_a_step_that_ends_within_a_grace_longer_than_the_lease_runs_once",
)
family = Room("app/engine/family.py", promise="G10")
family(
    "a parent whose parking missed its child's end is woken",
    "            self._worker.spawn(self._wake(parent_id))\n",
    "            pass\n",
    "unit/engine/test_children.py::test_a_parent_that_parks_while_its_child_ends_is_woken",
    promise="-",
)
family(
    "a run whose wish to cancel is gone goes on",
    "                run.reprieve()\n",
    "                pass\n",
    "unit/engine/test_cancel.py::test_a_run_goes_on_when_the_wish_that_stopped_it_is_gone",
)
ROOMS = (wiring, family, lease, claims, adoption, hearing, takeup, worker)
