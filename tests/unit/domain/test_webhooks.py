"""What is sent to whom, and whether it is tried again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.events import KEPT
from app.domain.ids import uuid7
from app.domain.messages import Message
from app.domain.ports import FeedPosition
from app.domain.webhook_checks import new_secret, secret_problem, url_problem
from app.domain.webhooks import (
    USUAL,
    Answer,
    DeliveryStatus,
    StartHook,
    ThreadHook,
    Webhook,
    body_of,
    delivery_of,
    verdict,
)
from app.triggers.webhooks import in_force

PAUSES = (5.0, 300.0, 1800.0)
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BODY = "{}"


def judged(answer: Answer, attempts: int = 1, waited: float = 0.0) -> tuple[str, float]:
    found = verdict(answer, attempts, waited, PAUSES, lambda: 0.0)
    return found.status.value, found.wait


def message(**fields: Any) -> Message:
    given = {
        "id": "t:3", "topic": "workflow.step_start.w", "source": "backstitch", "type": "backstitch.step_start", "time": AT,
        "data_json": '{"n":1e400,"text":"\\u0000"}', "subject": "t", "thread_id": "t", "place": FeedPosition(9, "t", 3),
    }  # fmt: skip
    return Message(**given | fields)


def webhook(**fields: Any) -> Webhook:
    given = {"id": uuid7(), "url": "https://x.example/", "secret": "s", "created_at": AT, "updated_at": AT}
    return Webhook(**given | fields)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert judged(Answer(status=status)) == ("delivered", 0)


@pytest.mark.parametrize(
    "answer", [Answer(status=500), Answer(status=404), Answer(status=302), Answer(error="refused")]
)
def test_all_else_is_tried_again_after_pauses_that_grow(answer: Answer) -> None:
    assert [judged(answer, number) for number in (1, 2, 3)] == [("pending", pause) for pause in PAUSES]
    assert judged(answer, 4) == ("failed", 0)


def test_a_pause_is_made_longer_at_random() -> None:
    found = verdict(Answer(status=500), 1, 0, PAUSES, lambda: 0.5)
    assert found.wait == 5.0 * 1.05


@pytest.mark.parametrize(("asked", "wait"), [(60.0, 60.0), (1.0, 5.0), (9e9, 86_400.0)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_makes_a_pause_longer_and_never_shorter(status: int, asked: float, wait: float) -> None:
    assert judged(Answer(status=status, retry_after=asked)) == ("pending", wait)
    assert judged(Answer(status=500, retry_after=asked)) == ("pending", 5.0)


def test_who_is_gone_is_not_asked_again() -> None:
    assert judged(Answer(status=410)) == ("failed", 0)


def test_what_has_waited_behind_others_for_longer_than_all_pauses_is_tried_once() -> None:
    assert judged(Answer(status=500), waited=3 * sum(PAUSES)) == ("failed", 0)
    assert judged(Answer(status=200), waited=3 * sum(PAUSES)) == ("delivered", 0)


def test_the_body_is_that_of_the_standard_and_keeps_the_exact_text_of_the_data() -> None:
    text = body_of(message())
    assert text.endswith(',"data":{"n":1e400,"text":"\\u0000"}}')
    found = json.loads(text)
    assert (found["type"], found["timestamp"]) == ("backstitch.step_start", "2026-11-21T09:30:00.000Z")
    assert (found["id"], found["topic"], found["subject"]) == ("t:3", "workflow.step_start.w", "t")


def test_the_id_of_a_delivery_belongs_to_its_message_and_its_endpoint() -> None:
    one, other = uuid7(), uuid7()
    first = delivery_of(message(), BODY, one, None, AT)
    assert delivery_of(message(), BODY, one, None, AT + timedelta(hours=1)).id == first.id
    ids = {
        delivery_of(message(), BODY, other, None, AT).id,
        delivery_of(message(id="t:4"), BODY, one, None, AT).id,
        delivery_of(message(source="shop"), BODY, one, None, AT).id,
        delivery_of(
            message(time=AT + timedelta(seconds=1)), BODY, one, None, AT
        ).id,  # another thread of that id, made later
    }
    assert len(ids | {first.id}) == 5


def test_events_of_a_thread_share_a_lane_and_other_messages_have_their_own() -> None:
    endpoint = uuid7()
    ours = delivery_of(message(), BODY, endpoint, None, AT)
    assert (ours.lane, ours.seq, ours.target) == ("t", 3, endpoint)
    foreign = delivery_of(message(topic="orders.paid", thread_id=None), BODY, endpoint, None, AT)
    assert (foreign.lane, foreign.seq) == (f"#{foreign.id}", 0)
    assert delivery_of(message(), BODY, endpoint, "HTTPS://X.example:1/a?b", AT).target == "https://x.example:1"


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        ("workflow.step_start.w", True),
        ("workflow.step_start.v", False),
        ("workflow.step_start.a.b", True),
        ("orders", False),
    ],
)
def test_workflows_narrow_down_the_topics_of_threads(topic: str, wanted: bool) -> None:
    assert webhook(topics=(">",), workflows=("w", "a.b")).wants(topic) is wanted


def test_without_anything_asked_for_the_ends_and_the_gates_are_delivered() -> None:
    usual = webhook()
    assert {name for name in KEPT if usual.wants(f"workflow.{name}.w")} == set(USUAL)
    assert "gate_waiting" in USUAL
    assert "workflow_failed" in USUAL


def test_an_event_belongs_to_the_webhook_that_held_when_it_was_written() -> None:
    def hook(from_seq: int, *, gone: bool = False) -> ThreadHook:
        return ThreadHook(
            thread_id="t", from_seq=from_seq, hook=StartHook(id=uuid7(), url="https://x.example"), gone=gone
        )

    first, second, over = hook(1), hook(5), hook(9, gone=True)
    found = [in_force([first, second, over], seq) for seq in (1, 4, 5, 8, 9)]
    assert found == [first, first, second, second, None]
    assert in_force([second], 4) is None


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://x.example", "https://", "https:///path", "https://x.example:99999", "https://a b.example",
        "//x.example", "https://x.example/#part", "https://user:word@x.example/", "https://user@x.example/", "https://x.example/?token=abcdefgh",
        "https://x.example/" + "a" * 2_000, "https://[::1", "https://x.example/\n",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_one_or_would_show_a_secret_is_refused(url: str) -> None:
    assert url_problem(url) is not None


@pytest.mark.parametrize("url", ["https://x.example", "http://x.example:8080/a?b=c", "https://[2606:4700::1111]/hook"])
def test_a_plain_url_is_taken(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_abc", "whsec_!!!", "whsec_" + "A" * 400])
def test_a_secret_that_could_not_sign_is_refused_in_words_that_do_not_hold_it(secret: str) -> None:
    said = secret_problem(secret)
    assert said is not None
    assert len(secret) < 7 or secret not in said


def test_a_new_secret_can_sign_and_is_another_each_time() -> None:
    made = {new_secret() for _ in range(3)}
    assert len(made) == 3
    assert [secret_problem(one) for one in made] == [None] * 3


def test_names_of_deliveries_status_are_those_of_the_api() -> None:
    assert [one.value for one in DeliveryStatus] == ["pending", "delivered", "failed"]


def test_what_is_secret_is_not_in_the_representation() -> None:
    hook = StartHook(id="i", url="https://x.example", headers={"k": "geheim"}, secret="geheim")
    assert "geheim" not in repr(hook) + repr(webhook(secret="geheim", old_secret="geheim", headers={"k": "geheim"}))
