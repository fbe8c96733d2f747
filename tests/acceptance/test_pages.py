"""The examples of docs/forks.md and docs/tasks.md, run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.acceptance.service import ROOT, Service, run_cli, running

if TYPE_CHECKING:
    from collections.abc import Generator

WRITERS = ROOT / "docs" / "examples" / "writers"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [match[2] for match in FENCE.finditer(text) if match[1] == language]


def typed(page: str) -> list[list[str]]:
    """The words of each command of the page's first console."""
    return [shlex.split(line[2:]) for line in blocks(page, "console")[0].splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service beside the agents of the pages."""
    path = f"{ROOT}:{WRITERS}"
    with running(tmp_path_factory.mktemp("pages"), MODULES="agents", PYTHONPATH=path) as found:
        yield found


def test_the_example_of_forks_runs_as_it_stands(service: Service) -> None:
    threads: list[str] = []
    for program, command, *words in typed("forks.md"):
        assert program == "backstitch"
        given = [threads.pop(0) if word.startswith("$") else word for word in words]
        more = ["--json"] if command == "fork" else []
        found = run_cli(command, *given, *more, "--url", service.url, cwd=WRITERS)
        assert found.returncode == 0, found.stderr
        if command == "fork":
            threads = [one["thread_id"] for one in json.loads(found.stdout)["forks"]]
            assert [service.until(thread)["status"] for thread in threads] == ["completed", "completed"]
        elif command == "compare":
            for told in ("blogger | blogger-bold", "output: differs: replace /title", "version 2 of post-1"):
                assert told in found.stdout
    [document, *_] = [yaml.safe_load(block) for block in blocks("forks.md", "yaml")]
    assert document == yaml.safe_load((WRITERS / "post.yaml").read_text(encoding="utf-8"))


def test_the_body_and_the_answer_of_a_fork_are_those_of_the_page(service: Service) -> None:
    body, shown, values = [json.loads(block) for block in blocks("forks.md", "json")]
    source = service.run(yaml.safe_load((WRITERS / "post.yaml").read_text(encoding="utf-8")), {"topic": "thread"})
    found = service.post(f"/api/invoke/fork/{source['thread_id']}", body)
    assert found.keys() == shown.keys()
    assert [one.keys() for one in found["forks"]] == [one.keys() for one in shown["forks"]]
    a, b = (service.until(one["thread_id"])["thread_id"] for one in found["forks"])
    compared = service.get("/api/workflow/executions/compare", a=a, b=b)
    assert compared["output"]["patch"] == values["patch"]


def test_the_variants_of_the_page_are_drawn(service: Service) -> None:
    document = yaml.safe_load(blocks("forks.md", "yaml")[1])
    service.register(document)
    found = service.run("post-ab", {"topic": "thread"})
    assert found["steps"][1]["agent"] in ("blogger", "blogger-bold")


def test_the_examples_of_tasks_run_as_they_stand(service: Service) -> None:
    [[_, *words]] = typed("tasks.md")
    found = run_cli(*words, "--url", service.url, cwd=WRITERS)
    shown: dict[str, Any] = json.loads(blocks("tasks.md", "json")[0])
    assert json.loads(found.stdout) == shown["output"]
    body = json.loads(re.findall(r"-d '(.*)'", blocks("tasks.md", "console")[1])[0])
    answer = service.post("/api/tasks", body, expect=200)
    assert answer.keys() == shown.keys()
    assert (answer["output"], answer["status"]) == (shown["output"], "completed")
