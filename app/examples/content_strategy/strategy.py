"""Step `marketer`: makes a plan of what the former steps measured. Faults ranked by effect, quick wins, what to write
next, and for whom each page is. Rules and arithmetic, no model and no guessing: every line can be traced to a place."""

from __future__ import annotations

from collections import Counter
from math import sqrt

from app.examples.content_strategy.gaps import coverage, write_next
from app.examples.content_strategy.model import Context, Json, optional
from app.examples.content_strategy.reading import pages_of
from app.examples.content_strategy.rules import HARD_LIX, RULES, places
from app.runners.registration import agent

MAX_EVIDENCE = 15
MAX_LINES = 8
QUICK_MINUTES = 30
QUICK_WEIGHT = 2
_READERS = {
    "entry": "everybody, on arrival",
    "tutorial": "newcomers",
    "how-to": "users with a job to do",
    "reference": "users who look something up",
    "explanation": "evaluators and those who want to know why",
    "decision": "contributors",
    "changelog": "users who upgrade",
}


@agent("marketer", run_in="thread")
def plan_content(input: Json, ctx: Context) -> Json:  # noqa: A002
    """The strategy for `input.collection`, from the outputs of the steps before, which stand in `input` by name.

    `input.topic` asks how well the pages cover a subject, `input.audience` (newcomers, developers, experts) sets how
    hard a page may be. At most MAX_EVIDENCE places a finding; `places` is the full count.
    """
    pages = pages_of(input["collection"])
    found = places(input)
    counts = _full_counts(input)
    findings = [_finding(rule, evidence, counts.get(rule, len(evidence))) for rule, evidence in found.items()]
    findings.sort(key=lambda finding: (-float(finding["effect"]), finding["id"]))
    for finding in findings:
        ctx.chunk(f"{finding['title']}: {finding['places']}\n")
    quick = [
        finding for finding in findings if finding["minutes"] <= QUICK_MINUTES and finding["weight"] >= QUICK_WEIGHT
    ]
    quick.sort(key=lambda finding: -float(finding["effect"]) / int(finding["minutes"]))
    topic = str(input.get("topic") or "")
    return {
        "findings": findings,
        "quick_wins": [finding["id"] for finding in quick[:5]],
        "write_next": write_next(input, input["structure"], pages),
        "topic": {"name": topic, **coverage(topic, pages)} if topic else None,
        "areas": _areas(input),
        "pages": _pages(input, found),
        "audience": str(input.get("audience") or "developers"),
    }


def _full_counts(facts: Json) -> dict[str, int]:
    """Counts of the rules whose evidence the earlier steps have cut."""
    return {
        **facts["structure"]["counts"],
        **facts["links"]["problems"],
        "long_sentence": int(facts["readability"]["long_sentence_count"]),
        "insecure": int(facts["links"]["insecure_count"]),
        "duplicate": int(optional(facts, "duplicates").get("group_count", 0)),
    }


def _finding(rule: str, evidence: list[Json], count: int) -> Json:
    known = RULES[rule]
    pages = Counter(str(place["page"]) for place in evidence)
    return {
        "id": rule,
        "title": known.title,
        "weight": known.weight,
        # The tenth place of a kind hurts less than the first: the square root keeps trifles in bulk from leading.
        "effect": round(known.weight * sqrt(count), 1),
        "minutes": known.minutes * count,
        "places": count,
        "pages": len(pages),
        "why": known.why,
        "action": known.action,
        "evidence": evidence[:MAX_EVIDENCE],
        "cut": max(0, count - MAX_EVIDENCE),
    }


def _areas(facts: Json) -> list[Json]:
    """How much of each area is in order: `{area, good, total}`."""
    links, structure = facts["links"], facts["structure"]
    total = len(structure["pages"])
    scored = facts["readability"]["pages"]
    limit = HARD_LIX[str(facts.get("audience") or "developers")]
    checked = int(links["internal"]) + int(links["external"])
    areas = [
        ("Links that resolve or are well formed", checked - int(links["broken_count"]), checked),
        ("Pages that another page leads to", total - len(links["orphans"]), total),
        ("Pages that lead on to another", total - len(links["dead_ends"]), total),
        ("Pages without a fault of structure", sum(not page["issues"] for page in structure["pages"]), total),
        (
            f"Pages at the readers' level (LIX up to {limit:.0f})",
            sum(page["lix"] <= limit for page in scored),
            len(scored),
        ),
    ]
    return [{"area": area, "good": good, "total": of} for area, good, of in areas if of]


def _pages(facts: Json, found: dict[str, list[Json]]) -> list[Json]:
    """One entry a page: who it is for, how it reads, what it is about, and what to mend there, weightiest first."""
    reading = {page["path"]: page for page in facts["readability"]["pages"]}
    phrases = {page["path"]: page["phrases"] for page in facts["keyphrases"]["pages"]}
    faults: dict[str, dict[str, list[int]]] = {}
    for rule, evidence in found.items():
        for place in evidence:
            faults.setdefault(str(place["page"]), {}).setdefault(rule, []).append(int(place["line"]))
    entries: list[Json] = []
    for page in facts["structure"]["pages"]:
        path = str(page["path"])
        ranked = sorted(faults.get(path, {}).items(), key=lambda item: -RULES[item[0]].weight * sqrt(len(item[1])))
        entries.append(
            {
                "path": path,
                "kind": page["kind"],
                "kind_why": page["kind_why"],
                "reader": _READERS[str(page["kind"])],
                "words": page["words"],
                "lix": reading.get(path, {}).get("lix"),
                "flesch": reading.get(path, {}).get("flesch"),
                "minutes": reading.get(path, {}).get("minutes"),
                "code_share": page["code_share"],
                "inbound": facts["links"]["inbound"].get(path, 0),
                "outbound": facts["links"]["outbound"].get(path, 0),
                "phrases": phrases.get(path, [])[:6],
                "faults": [
                    {"id": rule, "count": len(lines), "lines": sorted(set(lines))[:MAX_LINES]} for rule, lines in ranked
                ],
            }
        )
    return entries
