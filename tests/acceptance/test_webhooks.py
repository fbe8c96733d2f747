"""Webhooks of a real service that is killed while their receiver is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.acceptance.service import chain, running
from tests.receiver import Receiver

if TYPE_CHECKING:
    from pathlib import Path

OWN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


def test_what_happened_while_the_receiver_was_away_and_the_service_died_comes_in_order_and_signed(
    tmp_path: Path,
) -> None:
    settings = {"HTTP_ALLOW_PRIVATE": "true", "WEBHOOK_RETRIES": ",".join(["0.2s"] * 500), "LEASE_SECONDS": 2}
    with Receiver() as receiver, running(tmp_path, **settings) as service:
        made = service.post("/api/webhooks", {"url": f"{receiver.url}/all", "topics": ["workflow.>"]}, expect=201)
        receiver.stop()
        own = {"url": f"{receiver.url}/own", "secret": OWN, "events": ["*"]}
        threads = [service.start_thread(chain(f"chain-{number}", 3), webhook=own) for number in range(3)]
        service.until(threads[0], "completed")
        service.kill()
        service.start().ready()
        for thread in threads:
            service.until(thread, "completed")
        events = {tuple(row) for row in service.sql("SELECT thread_id, seq FROM workflow_events")}
        receiver.start()
        got = receiver.wait(2 * len(events))
        for path, secret in (("/all", made["secret"]), ("/own", OWN)):
            mine = [one for one in got if one.path == path]
            first = list({one.id: one.event for one in mine}.values())
            assert set(first) == events
            assert all(one.verified(secret) for one in mine)
            for thread in threads:
                seqs = [seq for of, seq in first if of == thread]
                assert seqs == sorted(seqs)
