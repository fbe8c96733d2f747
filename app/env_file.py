"""The file .env: what stands in it, whether it has changed, and what is wrong with settings, there or elsewhere."""

from __future__ import annotations

from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.errors import Problem

NAME: Final = ".env"


class SettingsError(StartupError):
    """Settings are wrong; the message is one line that names them, `lines` has one each, `problems` have pointers."""

    code = "invalid_settings"

    def __init__(self, *lines: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
        self.problems = problems


def file_state() -> tuple[int, ...]:
    """What tells that the file has changed; () while there is none, or it cannot be looked at."""
    try:
        told = Path(NAME).stat()
    except OSError:
        return ()
    return (told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)


def file_values() -> dict[str, str | None]:
    """What it sets now; nothing while it cannot be read."""
    return _values(file_state())


def read_file() -> tuple[dict[str, str], list[int]] | None:
    """What stands in it, and the lines that say nothing and are passed over; None without one.  Raises SettingsError."""
    try:
        text = Path(NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(error) from None
    read = list(parse_stream(StringIO(text)))
    vain = [one.original.line for one in read if one.error or (one.key and one.value is None)]
    return {one.key: one.value for one in read if one.key and one.value is not None}, vain


def unreadable(error: OSError | UnicodeDecodeError) -> SettingsError:
    """Why it cannot be read."""
    return SettingsError(f"{NAME} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")


@lru_cache(maxsize=1)
def _values(state: tuple[int, ...]) -> dict[str, str | None]:
    try:
        return dotenv_values(NAME, encoding="utf-8") if state else {}
    except (OSError, UnicodeDecodeError):
        return {}
