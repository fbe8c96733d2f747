"""The workflow document: what is accepted, what is refused and where."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.domain.document import parse
from app.domain.document_schema import schema
from app.domain.errors import InvalidWorkflow, NotSupported

ROOT = Path(__file__).parents[3]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/workflow-document.md").read_text("utf-8"), re.DOTALL)
BOMB = "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(
    f"{key}: &{key} [{','.join([f'*{before}'] * 8)}]\n" for before, key in zip("abcdefgh", "bcdefghi", strict=True)
)
A = {"id": "a", "python": "f"}


def doc(*steps: object, **more: object) -> dict[str, Any]:
    return {"name": "w", "steps": list(steps), **more}


def needs(*steps: object) -> dict[str, set[str]]:
    return {step.id: set(step.needs) for step in parse(doc(*steps)).steps}


def pointers(source: str | bytes | dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidWorkflow) as caught:
        parse(source)
    return [problem.pointer for problem in caught.value.problems]


def schema_accepts(document: Any) -> bool:
    return jsonschema_rs.validator_for(schema()).is_valid(document)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_reference_parses(example: str) -> None:
    spec = parse(example)
    assert schema_accepts(spec.document)
    assert parse(json.dumps(spec.document)).hash == spec.hash


def test_the_reference_has_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_the_published_schema_is_the_one_in_use() -> None:
    assert json.loads((ROOT / "app/domain/workflow.schema.json").read_text("utf-8")) == schema()
    assert jsonschema_rs.meta.is_valid(schema())


def test_a_step_waits_for_the_one_before_it_unless_it_says_otherwise() -> None:
    b, c = {"id": "b", "python": "f"}, {"id": "c", "python": "f", "needs": []}
    assert needs(A, b, c) == {"a": set(), "b": {"a"}, "c": set()}


def test_references_add_their_steps_in_every_case() -> None:
    free = {"python": "f", "needs": []}
    http = {"id": "d", "needs": [], "http": {"url": "https://x/{a.output}"}}
    found = needs(A, {**free, "id": "b", "input": ["{a.output.x}"]}, {**free, "id": "c", "when": "b.output > 1"}, http)
    assert found == {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"a"}}


def test_a_reference_to_a_variable_adds_the_one_step_that_sets_it() -> None:
    setter, reader = {**A, "assign": "v"}, {"id": "b", "python": "f", "needs": [], "input": "{context.v.x}"}
    assert needs(setter, reader)["b"] == {"a"}
    other = {"id": "c", "python": "f", "needs": [], "assign": "v"}
    assert needs(setter, other, reader)["b"] == set()


def test_a_variable_that_is_set_later_adds_nothing() -> None:
    reader = {**A, "input": "{context.v}"}
    assert needs(reader, {"id": "b", "python": "f", "assign": "v"}) == {"a": set(), "b": {"a"}}


def test_defaults_are_changed_key_by_key() -> None:
    spec = parse(
        doc(
            {**A, "retry": {"max_attempts": 1, "on": ["http.5xx"]}, "timeout": "5m"},
            {"id": "b", "python": "f"},
            defaults={"timeout": 9, "retry": {"initial_interval": "500ms", "jitter": False}},
        )
    )
    a, b = spec.steps
    assert (a.timeout, b.timeout) == (300, 9)
    assert (a.retry.max_attempts, a.retry.initial_interval, a.retry.on, a.retry.jitter) == (
        1,
        0.5,
        ("http.5xx",),
        False,
    )
    assert b.retry.max_attempts == 3


def test_the_hash_does_not_depend_on_the_order_of_keys_or_the_notation() -> None:
    one = parse("name: w\nsteps: [{id: a, python: f, input: {x: 1, y: 2}}]").hash
    assert one == parse('{"steps": [{"python": "f", "input": {"y": 2, "x": 1}, "id": "a"}], "name": "w"}').hash
    assert one != parse(doc(A)).hash


def test_yaml_keeps_words_and_dates_as_text_and_big_numbers_whole() -> None:
    spec = parse(
        f"name: w\nsteps:\n- {{id: a, python: f, retry: {{on: [timeout]}}, input: [no, 2026-01-01, 1:30, 010, {2**80}]}}"
    )
    given = spec.steps[0].input
    assert given is not None
    assert given.source == ["no", "2026-01-01", "1:30", 10, 2**80]
    assert spec.steps[0].retry.on == ("timeout",)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (doc(A, A), ["/steps/1/id"]),
        (doc({"id": "input", "python": "f"}), ["/steps/0/id"]),
        (doc({"id": "for", "python": "f"}), ["/steps/0/id"]),
        (doc({"id": "a-b", "python": "f"}), ["/steps/0/id"]),
        (doc({"id": "a\n", "python": "f"}), ["/steps/0/id"]),
        (doc({"id": "a"}), ["/steps/0"]),
        (doc({**A, "agent": "g"}), ["/steps/0"]),
        (doc({"id": "a", "python": "os:system"}), ["/steps/0/python"]),
        (doc({**A, "bad/key": 1}), ["/steps/0/bad~1key"]),
        (doc({**A, "needs": ["a", "zz"]}), ["/steps/0/needs/0", "/steps/0/needs/1"]),
        (doc({**A, "needs": ["b"]}, {"id": "b", "python": "f"}), ["/steps/0"]),
        (doc({**A, "input": {"x": ["{a.output}"]}}), ["/steps/0/input/x/0"]),
        (doc({**A, "input": ["{zz.output}", "{"]}), ["/steps/0/input/1", "/steps/0/input/0"]),
        (doc({**A, "when": "zz.output"}), ["/steps/0/when"]),
        (doc({**A, "assign": "1x"}), ["/steps/0/assign"]),
        (doc({**A, "timeout": "5x"}), ["/steps/0/timeout"]),
        (doc({**A, "timeout": "99999d"}), ["/steps/0/timeout"]),
        (doc({**A, "retry": {"max_attempts": 0, "x": 1}}), ["/steps/0/retry/max_attempts", "/steps/0/retry/x"]),
        (doc({"id": "a", "sleep": "soon"}), ["/steps/0/sleep"]),
        (doc({"id": "a", "sleep": 1, "input": {}}), ["/steps/0/input"]),
        (doc({"id": "a", "http": {"method": "GET"}}), ["/steps/0/http"]),
        (doc({"id": "a", "http": {"url": "u", "body": 1}}), ["/steps/0/http/body"]),
        (doc({"id": "a", "workflow": "x@0"}), ["/steps/0/workflow"]),
        (doc(A, output={"x": "{zz.output}"}), ["/output/x"]),
        (doc(A, input={"properties": {"q": {"type": "strin"}}}), ["/input/properties/q/type"]),
        (doc(A, input={"$ref": "http://127.0.0.1:9/schema"}), ["/input"]),
        (doc(), ["/steps"]),
        ({"name": "-", "steps": [A]}, ["/name"]),
        ({"steps": [A]}, [""]),
        (doc(5), ["/steps/0"]),
    ],
)
def test_a_wrong_document_is_refused_with_the_place_of_each_fault(
    document: dict[str, Any], expected: list[str]
) -> None:
    assert pointers(document) == expected


@pytest.mark.parametrize(
    "document",
    [
        doc({"id": "input", "python": "f"}), doc({"id": "a"}), doc({**A, "agent": "g"}), doc({**A, "x": 1}),
        doc({**A, "timeout": "5x"}), doc({"id": "a", "sleep": 1, "input": {}}), doc({"id": "a", "http": {}}), doc(),
        doc({"id": "a", "mcp": {}}), doc(A, x=1),
    ],
)  # fmt: skip
def test_the_published_schema_refuses_what_parsing_refuses_by_form(document: dict[str, Any]) -> None:
    assert not schema_accepts(document)
    with pytest.raises((InvalidWorkflow, NotSupported)):
        parse(document)


def test_what_is_not_built_yet_is_not_supported() -> None:
    with pytest.raises(NotSupported) as caught:
        parse({**doc(A, {"id": "b", "python": "f", "on_cancel": "a"}), "webhook": "x"})
    told = [problem.pointer for problem in caught.value.details["problems"]]
    assert sorted(told) == ["/steps/1/on_cancel", "/webhook"]


def test_what_is_not_built_yet_is_told_among_other_faults() -> None:
    assert pointers(doc({"id": "a", "python": "f", "foo": 1, "on_cancel": "b"})) == [
        "/steps/0/foo",
        "/steps/0/on_cancel",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "a: b: c", "{", "name: a\nname: b", '{"name": "a", "name": "b"}', "[" * 100_000, "- " * 100_000,
        '{"a":' * 100_000, "a: &x {b: *x}", "a: *nothing", "a: !!python/object:os.system x", "a: !!binary aGk=", "a: 1e999",
        "name: a\n---\nname: b", "? {a: 1}\n: 2", b"\xff", b"\x00", "\ud800", "x" * 1_000_001,
BOMB,
    ],
)  # fmt: skip
def test_a_text_that_is_no_document_is_refused_as_a_whole(text: str | bytes) -> None:
    assert pointers(text) == [""]


def test_a_value_that_json_cannot_carry_is_refused() -> None:
    assert pointers({"name": float("nan")}) == [""]


def test_changing_the_source_afterwards_changes_nothing() -> None:
    source = doc({**A, "input": {"x": 1}})
    spec = parse(source)
    source["steps"][0]["input"]["x"] = 2
    given = spec.steps[0].input
    assert given is not None
    assert given.render({}) == {"x": 1}


def test_a_long_sequence_parses() -> None:
    steps = [{"id": f"s{n}", "python": "f", "input": f"{{s{n - 1}.output}}" if n else 1} for n in range(2000)]
    assert parse(doc(*steps)).plan.leaves == ("s1999",)


def test_the_holes_of_all_steps_are_counted_together() -> None:
    steps = [{"id": f"s{n}", "python": "f", "input": ["{input.n}"] * 400} for n in range(2)]
    document = doc(*steps)
    assert parse({**document, "output": ["{input.n}"] * 200}).name == document["name"]
    with pytest.raises(InvalidWorkflow, match=r"/output/200: more than 1,000 holes") as caught:
        parse({**document, "output": ["{input.n}"] * 300})
    assert len(caught.value.problems) == 1
    assert parse({**document, "output": ["{input.n}"] * 300}, stored=True).output is not None


@pytest.mark.parametrize(("a_step", "fits"), [(11, True), (20, True), (21, False)])
def test_a_document_of_many_steps_has_room_for_the_holes_of_each(a_step: int, fits: bool) -> None:
    document = doc(*({"id": f"s{n}", "python": "f", "input": ["{input.n}"] * a_step} for n in range(100)))
    if fits:
        assert len(parse(document).steps) == 100
    else:
        with pytest.raises(InvalidWorkflow, match=r"more than 2,000 holes"):
            parse(document)


@pytest.mark.parametrize(
    "text",
    ["name: x\nsteps:\n- {id: a, python: f, python: g}", '{"name":"x","steps":[{"id":"a","python":"f","python":"g"}]}'],
)
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidWorkflow, match="twice"):
        parse(text)


def test_aliases_are_counted_as_often_as_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.document_text.MAX_NODES", 50)
    with pytest.raises(InvalidWorkflow, match="more than 50 values"):
        parse("a: &a [1,2,3,4,5,6,7,8,9]\nb: [*a, *a, *a, *a, *a, *a]")
