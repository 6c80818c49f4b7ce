"""What all request and answer bodies share: camelCase outside, snake_case inside, nothing unknown let through."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

LAST_OFFSET = 1_000_000
# Beyond these a conversion between zones may leave the calendar.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
# Control characters, and those that turn the direction of writing: a reviewer reads what was typed, in its order.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _written_out(value: Any) -> Any:
    """No bare number: whether it means seconds or milliseconds would be a guess (F4)."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        return value
    raise PydanticCustomError("moment_format", "not a date and time")


def _in_reach(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("moment_range", "too far away")
    return moment


def no_control(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "control character")
    return text


def _one_line(text: str) -> str:
    if not set("\t\r\n").isdisjoint(text):
        raise PydanticCustomError("control_character", "line break")
    return no_control(text)


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_reach)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Code = Annotated[str, Field(max_length=64), AfterValidator(_one_line)]
Paragraph = Annotated[str, Field(max_length=4000), AfterValidator(no_control)]
Account = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(no_control)]
Note = Annotated[str, Field(max_length=500), AfterValidator(no_control)]
Identifier = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_one_line)]


class Body(BaseModel):
    """A request's body; a field that is not known is refused, so that a typing error is seen."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", str_strip_whitespace=True
    )


class Answer(BaseModel):
    """An answer's body; may be read from a row of a book."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, serialize_by_alias=True
    )


class Done(Answer):
    """The act is done; ``at`` is the register's moment."""

    at: datetime


class SpanAnswer(Answer):
    start: Moment
    end: Moment
