"""Templates and conditions."""

import pytest

from app.domain.errors import InvalidWorkflow
from app.domain.template import MAX_HOLES, Condition, ExpressionError, Template

SCOPE = {
    "input": {"n": 3, "big": 2**80, "s": "hi", "flag": True, "items": [{"id": 1}, {"id": 2}], "k-k": [None]},
    "context": {},
    "a": {"output": {"x": 1.5, "if": 7}, "status": "completed"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{input.n}", 3),
        ("{input.big}", 2**80),
        ('{input["k-k"][0]}', None),
        ("{input.items[1].id}", 2),
        ("{a.output.if}", 7),
        ("n={input.n}!", "n=3!"),
        ("{input.s}: {input.items}", 'hi: [{"id":1},{"id":2}]'),
        ("{input.big} {a.output}", f'{2**80} {{"x":1.5,"if":7}}'),
        ("{{x}} {{{input.s}}}", "{x} {hi}"),
        ("{input.n + 1}", 4),
        ('{"}" + input.s}', "}hi"),
        ('{ {"a": input.n}.a }', 3),
        ('{input.items.map(y, {"a": y.id})}', [{"a": 1}, {"a": 2}]),
        ("{has(input.nothing)}", False),
        ("{timestamp('2026-01-01T00:00:00Z')}", "2026-01-01T00:00:00Z"),
        ("{duration('90m')}", "5400s"),
        ("{true}", True),
        ("", ""),
    ],
)
def test_a_template_renders(text: str, value: object) -> None:
    assert Template.compile(text).render(SCOPE) == value


def test_a_path_hands_out_the_very_value_and_a_static_template_its_source() -> None:
    source = {"a": [1, {"b": "c"}]}
    template = Template.compile(source)
    assert template.is_static
    assert template.render({}) is source
    assert Template.compile("{input.items}").render(SCOPE) is SCOPE["input"]["items"]


def test_nested_values_are_rendered_and_their_source_stays() -> None:
    source = {"a": ["{input.n}", {"{b}": "{a.output.x}"}], "c": [1]}
    assert Template.compile(source).render(SCOPE) == {"a": [3, {"{b}": 1.5}], "c": [1]}
    assert source["a"][0] == "{input.n}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{a.output}", {"a"}),
        ("{input.items.map(x, x.id)}", {"input"}),
        ("{input.items.map(x, x.id) + [x]}", {"input", "x"}),
        ("{x.items.filter(x, x.id > b.n)}", {"x", "b"}),
        ("{a.all(p, q.exists(r, r == p))}", {"a", "q"}),
        ("{type(a) == list}", {"a"}),
        ("{list.output} {size(map.output)}", {"list", "map"}),
        ("{'a.b' + r\"c{\"} {{d}}", set()),
        ("{has(a.input) && b.size() > 0}", {"a", "b"}),
        ('{ {"k": a, b: 1} }', {"a", "b"}),
    ],
)
def test_references_are_the_free_variables(text: str, names: set[str]) -> None:
    assert Template.compile(text).references == names


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "a } b",
        "{}",
        "{ }",
        "{a",
        "{1 +}",
        '{"a": 1}',
        "{foo(1)}",
        "{a.f()}",
        "{'}",
        "{(a]}",
        "{a.`b`}",
        "{" + "a" * 2001 + "}",
    ],
)
def test_a_wrong_template_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        Template.compile({"k/~": [0, text]}, "/steps/3/input")
    assert [problem.pointer for problem in caught.value.problems] == ["/steps/3/input/k~1~0/1"]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        Template.compile(["{", {"a": "}"}, "{input.n}"])
    assert [problem.pointer for problem in caught.value.problems] == ["/0", "/1/a"]


@pytest.mark.parametrize(
    "text",
    [
        "{nope.x}", "{input.n.x}", "{input.s[0]}", "{input.items[9]}", "{input.nope + 1}", "{1/0}", "{1.0/0.0}", "{b'x'}",
        "{ {1: 2} }", "{input.n + 1.5}", "{input.big + 1}", "{a.output.x == zz.y}", "x {nope}",
    ],
)  # fmt: skip
def test_what_fails_on_the_values_names_the_expression(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Template.compile(text).render(SCOPE)
    assert caught.value.code == "expression_error"
    assert text.strip("x {}").split()[0] in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{input.l.filter(x, x > 1)}",
        "{input.l.map(x, input.l)}",
        "{input.l.map(x, input.l.map(y, y))}",
        "{['abc']" + (".map(x, " + "+".join("x" * 30) + ")") * 6 + "}",
        "{" + "+".join(["input.text"] * 150) + "}",
    ],
)
def test_an_expression_with_too_much_work_is_refused_before_it_runs(text: str) -> None:
    with pytest.raises(ExpressionError, match="too much data"):
        Template.compile(text).render({"input": {"l": list(range(5000)), "text": "x" * 200_000}})


def test_comprehensions_nest_two_deep_at_most() -> None:
    with pytest.raises(InvalidWorkflow, match="nest more than 2"):
        Template.compile("{[1].map(x, [1].map(y, [1].map(z, z)))}")


@pytest.mark.parametrize("open_bracket", ["(", "[", "!", "-", "f("])
def test_a_deeply_nested_expression_is_an_error_and_no_crash(open_bracket: str) -> None:
    text = open_bracket * (1900 // len(open_bracket))
    with pytest.raises(InvalidWorkflow):
        Template.compile("{" + text + "}")


@pytest.mark.parametrize(
    ("text", "holds"),
    [("input.n > 2", True), ("{input.flag}", True), ("false && nope.x", False), ("a.status == 'skipped'", False)],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert Condition.compile(text).test(SCOPE) is holds


def test_a_condition_must_give_true_or_false() -> None:
    with pytest.raises(ExpressionError, match="true or false"):
        Condition.compile("input.n").test(SCOPE)


def test_a_wrong_condition_is_refused() -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        Condition.compile("a >", "/steps/0/when")
    assert caught.value.problems[0].pointer == "/steps/0/when"


def test_a_thousand_holes_are_let_in_and_one_more_is_not() -> None:
    assert Template.compile(["{input.n}"] * MAX_HOLES).references == {"input"}
    with pytest.raises(InvalidWorkflow) as caught:
        Template.compile(["{input.n}", "{input.n} " * (MAX_HOLES + 5), "{input.n}"], "/steps/0/input")
    assert [problem.pointer for problem in caught.value.problems] == ["/steps/0/input/1"]
    assert "more than 1,000 holes" in caught.value.message


def test_literal_braces_are_no_holes() -> None:
    assert Template.compile("{{ }} " * 5_000).render({}) == "{ } " * 5_000
