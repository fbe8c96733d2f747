"""Safeguards of queues, claims and circuit breakers."""

from __future__ import annotations

from tests.ablation.safeguard import Room

LEASES = "contracts/test_leases.py::"
QUEUES = "contracts/test_queues.py::"
BREAKERS = "contracts/test_breakers.py::"
LOCKED = "store/test_locked_rows.py::"

claim = Room("app/store/sql/queue.sql", promise="G3")
claim(
    "a claim raises the epoch",
    "SET incarnation_id = $1, epoch = epoch + 1, wake_at = NULL",
    "SET incarnation_id = $1, wake_at = NULL",
    LEASES + "test_whoever_drove_before_a_claim_is_fenced[postgres]",
)
claim(
    "a claim locks what it takes",
    "ORDER BY wake_at LIMIT shares.size FOR UPDATE SKIP LOCKED",
    "ORDER BY wake_at LIMIT shares.size",
    LOCKED + "test_a_claim_takes_nothing_that_another_is_taking",
)
claim(
    "a claim passes over locked rows",
    "ORDER BY wake_at LIMIT shares.size FOR UPDATE SKIP LOCKED",
    "ORDER BY wake_at LIMIT shares.size FOR UPDATE",
    LOCKED + "test_a_claim_passes_over_a_locked_thread",
)
claim(
    "a limited queue is claimed under its lock",
    "ORDER BY name FOR UPDATE SKIP LOCKED;",
    "ORDER BY name;",
    LOCKED + "test_a_queue_in_which_another_claims_is_passed_over",
    promise="G11",
)
claim(
    "a limited queue is not claimed without its lock",
    "ELSE rooms.queue = ANY($4) OR NOT rooms.limited",
    "ELSE true",
    QUEUES + "test_ten_that_claim_at_once_take_no_more_than_the_limit[postgres]",
    LOCKED + "test_a_queue_in_which_another_claims_is_passed_over",
    promise="G11",
)
claim(
    "a queue that another claims in is not waited for",
    "ORDER BY name FOR UPDATE SKIP LOCKED;",
    "ORDER BY name FOR UPDATE;",
    LOCKED + "test_a_queue_in_which_another_claims_is_passed_over",
    promise="G11",
)
claim(
    "slots are counted",
    "SELECT queue_slots(waiting.queue, settings.max_running, $3) AS slots",
    "SELECT coalesce(settings.max_running, $3::int) AS slots",
    QUEUES + "test_ten_that_claim_at_once_take_no_more_than_the_limit[postgres]",
    promise="G11",
)
claim(
    "a rate limit spends its tokens",
    "SET tokens = queue_tokens(queues) - used.threads",
    "SET tokens = queue_tokens(queues) - 0 * used.threads",
    QUEUES + "test_a_rate_limit_lets_so_many_through_as_there_are_tokens[postgres]",
    promise="G11",
)
claim(
    "the same rate again fills no bucket",
    "SET max_running = $2, max_depth = $3, rate_count = $4, rate_seconds = $5, updated_at = now(),\n"
    "    tokens = CASE WHEN (queue.rate_count, queue.rate_seconds) IS NOT DISTINCT FROM ($4, $5) THEN queue.tokens",
    "SET max_running = $2, max_depth = $3, rate_count = $4, rate_seconds = $5, updated_at = now(),\n"
    "    tokens = CASE WHEN false THEN queue.tokens",
    QUEUES + "test_the_same_settings_again_fill_no_bucket[postgres]",
    promise="G11",
)
claim(
    "a full queue is not due",
    "WHERE queue_slots(heads.queue, settings.max_running, $1) > 0;",
    "WHERE $1::int IS NOT NULL;",
    QUEUES + "test_next_due_leaves_out_a_full_queue[postgres]",
)
claim(
    "the default queue always has a place",
    "WHERE $1 = 'default' OR (SELECT count(*) FROM queues WHERE name <> 'default') < $2::int",
    "WHERE (SELECT count(*) FROM queues) < $2::int",
    QUEUES + "test_there_are_only_so_many_queues[postgres]",
    promise="-",
)
claim(
    "queues that are told something are counted too",
    "OR (SELECT count(*) FROM queues WHERE name <> 'default') < $6::int",
    "OR $6::int IS NOT NULL",
    QUEUES + "test_there_are_only_so_many_queues[postgres]",
    promise="-",
)
admission = Room("app/engine/admission.py", promise="G13")
admission(
    "a start waits for its turn so long and no longer",
    "patience.reschedule(loop.time())",
    "pass",
    "unit/engine/test_queues.py::test_who_waits_for_a_turn_in_vain_is_told_to_come_again",
)
breakers = Room("app/store/sql/breakers.sql")
breakers(
    "a breaker is written by compare-and-set",
    "WHERE tenant = $1 AND agent = $2 AND rev = $4 - 1",
    "WHERE tenant = $1 AND agent = $2 AND $4::bigint IS NOT NULL",
    BREAKERS + "test_of_twenty_that_want_one_probe_exactly_one_gets_it[postgres]",
)
breakers(
    "a breaker is made once",
    "ON CONFLICT DO NOTHING\nRETURNING rev;",
    "ON CONFLICT (tenant, agent) DO UPDATE SET rev = $4 RETURNING rev;",
    BREAKERS + "test_failures_of_many_processes_at_once_open_it_once[postgres]",
)

ROOMS = (claim, admission, breakers)
