"""Writes what the client is answered and given, as types: app/client/types.py, listed.py, fields.py and their like.

They come from the OpenAPI document.

Run by `make client-types`; with --check it writes nothing and fails when they are not what it would write.
"""

from __future__ import annotations

import keyword
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OF_THREADS = (
    "AcceptedAnswer",
    "BulkAnswer",
    "ForkedAnswer",
    "GateAnsweredAnswer",
    "PreviewAnswer",
    "ResumePreviewAnswer",
    "ResumedAnswer",
    "RolledBackAnswer",
    "StatusDocument",
)
LISTED = (
    "ExecutionAnswer",
    "ExecutionEntry",
    "GateAnswer",
    "HistoryEntry",
    "StepRunAnswer",
    "ThreadCountsAnswer",
    "ThreadEntry",
    "VersionAnswer",
)
OF_PARTS = {
    "agents": ("AgentAnswer", "AgentEventAnswer", "AgentHealthAnswer", "DeletedAgentAnswer"),
    "messages": (
        "DeletedTriggerAnswer",
        "MessageAnswer",
        "PublishedAnswer",
        "SignalAnswer",
        "SignalSentAnswer",
        "TrialAnswer",
        "TriggerAnswer",
        "TriggerFiringAnswer",
        "WaitAnswer",
    ),
    "schedules": (
        "BackfillAnswer",
        "DeletedScheduleAnswer",
        "ScheduleAnswer",
        "ScheduleFiringAnswer",
        "SchedulePreviewAnswer",
    ),
    "webhooks": (
        "DeletedWebhookAnswer",
        "DeliveryAnswer",
        "DeliveryEntry",
        "RecoveredAnswer",
        "RotatedAnswer",
        "WebhookAnswer",
        "WebhookSecretAnswer",
    ),
    "workers": ("WorkersAnswer",),
    "workflows": ("ValidationAnswer", "WorkflowAnswer", "WorkflowEntry"),
}
BODIES = {
    "StartFields": ("StartRequest", {"workflow", "input"}),
    # With dry_run the answer is another one.
    "ResumeFields": ("ResumeRequest", {"dry_run"}),
    "RollbackFields": ("RollbackRequest", {"to_version", "dry_run"}),
    "BulkCancelFields": ("BulkCancelRequest", {"thread_ids"}),
    "BulkFields": ("BulkRequest", {"thread_ids"}),
    "CancelFields": ("CancelRequest", set[str]()),
    "ForkFields": ("ForkRequest", set[str]()),
    "GateFields": ("GateRequest", {"answer"}),
}
BODIES_OF_PARTS = {
    "PreviewFields": ("PreviewRequest", set[str]()),
    "ScheduleChanges": ("ScheduleChangeRequest", {"expected_revision"}),
    "ScheduleFields": ("ScheduleRequest", set[str]()),
    "SecretFields": ("RotateWebhookRequest", set[str]()),
    "TriggerChanges": ("TriggerChange", set[str]()),
    "TriggerFields": ("TriggerRequest", {"name", "topic", "workflow"}),
    "WebhookChanges": ("ChangeWebhookRequest", set[str]()),
    "WebhookFields": ("WebhookRequest", {"url"}),
}
QUERIES = {
    "ExecutionFilters": "/api/workflow/executions",
    "GateFilters": "/api/gates",
    "HistoryFilters": "/api/invoke/history/{thread_id}",
    "PageFilters": "/api/workflows",
    "StepRunFilters": "/api/invoke/steps/{thread_id}/{step_id}",
    "ThreadCountFilters": "/api/threads/counts",
    "ThreadFilters": "/api/threads",
}
QUERIES_OF_PARTS = {
    "AgentFilters": "/api/agents",
    "DeliveryFilters": "/api/webhooks/{webhook_id}/deliveries",
    "FiringFilters": "/api/schedules/{name}/firings",
    "MessageFilters": "/api/messages",
    "ScheduleFilters": "/api/schedules",
    "SignalFilters": "/api/invoke/signals/{thread_id}",
    "TriggerFiringFilters": "/api/triggers/{name}/firings",
    "WaitFilters": "/api/waits",
}
WIDTH = 120
_NEWS = "by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit."
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Writer:
    """The classes of one module, from the schemas that its own ones need."""

    def __init__(self, document: dict[str, Any], *, given: bool = False, known: Writer | None = None) -> None:
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self.paths = document["paths"]
        self.given = given
        self.known = known.written if known is not None else {}
        self.imported: set[str] = set()
        self.written: dict[str, str] = {}

    def type_of(self, schema: dict[str, Any]) -> str:
        """A schema as a type; what it refers to is written too."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in self.known:
                self.imported.add(name)
            else:
                self.write(name, self.schemas[name])
            return name
        if "anyOf" in schema:
            found = " | ".join(dict.fromkeys(self.type_of(one) for one in schema["anyOf"]))
            return "Any" if "Any" in found.split(" | ") else found
        if "enum" in schema or "const" in schema:
            return f"Literal[{', '.join(_quoted(one) for one in schema.get('enum', [schema.get('const')]))}]"
        return self._container(schema)

    def _container(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        if kind == "array":
            return f"{'Sequence' if self.given else 'list'}[{self.type_of(schema.get('items', {}))}]"
        if kind == "object":
            values = schema.get("additionalProperties")
            inner = self.type_of(values) if isinstance(values, dict) else "Any"
            return f"{'Mapping' if self.given else 'dict'}[str, {inner}]"
        if self.given and schema.get("format") == "date-time":
            return "datetime | str"
        return _PLAIN.get(str(kind), "Any")

    def write(self, name: str, schema: dict[str, Any], without: set[str] | None = None) -> None:
        """The class, or the alias, of a schema."""
        if name in self.written:
            return
        self.written[name] = ""
        if "properties" not in schema:
            self.written[name] = _alias(name, self.type_of({**schema, "title": None}))
            return
        required = set(schema.get("required", ()))
        fields = {
            field: (self.type_of(one), field in required)
            for field, one in schema["properties"].items()
            if field not in (without or set())
        }
        self.written[name] = _class(name, str(schema.get("description", "")), fields, total=not self.given)

    def write_query(self, name: str, path: str) -> None:
        """The parameters of a list."""
        operation = self.paths[path]["get"]
        found = [one for one in operation["parameters"] if one["in"] == "query"]
        schema = {
            "description": f"The filters of `GET {path}`.",
            "properties": {one["name"]: one["schema"] for one in found},
        }
        self.write(name, schema)

    def text(self, summary: str) -> str:
        """The module."""
        aliases = [text for text in self.written.values() if not text.startswith("class")]
        classes = [self.written[name] for name in sorted(self.written) if self.written[name].startswith("class")]
        body = "\n".join(sorted(aliases)) + ("\n\n\n" if aliases else "") + "\n\n".join(classes)
        typing = [name for name in ("Any", "Literal", "NotRequired", "TypeAlias", "TypedDict") if _uses(body, name)]
        checked = [name for name in ("Mapping", "Sequence") if _uses(body, name)]
        lines = [f'"""{summary}, written', f'{_NEWS}\n"""\n', "from __future__ import annotations\n"]
        if checked or self.imported or _uses(body, "datetime"):
            typing = sorted([*typing, "TYPE_CHECKING"], key=lambda name: (not name.isupper(), name))
        lines.append(f"from typing import {', '.join(typing)}\n")
        if "TYPE_CHECKING" in typing:
            lines.append("if TYPE_CHECKING:")
            lines += [f"    from collections.abc import {', '.join(checked)}"] if checked else []
            lines += ["    from datetime import datetime"] if _uses(body, "datetime") else []
            if self.imported:
                lines += [""] if checked else []
                lines.append(f"    from app.client.types import {', '.join(sorted(self.imported))}")
        return "\n".join(lines).rstrip() + ("\n\n" if aliases else "\n\n\n") + body


def _uses(body: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", body) is not None


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _alias(name: str, found: str) -> str:
    line = f"{name}: TypeAlias = {found}"
    if len(line) <= WIDTH:
        return line
    inner = found.removeprefix("Literal[").removesuffix("]")
    lines = "".join(f"    {one},\n" for one in inner.split(", ")) if len(inner) > WIDTH - 4 else f"    {inner}\n"
    return f"{name}: TypeAlias = Literal[\n{lines}]"


def _class(name: str, description: str, fields: dict[str, tuple[str, bool]], *, total: bool) -> str:
    told = " ".join(description.split()) or "Nothing is known of it."
    whole = f'    """{told}"""'
    if len(whole) > WIDTH:
        first, *rest = textwrap.wrap(told, WIDTH - 8)
        whole = "\n    ".join([f'    """{first}', *rest, '"""'])
    lines = [f"class {name}(TypedDict{'' if total else ', total=False'}):", whole, ""]
    for field, (kind, required) in fields.items():
        if keyword.iskeyword(field) or not field.isidentifier():
            raise SystemExit(f"{name}.{field}: no name of Python's, which this script does not write yet")
        lines.append(f"    {field}: {kind if required or not total else f'NotRequired[{kind}]'}")
    return "\n".join(lines if fields else lines[:2]) + "\n"


def texts() -> dict[Path, str]:
    """What the modules should hold."""
    from app.api.app import create_app  # noqa: PLC0415 - main() says where the project is

    document = create_app(lambda: None).openapi()  # type: ignore[arg-type, return-value] - nothing is opened for it
    answers = Writer(document)
    for name in OF_THREADS:
        answers.write(name, answers.schemas[name])
    listed = Writer(document, known=answers)
    for name in LISTED:
        listed.write(name, listed.schemas[name])
    here = ROOT / "app/client"
    return {
        here / "types.py": answers.text("What the service answers to the client about threads"),
        here / "listed.py": listed.text("What the service lists and shows to the client"),
        here / "fields.py": _given(document, BODIES, QUERIES).text(
            "What the client's methods may be given beside their arguments"
        ),
        here / "part_fields.py": _given(document, BODIES_OF_PARTS, QUERIES_OF_PARTS).text(
            "What the methods of the client's parts may be given beside their arguments"
        ),
        **{here / f"{part.removesuffix('s')}_types.py": _told(document, part, answers) for part in OF_PARTS},
    }


def _given(document: dict[str, Any], bodies: dict[str, tuple[str, set[str]]], queries: dict[str, str]) -> Writer:
    writer = Writer(document, given=True)
    for name, (schema, without) in bodies.items():
        writer.write(name, writer.schemas[schema], without)
    for name, path in queries.items():
        writer.write_query(name, path)
    return writer


def _told(document: dict[str, Any], part: str, known: Writer) -> str:
    writer = Writer(document, known=known)
    for name in OF_PARTS[part]:
        writer.write(name, writer.schemas[name])
    return writer.text(f"What the service answers to the client about {part}")


def main(arguments: list[str]) -> int:
    """Write, or with --check compare."""
    found = texts()
    if "--check" in arguments:
        old = [path for path, text in found.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in old:
            print(f"{path.relative_to(ROOT)} is not what the OpenAPI document says: run `make client-types`")
        return 1 if old else 0
    for path, text in found.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
