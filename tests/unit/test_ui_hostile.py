"""What the page makes of patterns and names from outside (pure modules in app/ui/js), tried under node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

NODE: Final = shutil.which("node")
PAGE: Final = Path(__file__).parents[2] / "app/ui/js"
SIGNAL: Final = "export const signal = (value) => ({ value, peek() { return this.value; } })"
ASK: Final = """
import { readFileSync } from "node:fs";
const [folder, name, signal, work, given] = process.argv.slice(1);
const moduleOf = (source) => `data:text/javascript,${encodeURIComponent(source)}`;
const source = readFileSync(`${folder}/${name}`, "utf8").replace(/"[^"]*html.js"/, () => JSON.stringify(moduleOf(signal)));
const it = await import(moduleOf(source));
console.log(JSON.stringify(new Function("it", "given", `return ${work}`)(it, JSON.parse(given)) ?? null));
"""


def told(module: str, work: str, given: Any) -> Any:
    """What an expression over the module `it` and `given` gives."""
    if NODE is None:
        pytest.skip("needs node")
    command = [NODE, "--input-type=module", "-e", ASK, str(PAGE), module, SIGNAL, work, json.dumps(given)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "a" * 100_000 + "!", False),
        (r"^\d+(\.\d+)?(ms|s|m|h|d)?$", "30s", True),
        ("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", "a-b", True),
        (r"[A-Z]{3}-\d{4}", "AB-1234", False),
        ("[)](a+)", ")aa", True),
        ("(", "dialect of another reader", None),
        ("^(a+)+$", "a" * 60 + "!", None),
        ("^((a+))*$", "a" * 60 + "!", None),
        ("^(?<all>a|aa)+$", "a" * 60 + "!", None),
        ("^(?:a{1,30}){2,30}$", "a" * 60 + "!", None),
        ("a?" * 40 + "a" * 40, "a" * 40, None),
        ("^a*a*a*a*a*b$", "a" * 500, None),
    ],
)
def test_a_pattern_is_tried_where_it_ends_soon_and_left_to_the_service_else(
    pattern: str, text: str, fits: bool | None
) -> None:
    assert told("kit/form/pattern.js", "it.fits(given.pattern, given.text)", {"pattern": pattern, "text": text}) is fits


def test_a_schema_beside_a_reference_and_one_shared_by_alternatives_take_no_fields_away() -> None:
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    root = {"$ref": "#/$defs/named", "properties": {"more": {}}, "$defs": {"named": named}}
    fields = "Object.keys(it.resolved(given, given).properties)"
    assert told("kit/form/schema.js", fields, root) == ["name", "more"]
    either = {
        "properties": {"more": {}},
        "oneOf": [{"$ref": "#/$defs/named"}, {"type": "null"}],
        "$defs": root["$defs"],
    }
    fields = "Object.keys(it.choicesOf(given, given)[0].properties)"
    assert sorted(told("kit/form/schema.js", fields, either)) == ["more", "name"]


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_a_value_or_null_is_a_field_that_may_be_left_empty(word: str) -> None:
    schema = {"title": "Note", "default": None, word: [{"type": "string", "minLength": 2}, {"type": "null"}]}
    found = told("kit/form/schema.js", "it.orNull(given, given)", schema)
    assert found == {"title": "Note", "default": None, "type": ["string", "null"], "minLength": 2}


@pytest.mark.parametrize("kind", ["constructor", "__proto__", "toString", "of-its-own"])
def test_an_error_of_any_kind_has_a_meaning(kind: str) -> None:
    meaning = told("pages/thread/errors.js", "it.meaning(given)", {"kind": kind, "retryable": False})
    assert meaning["todo"].startswith("Mend the cause and retry")
    of_whole = told("pages/thread/errors.js", "it.meaning(given, true)", {"kind": kind, "step_id": None})
    assert of_whole["means"] == "It failed outside of its steps."
    assert "step" not in of_whole["todo"]


def test_texts_of_many_items_are_let_go_from_the_first_on() -> None:
    work = """(() => {
      globalThis.document = { hidden: false };
      const due = [];
      globalThis.requestAnimationFrame = (draw) => due.push(draw);
      const all = it.texts();
      for (let index = 0; index < 120; index += 1) all.add({ step_id: "s", data: { index, text: given.repeat(45000) } });
      due.forEach((draw) => draw());
      const size = (index) => [...all.of("s", index).value.blocks, all.of("s", index).value.last].join("").length;
      let total = 0;
      for (let index = 0; index < 120; index += 1) total += size(index);
      return [size(0), all.of("s", 0).value.gone, size(119), total <= 40e6];
    })()"""
    first, gone, last, bounded = told("pages/thread/texts.js", work, "ten words ")
    assert (first, bounded) == (0, True)
    assert gone >= 400_000
    assert last > 390_000
