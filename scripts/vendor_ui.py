"""Writes app/ui/vendor anew: the libraries of the page, as modules that a browser loads as they stand.

Run by `make vendor` with npm at hand, after changing a version below. What is written is committed; nobody who installs or
runs the service needs npm.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "app" / "ui" / "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One file of a package; `ending` is put after it."""

    package: str
    version: str
    file: str
    name: str
    licence: str = "MIT"
    ending: str = ""


LIBRARIES = (
    Library(package="preact", version="11.2.0", file="dist/preact.mjs", name="preact.js"),
    Library(package="preact", version="11.2.0", file="hooks/dist/hooks.mjs", name="hooks.js"),
    Library(package="htm", version="3.1.1", file="dist/htm.mjs", name="htm.js", licence="Apache-2.0"),
    Library(package="@preact/signals-core", version="1.14.5", file="dist/signals-core.mjs", name="signals-core.js"),
    Library(package="@preact/signals", version="2.11.4", file="dist/signals.mjs", name="signals.js"),
    Library(package="eventsource-parser", version="3.1.1", file="dist/index.js", name="eventsource-parser.js"),
    Library(package="@dagrejs/dagre", version="3.1.3", file="dist/dagre.esm.js", name="dagre.js"),
    # The module that the package has is not packed; this file is, and lacks only its export.
    Library(
        package="uplot",
        version="1.6.32",
        file="dist/uPlot.iife.min.js",
        name="uplot.js",
        ending="\nexport default uPlot;\n",
    ),
    Library(package="uplot", version="1.6.32", file="dist/uPlot.min.css", name="uplot.css"),
)
PLACES = {
    '"preact/hooks"': '"./hooks.js"',
    '"preact"': '"./preact.js"',
    '"@preact/signals-core"': '"./signals-core.js"',
}
"""What modules import by name, and where a browser without an import map finds it."""


def main() -> int:
    """Fetch every package once, and write its files."""
    if shutil.which("npm") is None:
        print("npm is needed to fetch the packages")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        shutil.rmtree(VENDOR, ignore_errors=True)
        (VENDOR / "licences").mkdir(parents=True)
        for library in LIBRARIES:
            root = fetched(library, Path(folder))
            (VENDOR / library.name).write_text(text_of(library, root), encoding="utf-8")
            shutil.copy(root / "LICENSE", VENDOR / "licences" / f"{flat(library.package)}.txt")
    return 0


def flat(package: str) -> str:
    """The package's name as that of a file."""
    return package.removeprefix("@").replace("/", "-")


def fetched(library: Library, folder: Path) -> Path:
    """Where the package lies unpacked; npm checks what it fetches against the registry's digest."""
    root = folder / f"{flat(library.package)}-{library.version}"
    if not root.exists():
        wanted = f"{library.package}@{library.version}"
        done = subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted],
            check=True,
            capture_output=True,
            text=True,
        )
        with tarfile.open(folder / done.stdout.split()[-1]) as packed:
            packed.extractall(root, filter="data")
    return root / "package"


def text_of(library: Library, root: Path) -> str:
    """The file as it is vendored: says what it is, names other modules by their places, points to no source map."""
    text = (root / library.file).read_text(encoding="utf-8")
    for name, place in PLACES.items():
        text = text.replace(name, place)
    lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
    told = f"/* {library.package} {library.version}, {library.licence}: licences/{flat(library.package)}.txt */\n"
    return told + "\n".join(lines) + "\n" + library.ending.lstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
