"""The example `release-notes` in the real service: a real repository, the real mcp-server-git, a gate, a file; kill -9."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.acceptance import sse
from tests.acceptance.service import ROOT, Service, environment, free_port, run_cli, running, waiting
from tests.acceptance.test_llm import KEY, models
from tests.unit.test_docs import blocks

PAGE = ROOT / "docs/release-notes.md"
SETTINGS = {"HTTP_ALLOW_PRIVATE": "true"}
ADDED = "- **api:** stream `events` \\<b\\>live\\</b\\> ("
FIXED = '- Names with "quotes", ünïcode \\[x\\](y) and 🧵 ('


@pytest.fixture
def repository(history: Path, tmp_path: Path) -> Path:
    """The history, to write beside."""
    return shutil.copytree(history, tmp_path / "sewing")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with a tag, a merge, a commit that was taken back, and odd characters; a commit each day."""
    top = tmp_path_factory.mktemp("history") / "sewing"
    day = 0

    def git(*arguments: str) -> str:
        date = f"2026-03-{day:02}T10:00:00Z"
        own = {f"GIT_{who}_{what}": "Ana" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dated = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", "-C", str(top), *arguments], check=True, capture_output=True, env=environment(**own, **dated)
        )
        return done.stdout.decode().strip()

    def commit(message: str) -> str:
        nonlocal day
        day += 1
        git("commit", "-q", "--allow-empty", "-m", message)
        return git("rev-parse", "HEAD")

    top.mkdir()
    git("init", "-q", "-b", "main")
    (top / "name with ü.txt").write_text("one\n")
    git("add", ".")
    commit("Begin")
    git("tag", "-a", "v1.0", "-m", "the first")
    git("switch", "-q", "-c", "feature")
    commit("feat(api): stream `events` <b>live</b>")
    git("switch", "-q", "main")
    commit('fix: names with "quotes", ünïcode [x](y) and 🧵\n\nCommit: this is text\nAuthor: of a message')
    day += 1
    git("merge", "-q", "--no-ff", "-m", "Merge branch 'feature'", "feature")
    wrong = commit("feat: what nobody wanted")
    commit(f'Revert "feat: what nobody wanted"\n\nThis reverts commit {wrong}.')
    return top


def given(repository: Path, **more: Any) -> dict[str, Any]:
    """An input of the workflow."""
    out = str(repository.parent / "out")
    return {"repository": str(repository), "from": "v1.0", "version": "1.1", "out_dir": out, **more}


def answer(service: Service, thread: str, **fields: Any) -> None:
    """Say yes, or something else."""
    body = {"answer": {"approved": True, **fields}, "by": "ana"}
    service.post(f"/api/invoke/gates/{thread}/approve", body)


def asked(service: Service, thread: str) -> dict[str, Any]:
    """What the gate shows, once it asks."""
    for _ in waiting("the gate"):
        found = service.get(f"/api/invoke/gates/{thread}")["gates"]
        if found:
            return service.get(f"/api/invoke/gates/{thread}/approve")["show"]
        assert service.status(thread)["status"] not in {"failed", "completed"}, service.status(thread)
    raise AssertionError


def check_each_step_once(service: Service, thread: str) -> None:
    """Each step started once and ended once, and the events tell it without a gap."""
    events = sse.whole(service, thread)
    sse.without_gap(events)
    for name in ("step_complete", "step_failed", "step_retry"):
        steps = [event["step_id"] for event in events if event["event"] == name]
        wanted = ["place", "log", "first", "group", "draft", "compose", "approve", "write"]
        assert sorted(steps) == (sorted(wanted) if name == "step_complete" else [])


def test_a_history_becomes_a_file_that_somebody_has_agreed_to(
    mortal: Service, tmp_path: Path, repository: Path
) -> None:
    assert mortal.get("/api/mcp/servers") == {"servers": []}
    assert "mcp" not in mortal.get("/api/health")["parts"]
    thread = mortal.start_thread("release-notes", given(repository))
    shown = asked(mortal, thread)
    assert list((tmp_path / "out").glob("*")) == []
    answer(mortal, thread)
    done = mortal.until(thread)
    check_each_step_once(mortal, thread)
    assert "mcp" not in mortal.get("/api/health")["parts"]
    file = tmp_path / "out/1.1.md"
    text = file.read_text("utf-8")
    lines = text.splitlines()
    assert (done["status"], done["output"]["file"], shown["notes"]) == ("completed", str(file), text)
    assert lines[0] == "# sewing 1.1 (2026-03-06)"
    assert [line for line in lines if line.startswith("## ")] == ["## Added", "## Fixed"]
    [added, fixed] = [line for line in lines if line.startswith("- ")]
    assert added.startswith(ADDED)
    assert fixed.startswith(FIXED)
    assert lines[-1].startswith("*5 commits by Ana,")


def test_a_no_writes_nothing_and_an_edit_is_what_is_written(mortal: Service, tmp_path: Path, repository: Path) -> None:
    refused = mortal.start_thread("release-notes", given(repository))
    asked(mortal, refused)
    answer(mortal, refused, approved=False, remark="later")
    output = mortal.until(refused)["output"]
    assert (output["approved"], output["file"]) == (False, None)
    assert not (tmp_path / "out").exists()
    edited = mortal.start_thread("release-notes", given(repository, file="news/latest.md"))
    assert asked(mortal, edited)["file"] == str(tmp_path / "out/news/latest.md")
    answer(mortal, edited, notes="# Mine\n")
    assert mortal.until(edited)["status"] == "completed"
    assert (tmp_path / "out/news/latest.md").read_text() == "# Mine\n"


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"from": "v9"}, "mcp.tool_error", "v9"),
        ({"from": "v1.0", "count": 2}, "validation", "raise `count`"),
        ({"repository": "/"}, "validation", "no git repository"),
        ({"file": "../x.md"}, "validation", "not within"),
    ],
)
def test_what_cannot_be_done_fails_at_once_in_words(
    service: Service, repository: Path, more: dict[str, Any], kind: str, message: str
) -> None:
    found = service.run("release-notes", {**given(repository), **more})
    assert found["status"] == "failed"
    assert message in found["error"]["message"], found["error"]
    assert found["error"]["kind"] == kind
    assert all(step["retry_count"] == 0 for step in found["steps"])


def test_a_kill_around_the_gate_repeats_nothing(mortal: Service, tmp_path: Path, repository: Path) -> None:
    """One thread waits to be answered, another has just been; the MCP server is seen to end with the service."""
    threads = [mortal.start_thread("release-notes", given(repository, out_dir=str(tmp_path / out))) for out in "ab"]
    for thread in threads:
        asked(mortal, thread)
    answer(mortal, threads[1])
    assert mortal.process is not None
    children = psutil.Process(mortal.process.pid).children(recursive=True)
    git = [one for one in children if "mcp_server_git" in one.cmdline()]
    mortal.kill()
    for _ in waiting("the server's end"):
        with suppress(psutil.NoSuchProcess):
            if any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in git):
                continue
        break
    mortal.start().ready()
    answer(mortal, threads[0])
    for thread, out in zip(threads, "ab", strict=True):
        assert mortal.until(thread)["status"] == "completed"
        check_each_step_once(mortal, thread)
        assert ADDED in (tmp_path / out / "1.1.md").read_text("utf-8")
        assert [one.name for one in (tmp_path / out).iterdir()] == ["1.1.md"]


def model_agent(url: str) -> dict[str, Any]:
    """The agent of the page, at the server of the test."""
    [document] = [block for block in blocks(PAGE, "yaml") if "release-notes-writer" in block]
    agent = yaml.safe_load(document)
    agent["config"] |= {"base_url": f"{url}/v1", "price": {"input_per_million": 1, "output_per_million": 1}}
    return agent


def test_a_model_that_is_registered_writes_instead_and_a_kill_repeats_its_open_answer_alone(
    tmp_path: Path, repository: Path
) -> None:
    """The agent of the page in a file; killed while the model writes the second section."""
    agents = tmp_path / "agents"
    agents.mkdir()
    script = [{"text": "- One."}, {"hold": "it", "text": "lost"}, {"text": "## Title\n- Two."}]
    with models(tmp_path, *script) as there:
        (agents / "writer.json").write_text(json.dumps(model_agent(there.url)))
        with running(tmp_path / "service", AGENTS_DIR=agents, OPENAI_API_KEY=KEY) as service:
            assert service.get("/api/agents/release-notes-writer")["kind"] == "llm"
            thread = service.start_thread("release-notes", given(repository))
            there.asked(2)
            for _ in waiting("the first section"):
                if service.sql("SELECT FROM workflow_events WHERE thread_id = $1 AND name = 'step_progress'", thread):
                    break
            service.kill()
            service.start().ready()
            asked(service, thread)
            answer(service, thread)
            done = service.until(thread)
            check_each_step_once(service, thread)
        requests = [json.dumps(request["body"]["messages"]) for request in there.requests()]
    text = (tmp_path / "out/1.1.md").read_text("utf-8")
    sections = text.split("\n\n")[1:5]
    assert sorted(sections) == ["## Added", "## Fixed", "- One.", "- Two."]
    assert len(requests) == 3
    assert requests[1] == requests[2] != requests[0]
    assert "stream `events` <b>live</b>" in "".join(requests)
    assert done["usage"]["cost_usd"] > 0


def test_an_agent_of_the_api_takes_the_place_and_gives_it_back(
    mortal: Service, tmp_path: Path, repository: Path
) -> None:
    script = [{"text": "- One."}, {"text": "- Two."}]
    with models(tmp_path, *script) as there:
        assert mortal.get("/api/agents/release-notes-writer")["kind"] == "python"
        agent = model_agent(there.url)
        agent["config"]["api_key_env"] = None  # the service's keys are not for addresses that come by the API
        mortal.post("/api/agents", agent, 201)
        thread = mortal.start_thread("release-notes", given(repository))
        assert "- Two." in asked(mortal, thread)["notes"]
        mortal.kill()
        mortal.start().ready()
        assert mortal.get("/api/agents/release-notes-writer")["kind"] == "llm"
        assert mortal.http.delete("/api/agents/release-notes-writer").status_code in (200, 204)
        for _ in waiting("the example's own"):
            found = mortal.http.get("/api/agents/release-notes-writer")
            if found.status_code == 200 and found.json()["kind"] == "python":
                break
        assert ADDED in asked(mortal, mortal.start_thread("release-notes", given(repository)))["notes"]


def test_the_commands_of_the_page_work(tmp_path: Path, repository: Path) -> None:
    """From a fresh service that runs within the repository: started, listed, answered."""
    with running(repository) as service:
        cli = {"cwd": repository, "BACKSTITCH_URL": service.url}
        words = ["--input", '{"repository": "."}', "--set", "version=v1.1", "--thread-id", "notes"]
        started = run_cli("invoke", "release-notes", *words, **cli)
        assert started.returncode == 0, started.stderr
        asked(service, "notes")
        assert "Publish the release notes of sewing v1.1?" in run_cli("gates", **cli).stdout
        given_ = run_cli("answer", "notes", "approve", "--set", "approved=true", **cli)
        assert given_.returncode == 0, given_.stderr
        assert service.until("notes")["output"]["file"] == str(repository / "release-notes/v1.1.md")


def test_the_demo_writes_notes_and_says_that_it_agreed_itself(tmp_path: Path, repository: Path) -> None:
    port, printed = free_port(), tmp_path / "printed"
    options = ["--port", str(port), "--data-dir", str(tmp_path / "data"), "--input", str(repository)]
    with printed.open("w") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo", "release-notes", "--serve", *options],
            stdout=out,
            stderr=out,
            cwd=tmp_path,
            env=environment(),
        )
    for _ in waiting("the demo to stay up"):
        assert demo.poll() is None, printed.read_text()
        if "stays up" in printed.read_text():
            break
    demo.terminate()
    assert demo.wait(60) == 0
    assert "the demo says yes itself" in printed.read_text()
    assert ADDED in (tmp_path / "data/release-notes/Unreleased.md").read_text("utf-8")
