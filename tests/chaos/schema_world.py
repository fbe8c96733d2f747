"""What drawn requests are about: threads in every status, and values that lead them deeper than chance would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

from tests.chaos.world import row_of

if TYPE_CHECKING:
    from random import Random

    from schemathesis import Case

    from tests.acceptance.service import Service

_DOCUMENTS = ("/api/workflows", "/api/workflows/validate")
_SHORT = "0.05s"


_NOWHERE = "https://hooks.invalid/"
"""A host that there never is (RFC 6761, section 6.4): nothing leaves this machine."""


@dataclass
class Known:
    """Values that exist, by the name of the parameter or field that takes them."""

    values: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])

    def put_in(self, case: Case, dice: Random) -> bool:
        """Put some in, most of the time, where the case fits its schema; whether one came where something did not fit."""
        healed = False
        for name in case.path_parameters or {}:
            if name in self.values and self._fits(case, ParameterLocation.PATH) and dice.random() < 0.8:
                case.path_parameters[name] = dice.choice(self.values[name])
        if "timeout" in str(case.operation.definition.raw.get("parameters")) and self._is_long(case):
            case.query["timeout"] = _SHORT
            healed = True
        if case.operation.path in _DOCUMENTS and self._fits(case, ParameterLocation.BODY) and dice.random() < 0.5:
            case.body = dice.choice(self.values["document"])
            return healed
        body: Any = case.body
        if isinstance(body, dict) and self._fits(case, ParameterLocation.BODY):
            for name in body.keys() & self.values.keys():
                if dice.random() < 0.6:
                    body[name] = dice.choice(self.values[name])
        return healed

    @staticmethod
    def _fits(case: Case, where: ParameterLocation) -> bool:
        part = case.meta.components.get(where) if case.meta is not None else None
        return part is None or part.mode is GenerationMode.POSITIVE

    @staticmethod
    def _is_long(case: Case) -> bool:
        """Whether the request may be waited for longer than there is time."""
        return case.query is not None and str(case.query.get("timeout")) != _SHORT


def prepare(service: Service) -> Known:
    """Threads that completed, failed, were cancelled, are paused, run and wait; a registered workflow."""
    steps = row_of(2, 0.0, "known")
    service.http.post("/api/workflows", json=steps).raise_for_status()
    spare = {"name": "spare", "kind": "python", "config": {"function": "hand"}}
    service.http.post("/api/agents", json=spare).raise_for_status()
    nap = {"name": "nap", "steps": [{"id": "nap", "sleep": "24h"}]}
    failing = {"name": "failing", "steps": [{"id": "s1", "python": "odd", "retry": {"max_attempts": 1}}]}
    threads: dict[str, Any] = {}
    for name, document in {
        "completed": steps,
        "rolled": steps,
        "failed": failing,
        "waiting": nap,
        "cancelled": nap,
        "paused": nap,
        "running": row_of(1, 10_000.0, "long"),
    }.items():
        body = {"workflow": document, "thread_id": name, "input": {"a": 1}}
        answer = service.http.post("/api/invoke?timeout=300ms", json=body)
        assert answer.status_code in (200, 202), answer.text
        threads[name] = answer.json()["execution_id"]
    service.http.post("/api/invoke/cancel/cancelled").raise_for_status()
    service.http.post("/api/invoke/pause/paused").raise_for_status()
    service.http.post("/api/invoke/rollback/rolled", json={"to_version": 2}).raise_for_status()
    hook = service.post("/api/webhooks", {"url": _NOWHERE}, expect=201)["id"]
    sent = service.post(f"/api/webhooks/{hook}/test", expect=200)["id"]
    return Known(
        {
            "thread_id": sorted(threads),
            "execution_id": sorted(threads.values()),
            "version": [1, 2, 3, 4],
            "reference": ["known", "known@1", "content-strategy", "known@9", "spare", "spare@1", "hand"],
            "agent": ["hand", "analyst"],
            "name": ["default", "mail", "spare", "critic"],
            "kind": ["python"],
            "queue": ["default", "mail", "post"],
            "document": [steps, nap, failing, *({**nap, "name": f"nap-{number}"} for number in range(20))],
            "workflow": ["known", "known@1", steps, nap, {"name": "x", "steps": []}],
            "to_version": [1, 2, 3],
            "expected_version": [None, 1, 2, 4],
            "from_step": ["s1", "s2", None],
            "overrides": [None, {"s1": {"agent": "hand", "input": {"sleep": 0}}}],
            "skip": [None, {"s2": {"any": "output"}}],
            "delay": [None, 0, "1s", "24h"],
            "webhook": [None, _NOWHERE],
            "url": [_NOWHERE],
            "topics": [None, ["workflow.>"], ["orders.*"]],
            "secret": [None],
            "webhook_id": [hook],
            "delivery_id": [sent],
        }
    )
