"""The rules that administrators change: meaning, spelling, checks and effect of each value.

A rule has the name of its setting among ``rules``, and its constraints are the setting's own. Each says in which
direction it protects less. In neither: the organisation's name, the currency, and the two reminders, whose end nobody
gains by.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, create_model

from services.runtime import stations
from services.runtime.errors import Refused
from services.runtime.rules import Rules
from services.runtime.settings import all_settings
from services.runtime.translations import Bilingual, Counted, Message, Text, Worded

Kind = Literal[
    "duration",
    "days",
    "working-days",
    "hours",
    "count",
    "per-mille",
    "choice",
    "working-hours",
    "stations",
    "currency",
    "text",
]
EXPECTED = {
    "duration": Message("Enter a duration in whole minutes, hours or days, such as PT24H or P3D, at most 100 years."),
    "days": Message("Enter a whole number of days from 1 to 36500."),
    "working-days": Message("Enter a whole number of working days from 1 to 200."),
    "hours": Message("Enter a whole number of hours from 1 to 8760."),
    "count": Message("Enter a whole number from 1 to 200."),
    "per-mille": Message("Enter a whole number from 0 to 100."),
    "choice": Message("Choose one of the options."),
    "working-hours": Message(
        "Enter spans of hours and minutes that follow each other, such as 09:00-12:00,13:00-18:00."
    ),
    "stations": Message(
        "Enter addresses or networks of at most one room each with a name, separated by commas, such as 10.0.5.20 "
        "Control room, 10.0.6.0/24 North gate."
    ),
    "currency": Message("Enter the three capital letters of the currency, such as CNY."),
    "text": Message("Enter a text of at most 100 characters."),
}
COUNTED: dict[Kind, Callable[[int], Text]] = {
    "days": lambda count: Counted("{count} day", "{count} days", count),
    "working-days": lambda count: Counted("{count} working day", "{count} working days", count),
    "hours": lambda count: Counted("{count} hour", "{count} hours", count),
    "count": lambda count: Counted("{count} item", "{count} items", count),
    "per-mille": lambda count: Counted("{count} frame in 1,000", "{count} frames in 1,000", count),
}
SANCTIONED = (
    ("not-allowed", Message("not allowed")),
    ("with-legal-approval", Message("allowed with the approval of Legal")),
)
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

    @property
    def longest(self) -> int:
        """The most characters that its value may have."""
        return stations.LONGEST if self.kind == "stations" else 100

    def parse(self, text: str) -> Any:
        """Parse the value into the setting's type; Refused with what to give."""
        info = all_settings()[self.setting]
        model: type[BaseModel] = create_model("Value", value=(info.annotation, info))  # type: ignore[arg-type]  # as pydantic holds them
        try:
            value = getattr(model.model_validate({"value": text}), "value", None)
        except (ValidationError, OverflowError):
            value = None
        spelled = not (self.kind == "duration" and text[:1] != "P") and len(text) <= self.longest
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
        if not text:
            return Message("not set")
        if self.kind == "duration":
            return duration_text(self.parse(text))
        if self.kind in COUNTED:
            return COUNTED[self.kind](int(text))
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
            Message("Name shown on forms, records and labels."),
        ),
        Rule(
            *("max_use_days", "days", Message("maximum use period")),
            Message("Maximum number of days for the use of a copy; no copies are handed over while it is not set."),
            weakened_by="raising",
        ),
        Rule(
            *("max_span_hours", "hours", Message("maximum time span of an item")),
            Message("Maximum time span of an item."),
            field="max_span",
            weakened_by="raising",  # an item shows more people
        ),
        Rule(
            *("max_items", "count", Message("maximum items of an application")),
            Message("Maximum number of items in an application."),
            weakened_by="raising",  # so does an application
        ),
        Rule(
            *("urgent_span_hours", "hours", Message("time span of an urgent retrieval")),
            Message("Maximum time span of each camera that can be viewed before the approval."),
            field="urgent_span",
            weakened_by="raising",  # more is seen that nobody has approved
        ),
        Rule(
            *("urgent_cameras", "count", Message("cameras of an urgent retrieval")),
            Message("Maximum number of cameras that can be viewed before the approval."),
            weakened_by="raising",
        ),
        Rule(
            *("lost_per_mille", "per-mille", Message("frames that may be missing")),
            Message(
                "Maximum share of expected frames that may be missing in complete footage; above it, Security decides."
            ),
            weakened_by="raising",
        ),
        Rule(
            *("review_limit", "duration", Message("review deadline")),
            Message(
                "Time limit for each of preliminary review, security review, sign-off and management decision; "
                "after it, the review is escalated."
            ),
            weakened_by="both",  # shorter: others soon sign in somebody's place; longer: a case is stalled
        ),
        Rule(
            *("first_reminder_after", "duration", Message("first reminder")),
            Message("Time from the opening of a review to the first reminder, at most half of the time limit."),
        ),
        Rule(
            *("notify_limit", "duration", Message("notification deadline for storage")),
            Message("Time limit for notifying the storage office after the approval."),
            weakened_by="raising",  # a notice that does not arrive is passed on later
        ),
        Rule(
            *("release_limit", "duration", Message("release deadline")),
            Message("Time limit for the release by the storage office."),
            weakened_by="both",  # as the time for a review
        ),
        Rule(
            *("working_hours", "working-hours", Message("working hours")),
            Message(
                "Hours of a working day; the time limits of stages that count working time run only in these hours."
            ),
            weakened_by="both",  # as the time for a review
        ),
        Rule(
            *("correction_period", "duration", Message("correction deadline")),
            Message("Time limit for correcting a returned application; after it, the application expires."),
            weakened_by="lowering",  # the case expires at once, and its footage is no longer preserved
        ),
        Rule(
            *("take_up_period", "duration", Message("acceptance deadline")),
            Message("Time limit for the custodian to accept a copy that is ready."),
            weakened_by="lowering",  # the case ends before anybody could accept the copy
        ),
        Rule(
            *("reminder_lead", "duration", Message("reminder before the due date")),
            Message("Time before the due date at which the custodian is reminded to return."),
        ),
        Rule(
            *("grace_period", "duration", Message("grace period after the due date")),
            Message("Time after the due date at which a copy that was not returned becomes a violation."),
            weakened_by="raising",
        ),
        Rule(
            *("appeal_window", "duration", Message("appeal deadline")),
            Message("Time after a refusal in which the applicant can appeal; preserved footage is kept until then."),
            weakened_by="lowering",  # the footage of a refused case is gone before anybody could appeal
        ),
        Rule(
            *("hold_review_days", "days", Message("review of legal holds")),
            Message("Maximum number of days after which the owner of a legal hold has to review it."),
            field="hold_review",
            weakened_by="raising",  # a hold that nobody looks at keeps footage for ever
        ),
        Rule(
            *("violation_reply_period", "duration", Message("time for a reply to a violation")),
            Message("Time in which the accused may reply to a violation before it is decided."),
            weakened_by="lowering",  # people are judged before they could answer
        ),
        Rule(
            *("violation_appeal_period", "duration", Message("time for an appeal against a violation")),
            Message("Time after the sanctions are recorded in which the accused may appeal to management, once."),
            weakened_by="lowering",  # a wrong decision cannot be put to others any more
        ),
        Rule(
            *("fines", "choice", Message("fines")),
            Message(
                "Whether a decision about a violation may name a fine; in China an employer's fine has had no legal "
                "basis since 2008."
            ),
            weakened_by="raising",
            choices=SANCTIONED,
        ),
        Rule(
            *("inspection_period", "choice", Message("period of inspections")),
            Message("Whether the supervision group inspects each month or each quarter."),
            weakened_by="raising",
            choices=(("month", Message("each month")), ("quarter", Message("each quarter"))),
        ),
        Rule(
            *("dismissal", "choice", Message("dismissal")),
            Message("Whether a decision about a violation may name the dismissal of a person."),
            weakened_by="raising",
            choices=SANCTIONED,
        ),
        Rule(
            *("currency", "currency", Message("currency")),
            Message("Currency of fines, losses and settlements; amounts that are recorded already keep theirs."),
        ),
        Rule(
            *("letter_period", "duration", Message("time for the original letter")),
            Message(
                "Time to enter the original letter of an authority that has asked by telephone or fax; before, nothing "
                "is provided."
            ),
            weakened_by="raising",
        ),
        Rule(
            *("filmed_answer_days", "working-days", Message("answer to a person who was filmed")),
            Message("Number of working days within which a person who was filmed has to have an answer."),
            weakened_by="raising",
        ),
        Rule(
            *("viewing_stations", "stations", Message("viewing stations")),
            Message(
                "Addresses of the places where footage is viewed on site; while none is set, nothing is viewed on site."
            ),
            weakened_by="both",  # from each of them footage opens
        ),
        Rule(
            *("companion_interval", "duration", Message("confirmation of the companion")),
            Message("Time after which a viewing on site closes by itself unless the companion confirms being present."),
            weakened_by="raising",
        ),
        Rule(
            *("preservation", "choice", Message("preservation")),
            Message("Footage to preserve while an application is being decided."),
            field="preserve",
            weakened_by="raising",
            choices=(
                ("always", Message("always")),
                ("at-risk", Message("footage at risk of overwrite")),
                ("never", Message("never")),
            ),
        ),
        Rule(
            *("ordinary_retention_days", "days", Message("retention of ordinary footage")),
            Message("Number of days that ordinary footage stays in the archive."),
            field="ordinary_retention",
            weakened_by="both",  # shorter: footage is gone; longer: a lock that nobody can undo
        ),
        Rule(
            *("important_retention_days", "days", Message("retention of important footage")),
            Message("Number of days that important footage stays in the archive."),
            field="important_retention",
            weakened_by="both",  # as for ordinary footage
        ),
        Rule(
            *("derived_retention_days", "days", Message("retention period of derived copies")),
            Message("Number of days that copies made from a master, such as redacted ones, stay in the archive."),
            field="derived_retention",
            weakened_by="both",  # as for ordinary footage
        ),
        Rule(
            *("document_retention_days", "days", Message("retention of documents")),
            Message(
                "Minimum number of days that forms, records, logs and signatures of a case stay in the archive; at "
                "least as long as its footage."
            ),
            field="document_retention",
            weakened_by="both",  # as for ordinary footage
        ),
        Rule(
            *("agreement_grace_days", "days", Message("days to sign a new confidentiality agreement")),
            Message(
                "Number of days for which signatures of the current version stay valid when a new version of the "
                "confidentiality agreement is issued."
            ),
            field="agreement_grace",
            weakened_by="both",  # shorter: people are put out of office; longer: an outdated text counts
        ),
        Rule(
            *("identity_card_days", "days", Message("retention of copies of identity cards")),
            Message(
                "Number of days after the end of a case for which copies of identity cards and card numbers of people "
                "outside are kept."
            ),
            field="identity_card_retention",
            weakened_by="both",  # longer: they are held without need; shorter: they are gone for who handles the case
        ),
        Rule(
            *("agreement_version", "text", Message("version of the confidentiality agreement")),
            Message("The agreement that must be signed; it changes when a new version is issued."),
            editable=False,
        ),
    )
}
