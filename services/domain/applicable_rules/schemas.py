"""The rules that apply as pages and API show them, and the body of an entry (R3)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.domain.applicable_rules.entries import Entry
from services.domain.applicable_rules.service import RecordedEntry, Registered
from services.web.schemas import Answer, Body, Line, Moment, Paragraph, no_control, one_line

Short = Annotated[str, Field(max_length=200), AfterValidator(one_line)]
Day = Annotated[str, Field(max_length=10), AfterValidator(one_line)]
Code = Annotated[str, Field(max_length=40), AfterValidator(one_line)]


def _address(value: str) -> str:
    if value and not value.startswith(("https://", "/")):
        raise ValueError("an address begins with https://, or with / for a page of this portal")
    return value


Link = Annotated[str, Field(max_length=500), AfterValidator(no_control), AfterValidator(_address)]


class ApplicableRuleBody(Body):
    """A rule as it is to be from now on. ``version`` is the one that was seen, 0 for a new or a shipped one.

    ``since`` and ``until`` are days, the last one included; ``onBehalf`` and ``levels`` left empty: it bears on all
    applications. ``toCheck``: Legal has not checked it yet.
    """

    kind: Literal["law", "standard", "own"]
    title: Line
    title_en: Short = ""
    number: Short = ""
    issuer: Short = ""
    since: Day = ""
    until: Day = ""
    on_behalf: Annotated[list[Code], Field(max_length=10, default_factory=list)]
    levels: Annotated[list[Code], Field(max_length=20, default_factory=list)]
    text: Paragraph = ""
    link: Link = ""
    to_check: bool = False
    version: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    reason: Annotated[Line, Field(min_length=4)]

    def entry(self) -> Entry:
        """Return the rule that the body describes."""
        values = self.model_dump(exclude={"version", "reason"})
        return Entry(**{**values, "on_behalf": tuple(self.on_behalf), "levels": tuple(self.levels)})


class ApplicableRuleAnswer(Answer):
    """A rule of the register; ``version`` 0 is as shipped."""

    rule_id: str
    version: int
    kind: str
    title: str
    title_en: str
    number: str
    issuer: str
    since: str
    until: str
    on_behalf: list[str]
    levels: list[str]
    text: str
    link: str
    to_check: bool


class EnteredVersion(Answer):
    """One version of a rule: when, by whom and why it was entered."""

    version: int
    at: Moment
    by: str
    reason: str
    title: str
    number: str
    since: str
    until: str
    to_check: bool


class ApplicableRuleView(ApplicableRuleAnswer):
    """A rule with all that was entered of it, the newest first."""

    versions: list[EnteredVersion]


def rule_answer(found: Registered) -> ApplicableRuleAnswer:
    """Return a rule as the API gives it."""
    return ApplicableRuleAnswer(**_values(found))


def rule_view(found: Registered, versions: list[RecordedEntry]) -> ApplicableRuleView:
    """Return a rule with its versions."""
    return ApplicableRuleView(
        **_values(found),
        versions=[
            EnteredVersion(
                version=one.version,
                at=one.at,
                by=one.by,
                reason=one.reason,
                title=one.entry.title,
                number=one.entry.number,
                since=one.entry.since,
                until=one.entry.until,
                to_check=one.entry.to_check,
            )
            for one in versions
        ],
    )


def _values(found: Registered) -> dict[str, Any]:
    entry = vars(found.entry)
    return {
        **entry,
        "on_behalf": list(found.entry.on_behalf),
        "levels": list(found.entry.levels),
        "rule_id": found.rule_id,
        "version": found.version,
    }
