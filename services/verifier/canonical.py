"""Canonical JSON as it is hashed and signed (RFC 8785), read strictly.

Whole numbers are known within 53 bits, others as JavaScript writes them: a share of a span that was covered is one.
"""

import json
import math
import re
from decimal import Decimal
from typing import Any, NoReturn

from services.verifier.invalid import Invalid

LARGEST = 2**53 - 1
DEEPEST = 64
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRINGS = json.JSONEncoder(ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """Return the value's canonical bytes; raises Invalid for an unsupported value."""
    return _text(value, 0).encode()


def read(data: bytes, name: str) -> Any:
    """Parse canonical bytes. Raises Invalid, naming ``name``, for anything else.

    Keys twice, other white space, another order or another spelling of a number are everything else.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_float=_fraction,
            parse_constant=_no_number,
            parse_int=_whole,
        )
        encoded = canonical(value)
    except Invalid as error:
        raise Invalid(f"{name} is not canonical JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON ({type(error).__name__}).") from None
    if encoded != data:
        raise Invalid(f"{name} is not canonical JSON: its values would be written in other bytes.")
    return value


def _text(value: Any, depth: int) -> str:
    if depth > DEEPEST:
        raise Invalid("it is nested too deep.")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise Invalid("it holds half of a surrogate pair.")
        return _STRINGS.encode(value)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise Invalid("it holds a number of more than 53 bits.")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return f"[{','.join(_text(item, depth + 1) for item in value)}]"
    if isinstance(value, dict):
        # By UTF-16 code units, as JavaScript sorts.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return f"{{{','.join(f'{_text(name, depth)}:{_text(value[name], depth + 1)}' for name in names)}}}"
    raise Invalid(f"it holds a {type(value).__name__}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Invalid("an object has a key twice.")
    return members


def _whole(text: str) -> int:
    if len(text) > 17:
        raise Invalid("it holds a number of more than 53 bits.")
    return int(text)


def _fraction(text: str) -> float:
    if len(text) > 30:
        raise Invalid("it holds a number of more digits than one has.")
    return float(text)


def _number(value: float) -> str:
    """Format a number as ECMAScript does: Python's digits, another exponent notation."""
    if not math.isfinite(value):
        raise Invalid("it holds a number that is none.")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent)  # where the decimal point stands in the digits
    minus = "-" if sign else ""
    if len(text) <= point <= 21:
        return f"{minus}{text}{'0' * (point - len(text))}"
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _no_number(text: str) -> NoReturn:
    raise Invalid(f"it holds the number {text[:20]}, which is none.")
