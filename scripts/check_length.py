"""Fails when a file of code under the given folders is longer than a person can hold in the head."""

import sys
from pathlib import Path

LIMIT = 300


def main() -> int:
    long = 0
    for folder in sys.argv[1:]:
        paths = (p for p in Path(folder).rglob("*") if p.suffix in {".py", ".sql", ".js", ".css"})
        for path in sorted(p for p in paths if "vendor" not in p.parts):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LIMIT:
                print(f"{path}: {lines} lines, the limit is {LIMIT}")
                long += 1
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
