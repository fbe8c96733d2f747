"""The client's files: their types are those of the OpenAPI document, and they work without the rest of the project."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints, is_typeddict

import pytest

from app.client import fields, listed, types

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
CHECK = """
import sys
import sewing.client
assert sewing.client.SyncBackstitch("http://127.0.0.1:1", retry_for=0).url == "http://127.0.0.1:1"
{imports}
ours = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
assert "app" not in ours, sorted(ours)
"""


def generator() -> Any:
    """scripts/client_types.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("client_types", ROOT / "scripts/client_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> Any:
    """The script that writes the types."""
    return generator()


def test_the_types_are_those_of_the_openapi_document(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = script.main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_old_types_are_named(script: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "texts", lambda: {ROOT / "app/client/types.py": "other", ROOT / "app/none.py": ""})
    assert script.main(["--check"]) == 1
    assert "app/client/types.py is not what" in capsys.readouterr().out


@pytest.mark.parametrize("module", [types, listed, fields])
def test_the_types_refer_to_what_there_is(module: ModuleType) -> None:
    names = {**vars(types), **vars(module), "Mapping": Mapping, "Sequence": Sequence, "datetime": datetime}
    found = [one for one in vars(module).values() if is_typeddict(one)]
    assert len(found) > 10
    for one in found:
        assert get_type_hints(one, None, names).keys() == one.__annotations__.keys()


def test_a_copy_of_the_files_works_in_another_package(tmp_path: Path) -> None:
    package = tmp_path / "sewing/client"
    package.mkdir(parents=True)
    files = sorted((ROOT / "app/client").glob("*.py"))
    for file in files:
        (package / file.name).write_text(file.read_text("utf-8").replace("app.client", "sewing.client"), "utf-8")
    code = CHECK.format(imports="\n".join(f"import sewing.client.{file.stem}" for file in files))
    ran = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
