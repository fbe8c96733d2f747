"""Step `collect`: the inventory of the documents, by name, size and hash; the other steps read the files by it."""

from __future__ import annotations

from app.domain.errors import InvalidRequest
from app.examples.content_strategy.model import Context, Json, shorten
from app.examples.content_strategy.reading import (
    MAX_PAGES,
    UnreadableError,
    discover,
    name_of,
    own_docs,
    parse,
    read,
)
from app.runners.registration import agent

MAX_UNREADABLE = 100


@agent("collector", run_in="thread")
def collect(input: Json, ctx: Context) -> Json:  # noqa: A002  (the name is the agents' contract)
    """The inventory of `input.paths`, files and folders; without them the project's own docs.

    Files that cannot be read are listed with the reason. At most MAX_PAGES pages are taken; `cut` is how many are not.
    Raises InvalidRequest when there is nothing to read.
    """
    root, files = discover([str(path) for path in input.get("paths") or own_docs()])
    pages: list[Json] = []
    unreadable: list[Json] = []
    for number, file in enumerate(files[:MAX_PAGES], start=1):
        name = name_of(file, root)
        try:
            name.encode()
            source = read(file)
        except UnicodeEncodeError:
            printable = name.encode(errors="surrogateescape").decode(errors="replace")
            unreadable.append({"path": printable, "reason": "the file's name is not UTF-8"})
            continue
        except UnreadableError as reason:
            unreadable.append({"path": name, "reason": str(reason)})
            continue
        page = parse(file, root, source)
        pages.append(
            {
                "path": name,
                "title": shorten(page.title, 80),
                "format": page.format,
                "bytes": source.size,
                "words": page.words,
                "sha256": source.sha256,
            }
        )
        ctx.progress(number / len(files), name)
    if not pages:
        reasons = "; ".join(f"{item['path']}: {item['reason']}" for item in unreadable[:5])
        raise InvalidRequest(f"none of the {len(files)} files can be read ({reasons})")
    return {
        "root": str(root),
        "pages": pages,
        "unreadable": unreadable[:MAX_UNREADABLE],
        "cut": max(0, len(files) - MAX_PAGES),
        "words": sum(int(page["words"]) for page in pages),
        "bytes": sum(int(page["bytes"]) for page in pages),
    }
