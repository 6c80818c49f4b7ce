"""Parse the variables that clients send: one JSON object as text."""

import json
from typing import Any, NoReturn

from services.engine.errors import Rejection, RejectionType

_MAX_DEPTH = 200  # FEEL and the JSON writer recurse; Zeebe's parser stops at 1000


def parse_document(text: str) -> dict[str, Any]:
    """Parse a JSON object of variables; empty text and null mean none.

    Raises Rejection (INVALID_ARGUMENT) if the text is not a JSON object, or could not be serialized again: NaN,
    infinite numbers, half a surrogate pair, too deep nesting.
    """
    if not text:
        return {}
    try:
        document = json.loads(text, parse_constant=_reject_constant, parse_float=_parse_finite)
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise _nesting_error() from error
    except ValueError as error:
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Expected the variables to be JSON, but: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected the variables to be a JSON object, but they are of the type {type(document).__name__}.",
        )
    if _exceeds_depth(document, _MAX_DEPTH):
        raise _nesting_error()
    return document


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _nesting_error() -> Rejection:
    return Rejection(
        RejectionType.INVALID_ARGUMENT,
        f"Expected the variables to be nested at most {_MAX_DEPTH} deep, but they are deeper.",
    )


def _exceeds_depth(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True
