"""Files that the examples write: each appears whole or not at all, whatever kills the service meanwhile."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put `text` into `path`, in place of what is there.  Raises OSError; then the file is as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".backstitch-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
