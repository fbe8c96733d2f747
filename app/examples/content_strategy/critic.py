"""Step `critic`: doubts the plan before anybody reads it. It opens every file that a finding cites, drops what the file
does not bear out any more, and writes down what the analysis could not know."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import unquote

from app.examples.content_strategy.model import Context, Json, optional
from app.runners.registration import agent

_NEAR = 6
_FEW_PAGES = 5


@agent("critic", run_in="thread")
def criticise(input: Json, ctx: Context) -> Json:  # noqa: A002
    """`input.strategy` with only the findings whose evidence stands in the files now, and the caveats to it."""
    collection, strategy = input["collection"], input["strategy"]
    desk = _Desk(collection)
    findings: list[Json] = []
    dropped: list[Json] = []
    confirmed = 0
    for number, finding in enumerate(strategy["findings"], start=1):
        kept = [place for place in finding["evidence"] if desk.confirms(place)]
        lost = len(finding["evidence"]) - len(kept)
        confirmed += len(kept)
        if lost:
            dropped.append({"id": finding["id"], "places": lost})
        if kept:
            evidence = [{key: value for key, value in place.items() if key != "needles"} for place in kept]
            findings.append({**finding, "evidence": evidence, "places": finding["places"] - lost})
        ctx.progress(number / len(strategy["findings"]), f"{finding['title']}: {len(kept)} confirmed, {lost} dropped")
    ids = {finding["id"] for finding in findings}
    return {
        **strategy,
        "findings": findings,
        "quick_wins": [rule for rule in strategy["quick_wins"] if rule in ids],
        "confirmed": confirmed,
        "dropped": dropped,
        "changed": desk.changed,
        "caveats": _caveats(input, desk.changed),
    }


class _Desk:
    """The cited files, each opened once."""

    def __init__(self, collection: Json) -> None:
        self._root = Path(str(collection["root"]))
        self._hashes = {str(page["path"]): str(page["sha256"]) for page in collection["pages"]}
        self._lines: dict[str, list[str]] = {}
        self.changed: list[str] = []

    def confirms(self, place: Json) -> bool:
        """Whether the cited line exists and, where the evidence names words, holds them within a few lines."""
        path, line = str(place["page"]), int(place["line"])
        if line == 0:
            return True
        lines = self._open(path)
        if line > len(lines):
            return False
        near = unquote(" ".join(lines[line - 1 : line - 1 + _NEAR]))
        needles = [unquote(str(needle)).rstrip("…") for needle in place["needles"] if needle]
        return not needles or any(needle in near for needle in needles)

    def _open(self, path: str) -> list[str]:
        if path not in self._lines:
            try:
                raw = (self._root / path).read_bytes()
            except OSError:
                raw = b""
            if hashlib.sha256(raw).hexdigest() != self._hashes.get(path):
                self.changed.append(path)
            self._lines[path] = raw.decode("utf-8-sig", errors="replace").splitlines()
        return self._lines[path]


def _caveats(facts: Json, changed: list[str]) -> list[str]:
    collection, links, strategy = facts["collection"], facts["links"], facts["strategy"]
    duplicates = optional(facts, "duplicates")
    unscored = len(collection["pages"]) - len(facts["readability"]["pages"])
    notes = [
        f"External links ({links['external']}) were read for their form only: the workflow runs offline."
        if links["external"]
        else "",
        f"Pages with too little running text to be scored for reading: {unscored}." if unscored else "",
        f"{collection['cut']} files beyond the first {len(collection['pages'])} were not read."
        if collection["cut"]
        else "",
        f"{duplicates['not_compared']} shorter passages were not compared." if duplicates.get("not_compared") else "",
        f"{len(changed)} files have changed since they were collected: run it again." if changed else "",
        "With fewer than five pages, what to write next is a weak guess."
        if len(collection["pages"]) < _FEW_PAGES and strategy["write_next"]
        else "",
        "Only links in the text count: where a site adds a menu, orphans and dead ends matter less."
        if links["orphans"] or links["dead_ends"]
        else "",
        "What a page is for is judged from its name, title and form; the reason stands beside it in the appendix.",
        "Weights and minutes are judgement, the same for every collection; counts and lines are measured.",
    ]
    return [note for note in notes if note]
