"""Convert between FEEL values, JSON and text."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.temporal import Date, DateTime, DayTime, Time, YearMonths, date_time_from_python
from services.engine.feel.temporal_text import format_for_json, format_temporal
from services.engine.feel.values import Function, Range, Value, entries_of

_MAX_DIGITS = 4300  # of an integer: the limit of Python's JSON
_FEEL_TYPES = (Decimal, str, bool, Date, Time, DateTime, YearMonths, DayTime, Range, Function)


def from_json(value: object) -> Value:  # noqa: PLR0911 - one for each type
    """Convert a variable to a FEEL value; numbers become Decimal.

    Python's dates, datetimes and timedeltas are converted too. Raises TypeError for other types.
    """
    if value is None or isinstance(value, _FEEL_TYPES):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): from_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [from_json(item) for item in value]
    if isinstance(value, datetime):
        return date_time_from_python(value)
    if isinstance(value, date):
        return Date(value.year, value.month, value.day)
    if isinstance(value, timedelta):
        return DayTime(value // timedelta(microseconds=1) * 1000)
    raise TypeError(f"A {type(value).__name__} can't be a variable; give what JSON can carry.")


def to_json(value: Value) -> object:
    """Convert a FEEL value to JSON as Zeebe stores it.

    Integers become int, other numbers float, calendar values text, functions and ranges None; a context's functions
    are left out. A date and time in a region includes its offset (`…+02:00[Europe/Berlin]`).
    Raises FeelEvaluationError for a number of more than 4,300 digits.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Decimal):
        return _number_to_json(value)
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in entries_of(value).items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, Date | Time | DateTime | YearMonths | DayTime):
        return format_for_json(value)
    return None


def _number_to_json(value: Decimal) -> int | float:
    if value.adjusted() >= _MAX_DIGITS:
        raise FeelEvaluationError(f"A number has more than {_MAX_DIGITS} digits; no variable can hold it.")
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    return int(value) if math.isinf(number) else number


def text_of(value: Value) -> str:  # noqa: PLR0911 - one for each type
    """Return the text of `string()`; strings have quotes, as inside lists."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}:{text_of(item)}" for key, item in entries_of(value).items()) + "}"
    if isinstance(value, Date | Time | DateTime | YearMonths | DayTime):
        return format_temporal(value)
    if isinstance(value, Range):
        return _range_text(value)
    if isinstance(value, Function):
        return f"function({', '.join(value.params)})"
    raise TypeError(f"A {type(value).__name__} is not a FEEL value.")


def _range_text(value: Range) -> str:
    left = "[" if value.start_included else "("
    right = "]" if value.end_included else ")"
    return f"{left}{text_of(value.start)}..{text_of(value.end)}{right}"
