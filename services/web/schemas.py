"""Base models and field types of all bodies: camelCase outside, snake_case inside, unknown fields refused."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from services.database.keyset import LONGEST_PLACE
from services.database.listing import LONGEST_TEXT, Listing
from services.runtime.spans import Span

LAST_OFFSET = 1_000_000
# Beyond these a conversion between zones may leave the calendar.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
# Control characters, and those that turn the direction of writing: a reviewer reads what was typed, in its order.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# What no font draws, beside control characters and white space (Unicode's Default_Ignorable_Code_Point, the blank of
# braille, fillers of Hangul): a text of nothing else is none. Between letters and in emoji some of it is usual.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NOTHING = re.compile(rf"[\s{_UNSEEN}]+")
_HIDDEN = re.compile(f"[{_UNSEEN}]")


def _no_number(value: Any) -> Any:
    """Refuse a bare number: whether it means seconds or milliseconds would be a guess (F4)."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        return value
    raise PydanticCustomError("moment_format", "not a date and time")


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("moment_range", "too far away")
    return moment


def no_control(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "control character")
    if text.strip() and _NOTHING.fullmatch(text):
        raise PydanticCustomError("nothing_visible", "no visible character")
    return text


def seen(text: str) -> str:
    """Refuse a name with a character that nobody sees: it would look like another's."""
    if _HIDDEN.search(text):
        raise PydanticCustomError("hidden_character", "hidden character")
    return text


def one_line(text: str) -> str:
    if not set("\t\r\n\u2028\u2029").isdisjoint(text):
        raise PydanticCustomError("control_character", "line break")
    return no_control(text)


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_range)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
Name = Annotated[Line, AfterValidator(seen)]
Code = Annotated[str, Field(max_length=64), AfterValidator(one_line)]
Paragraph = Annotated[str, Field(max_length=4000), AfterValidator(no_control)]
Account = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(no_control)]
Note = Annotated[str, Field(max_length=500), AfterValidator(no_control)]
PlaceText = Annotated[str, Field(max_length=LONGEST_PLACE)]  # where a page begins
SearchText = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(no_control)]
Identifier = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(one_line)]


class Body(BaseModel):
    """A request's body; an unknown field is refused, so that a misspelt name is noticed."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", str_strip_whitespace=True
    )


class Answer(BaseModel):
    """An answer's body; may be built from a row of a table."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, serialize_by_alias=True
    )


class WrongLine(Answer):
    """A line of a CSV file that is wrong, counted from 1 with the header, and why."""

    line: int
    zh: str
    en: str


class Done(Answer):
    """The act is done; ``at`` is the time by the database's clock."""

    at: datetime


class SpanAnswer(Answer):
    start: Moment
    end: Moment

    @classmethod
    def of(cls, span: Span | None) -> Self | None:
        return None if span is None else cls(start=span.start, end=span.end)


class ListParameters(Body):
    """The parameters of every list of the API.

    A list names the columns by which it can be sorted in a field ``sort`` of its own, with the default first.
    """

    text: SearchText = ""
    order: Literal["asc", "desc"] = "asc"
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=LAST_OFFSET)] = 0

    def listing(self) -> Listing:
        return Listing(self.text, getattr(self, "sort", ""), self.order == "desc", self.limit, self.offset)


class PlacedParameters(ListParameters):
    """The parameters of a list whose pages begin behind a line: ``place`` is one that the header `Link` names."""

    place: PlaceText = ""

    def listing(self) -> Listing:
        return replace(super().listing(), place=self.place)


class PageParameters(Body):
    """The parameters of a list in one order; ``place`` is one that the header `Link` names."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    place: PlaceText = ""

    def listing(self) -> Listing:
        return Listing(limit=self.limit, place=self.place)
