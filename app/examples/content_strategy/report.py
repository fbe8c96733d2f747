"""Step `report`: writes the report as Markdown and as a page for the browser. A run of the step after a crash writes
the same files again: their names come from the thread, and each appears whole or not at all."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import hashlib
import re
from html import escape
from pathlib import Path

from app.examples.content_strategy.model import Context, Json
from app.examples.content_strategy.writing import headline, markdown_report
from app.examples.files import write_whole
from app.runners.registration import agent

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@agent("reporter", run_in="thread")
def write_report(input: Json, ctx: Context) -> Json:  # noqa: A002
    """Writes `content-strategy-THREAD.md` and `.html` to `input.out_dir` (default: reports) and says where they are."""
    review = input["review"]
    text = markdown_report(input["collection"], review, _shape(input))
    folder = Path(str(input.get("out_dir") or "reports")).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"content-strategy-{safe_name(ctx.thread_id)}"
    summary = headline(input["collection"], review)
    write_whole(stem.parent / f"{stem.name}.md", text)
    ctx.progress(0.5, f"{stem.name}.md")
    write_whole(stem.parent / f"{stem.name}.html", _page(text, summary))
    ctx.progress(1.0, f"{stem.name}.html")
    return {
        "path": f"{stem}.md",
        "html_path": f"{stem}.html",
        "summary": summary,
        "findings": [
            {key: finding[key] for key in ("id", "title", "places", "effect", "minutes")}
            for finding in review["findings"]
        ],
        "write_next": [item["title"] for item in review["write_next"]],
    }


def safe_name(thread_id: str) -> str:
    """`thread_id` as part of a file name; two ids never share one."""
    name = _UNSAFE.sub("_", thread_id)
    return name if name == thread_id else f"{name}-{hashlib.sha256(thread_id.encode()).hexdigest()[:8]}"


def _shape(facts: Json) -> Json:
    reading = facts["readability"]
    return {"lix": reading["median_lix"], "flesch": reading["median_flesch"]}


def _page(text: str, summary: str) -> str:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.anchors import anchors_plugin

    # "js-default" refuses raw HTML: what stands in the documents is shown, never run.
    parser = MarkdownIt("js-default", {"linkify": False}).use(anchors_plugin, max_level=3)
    tokens = parser.parse(text)
    contents = [
        f'<a href="#{escape(str(token.attrGet("id")))}">{escape(tokens[number + 1].content)}</a>'
        for number, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>Content strategy</title>\n<meta name="description" content="{escape(summary)}">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<nav>{''.join(contents)}</nav>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
