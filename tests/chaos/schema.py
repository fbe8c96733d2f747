"""schemathesis: requests drawn from the OpenAPI document, fitting and unfitting, to a real service with real threads."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import requests
import schemathesis
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as conformance

from tests.chaos.frame import Outcome, Row
from tests.chaos.model import QUIET
from tests.chaos.schema_world import Known, prepare
from tests.chaos.world import services

if TYPE_CHECKING:
    from pathlib import Path

    from schemathesis import APIOperation, Case

    Operation = APIOperation[Any, Any, Any, Any]

CHECKS: Final = (
    not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
)
"""Left out: positive_data_acceptance (a document or a cursor that fits its schema may still make no sense), unsupported_method
and missing_required_header (no case of them is drawn), use_after_free and ensure_resource_availability (nothing is deleted),
ignored_auth (there is none so far)."""
_NOT_REFUSED: Final = (conformance.negative_data_rejection,)
"""Not asked where it would be wrong: a header that is none of ours is ignored, by contract; any text may be a YAML document;
a value that was put in for one that does not fit fits."""
_NOT_READ: Final = (conformance.response_schema_conformance,)
"""Not asked of a stream: the document describes its text, schemathesis would have each event parsed."""
FEW: Final = 5
"""Cases of an operation that takes nothing."""
_STREAM: Final = "text/event-stream"
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_SECONDS: Final = 20.0
_ROUND: Final = 10_000
"""Cases after which all operations have had their turn."""


def _as_it_is(_: object, value: Any) -> bytes:
    """Bodies that are no JSON document: the text that was drawn."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


schemathesis.serializer("application/x-ndjson", "application/gzip")(_as_it_is)


class Tester:
    """Sends cases and notes what is not as the document says, once for each operation and kind of fault."""

    def __init__(self, url: str, known: Known) -> None:
        self._url = url
        self._known = known
        self._session = requests.Session()
        self._session.trust_env = False
        self.statuses: Counter[int] = Counter()
        self.failures: dict[tuple[str, ...], str] = {}
        self.cases = 0

    def close(self) -> None:
        """No more."""
        self._session.close()

    def test(self, operation: Operation, mode: GenerationMode, cases: int, number: int) -> int:
        """So many cases of one operation; how many there were."""
        before = self.cases

        @seed(number)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=QUIET,
        )
        @given(case=operation.as_strategy(generation_mode=mode), dice=st.randoms(use_true_random=False))
        def one(case: Case, dice: Any) -> None:
            self._send(case, self._known.put_in(case, dice))

        with suppress(Unsatisfiable):  # nothing about it can be wrong
            one()
        return self.cases - before

    def _send(self, case: Case, fits: bool) -> None:
        self.cases += 1
        try:
            answer = self._stream(case) if _streams(case) else case.call(**self._call)
        except requests.RequestException as error:
            self._note(case, type(error).__name__, f"{error}: {case.as_curl_command()}")
            return
        self.statuses[answer.status_code] += 1
        left_out = [*(_NOT_REFUSED if fits or _may_be_taken(case) else ()), *(_NOT_READ if _streams(case) else ())]
        try:
            case.validate_response(answer, checks=[check for check in CHECKS if check not in left_out])
        except (FailureGroup, Failure) as error:
            for one in error.exceptions if isinstance(error, FailureGroup) else [error]:
                self._note(case, type(one).__name__, f"{one}: {case.as_curl_command()}")

    @property
    def _call(self) -> dict[str, Any]:
        return {"base_url": self._url, "session": self._session, "timeout": _SECONDS, "allow_redirects": False}

    def _stream(self, case: Case) -> requests.Response:
        """A stream never ends: its head is checked, and the first piece of its text."""
        asked = case.as_transport_kwargs(base_url=self._url)
        with self._session.request(**asked, stream=True, timeout=_SECONDS, allow_redirects=False) as answer:
            if answer.headers.get("content-type", "").startswith(_STREAM):
                answer._content = b"retry: 1000\n\n" if "invoke" not in case.path else next(answer.iter_content(1_000))
            else:
                assert answer.content is not None
        return answer

    def _note(self, case: Case, kind: str, text: str) -> None:
        self.failures.setdefault((case.operation.label, kind), f"{case.operation.label}: {kind}: {text[:1_500]}")


def _streams(case: Case) -> bool:
    return _STREAM in str(case.operation.definition.raw["responses"].get("200", ""))


def _may_be_taken(case: Case) -> bool:
    """Whether what is wrong with a case may be passed over all the same: see _NOT_REFUSED."""
    if case.meta is None or case.media_type == "application/yaml":
        return True
    wrong = {where for where, part in case.meta.components.items() if part.mode is GenerationMode.NEGATIVE}
    return wrong <= {ParameterLocation.HEADER, ParameterLocation.COOKIE}


def _share(operations: list[Operation], cases: int) -> dict[str, int]:
    """How many cases of each operation and mode."""
    takers = [one for one in operations if _takes(one)]
    each = max(1, (cases - FEW * (len(operations) - len(takers))) // (2 * max(1, len(takers))) + 1)
    return {one.label: each if one in takers else FEW for one in operations}


def _rounds(operations: list[Operation]) -> list[tuple[Operation, GenerationMode]]:
    return [
        (one, mode) for one in operations for mode in (GenerationMode if _takes(one) else [GenerationMode.POSITIVE])
    ]


def _count(document: dict[str, Any]) -> int:
    return sum(method in _METHODS for path in document["paths"].values() for method in path)


def _takes(operation: Operation) -> bool:
    raw = operation.definition.raw
    return bool(raw.get("parameters") or raw.get("requestBody"))


def run(cases: int, folder: Path) -> Outcome:
    """At least so many cases, of all operations and both modes by turns."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    outcome, begun = Outcome(), time.monotonic()
    with services(folder, 1, LEASE_SECONDS=10) as (service,):
        document = service.http.get("/api/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        outcome.expect(len(operations) == _count(document), "a part of the document cannot be read")
        tester = Tester(service.url, prepare(service))
        number, rounds = 0, _rounds(operations)
        while tester.cases < cases:
            shares = _share(operations, min(cases - tester.cases, _ROUND))
            for operation, mode in list(rounds):
                number += 1
                wanted = shares[operation.label]
                if tester.test(operation, mode, wanted, number) < wanted / 2:
                    rounds.remove((operation, mode))  # hardly anything about it can be wrong
        tester.close()
        broken = [line for line in service.log.read_text(encoding="utf-8").splitlines() if "Traceback" in line]
        outcome.expect(not broken, f"{len(broken)} tracebacks in the service's log")
        outcome.expect(service.http.get("/api/health").status_code == 200, "the service is not well afterwards")
    took = time.monotonic() - begun
    outcome.failures += tester.failures.values()
    server = sum(count for status, count in tester.statuses.items() if status >= 500)
    outcome.figures |= {"cases": tester.cases, "operations": len(operations), "5xx": server}
    outcome.figures |= {str(status): count for status, count in sorted(tester.statuses.items())}
    outcome.figures |= {"violations": len(tester.failures), "a second": round(tester.cases / took)}
    return outcome


ROWS = (
    Row(
        name="schemathesis",
        fault="schemathesis on the whole OpenAPI document of a real service",
        passes="0 x 5xx, 0 answers that differ from the document",
        unit="cases",
        doses=(2_000, 100_000),
        bounds=(240, 7_200),
        run=run,
    ),
)
