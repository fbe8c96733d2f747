"""A world of hostile text: in every field that an agent, a document or a caller fills stands one that would be a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.acceptance.service import Service

LONG: Final = "W" * 10_000
"""A word that no line can hold."""
NAMES: Final = ("__proto__", "constructor", "hasOwnProperty")
"""What every object has without having been given it."""
WAITS: Final = "/nowhere/that/is"


def text(field: str) -> str:
    """The text of one field: as markup and as an address it would do something."""
    return f"<img src=x onerror=__pwned=1>{field}</script><svg/onload=__pwned=2>javascript:alert(1)"


def endless(field: str) -> str:
    """The same, and behind it the word that no line can hold."""
    return f"{text(field)} {LONG}"


INPUT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "topic": {
            "type": "string",
            "title": text("input-title"),
            "description": endless("input-description"),
            "default": text("input-default"),
        },
        "hint": {"type": "string", "examples": [text("input-example")[:59]]},
        "pick": {"enum": [text("input-enum")[:59], "b"]},
        **{name: {"type": "string", "title": f"The {name}"} for name in NAMES},
    },
}
GATE: Final[dict[str, Any]] = {
    "title": text("gate-title"),
    "show": {"words": text("gate-show"), text("gate-key"): 1, "deep": {"deeper": [text("gate-deep")]}, "long": LONG},
    "assignees": [text("assignee")],
    "form": {
        "type": "object",
        "required": ["note"],
        "properties": {
            "note": {
                "type": "string",
                "title": text("form-title"),
                "description": endless("form-description"),
                "default": text("form-default"),
            },
            "hint": {"type": "string", "examples": [text("form-example")[:59]]},
            "pick": {"enum": [text("form-enum")[:59], "b"]},
        },
    },
}
OUTPUT: Final[dict[str, Any]] = {
    text("output-key"): 1,
    "value": text("output-value"),
    "nested": {"deep": {"list": [text("output-item")]}},
    "long": LONG,
    "parts": [text("part-one"), endless("part-two")],
    **{name: f"own {name}" for name in NAMES},
}
PAYLOADS: Final[dict[str, str]] = {
    "closes-an-attribute": "\"><svg onload=window.__pwned=1><a href='javascript:window.__pwned=1'>",
    "closes-a-script": "</script><script>window.__pwned=1</script>",
    "closes-a-style": "</style></textarea></title><iframe srcdoc='<script>parent.__pwned=1</script>'>",
    "template": "${window.__pwned=1}{{constructor.constructor('return window.__pwned=1')()}}#{1}<%= 1 %>",
    "entities": "&lt;img src=x onerror=1&gt; &#60;b&#62; &amp;amp;",
    "right-to-left": "\u202egnp.exe\u2066",
    "zero-width": "ze\u200bro\u200d\ufeffwidth",
    "controls": "bell\x07esc\x1b[31m del\x7f c1\x9b line\u2028para\u2029",
    "astral": "\U0001f9f5\u0301\u0301\u0301\u0301\u0301\u0301 \U000e0041",
}
WORKFLOW: Final[dict[str, Any]] = {
    "name": "hostile",
    "description": endless("workflow-description"),
    "input": INPUT,
    "steps": [
        {"id": "speak", "agent": "speaker", "input": "{input.say}", "assign": "said"},
        {
            "id": "hasOwnProperty",
            "for_each": "{speak.output.parts}",
            "python": "collect",
            "input": "{item}",
            "assign": "__proto__",
        },
        {
            "id": "constructor",
            "python": "collect",
            "needs": ["speak"],
            "input": "{input.payloads}",
            "assign": "constructor",
            "description": endless("step-description"),
            "when": f"input.topic != '{text('condition')}'",
        },
        {"id": "ask", "needs": ["hasOwnProperty", "constructor"], "gate": GATE},
        {"id": "__proto__", "needs": ["ask"], "python": "collect", "input": "{ask.output}"},
    ],
    "output": "{speak.output}",
}
FAILING: Final[dict[str, Any]] = {
    "name": "hostile-failing",
    "input": {"type": "object"},
    "steps": [{"id": "toString", "python": "fail", "input": "{input}"}],
}


NAME: Final = "N" * 128
"""As long as a name may be."""
NAMED: Final[dict[str, Any]] = {
    "name": NAME,
    "input": {"type": "object", "properties": {NAME: {"type": "string"}}},
    "steps": [
        {"id": NAME, "agent": NAME, "input": {"value": 1}, "assign": NAME},
        {"id": "fails", "needs": [NAME], "python": "fail", "input": {"kind": NAME, "message": NAME}},
    ],
}
SCHEMA: Final[dict[str, Any]] = {"type": "object", "description": text("agent-schema")}


class World:
    """The threads by what they are, and what is to be taken away afterwards."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.threads: dict[str, str] = {}
        self._made: list[str] = []

    def make(self) -> None:
        """Everything, by the API."""
        self._post("/api/workflows", {**WORKFLOW, "description": "as it was"})
        self._post("/api/workflows", WORKFLOW)
        self._post("/api/workflows", FAILING)
        failing = {"message": endless("error-message"), "kind": text("error-kind")}
        self.threads = {
            "waiting": self._start("waiting"),
            "over": self._start("over"),
            "running": self._start("running", until=WAITS),
            "failed": self.service.start_thread("hostile-failing", failing),
            "proto": self.service.start_thread("hostile-failing", {"message": "no", "kind": "constructor"}),
        }
        self._agents()
        self._operations()
        self._post("/api/workflows", NAMED)
        self.threads["named"] = self.service.start_thread(NAME, {}, thread_id=NAME, queue=NAME)
        self.service.until(NAME, "failed")
        for name in ("waiting", "over"):
            self.service.until(self.threads[name], "waiting")
        for name in ("failed", "proto"):
            self.service.until(self.threads[name], "failed")
        over = self.threads["over"]
        answer = {"answer": {"note": text("answer")}, "by": text("answered-by"), "via": "api"}
        self._post(f"/api/invoke/gates/{over}/ask", answer)
        self.service.until(over, "completed")
        self._post(f"/api/invoke/rollback/{over}", {"to_version": 2, "reason": text("reason"), "resume": True})
        self.service.until(over, "waiting")
        self._post(f"/api/invoke/gates/{over}/ask", answer)
        self.service.until(over, "completed")

    def _start(self, name: str, **more: Any) -> str:
        said = {
            "log": endless("log-message"),
            "context": {text("log-key"): text("log-value")},
            "progress": text("progress"),
            "chunk": endless("chunk"),
            "output": {**OUTPUT, "which": name},
            **more,
        }
        given = {"title": text("thread-title"), "topic": "topic", "say": said, "payloads": PAYLOADS}
        return self.service.start_thread(
            "hostile", given, triggered_by=text("triggered-by"), external_run_id=text("run")
        )

    def _agents(self) -> None:
        for name in ("hostile-off", "hostile-open", "hostile-well", NAME):
            told = {"description": text("agent-description"), "tags": [text("tag")[:60]], "input": SCHEMA}
            does = {"name": name, "kind": "python", "config": {"function": "collect"}}
            self._post("/api/agents", {**does, **told}, f"/api/agents/{name}")
        self._post("/api/agents/hostile-off/disable", {"reason": text("disabled-reason")})
        self._post("/api/breakers/hostile-open/open", {"reason": text("breaker-reason")})

    def _operations(self) -> None:
        plan = {"name": "hostile", "workflow": "hostile", "description": text("schedule-description")}
        self._post("/api/schedules", {**plan, "cron": "0 0 1 1 *"}, "/api/schedules/hostile")
        self._post("/api/schedules/hostile/pause", {"reason": text("pause-reason")})
        condition = f"message.data.x == '{text('trigger-condition')}'"
        trigger = {**plan, "description": text("trigger-description"), "topic": "hostile.topic", "condition": condition}
        self._post("/api/triggers", trigger, "/api/triggers/hostile")
        hook = {"url": "https://hook.invalid/?x=%22><img+src=x+onerror=__pwned=1>", "topics": ["hostile.none"]}
        made = self._post("/api/webhooks", {**hook, "description": text("webhook-description")})
        self._made.append(f"/api/webhooks/{made['id']}")

    def _post(self, path: str, body: Any, made: str | None = None) -> Any:
        answer = self.service.http.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.text[:600]}"
        if made:
            self._made.append(made)
        return answer.json()

    def clear(self) -> None:
        """What others would stumble over goes; threads and workflows stay."""
        self.service.http.post("/api/breakers/hostile-open/close")
        for path in self._made:
            self.service.http.delete(path)
        self.service.http.post(f"/api/invoke/cancel/{self.threads['running']}", json={})
