"""What a safeguard of the product is here: the text that makes it, the text without it, and the tests that miss it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`old` stands exactly once in `file`; without the safeguard there is `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard:
    """Taken out by its edits, one or several where it has a second line; `tests` are those that are to find that.

    `promise` is the guarantee that it keeps, "-" for none of the list.
    """

    name: str
    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


class Room:
    """Makes the safeguards of one file; its tests are written as `file.py::test` below `tests/`."""

    def __init__(self, file: str, *, promise: str = "-") -> None:
        self._file = file
        self._promise = promise
        self.safeguards: list[Safeguard] = []

    def __call__(
        self, name: str, old: str, new: str, *tests: str, promise: str = "", also: tuple[Edit, ...] = ()
    ) -> None:
        """One more: `new` instead of `old`, and what has to go `also`."""
        self.safeguards.append(
            Safeguard(
                name=name,
                promise=promise or self._promise,
                edits=(Edit(file=self._file, old=old, new=new), *also),
                tests=tuple(f"tests/{test}" for test in tests),
            )
        )


CANARIES = (
    ("app/store/sql/queue", "tests/contracts/test_queues.py::test_within_a_priority_the_longest_due_goes_first"),
    ("app/store/sql/breakers", "tests/contracts/test_breakers.py::test_a_breaker_is_kept_as_it_was_written"),
    (
        "app/store/sql/langgraph",
        "tests/contracts/test_graph_checkpoints.py::test_what_was_put_is_found_with_its_values_and_writes",
    ),
    ("app/store/sql/metrics", "tests/contracts/test_metrics.py::test_points_are_the_sums_of_their_times"),
    ("app/store/sql/waiting", "tests/store/test_queries.py::test_the_server_takes_every_statement_of_a_book"),
    ("app/store/sql/gates", "tests/store/test_queries.py::test_the_server_takes_every_statement_of_a_book"),
    ("app/store/sql/waits", "tests/store/test_queries.py::test_the_server_takes_every_statement_of_a_book"),
    ("app/store/sql/restored", "tests/store/test_restored.py::test_events_of_this_server_stay_where_they_are"),
    ("app/store/sql/messages", "tests/store/test_messages.py::test_one_that_the_server_refuses_fails_alone"),
    ("app/store/sql/triggers", "tests/contracts/test_triggers.py::test_a_trigger_is_kept_as_it_was_given"),
    (
        "app/triggers/",
        "tests/unit/triggers/test_triggers.py::test_a_trial_says_what_would_come_of_a_message_and_starts_nothing",
    ),
    ("app/store/sql/", "tests/store/test_queries.py::test_the_server_takes_every_statement"),
    ("app/store/", "tests/contracts/test_transitions.py::test_a_commit_writes_everything_and_moves_the_rev"),
    ("app/engine/", "tests/unit/engine/test_steps.py::test_n_steps_leave_n_plus_two_versions"),
    ("app/runners/http", "tests/unit/runners/test_http.py::test_a_json_body_is_posted"),
    ("app/runners/langgraph", "tests/unit/runners/test_langgraph.py::test_sends_and_the_functional_api_work_too"),
    ("app/runners/graph", "tests/unit/runners/test_langgraph.py::test_sends_and_the_functional_api_work_too"),
    ("app/runners/", "tests/unit/engine/test_steps.py::test_n_steps_leave_n_plus_two_versions"),
    ("app/telemetry/", "tests/unit/telemetry/test_engine_metrics.py::test_a_breaker_shows_its_state"),
    ("app/client/", "tests/client/test_threads.py::test_a_thread_has_the_routes_of_its_id"),
    ("app/api/feed", "tests/api/test_feed.py::test_the_feed_begins_now_and_tells_of_every_thread"),
    ("app/api/", "tests/api/test_stream.py::test_a_stream_replays_then_follows_and_closes_at_the_end"),
)
"""What must still pass with a safeguard of such a file gone: an edit that breaks everything finds nothing."""


def canary(safeguard: Safeguard) -> str | None:
    """The test that shows that its edits take out no more than itself."""
    file = safeguard.edits[0].file
    found = next((test for prefix, test in CANARIES if file.startswith(prefix)), None)
    return None if found in safeguard.tests else found
