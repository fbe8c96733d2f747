"""Steps `place` and `write`: which repository and which file are meant, and the file itself."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Final

from app.domain.errors import InvalidRequest
from app.examples.files import write_whole
from app.runners.registration import function

Json = dict[str, Any]
_UNSAFE: Final = re.compile(r"[^\w.+-]+")
_OURS: Final = Path(__file__).parents[3]


@function("release-notes-place")
def find_place(input: Json) -> Json:  # noqa: A002 - the name is the functions' contract
    """The absolute `repository` and `file`, what to call the project, and whether the file `replaces` one.

    Raises InvalidRequest for a folder outside any repository, and for a file outside `input.out_dir`.
    """
    repository = repository_of(str(input["repository"]))
    file = file_of(str(input["out_dir"]), str(input["file"]) or f"{_UNSAFE.sub('_', str(input['version']))}.md")
    project = str(input["project"]) or (repository.name.removesuffix(".git") or "project")
    return {
        "repository": str(repository),
        "project": project,
        "version": str(input["version"]),
        "file": str(file),
        "replaces": file.exists(),
    }


@function("release-notes-write")
def write_notes(input: Json) -> Json:  # noqa: A002
    """Puts `input.text` into `input.file`, whole or not at all; a file that says so already is left alone.

    Raises InvalidRequest where that cannot be.
    """
    file, text = Path(str(input["file"])), str(input["text"])
    text = text if text.endswith("\n") else text + "\n"
    try:
        raw = text.encode()
        file.parent.mkdir(parents=True, exist_ok=True)
        written = not (file.is_file() and file.read_bytes() == raw)
        if written:
            write_whole(file, text)
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"the notes hold half a character, which no file can: {error.reason}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from error
    return {"file": str(file), "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "written": written}


def repository_of(name: str) -> Path:
    """The top of the repository that a folder is in; for "" our own, or the one the service runs in.  Raises InvalidRequest."""
    ours = _OURS if (_OURS / ".git").exists() else Path.cwd()
    start = Path(name).expanduser().resolve() if name else ours
    if not start.is_dir():
        raise InvalidRequest(f"there is no folder {start}; `repository` counts from where the service runs")
    found = next((folder for folder in (start, *start.parents) if _is_top(folder)), None)
    if found is None:
        raise InvalidRequest(f"{start} is in no git repository: give `repository`")
    return found


def file_of(folder: str, name: str) -> Path:
    """The file of that name in a folder.  Raises InvalidRequest for one that is elsewhere."""
    top = Path(folder).expanduser().resolve()
    file = (top / name).resolve()
    if not file.is_relative_to(top) or file == top or file.is_dir():
        raise InvalidRequest(f"the file {name!r} is not within {top}")
    return file


def _is_top(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())
