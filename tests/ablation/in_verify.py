"""What `verify --kill-points` must not let pass, where its kill strikes, and what `doctor` must not tell."""

from __future__ import annotations

from tests.ablation.safeguard import Room

VERDICT = "cli/test_kill_verdict.py::"
POINTS = "unit/engine/test_kill_points.py::"
DOCTOR = "cli/test_doctor.py::"

verdict = Room("app/cli/kill_verdict.py")
verdict(
    "a step that was committed may not be tried again",
    "        if key in cut.ended or key in cut.parts or whole in cut.ended:\n",
    "        if key in cut.parts:\n",
    VERDICT + "test_a_step_that_was_committed_and_is_tried_again_is_a_fault",
)
verdict(
    "what had been written is there at the end as it was",
    "        if end.events.get(thread, [])[: len(events)] != events:\n",
    "        if len(end.events.get(thread, [])) < len(events):\n",
    VERDICT + "test_a_fault_is_told",
)
verdict(
    "1 and 1.0 are two values to the proof",
    '    alike = type(cast("object", one)) is type(cast("object", other))\n',
    "    alike = True\n",
    VERDICT + "test_a_fault_is_told",
    VERDICT + "test_differences_are_pointers_to_the_smallest_parts",
)
verdict(
    "a run that was started twice is no proof",
    "        if count != 1:\n",
    "        if count < 1:\n",
    VERDICT + "test_a_fault_is_told",
)
points = Room("app/engine/kill_points.py")
points(
    "a kill before a commit comes before it",
    '        if self._point.moment == "before":\n            self._die()\n',
    "",
    POINTS + "test_the_process_dies_at_its_commit_and_nowhere_else",
)
points(
    "nothing counts before the thread is born",
    "        if not self._counting:\n            return None\n",
    "",
    POINTS + "test_nothing_is_counted_before_the_thread_is_born",
)
database = Room("app/cli/doctor_database.py")
database(
    "doctor tells where a database is without who may enter it",
    '    return f"{host}:{port}{parts.path}" if host else "its socket"\n',
    "    return dsn\n",
    DOCTOR + "test_a_database_that_is_away_is_told_without_its_password",
)
checkup = Room("app/store/checkup.py")
checkup(
    "doctor tells no piece of an address that cannot be read",
    "raise Unreachable(refusal(error)) from None",
    "raise Unreachable(str(error)) from None",
    DOCTOR + "test_an_odd_address_is_a_problem_that_tells_no_piece_of_its_password",
)
latest = Room("app/cli/state_look.py")
latest(
    "an empty id stands for no other thread",
    "await _latest_broken(service) if o.workflow_id is None else o.workflow_id",
    "o.workflow_id or await _latest_broken(service)",
    "cli/test_state_look.py::test_an_empty_id_resumes_no_other_thread",
)
ROOMS = (verdict, points, database, checkup, latest)
