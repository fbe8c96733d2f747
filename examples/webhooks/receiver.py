"""Receive the webhooks of a service and check their signatures (Standard Webhooks): python receiver.py, then send it some.

WEBHOOK_SECRET is the endpoint's secret (whsec_...), PORT where this listens.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SEEN: set[str] = set()


def receive(secret: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    """The status to answer with, and the event if it is a genuine one that was not received before."""
    try:
        # The bytes as they came: not JSON that was parsed and written again.
        event = Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        print("refused:", error)
        return 400, None
    # Delivery is at least once, and a redelivery has the id of the first: keep ids where they outlive this process.
    if headers["webhook-id"] in SEEN:
        return 204, None
    SEEN.add(headers["webhook-id"])
    return 204, event


class Receiver(BaseHTTPRequestHandler):
    """Answers quickly, whatever is to be done about it: who does not answer in time gets it again."""

    def do_POST(self) -> None:
        """One delivery."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        given = {name.lower(): value for name, value in self.headers.items()}
        status, event = receive(os.environ["WEBHOOK_SECRET"], given, body)
        if event is not None:
            print(given["webhook-id"], json.dumps(event), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """What is received is told above."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver).serve_forever()
