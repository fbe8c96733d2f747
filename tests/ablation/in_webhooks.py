"""Safeguards of webhooks: nothing is overlooked, nothing out of order, nothing where it may not go, no secret shown."""

from __future__ import annotations

from tests.ablation.safeguard import Room

BOTH = "contracts/test_webhooks.py::"
API = "api/test_webhooks.py::"
SENT = "unit/triggers/test_sender.py::"
FOLLOWED = "unit/triggers/test_follow_end.py::"
VALUES = "unit/domain/test_webhooks.py::"
POST = "unit/runners/test_webhook_post.py::"
POSTGRES = "store/test_webhooks.py::"

follow = Room("app/triggers/follow.py", promise="G6")
follow(
    "a follower goes no further than the end that was there before it was told what is wanted",
    "found = Messages([one for one in read.items if one.place is None or one.place < end], min(read.place, end))",
    "found = read",
    FOLLOWED + "test_what_is_written_with_the_wish_for_it_comes_though_others_wanted_something_before",
)
follow(
    "the end is asked for before the wishes",
    "end = await self._source.end()\n        patterns = await self._consumer.wants()",
    "patterns = await self._consumer.wants()\n        end = await self._source.end()",
    FOLLOWED + "test_what_is_written_after_nothing_was_wanted_and_before_the_end_is_known_comes",
)

flush = Room("app/store/sql/journal.sql", promise="G1")
flush(
    "a webhook is written only with its start",
    "FROM unnest($11::journal_webhook[])\n    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE",
    "FROM unnest($11::journal_webhook[])",
    BOTH + "test_a_start_that_is_refused_leaves_no_webhook[postgres]",
)

queue = Room("app/store/sql/webhooks.sql", promise="G5")
queue(
    "a lane that has got something is not left as empty",
    "due_at = CASE WHEN news = $4::bigint THEN NULL ELSE now() END",
    "due_at = CASE WHEN $4::bigint IS NOT NULL THEN NULL ELSE now() END",
    BOTH + "test_what_comes_into_a_lane_that_was_just_found_empty_is_not_overlooked[postgres]",
)
queue(
    "who holds a lane no longer writes nothing of it",
    "WHERE lane = $1 AND endpoint_id = $2 AND holder = $3\n    RETURNING lane\n)\nUPDATE webhook_deliveries",
    "WHERE lane = $1 AND endpoint_id = $2 AND $3::uuid IS NOT NULL\n    RETURNING lane\n)\nUPDATE webhook_deliveries",
    BOTH + "test_who_holds_a_lane_no_longer_writes_nothing[postgres]",
    promise="G3",
)
queue(
    "of a lane the first that waits is sent",
    "ORDER BY seq LIMIT 1\n) AS d ON true",
    "ORDER BY seq DESC LIMIT 1\n) AS d ON true",
    BOTH + "test_a_lane_is_held_by_one_and_gives_its_messages_in_order[postgres]",
)
queue(
    "an endpoint gets its share of the sendings and no more",
    "LIMIT greatest(0, $4::int - coalesce(busy.number, 0))",
    "LIMIT greatest(0, 100 * $4::int - coalesce(busy.number, 0))",
    BOTH + "test_an_endpoint_gets_no_more_than_its_share_and_others_theirs[postgres]",
)
queue(
    "who hangs gets only what others leave of the sendings",
    "coalesce(busy.number, 0) + row_number() OVER (PARTITION BY targets.target ORDER BY due.due_at) AS rank",
    "0 AS rank",
    BOTH + "test_who_is_sent_the_least_is_claimed_for_first[postgres]",
)
queue(
    "what has waited for an endpoint that was disabled is not given up for it",
    "greatest(d.queued_at, w.enabled_at) AS queued_at",
    "d.queued_at",
    BOTH + "test_what_was_to_be_tried_later_is_due_and_has_not_waited_when_its_endpoint_is_enabled[postgres]",
)
queue(
    "nothing is sent to an endpoint that is disabled",
    "WHERE NOT EXISTS (SELECT FROM webhooks AS w WHERE w.id::text = targets.target AND NOT w.enabled)",
    "",
    BOTH + "test_nothing_is_sent_to_one_that_is_disabled_until_it_is_enabled[postgres]",
)
queue(
    "what a dead process was sending is sent by another",
    "AND NOT EXISTS (SELECT FROM incarnations AS i WHERE i.id = l.holder)",
    "AND false",
    POSTGRES + "test_what_a_dead_process_held_is_sent_by_another_before_its_lease_is_over",
)
queue(
    "of a thread that was deleted nothing is sent",
    "CASE WHEN d.thread_id IS NULL OR EXISTS (SELECT FROM threads WHERE threads.thread_id = d.thread_id) THEN",
    "CASE WHEN true THEN",
    BOTH + "test_of_a_thread_that_is_no_more_nothing_is_sent[postgres]",
)
queue(
    "what is queued twice is there once",
    "ORDER BY id\n    ON CONFLICT DO NOTHING",
    "ORDER BY id",
    BOTH + "test_what_is_queued_twice_is_there_once[postgres]",
    promise="G2",
)

queue(
    "a thread waits for the pause of what is tried again",
    "due_at = CASE WHEN $5 = 'pending' THEN now() + make_interval(secs => $6::float8) ELSE due_at END",
    "due_at = CASE WHEN $5 = 'pending' THEN now() + make_interval(secs => 0 * $6::float8) ELSE due_at END",
    BOTH + "test_the_next_waits_while_the_one_before_it_is_tried_again[postgres]",
)

delete = Room("app/store/sql/retention.sql")
delete(
    "with a thread go the deliveries that tell of it",
    "DELETE FROM webhook_deliveries WHERE thread_id = ANY ($1::text[]) RETURNING 1",
    "SELECT 1",
    BOTH + "test_with_a_thread_go_its_webhook_and_its_deliveries[postgres]",
)

sender = Room("app/triggers/sender.py", promise="G5")
sender(
    "no secret is kept of what a receiver answers",
    "return KNOWN.excerpt(net.excerpt(text))[:most]",
    "return text[:most]",
    SENT + "test_no_secret_is_in_what_is_kept_of_an_answer",
)
sender(
    "who gives no answer gets one sending at a time",
    "busy[target] += self._policy.share - 1",
    "busy[target] += 0",
    SENT + "test_those_that_do_not_answer_get_one_sending_at_a_time_until_they_do",
)
sender(
    "what is sent is signed by the old secret too while it holds",
    "for secret in secrets]",
    "for secret in secrets[:1]]",
    SENT + "test_while_a_secret_is_changed_both_sign",
)

told = Room("app/triggers/webhooks.py")
told(
    "an event belongs to the webhook that held when it was written",
    "found = [hook for hook in hooks if hook.from_seq <= seq]",
    "found = list(hooks)",
    VALUES + "test_an_event_belongs_to_the_webhook_that_held_when_it_was_written",
)

values = Room("app/domain/webhooks.py")
values(
    "a thread that takes the id of a deleted one has deliveries of its own",
    "derived_id(endpoint_id, message.source, message.id, message.time.isoformat())",
    "derived_id(endpoint_id, message.source, message.id)",
    VALUES + "test_the_id_of_a_delivery_belongs_to_its_message_and_its_endpoint",
)

views = Room("app/domain/views/webhooks.py")
views(
    "the headers of a webhook are masked",
    "dict.fromkeys(webhook.headers, MASK)",
    "dict(webhook.headers)",
    API + "test_what_is_secret_is_told_once_and_shown_nowhere",
)

post = Room("app/runners/webhook_post.py")
post(
    "a webhook goes to public addresses only",
    "self._transport = Transport(allow_private=self._allow_private)",
    "self._transport = Transport(allow_private=True)",
    POST + "test_a_private_address_is_refused_by_its_name_and_by_what_it_resolves_to",
)
post(
    "the status counts however slowly the rest of an answer comes",
    "    except (httpx.HTTPError, TimeoutError):\n        pass",
    "    except httpx.HTTPError:\n        pass",
    POST + "test_who_answers_and_goes_on_talking_has_taken_it",
    promise="G2",
)
post(
    "of an answer no more is read than is kept",
    "if len(raw) > SHOWN:\n                    break",
    "if not raw:\n                    break",
    POST + "test_of_an_answer_without_an_end_the_beginning_is_read",
)

ROOMS = (follow, flush, queue, delete, sender, told, values, views, post)
