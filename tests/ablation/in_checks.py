"""Safeguards against damage, and those of the circuit breakers in memory."""

from __future__ import annotations

from tests.ablation.safeguard import Room

DIGESTS = "unit/domain/test_integrity.py::"
CORRUPT = "unit/engine/test_corruption.py::"
BREAKERS = "unit/engine/test_breakers.py::"
STEERED = "unit/engine/test_breakers_steered.py::"
STATES = "unit/domain/test_breakers.py::"

integrity = Room("app/domain/integrity.py", promise="G14")
integrity(
    "a text is compared with its digest",
    "same = hmac.compare_digest(jsontext.sha256(text), digest)",
    "same = bool(jsontext.sha256(text))",
    CORRUPT + "test_a_state_that_is_damaged_is_never_given_out",
    CORRUPT + "test_a_lost_output_is_made_anew_and_nothing_else_runs_again",
)
integrity(
    "a digest that is gone is damage",
    '        return "its digest is gone"',
    "        return None",
    DIGESTS + "test_a_completed_step_without_its_output_or_digest_is_found",
)
integrity(
    "the links between versions are checked",
    "or _link_problem(checkpoint)",
    "or None",
    DIGESTS + "test_a_link_that_leads_nowhere_is_found_and_never_followed_for_ever",
)
integrity(
    "a text that is no manifest is found",
    "problem = problem or manifest_problem(checkpoint)",
    "problem = problem or None",
    DIGESTS + "test_a_text_that_is_no_manifest_is_found_though_its_digest_holds",
)
load = Room("app/engine/load.py", promise="G14")
load(
    "a damaged value is never used",
    "    integrity.refuse(thread_id, values.findings)\n",
    "",
    CORRUPT + "test_a_state_that_is_damaged_is_never_given_out",
    CORRUPT + "test_a_lost_output_is_made_anew_and_nothing_else_runs_again",
)
healing = Room("app/engine/healing.py", promise="G14")
healing(
    "a damaged thread goes on from its last sound version",
    "        elif stuck and not hopeless:\n",
    "        elif stuck and hopeless:\n",
    CORRUPT + "test_a_bad_head_gives_way_to_the_version_before_it",
)
healing(
    "without a sound version a thread is interrupted",
    "        if hopeless and not ended:\n",
    "        if hopeless and ended:\n",
    CORRUPT + "test_without_a_sound_version_the_thread_is_interrupted",
)
healing(
    "a thread that runs is not repaired by hand",
    "        if now.status is Status.RUNNING or (now.status in ACTIVE and now.incarnation_id is not None):\n",
    "        if now is None:\n",
    CORRUPT + "test_a_thread_that_runs_is_not_repaired_by_hand",
)

ASKED = "unit/engine/test_asked.py::"
diagnosis = Room("app/engine/diagnosis.py", promise="G14")
diagnosis(
    "what the lost versions of an earlier execution were asked for is asked for again",
    "others = [one for one in reversed(self._given_up) if one not in (writer, self._execution.id)]",
    "others = list[str]()",
    ASKED + "test_variables_that_an_earlier_rollback_set_are_not_lost_with_its_versions",
    ASKED + "test_steps_that_an_earlier_resume_was_to_run_again_run_again_when_their_versions_are_lost",
)
diagnosis(
    "what a variable gets back is checked",
    "        integrity.refuse(thread_id, faults)\n",
    "",
    ASKED + "test_a_variable_that_would_get_back_a_damaged_value_stops_the_thread",
)
parameters = Room("app/domain/parameters.py", promise="G14")
parameters(
    "what was asked for is what it must be",
    "    if not isinstance(value, dict):",
    "    if value is None:",
    ASKED + "test_each_part_of_it_is_checked",
)
states = Room("app/domain/breakers.py")
states(
    "only the probe itself settles it",
    "return record.state is BreakerState.HALF_OPEN and record.probe_by == token",
    "return record.state is BreakerState.HALF_OPEN",
    "contracts/test_breakers.py::test_only_the_probe_itself_settles_it",
)
states(
    "nobody probes before its time",
    "return not self.closed and self.probe_at is not None and self.probe_at <= now",
    "return not self.closed and self.probe_at is not None",
    STATES + "test_nobody_may_probe_before_its_time",
)
breakers = Room("app/engine/breaker.py")
breakers(
    "a process asks for the probe once at a time",
    "unsettled = gate.taking or any(",
    "unsettled = any(",
    BREAKERS + "test_a_process_asks_for_the_probe_once_at_a_time",
)
breakers(
    "failures in a row open a breaker",
    "if gate.failures >= policy.failures:",
    "if gate.failures < 0:",
    BREAKERS + "test_five_failures_in_a_row_open_it",
)
breakers(
    "a success begins the count anew",
    "            gate.failures = 0\n",
    "            gate.failures += 0\n",
    BREAKERS + "test_a_success_begins_the_count_anew",
)
breakers(
    "a failure from before it opened does not count after it closed",
    "if gate.record.closed and not self._is_of_before(ticket, gate.record):",
    "if gate.record.closed:",
    STEERED + "test_an_attempt_from_before_it_opened_does_not_count_after_it_has_closed",
)
breakers(
    "a probe that is cancelled is given back",
    "            self._send(ticket.agent, domain.release_probe(ticket.token))",
    "            self._wake.set()",
    BREAKERS + "test_a_probe_that_is_cancelled_is_given_back",
)
breakers(
    "what was read before a change does not undo it",
    "            if known is before.get(agent):",
    "            if known is not self:",
    STEERED + "test_what_was_read_before_a_change_does_not_undo_it",
)
breakers(
    "what is not written yet is not undone by what is read",
    "(found.keys() | before.keys()) - unwritten:",
    "(found.keys() | before.keys()) - (unwritten - unwritten):",
    STEERED + "test_what_could_not_be_written_yet_is_not_undone_by_what_is_read",
)
gate = Room("app/engine/breaker_gate.py")
gate(
    "after an outage of an agent its steps drain a few at a time",
    "if room is None or len(self.inside) < room:",
    "if room is None or room > 0:",
    STEERED + "test_what_waited_drains_a_few_at_a_time",
)
gate(
    "a failure that no retry mends does not speak against an agent",
    "if isinstance(ending, Failed) and ending.error.retryable:",
    "if isinstance(ending, Failed):",
    BREAKERS + "test_failures_that_no_retry_can_mend_do_not_count",
)

ROOMS = (integrity, load, healing, diagnosis, parameters, states, breakers, gate)
