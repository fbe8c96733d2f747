"""What counts as a fault, how much it costs the reader and how long mending one place takes.

The weights and minutes are judgement, written down here once so that anybody can disagree with them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from app.examples.content_strategy.gaps import COMMON
from app.examples.content_strategy.model import Json, optional

# LIX above which a page is called hard, by who is to read it.
HARD_LIX = {"newcomers": 50.0, "developers": 60.0, "experts": 70.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`weight` 1 (cosmetic) to 5 (the reader is stopped); `minutes` of work for one place."""

    title: str
    weight: int
    minutes: int
    why: str
    action: str


RULES: dict[str, Rule] = {
    "missing_file": Rule(
        title="Links that lead nowhere",
        weight=5,
        minutes=3,
        why="The reader follows a promise and meets an error; nothing costs trust faster.",
        action="Point each link at the page that exists now, or remove it.",
    ),
    "missing_outside": Rule(
        title="Links to files outside of these documents that are not there",
        weight=3,
        minutes=3,
        why="Where the documents are read by themselves, as here, these links lead nowhere.",
        action="Link to the published address, or run this again over the whole project.",
    ),
    "malformed": Rule(
        title="Links that cannot work in any browser",
        weight=5,
        minutes=3,
        why="The address itself is wrong, so nobody has ever followed it with success.",
        action="Correct the address.",
    ),
    "missing_anchor": Rule(
        title="Links to headings that do not exist",
        weight=4,
        minutes=3,
        why="The reader lands at the top of a page and has to search for what was promised.",
        action="Use the anchor of the present heading.",
    ),
    "unreadable": Rule(
        title="Files that cannot be read as documents",
        weight=3,
        minutes=5,
        why="They stand among the documents but say nothing, to readers as to tools.",
        action="Fill, convert to UTF-8, or move them away.",
    ),
    "orphan": Rule(
        title="Pages that no other page links to",
        weight=4,
        minutes=5,
        why="Who does not know the file's name will never read it; the work in it is lost.",
        action="Link each one from the page a reader visits just before needing it.",
    ),
    "duplicate": Rule(
        title="Passages told twice",
        weight=3,
        minutes=15,
        why="Sooner or later one copy is changed and the other is not, and readers find both.",
        action="Keep the better copy where it belongs and link to it from the other place.",
    ),
    "hard_page": Rule(
        title="Pages that are hard to read",
        weight=3,
        minutes=45,
        why="Long words in long sentences: readers skim these pages and miss what matters.",
        action="Split the longest sentences first; their lines stand in the page's entry in the appendix.",
    ),
    "long_sentence": Rule(
        title="Sentences of more than 40 words",
        weight=2,
        minutes=4,
        why="A sentence that must be read twice is read by half of the readers.",
        action="Make two or three sentences of each, or a list.",
    ),
    "missing_alt": Rule(
        title="Pictures without words",
        weight=3,
        minutes=3,
        why="Screen readers, text browsers and search engines see nothing there.",
        action="Say in one line what the picture shows.",
    ),
    "unfinished": Rule(
        title="Unfinished text in view of readers",
        weight=3,
        minutes=20,
        why="A marker such as TODO tells readers that they cannot rely on the page.",
        action="Write it, or take the marker out and open an issue.",
    ),
    "no_title": Rule(
        title="Pages without a title",
        weight=3,
        minutes=2,
        why="Search results, browser tabs and link previews have nothing to show.",
        action="Start the page with one heading of the first level.",
    ),
    "heading_jump": Rule(
        title="Headings that skip a level",
        weight=2,
        minutes=2,
        why="Screen readers and generated tables of contents lose the thread of the page.",
        action="Raise the heading to the next level.",
    ),
    "several_titles": Rule(
        title="Pages with more than one title",
        weight=2,
        minutes=5,
        why="Two titles mean two pages in one, or a wrong level.",
        action="Make the later ones headings of the second level, or split the page.",
    ),
    "empty_section": Rule(
        title="Headings with nothing below them",
        weight=2,
        minutes=15,
        why="The outline promises what the page does not hold.",
        action="Write the section or drop its heading.",
    ),
    "long_section": Rule(
        title="Walls of text: more than 600 words below one heading",
        weight=2,
        minutes=15,
        why="There is no handle to find the place again, or to link to it.",
        action="Set a heading where the subject turns.",
    ),
    "insecure": Rule(
        title="Links over plain http",
        weight=1,
        minutes=1,
        why="Most hosts redirect to https, the others expose the reader.",
        action="Write https, and open it once.",
    ),
    "dead_end": Rule(
        title="Pages that lead on to no other",
        weight=1,
        minutes=3,
        why="At the end of the page the reader does not know what to do next and leaves.",
        action="End each with a line on where to go from here.",
    ),
    "code_language": Rule(
        title="Code blocks that do not name their language",
        weight=1,
        minutes=1,
        why="They are shown without highlighting, and no tool can check them.",
        action="Name the language after the opening fence; text for plain output.",
    ),
}


def places(facts: Json) -> dict[str, list[Json]]:
    """Where each rule is broken: rule -> evidence `{page, line, detail, quote, needles}`."""
    found: dict[str, list[Json]] = defaultdict(list)
    titles = {str(page["path"]): str(page["title"]) for page in facts["collection"]["pages"]}
    for item in facts["collection"]["unreadable"]:
        found["unreadable"].append(_place(item["path"], 0, str(item["reason"])))
    for item in facts["structure"]["issues"]:
        found[item["rule"]].append(_place(item["page"], item["line"], item["detail"], item["quote"]))
    phrases = {str(page["path"]): set(page["phrases"]) for page in facts["keyphrases"]["pages"]}
    _link_places(facts["links"], titles, phrases, found)
    _reading_places(facts, found)
    for group in optional(facts, "duplicates").get("groups", []):
        first, *others = group["places"]
        also = ", ".join(f"{place['page']}:{place['line']}" for place in others)
        more = f" and {group['copies'] - len(group['places'])} more" if group["copies"] > len(group["places"]) else ""
        detail = (
            f"{group['words']} words, {group['copies']} times, {group['similarity']:.0f} % alike; also {also}{more}"
        )
        found["duplicate"].append(_place(first["page"], first["line"], detail, group["quote"]))
    return dict(found)


def _closest(path: str, phrases: dict[str, set[str]]) -> str:
    """The page that shares most key phrases with `path`: the natural one to link from."""
    own = phrases.get(path, set())
    shared = {
        other: own & theirs for other, theirs in phrases.items() if other != path and len((own & theirs) - COMMON) > 1
    }
    if not shared:
        return "no page of the collection is close to it"
    best = max(sorted(shared), key=lambda other: len(shared[other] - COMMON))
    return f"closest: {best}, both about {', '.join(sorted(shared[best] - COMMON)[:3])}"


def _link_places(
    links: Json, titles: dict[str, str], phrases: dict[str, set[str]], found: dict[str, list[Json]]
) -> None:
    for item in links["broken"]:
        hint = f"; did you mean {item['suggestion']}?" if item["suggestion"] else ""
        place = _place(item["page"], item["line"], f"{item['detail']}{hint}", item["target"])
        found[item["problem"]].append({**place, "needles": [item["target"], item["text"]]})
    for item in links["insecure"]:
        found["insecure"].append(
            {**_place(item["page"], item["line"], "plain http", item["target"]), "needles": [item["target"]]}
        )
    if len(titles) == 1:
        return
    for path in links["orphans"]:
        found["orphan"].append(_place(path, 1, _closest(path, phrases), titles.get(path, "")))
    for path in links["dead_ends"]:
        found["dead_end"].append(_place(path, 1, "", titles.get(path, "")))


def _reading_places(facts: Json, found: dict[str, list[Json]]) -> None:
    limit = HARD_LIX[str(facts.get("audience") or "developers")]
    for page in sorted(facts["readability"]["pages"], key=lambda page: -float(page["lix"])):
        if page["lix"] > limit:
            detail = f"LIX {page['lix']} (limit {limit:.0f}), {page['mean_sentence']} words a sentence"
            found["hard_page"].append(_place(page["path"], 1, detail))
    for item in facts["readability"]["long_sentences"]:
        found["long_sentence"].append(_place(item["page"], item["line"], f"{item['words']} words", item["quote"]))


def _place(page: str, line: int, detail: str, quote: str = "") -> Json:
    return {"page": page, "line": line, "detail": detail, "quote": quote, "needles": []}
