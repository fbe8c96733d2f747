"""A thread as one file: out of this service, and into it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import examples_travel
from app.api.answers import answer, known_form
from app.api.openapi import example, problems
from app.api.requests_travel import ExportQuery, ImportQuery
from app.api.schemas_travel import ImportedAnswer
from app.api.services import services_of
from app.domain.views.status import links

router: Final = APIRouter(tags=["transfer"])
LINES: Final = "application/x-ndjson"
_GZIP: Final = "application/gzip"
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string"}, "example": examples_travel.EXPORT}
_PACKED: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}, "example": ""}


class ThreadFile(StreamingResponse):
    """One line a row."""

    media_type = LINES


@router.get(
    "/invoke/export/{thread_id}",
    operation_id="invoke_export",
    response_class=ThreadFile,
    responses={
        **problems(404, 422),
        200: {"description": "The thread as it stands", "content": {LINES: _FILE, _GZIP: _PACKED}},
    },
)
async def export(thread_id: str, request: Request, query: Annotated[ExportQuery, FromQuery()]) -> Response:
    """All of a thread as one file: one JSON object a line; it may run on meanwhile. Sub-workflows are files of their own."""
    services = services_of(request)
    spool = await services.travel.transfers.export(known_form(thread_id), packed=query.gzip)
    name = f"{thread_id}.ndjson{'.gz' if query.gzip else ''}"
    headers = {"Content-Length": str(spool.size), "Content-Disposition": f'attachment; filename="{name}"'}
    return ThreadFile(spool.pieces(), media_type=_GZIP if query.gzip else LINES, headers=headers)


@router.post(
    "/invoke/import",
    operation_id="invoke_import",
    status_code=201,
    response_model=ImportedAnswer,
    responses={
        **problems(
            422,
            409,
            413,
            invalid_export="line 7, output_sha256: not a SHA-256",
            export_damaged="line 9: the file is not as it was written: its SHA-256 does not hold",
            export_too_new="the file is of format 2, written by Backstitch 2.0.0; here 1 is the newest",
            import_too_large="the file holds more than 268435456 bytes (IMPORT_MAX_BYTES)",
        ),
        201: example(examples_travel.IMPORTED),
    },
    openapi_extra={"requestBody": {"required": True, "content": {LINES: _FILE, _GZIP: _PACKED}}},
)
async def take_in(request: Request, query: Annotated[ImportQuery, FromQuery()]) -> Response:
    """Take in a thread from such a file, packed or not, all of it or nothing; one that had not ended is paused then."""
    services = services_of(request)
    rename = query.on_conflict == "rename"
    found = await services.travel.transfers.take_in(request.stream(), query.thread_id, rename=rename)
    document: dict[str, Any] = {
        "thread_id": found.thread_id,
        "source_thread_id": found.source_thread_id,
        "status": found.status.value,
        "head_version": found.head_version,
        "last_version": found.last_version,
        "renamed": found.renamed,
        "counts": dict(found.counts),
        "durable": services.durable,
        "links": links(found.thread_id),
    }
    return answer(document, 201, {"Location": document["links"]["status"]})
