"""JSON Schemas of workflow inputs: checked when a workflow is registered, applied when it is started.

Nothing is ever fetched, a pattern that would backtrack for ever is given up early, and a schema that unrolls to too much
work is refused before anything is worked out (domain.schema_size).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import JsonError, Problem
from app.domain.schema_size import check_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_PROBLEMS: Final = 100
"""Problems that one check tells of."""
_HEAVY: Final = 256_000
"""Weight (jsontext.weight) above which a value's first fault alone is told: the library writes the value out for each."""
_BACKTRACKS: Final = 10_000
_CACHE_SIZE: Final = 512
_MESSAGE: Final = 300
_VALUE: Final = 100
"""Characters that a message may have, and a value in one that is longer."""
_WRITTEN: Final = 20_000
"""Weight of a value that is written once more to find it in its message."""
_FIRST: Final = " (of a value this large the first fault alone is told)"
_cache: OrderedDict[str, Any] = OrderedDict()


def check_schema(schema: Any, pointer: str = "") -> list[Problem]:
    """What is wrong with a schema; the pointers start with `pointer`."""
    import jsonschema_rs  # noqa: PLC0415 - only who registers or starts workflows pays for its import

    try:
        _validator(schema)
    except jsonschema_rs.ValidationError as error:
        return [Problem(pointer + to_pointer(error.instance_path), worded(error))]
    except (JsonError, ValueError, TypeError) as error:
        return [Problem(pointer, f"not a JSON Schema: {str(error)[:_MESSAGE]}")]
    return []


def validate(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """Where `value` does not match a schema that `check_schema` found right: MAX_PROBLEMS places at most, of a heavy one 1."""
    if is_heavy(value):
        return _first(schema, value)
    return [Problem(to_pointer(error.instance_path), worded(error)) for error in errors(schema, value, MAX_PROBLEMS)]


def is_heavy(value: Any) -> bool:
    """Whether it takes too long for an event loop to hold a value against a schema."""
    return jsontext.weight(value, _HEAVY) > _HEAVY


def _first(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """The first fault, found without looking for the others: `iter_errors` has all of them before it gives one."""
    import jsonschema_rs  # noqa: PLC0415

    try:
        _validator(schema).validate(value)
    except jsonschema_rs.ValidationError as error:
        return [Problem(to_pointer(error.instance_path), worded(error) + _FIRST)]
    return []


def errors(schema: Mapping[str, Any], value: Any, limit: int) -> list[Any]:
    """The library's own errors, at most `limit`."""
    return list(islice(_validator(schema).iter_errors(value), limit))


def to_pointer(path: Iterable[str | int]) -> str:
    """A path of keys and indices as a JSON pointer."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def worded(error: Any) -> str:
    """What one of the library's errors says; of a long value there only its beginning, of the rule all that there is."""
    text = cast("str", error.message)
    if text.startswith("Resource ") and "not present" in text:
        return "a $ref to somewhere else: schemas must stand in the document"
    if len(text) > _MESSAGE and jsontext.weight(error.instance, _WRITTEN) <= _WRITTEN:
        value = json.dumps(error.instance, ensure_ascii=False, separators=(",", ":"))
        if len(value) > _VALUE:
            text = text.replace(value, f"{value[:_VALUE]}...", 1)
    # Where the value is written otherwise than here, the rule stands at one of the ends.
    half = _MESSAGE // 2
    return text if len(text) <= _MESSAGE else f"{text[:half]}...{text[-half:]}"


def _validator(schema: Any) -> Any:
    """The compiled schema; the newest few hundred are kept."""
    key = jsontext.dumps(schema)
    found = _cache.get(key)
    if found is None:
        found = _compile(schema)
        while len(_cache) >= _CACHE_SIZE:
            _cache.popitem(last=False)
        _cache[key] = found
    return found


def _compile(schema: Any) -> Any:
    import jsonschema_rs  # noqa: PLC0415

    check_size(schema)
    return jsonschema_rs.validator_for(
        schema,
        offline=True,
        validate_formats=True,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS, size_limit=1 << 20),
    )
