"""The plan and the frontier of a thread in it."""

from dataclasses import dataclass

import pytest

from app.domain.errors import InvalidWorkflow
from app.domain.plan import Frontier, Plan


@dataclass
class Step:
    id: str
    needs: tuple[str, ...] = ()


def plan(**needs: str) -> Plan:
    return Plan.of([Step(step_id, tuple(required.split())) for step_id, required in needs.items()])


DIAMOND = plan(d="b c", a="", b="a", c="a", e="")


def test_a_plan_knows_dependents_leaves_and_an_order() -> None:
    assert DIAMOND.dependents == {"d": (), "a": ("b", "c"), "b": ("d",), "c": ("d",), "e": ()}
    assert DIAMOND.leaves == ("d", "e")
    assert DIAMOND.order == ("a", "b", "c", "d", "e")


def test_downstream_is_all_that_depends_on_a_step() -> None:
    assert DIAMOND.downstream(["b"]) == {"b", "d"}
    assert DIAMOND.downstream(["a", "e"]) == {"a", "b", "c", "d", "e"}


def test_a_circle_is_named_from_its_first_step() -> None:
    with pytest.raises(InvalidWorkflow, match="a -> c -> b -> a") as caught:
        plan(x="", a="c x", b="a", c="b", d="c")
    assert caught.value.problems[0].pointer == "/steps/1"


def test_an_unknown_need_is_refused() -> None:
    with pytest.raises(InvalidWorkflow, match="no step"):
        plan(a="zz")


def test_a_frontier_goes_through_the_plan() -> None:
    frontier = Frontier(DIAMOND)
    assert frontier.ready() == ["a", "e"]
    frontier.take("a")
    assert frontier.ready() == ["e"]
    assert frontier.end("a") == ["b", "c"]
    assert frontier.end("c") == []
    assert frontier.end("b") == ["d"]
    assert frontier.ready() == ["d", "e"]
    assert frontier.remaining == 2


def test_a_frontier_starts_from_what_is_done() -> None:
    frontier = Frontier(DIAMOND, ["a", "b"])
    assert frontier.ready() == ["c", "e"]
    assert frontier.remaining == 3


def test_a_frontier_is_finished_when_all_is_done() -> None:
    frontier = Frontier(DIAMOND, ["a", "b", "c", "e"])
    frontier.take("d")
    assert not frontier.finished
    frontier.end("d")
    assert frontier.finished
    assert Frontier(DIAMOND, "abcde").finished


@pytest.mark.parametrize("step_id", ["a", "b"])
def test_only_what_is_ready_can_be_taken_and_only_once(step_id: str) -> None:
    frontier = Frontier(DIAMOND)
    frontier.take("a")
    with pytest.raises(ValueError, match="cannot be taken"):
        frontier.take(step_id)


def test_a_step_ends_once() -> None:
    frontier = Frontier(DIAMOND, ["a"])
    with pytest.raises(ValueError, match="ended before"):
        frontier.end("a")


def test_a_long_chain_is_no_recursion() -> None:
    chain = Plan.of([Step(str(n), (str(n - 1),) if n else ()) for n in range(10_000)])
    assert len(chain.downstream(["0"])) == 10_000
