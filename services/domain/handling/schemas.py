"""Handling rules as pages and API show them, and the body of a change (R56)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.domain.handling.levels import MOST_DAYS, Handling
from services.domain.handling.service import InForce, RecordedHandling
from services.web.schemas import Answer, Body, Line, Moment, no_control, one_line

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Instructions = Annotated[str, Field(max_length=1000), AfterValidator(no_control)]
Title = Annotated[str, Field(max_length=200), AfterValidator(one_line)]


def _address(value: str) -> str:
    if value and not value.startswith(("https://", "/")):
        raise ValueError("an address begins with https://, or with / for a page of this portal")
    return value


Link = Annotated[str, Field(max_length=500), AfterValidator(one_line), AfterValidator(_address)]


class HandlingBody(Body):
    """The rules of a level, all of them. ``version`` is the one that was seen, 0 where nobody has changed it."""

    way_of_use: Literal["on-site", "view", "download"]
    redacted_outside: bool = False
    two_people: bool = False
    max_use_days: Days | None = None
    check_in_days: Days | None = None
    instructions_zh: Instructions = ""
    instructions_en: Instructions = ""
    rule_title: Title = ""
    rule_link: Link = ""
    version: Annotated[int, Field(ge=0, le=1_000_000)]
    reason: Annotated[Line, Field(min_length=4)]

    def handling(self) -> Handling:
        """Return the rules that the body asks for."""
        values = self.model_dump(exclude={"version", "reason"})
        return Handling(**values)


class LevelAnswer(Answer):
    """The rules of a level; ``version`` counts its changes, ``floor`` is what no change allows more than."""

    level: str
    version: int
    way_of_use: str
    redacted_outside: bool
    two_people: bool
    max_use_days: int | None
    check_in_days: int | None
    instructions_zh: str
    instructions_en: str
    rule_title: str
    rule_link: str
    floor: dict[str, Any]


class HandlingChangeAnswer(Answer):
    """One change of the rules of a level."""

    level: str
    version: int
    at: Moment
    by: str
    reason: str
    way_of_use: str
    redacted_outside: bool
    two_people: bool
    max_use_days: int | None
    check_in_days: int | None


def level_answer(level: str, found: InForce, floor: Handling) -> LevelAnswer:
    """Return the rules of a level as the API gives them."""
    fixed = {name: value for name, value in floor.as_json().items() if not isinstance(value, str) or name == "wayOfUse"}
    return LevelAnswer(level=level, version=found.version, floor=fixed, **vars(found.handling))


def change_answer(change: RecordedHandling) -> HandlingChangeAnswer:
    """Return a change as the API gives it."""
    rules = change.handling
    return HandlingChangeAnswer(
        level=change.level,
        version=change.version,
        at=change.at,
        by=change.by,
        reason=change.reason,
        way_of_use=rules.way_of_use,
        redacted_outside=rules.redacted_outside,
        two_people=rules.two_people,
        max_use_days=rules.max_use_days,
        check_in_days=rules.check_in_days,
    )
