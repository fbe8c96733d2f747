"""Takes safeguards out of copies of the tree, one at a time in each copy, and runs there the tests that should find it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from app.store.embedded import EmbeddedPostgres
from tests.ablation import zygote
from tests.ablation.safeguard import ROOT, canary
from tests.conftest import _OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tests.ablation.safeguard import Safeguard

PARTS = ("app", "migrations", "tests", "pyproject.toml", ".env.example", "docs", "README.md")
BOUND = 45.0
"""Seconds for the tests of one safeguard: one that hangs finds nothing."""
WORKERS = 4
"""Twice the processors that the project is measured on: most of a run is waiting."""
PATIENCE = "4"
"""Seconds that the tests wait for what never comes once a safeguard is gone; the untouched copy must pass with it too."""
_BASELINE_BOUND = 300.0
_ARGUMENTS = ("-x", "-q", "--tb=line", "-rfE", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider")
_NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one safeguard."""

    name: str
    promise: str
    found_by: str | None
    seconds: float
    note: str = ""

    @property
    def found(self) -> bool:
        """Whether a test failed because it was gone."""
        return self.found_by is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """How a run of pytest ended."""

    code: int | None
    failed: list[str]
    output: str

    @property
    def passed(self) -> bool:
        """All of them."""
        return self.code == 0


class Zygote:
    """A process that forks one for each run of pytest, which then need not import everything first."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(zygote.__file__))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, asked: dict[str, Any], bound: float) -> int | None:
        """The exit code, None when it did not end in so many seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        child, late = int(self._line()), threading.Event()

        def end() -> None:
            late.set()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

        timer = threading.Timer(bound, end)
        timer.start()
        code = int(self._line())
        timer.cancel()
        return None if late.is_set() else code

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks the tests has ended")
        return line


class Copy:
    """One copy of the tree; `shared` is the folder in which all copies find the same database server."""

    def __init__(self, shared: Path, number: int) -> None:
        self._folder = shared / f"copy-{number}"
        self._base = shared / f"popen-gw{number}"
        self._time = time.time_ns()
        self._zygote = Zygote()
        self._folder.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, self._folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, self._folder / part)

    def judge(self, safeguard: Safeguard) -> Verdict:
        """Take it out, run its tests, put it back."""
        begun, bird = time.monotonic(), canary(safeguard)
        try:
            with self._without(safeguard):
                ran = self.test([*([bird] if bird else []), *safeguard.tests], BOUND)
        except ValueError as error:  # the text is not there any more
            note = str(error)
            return Verdict(name=safeguard.name, promise=safeguard.promise, found_by=None, seconds=0.0, note=note)
        found = ran.failed[0] if ran.code == _FAILED and ran.failed else None
        note = _note(ran)
        if found is not None and bird is not None and found.startswith(bird):
            found, note = None, "the edit breaks more than the safeguard"
        return Verdict(
            name=safeguard.name,
            promise=safeguard.promise,
            found_by=found,
            seconds=round(time.monotonic() - begun, 1),
            note="" if found else note,
        )

    def test(self, tests: Sequence[str], bound: float) -> Tests:
        """Run them here, up to the first that fails."""
        output = self._folder / "output"
        asked = {
            "folder": str(self._folder),
            "arguments": [*_ARGUMENTS, f"--basetemp={self._base}", *dict.fromkeys(tests)],
            "environment": {"PYTHONPATH": str(self._folder), "COLUMNS": "300", "TEST_PATIENCE": PATIENCE} | _NO_PLUGINS,
            "output": str(output),
        }
        code = self._zygote.run(asked, bound)
        said = output.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in said.splitlines() if line.startswith("FAILED ")]
        failed = [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines] if code is not None else []
        return Tests(code=code, failed=failed, output=said)

    def close(self) -> None:
        """Nothing runs here any more."""
        self._zygote.close()

    @contextmanager
    def _without(self, safeguard: Safeguard) -> Generator[None]:
        before: dict[Path, str] = {}
        try:
            for edit in safeguard.edits:
                path = self._folder / edit.file
                text = path.read_text(encoding="utf-8")
                before.setdefault(path, text)
                self._write(path, edited(text, edit.old, edit.new, edit.file))
            yield
        finally:
            for path, text in before.items():
                self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        """With a time of its own: what Python has compiled is known by time and size."""
        path.write_text(text, encoding="utf-8")
        self._time += 2_000_000_000
        os.utime(path, ns=(self._time, self._time))


def edited(text: str, old: str, new: str, file: str) -> str:
    """`text` with `new` in the one place of `old`.  Raises ValueError when that does not stand there exactly once."""
    count = text.count(old)
    if count != 1:
        raise ValueError(f"{file}: the text of a safeguard stands there {count} times, not once:\n{old}")
    return text.replace(old, new)


def run(
    safeguards: Sequence[Safeguard],
    told: Callable[[Verdict], None],
    *,
    workers: int = WORKERS,
    folder: Path | None = None,
) -> list[Verdict]:
    """The verdicts in the order of the safeguards; `told` hears of each at once.  All is done in a new folder in `folder`."""
    with _shared_server(folder) as shared, ExitStack() as stack:
        copies = [Copy(shared, number) for number in range(workers)]
        for each in copies:
            stack.callback(each.close)
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        sick = _sick(copies, safeguards, pool)
        waiting: SimpleQueue[Safeguard] = SimpleQueue()
        for safeguard in safeguards:
            waiting.put(safeguard)
        done: dict[str, Verdict] = {}

        def work(copy: Copy) -> None:
            while True:
                try:
                    safeguard = waiting.get_nowait()
                except Empty:
                    return
                verdict = _sick_verdict(safeguard, sick) or copy.judge(safeguard)
                done[safeguard.name] = verdict
                told(verdict)

        list(pool.map(work, copies))
    return [done[safeguard.name] for safeguard in safeguards]


def _sick(copies: list[Copy], safeguards: Sequence[Safeguard], pool: ThreadPoolExecutor) -> dict[str, str]:
    """The tests that fail though nothing was taken out, with how: what they say of a safeguard means nothing."""
    named = {test for safeguard in safeguards for test in (*safeguard.tests, canary(safeguard)) if test is not None}
    shares: list[set[str]] = [set() for _ in copies]
    for file in sorted({test.partition("::")[0] for test in named}):
        min(shares, key=len).update(test for test in named if test.startswith(f"{file}::"))
    sick: dict[str, str] = {}

    def look(copy: Copy, share: set[str]) -> None:
        left = sorted(share)
        while left:
            ran = copy.test(left, _BASELINE_BOUND)
            if ran.passed:
                return
            bad = {test for test in left for line in ran.failed if line.partition("[")[0] == test.partition("[")[0]}
            sick.update({test: _note(ran) for test in bad or left})
            left = [test for test in left if test not in bad] if bad else []

    list(pool.map(look, copies, shares))
    return sick


def _sick_verdict(safeguard: Safeguard, sick: dict[str, str]) -> Verdict | None:
    bad = [test for test in (*safeguard.tests, canary(safeguard)) if test in sick]
    if not bad:
        return None
    note = f"{bad[0]} fails as it is: {sick[str(bad[0])]}"
    return Verdict(name=safeguard.name, promise=safeguard.promise, found_by=None, seconds=0.0, note=note)


def _note(ran: Tests) -> str:
    if ran.code is None:
        return "its tests do not end"
    if ran.passed:
        return "its tests pass without it"
    return " | ".join(line for line in ran.output.splitlines()[-6:] if line.strip())[:600]


@contextmanager
def _shared_server(folder: Path | None) -> Generator[Path]:
    """A folder whose database server stays up for all runs of pytest whose base is in it (see tests/conftest.py)."""
    shared = Path(tempfile.mkdtemp(prefix="ablation-", dir=folder))
    shared.chmod(0o755)  # the embedded PostgreSQL may run as another user
    server = EmbeddedPostgres(shared / "server", options=_OPTIONS)
    try:
        server.start()
        yield shared
    finally:
        server.stop()
        shutil.rmtree(shared, ignore_errors=True)
