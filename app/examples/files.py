"""Files that the examples write: each appears whole or not at all, whatever kills the service meanwhile."""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put `text` into `path`, in place of what is there.  Raises OSError; then the file is as it was.

    What a writer that was killed has left of the same file goes.
    """
    prefix = f".{path.name}."
    _sweep(path.parent, prefix)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # until it is closed, or its writer is dead
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sweep(folder: Path, prefix: str) -> None:
    for left in folder.glob(f"{glob.escape(prefix)}*.tmp"):
        with suppress(OSError), left.open("rb") as file:  # somebody holds it, or has put it in its place
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
