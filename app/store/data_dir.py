"""Who uses a data folder: locks that the kernel drops when their process dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def make_data_dir(path: Path) -> Path:
    """The absolute path of the data folder, made if missing: others may pass through it, only its owner may list it.

    Raises StartupError in one line.
    """
    with usable():
        path = path.expanduser().resolve()
        with suppress(FileExistsError):
            path.mkdir(mode=0o711, parents=True)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(path))
    return path


@contextmanager
def usable() -> Generator[None]:
    """Turns what the file system refuses in the block into StartupError in one line."""
    try:
        yield
    except OSError as error:
        told = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        raise StartupError(f"the data folder cannot be used: {told} (see DATA_DIR)") from error


class DataDirLock:
    """This process's sign on a data folder. Several processes may hold one at once; each can ask if it is alone.

    The lock belongs to an open file: processes made by fork share it, those made by spawn do not.
    """

    def __init__(self, data_dir: Path) -> None:
        self._users = data_dir / "users.lock"
        self._turn = data_dir / "turn.lock"
        self._held: int | None = None

    def acquire(self) -> None:
        """Says that this process uses the folder, until `release` or its death. Waits while another has its turn."""
        with self.turn():
            if self._held is None:
                self._held = _open(self._users)
                fcntl.flock(self._held, fcntl.LOCK_SH)

    def is_alone(self) -> bool:
        """Whether no other living process uses the folder. Always False before `acquire`."""
        with self.turn():
            return self.is_alone_in_turn()

    def is_alone_in_turn(self) -> bool:
        """`is_alone` for one who has the turn already."""
        if self._held is None:
            return False
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        else:
            alone = True
        # A failed conversion may have dropped the shared lock; nobody else converts while this process has the turn.
        fcntl.flock(self._held, fcntl.LOCK_SH)
        return alone

    def release(self) -> None:
        """Takes the sign away; harmless when there is none."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @contextmanager
    def turn(self) -> Generator[None]:
        """One process at a time: held while the server is started or stopped. Blocks the calling thread."""
        turn = _open(self._turn)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield
        finally:
            os.close(turn)


def _open(path: Path) -> int:
    with usable():
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
