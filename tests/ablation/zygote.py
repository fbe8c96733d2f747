"""`python tests/ablation/zygote.py`: has imported what the tests need from others, and forks a child for each run of pytest.

A line of JSON on stdin asks for one: `folder`, `arguments`, `environment` and the file `output`.  It is answered by the
child's process id at once and by its exit code in the end, a line each.  Nothing of the project is imported here: each
child takes it from its own folder.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
from contextlib import suppress
from pathlib import Path

_NEEDED = (
    "pytest",
    "_pytest.doctest",
    "_pytest.legacypath",
    "fastapi.openapi.utils",
    "pydantic_settings",
    "asyncpg",
    "uvicorn",
    "sse_starlette",
    "httpx",
    "alembic.command",
    "sqlalchemy",
    "psutil",
    "yaml",
    "typer",
    "rich.table",
    "uvloop",
    "structlog",
    "cel",
)


def main() -> None:
    """Serve until stdin ends."""
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path(__file__).parent))]
    for name in _NEEDED:
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(asked))
        print(child, flush=True)  # noqa: T201 - the answer
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _run(asked: dict[str, object]) -> int:
    import pytest  # noqa: PLC0415 - it has been imported

    output = os.open(str(asked["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(here, there)
    os.chdir(str(asked["folder"]))
    os.environ.update(asked["environment"])  # type: ignore[arg-type]
    sys.path.insert(0, str(asked["folder"]))
    random.seed()
    try:
        return int(pytest.main(asked["arguments"]))  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
