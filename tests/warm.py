"""What Python and pytest make of the sources is made once, before the workers start, not by each of them at the same time.

In a new clone that took each worker as long as all the rest of its collection.
"""

from __future__ import annotations

import compileall
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.assertion import rewrite
from _pytest.assertion.rewrite import assertstate_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

ROOT = Path(__file__).parents[1]


def warm_up(config: pytest.Config) -> None:
    """Leave the .pyc of the code and of the tests that are asked for; whatever is there already stays."""
    if sys.dont_write_bytecode or not hasattr(os, "fork"):
        return
    asked = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    files = [*ROOT.glob("app/**/*.py")]
    for path in asked:
        files += [path] if path.is_file() else path.glob("**/*.py")
    parts = os.cpu_count() or 1
    children = [_forked(config, files[part::parts]) for part in range(1, parts)]
    _compile(config, files[::parts])
    for child in children:
        os.waitpid(child, 0)


def _forked(config: pytest.Config, files: Sequence[Path]) -> int:
    child = os.fork()
    if child == 0:
        try:
            _compile(config, files)
        finally:
            os._exit(0)  # whatever is missing, the workers make
    return child


def _compile(config: pytest.Config, files: Sequence[Path]) -> None:
    try:
        for file in files:
            if file.name == "conftest.py" or file.name.startswith("test_"):
                _rewrite(config, file)
            else:
                compileall.compile_file(file, quiet=2)
    except Exception:  # noqa: BLE001 - pytest's own ways may change, and its workers can do without this
        traceback.print_exc()


def _rewrite(config: pytest.Config, file: Path) -> None:
    """As pytest's import hook does it."""
    state = config.stash[assertstate_key]
    kept = rewrite.get_cache_dir(file) / (file.stem + rewrite.PYC_TAIL)
    if rewrite._read_pyc(file, kept, state.trace) is None and rewrite.try_makedirs(kept.parent):
        stat, code = rewrite._rewrite_test(file, config)
        rewrite._write_pyc(state, code, stat, kept)
