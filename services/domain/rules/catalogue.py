"""The rules that administrators change: meaning, spelling, checks and effect of each value.

A rule has the name of its setting among ``rules``, and its constraints are the setting's own. Each says in which
direction it protects less. In neither: the organisation's name, and the two reminders, whose end nobody gains by.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, create_model

from services.runtime.errors import Refused
from services.runtime.rules import Rules
from services.runtime.settings import all_settings
from services.runtime.translations import Bilingual, Counted, Message, Text, Worded

Kind = Literal["duration", "days", "hours", "count", "choice", "text"]
EXPECTED = {
    "duration": Message("Give a duration in whole minutes, hours or days, such as PT24H or P3D, of 100 years at most."),
    "days": Message("Give a whole number of days from 1 to 36500."),
    "hours": Message("Give a whole number of hours from 1 to 8760."),
    "count": Message("Give a whole number from 1 to 200."),
    "choice": Message("Choose one of those offered."),
    "text": Message("Give a text of 100 characters at most."),
}
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Rule(Worded):
    """One rule. ``field`` is its name in ``Rules`` where that differs from the setting's."""

    name: str
    kind: Kind
    message: Text
    meaning: Text
    field: str = ""
    choices: tuple[tuple[str, Message], ...] = ()  # a value and its word
    editable: bool = True  # False: changes with something else, not by hand
    weakened_by: Literal["raising", "lowering", "both"] | None = None  # of a protection: a second person confirms it

    @property
    def setting(self) -> str:
        """The path of its setting; the organisation's name is not among ``rules``."""
        return self.name if self.name == "organisation" else f"rules.{self.name}"

    def parse(self, text: str) -> Any:
        """Parse the value into the setting's type; Refused with what to give."""
        info = all_settings()[self.setting]
        model: type[BaseModel] = create_model("Value", value=(info.annotation, info))  # type: ignore[arg-type]  # as pydantic holds them
        try:
            value = getattr(model.model_validate({"value": text}), "value", None)
        except (ValidationError, OverflowError):
            value = None
        spelled = not (self.kind == "duration" and text[:1] != "P") and len(text) <= 100
        if value is None or not spelled or (isinstance(value, timedelta) and value % MINUTE):
            raise Refused(
                "rule-value",
                "{label}: {problem}",
                status=422,
                field="value",
                label=self.message,
                problem=EXPECTED[self.kind],
            )
        return value

    def normalise(self, text: str) -> str:
        """Write the value in its canonical form."""
        value = self.parse(text)
        return format_duration(value) if isinstance(value, timedelta) else str(value)

    def apply(self, rules: Rules, text: str) -> Rules:
        """Return ``rules`` with this one set to the value."""
        value = self.parse(text)
        if isinstance(getattr(rules, self.field or self.name), timedelta) and isinstance(value, int):
            value *= HOUR if self.kind == "hours" else DAY
        return replace(rules, **{self.field or self.name: value})

    def weakens(self, old: str | None, new: str | None) -> bool:
        """Return whether the change weakens a protection.

        So does returning to the environment's value, which may be any. Choices are written with the strongest first.
        """
        if self.weakened_by is None or old == new:
            return False
        if old is None or new is None:
            return True
        words = [value for value, _word in self.choices]
        if self.weakened_by == "both":
            return True
        before, after = (words.index(value) if words else self.parse(value) for value in (old, new))
        return bool(after > before if self.weakened_by == "raising" else after < before)

    def text(self, rules: Rules) -> str | None:
        """Return the value in ``rules``, as ``normalise`` writes it; None if not set."""
        value = getattr(rules, self.field or self.name)
        if not isinstance(value, timedelta):
            return None if value is None else str(value)
        if self.kind == "duration":
            return format_duration(value)
        return str(value // (HOUR if self.kind == "hours" else DAY))

    def describe(self, text: str | None) -> Text:
        """Describe the value in words."""
        if text is None:
            return Message("not set")
        if self.kind == "duration":
            return duration_text(self.parse(text))
        if self.kind == "days":
            return Counted("{count} day", "{count} days", int(text))
        if self.kind == "hours":
            return Counted("{count} hour", "{count} hours", int(text))
        if self.kind == "count":
            return Counted("{count} item", "{count} items", int(text))
        return next((word for value, word in self.choices if value == text), Bilingual(text, text))


def format_duration(value: timedelta) -> str:
    """Write a duration of whole minutes as short ISO 8601."""
    if value % DAY == timedelta():
        return f"P{value // DAY}D"
    return f"PT{value // HOUR}H" if value % HOUR == timedelta() else f"PT{value // MINUTE}M"


def duration_text(value: timedelta) -> Text:
    """Describe a duration in its largest whole unit."""
    if value >= DAY and value % DAY == timedelta():
        return Counted("{count} day", "{count} days", value // DAY)
    if value >= HOUR and value % HOUR == timedelta():
        return Counted("{count} hour", "{count} hours", value // HOUR)
    return Counted("{count} minute", "{count} minutes", value // MINUTE)


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            *("organisation", "text", Message("organisation's name")),
            Message("The name on forms, records and labels."),
        ),
        Rule(
            *("max_use_days", "days", Message("longest use period")),
            Message("For how many days a copy may be lent at most; nothing is handed over while it is not set."),
            weakened_by="raising",
        ),
        Rule(
            *("max_span_hours", "hours", Message("longest span of one item")),
            Message("How much footage one item may ask for."),
            field="max_span",
            weakened_by="raising",  # an item shows more people
        ),
        Rule(
            *("max_items", "count", Message("items of one application")),
            Message("How many items one application may have at most."),
            weakened_by="raising",  # so does an application
        ),
        Rule(
            *("review_limit", "duration", Message("time for a review")),
            Message(
                "The time for each of preliminary review, security review, sign-off and management "
                "decision; then it escalates."
            ),
            weakened_by="both",  # shorter: others soon sign in somebody's place; longer: a case is stalled
        ),
        Rule(
            *("first_reminder_after", "duration", Message("first reminder")),
            Message(
                "How long after a review has opened its people are reminded first, at half its time at the latest."
            ),
        ),
        Rule(
            *("notify_limit", "duration", Message("time to notify storage")),
            Message("Within what time storage is told after the approval."),
            weakened_by="raising",  # a notice that does not arrive is passed on later
        ),
        Rule(
            *("release_limit", "duration", Message("time for the release")),
            Message("The time that the storage office has for the release."),
            weakened_by="both",  # as the time for a review
        ),
        Rule(
            *("correction_period", "duration", Message("time to correct")),
            Message("Within what time an application that was sent back is corrected; then it expires."),
            weakened_by="lowering",  # the case expires at once, and its footage is no longer preserved
        ),
        Rule(
            *("take_up_period", "duration", Message("time to take up a copy")),
            Message("Within what time the custodian accepts a copy that is ready."),
            weakened_by="lowering",  # the case ends before anybody could accept the copy
        ),
        Rule(
            *("reminder_lead", "duration", Message("reminder before the due date")),
            Message("How long before the due date the custodian is reminded to return."),
        ),
        Rule(
            *("grace_period", "duration", Message("grace after the due date")),
            Message("How long after the due date a copy that is not back becomes a violation."),
            weakened_by="raising",
        ),
        Rule(
            *("preservation", "choice", Message("preservation")),
            Message("Which footage is preserved while an application is still being decided."),
            field="preserve",
            weakened_by="raising",
            choices=(
                ("always", Message("always")),
                ("at-risk", Message("what may be overwritten")),
                ("never", Message("never")),
            ),
        ),
        Rule(
            *("ordinary_retention_days", "days", Message("retention of ordinary footage")),
            Message("For how many days ordinary footage stays in the archive."),
            field="ordinary_retention",
            weakened_by="both",  # shorter: footage is gone; longer: a lock that nobody can undo
        ),
        Rule(
            *("important_retention_days", "days", Message("retention of important footage")),
            Message("For how many days important footage stays in the archive."),
            field="important_retention",
            weakened_by="both",  # as for ordinary footage
        ),
        Rule(
            *("agreement_version", "text", Message("version of the confidentiality agreement")),
            Message("The agreement that has to be signed; it changes when a new one is issued."),
            editable=False,
        ),
    )
}
