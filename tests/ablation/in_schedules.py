"""Safeguards of the schedules: a claim has one holder, a time is fired once, and nothing is left lying."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

STORED = "contracts/test_schedules.py::"
FIRED = "unit/triggers/test_schedules.py::"
DESK = "unit/triggers/test_schedule_desk.py::"

statements = Room("app/store/sql/schedules.sql", promise="G3")
statements(
    "what is decided about a schedule demands the claim that it was decided under",
    "WHERE s.id = m.id AND s.rev = m.rev",
    "WHERE s.id = m.id",
    STORED + "test_what_is_to_be_done_under_a_claim_that_was_lost_is_not_written[postgres]",
)
statements(
    "a schedule that somebody looks after is not claimed",
    "look_at = now() + make_interval(secs => $2::float8), rev = rev + 1",
    "look_at = look_at + 0 * make_interval(secs => $2::float8), rev = rev + 1",
    STORED + "test_what_is_claimed_or_not_due_is_left_alone[postgres]",
)
statements(
    "a time of a schedule has one firing",
    "    ON CONFLICT DO NOTHING\n    RETURNING schedule_id, fire_time",
    "    ON CONFLICT (schedule_id, fire_time) DO UPDATE SET outcome = excluded.outcome\n    RETURNING schedule_id, fire_time",
    STORED + "test_a_time_is_fired_once[postgres]",
)
statements(
    "what came of a firing is noted once",
    "WHERE f.schedule_id = n.schedule_id AND f.fire_time = n.fire_time AND f.outcome = 'starting'",
    "WHERE f.schedule_id = n.schedule_id AND f.fire_time = n.fire_time",
    STORED + "test_what_came_of_a_firing_is_noted_once[postgres]",
)
statements(
    "a process that is gone holds no schedule",
    "WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM incarnations AS i WHERE i.id = s.owner)",
    "WHERE owner IS NOT NULL AND false",
    "store/test_schedules.py::test_the_claims_of_a_process_that_is_gone_are_free_at_once",
)
statements(
    "a backfill leaves alone what was made",
    "WHERE f.outcome IN ('skipped', 'missed', 'failed')\nRETURNING",
    "WHERE true\nRETURNING",
    STORED + "test_a_request_is_for_what_was_not_made[postgres]",
)
records = Room("app/domain/schedules.py", promise="G8")
records(
    "the thread of a firing has an id of its own",
    'return derived_id("schedule", self.schedule_id, self.fire_time.astimezone(UTC).isoformat())',
    "return uuid7()",
    FIRED + "test_who_dies_anywhere_leaves_a_time_to_be_fired_once",
    also=(
        Edit(
            file="app/domain/schedules.py",
            old="from app.domain.ids import derived_id\n",
            new="from app.domain.ids import uuid7\n",
        ),
    ),
)
scheduler = Room("app/triggers/schedules.py")
scheduler(
    "a claim whose work broke off is given back",
    '            _log.debug("firings wait: %s", error)\n            self._unsure = True\n',
    '            _log.debug("firings wait: %s", error)\n',
    FIRED + "test_the_store_may_be_away_for_a_while",
)
scheduler(
    "a schedule that nothing can be decided about holds up no other",
    "except Exception:  # noqa: BLE001 - it must not hold up the others",
    "except ArithmeticError:",
    FIRED + "test_a_schedule_that_nothing_can_be_decided_about_holds_up_no_other",
)
scheduler(
    "what is not held any more is not started",
    "        held = [one for one in decisions if one.move.schedule.id in made]\n",
    "        held = decisions\n"
    "        made = {one.move.schedule.id: frozenset(each.fire_time for each in one.move.made) for one in held}\n",
    FIRED + "test_what_was_taken_from_it_meanwhile_is_not_started",
)
starter = Room("app/triggers/firing.py")
starter(
    "a start that cannot be made is given up in the end",
    "        if now - firing.decided_at > window:\n",
    "        if now < firing.decided_at:\n",
    FIRED + "test_a_start_that_is_refused_for_too_long_is_given_up_and_the_next_is_made",
)
desk = Room("app/triggers/schedule_desk.py")
desk(
    "a time that is due before a change is still made",
    "    at = schedule.next_fire_at if due else schedule.next_after(now)\n",
    "    at = schedule.next_after(now)\n",
    DESK + "test_a_time_that_was_due_before_a_change_is_still_made",
)

rows = Room("app/store/schedules.py")
rows(
    "a schedule that cannot be read holds no other up",
    "        except UnknownFormat as error:",
    "        except ZeroDivisionError as error:",
    "store/test_schedules.py::test_a_schedule_that_cannot_be_read_holds_no_other_up",
)

ROOMS = (rows, statements, records, scheduler, starter, desk)
