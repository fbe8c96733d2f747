"""The page's writer of YAML (app/ui/js/lib/yaml.js), read back by parsers of YAML 1.1 and by the service's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain import document_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE: Final = shutil.which("node")
WRITER: Final = Path(__file__).parents[2] / "app/ui/js/lib/yaml.js"
LOOP: Final = """
import { createInterface } from "node:readline";
const { toYaml } = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(toYaml(JSON.parse(line))));
"""
ODD: Final = (
    *(
        "",
        " ",
        "~",
        "null",
        "Yes",
        "0x1f",
        "1_000",
        "1e3",
        "12:30",
        "2026-11-22",
        "- a",
        "a: b",
        "a #b",
        "*x",
        "&x",
        "!x",
    ),
    *(
        "|",
        ">-",
        "? k",
        "{a}",
        "'",
        '"',
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
        " a\nb",
        "a\n  \nb",
        "a\n---\nb",
        "...",
        "\x85",
    ),
    *("\u2028", "\ufeff", "=", "<<", "a\tb\nc", "30s", "é\nü"),
)

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
signs = st.text("ab:#- \n'\"{}[],&*!|>?~%@`", max_size=12)
texts = st.sampled_from(ODD) | anything | signs
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    if NODE is None:
        pytest.skip("needs node")
    folder = tmp_path_factory.mktemp("yaml")
    module, loop = folder / "yaml.mjs", folder / "loop.mjs"
    module.write_text(WRITER.read_text(encoding="utf-8"), encoding="utf-8")
    loop.write_text(LOOP, encoding="utf-8")
    command = [NODE, str(loop), module.as_uri()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(value=st.dictionaries(texts, values, max_size=4) | values)
def test_what_the_page_writes_as_yaml_is_read_as_what_it_was(writer: subprocess.Popen[str], value: Any) -> None:
    text = _written(writer, value)

    assert yaml.safe_load(text) == value, text
    if isinstance(value, dict):
        assert document_text.load(text) == value, text


def _written(process: subprocess.Popen[str], value: Any) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(value) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())
