"""Safeguards of the metrics: what is counted is counted once and adds up, labels are few, and nothing of it holds up a step."""

from __future__ import annotations

from tests.ablation.safeguard import Room

STORED = "contracts/test_metrics.py::"
COUNTED = "unit/telemetry/test_series.py::"
TOLD = "unit/telemetry/test_engine_metrics.py::"
READ = "unit/telemetry/test_metrics_parts.py::"

rows = Room("app/store/sql/metrics.sql")
rows(
    "what a process has written late displaces nothing",
    "WHERE known.count <= EXCLUDED.count AND ",
    "WHERE ",
    STORED + "test_a_write_that_arrives_late_displaces_nothing_that_is_further[postgres]",
)
rows(
    "minutes are kept until they are rolled up",
    ") - $6::interval, 'infinity')",
    ") - $6::interval + interval '1000 years', 'infinity')",
    STORED + "test_what_is_rolled_up_outlives_its_minutes[postgres]",
)
rows(
    "one process at a time rolls up",
    "FOR UPDATE SKIP LOCKED;\n\n-- touched --",
    ";\n\n-- touched --",
    STORED + "test_of_many_processes_one_rolls_up[postgres]",
)
rows(
    "what was held back is rolled up again",
    " AND (at >= $7 OR written_at >= $6)",
    " AND (at >= $7 OR written_at >= $6 + interval '1 day')",
    STORED + "test_a_minute_that_was_held_back_is_rolled_up_later[postgres]",
)
series = Room("app/telemetry/series.py")
series(
    "counts that could not be written wait",
    "                book.unwritten |= names if book.minute >= oldest else set()\n",
    "                book.unwritten |= names if book.minute < oldest else set()\n",
    COUNTED + "test_what_could_not_be_written_waits",
)
series(
    "an outage does not fill the memory with counts",
    "names if book.minute >= oldest else set()",
    "names if book.minute != oldest else set()",
    COUNTED + "test_of_a_long_outage_the_last_hour_is_kept",
)
series(
    "who wants the series while the store hangs is sent away in time",
    "async with asyncio.timeout(_PATIENCE), self._flushing:\n",
    "async with self._flushing, asyncio.timeout(_PATIENCE):\n",
    COUNTED + "test_who_asks_while_the_store_hangs_does_not_wait_for_all_who_asked_before",
)
series(
    "what an outage has held back is not written all at once",
    "        if rows >= _BATCH:\n",
    "        if not found:\n",
    COUNTED + "test_what_an_outage_has_held_back_is_written_a_piece_at_a_time",
)
series(
    "names of series are bounded",
    "            if len(names) >= NAMES:\n                return OTHER\n",
    "",
    COUNTED + "test_names_beyond_a_bound_are_counted_together",
)
engine = Room("app/telemetry/metrics_engine.py")
engine(
    "labels of steps are bounded",
    "                doer = (OTHER, doer[1], OTHER)\n",
    "                doer = (doer[0], doer[1], doer[2])\n",
    TOLD + "test_there_are_never_more_labels_than_so_many",
)
engine(
    "counters that alerts ask for begin at nothing",
    "            self._recoveries[name] = 0\n",
    "            return name\n",
    TOLD + "test_what_alerts_ask_for_begins_at_nothing",
)
engine(
    "what ends without having been met counts for its workflow",
    "                self._nameless.append(",
    "                self._over(OTHER, update.status, lasted) or (",
    TOLD + "test_what_ends_without_having_been_met_here_counts_for_its_workflow",
)
figures = Room("app/telemetry/figures.py")
figures(
    "values of a label are bounded",
    "            if len(self.known) >= self.limit:\n                return OTHER\n",
    "",
    TOLD + "test_there_are_never_more_labels_than_so_many",
)
parts = Room("app/telemetry/metrics_parts.py")
parts(
    "scrapes share what the store was asked",
    "        if monotonic() < self._next:\n            return\n",
    "",
    READ + "test_scrapes_share_what_the_store_was_asked",
)
parts(
    "a store that is back is asked soon",
    "            return min(took * _SHARE, _RETRY)\n",
    "            return took * _SHARE\n",
    READ + "test_the_store_is_asked_again_as_soon_as_its_answers_are_cheap",
)
spans = Room("app/domain/metric_spans.py")
spans(
    "what is told of a time does not change when it is rolled up",
    "        if begin <= now - unit.span:\n",
    "        if begin <= now - 10_000 * unit.span:\n",
    "unit/domain/test_metric_spans.py::test_a_span_ends_where_the_last_of_its_units_does",
)

ROOMS = (rows, series, engine, figures, parts, spans)
