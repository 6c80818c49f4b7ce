"""What one review stage is: the shapes of ``bpmn/review-stages.json``, whose keys are theirs in camel case."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter
from pydantic.alias_generators import to_camel

from services.runtime.rules import Rules

Code = Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$", max_length=40)]
Chinese = Annotated[str, Field(pattern="[\u4e00-\u9fff]", max_length=400)]
English = Annotated[str, Field(pattern="^[ -~“”’–]+$", max_length=400)]
Level = Literal["password", "password+totp"]  # how strong a signature has to be
Phase = Literal["approval", "retrieval", "custody", "return", "matter"]
# Who decides, where a list of posts cannot express it (T1, T8, T12): access/policy.py has these rules. ``counterpart``
# is whom a matter names, such as the new custodian; ``verifier`` whom a work order names (domain/work_orders/roles.py),
# ``supervision`` the members of the supervision group (domain/supervision).
Rule = Literal[
    "department", "sign-off", "management", "custodian", "return-office", "counterpart", "verifier", "supervision"
]
# The class of a case, what Security grants, when a loan is due, and whether Legal has to approve a sanction: what a
# decision may return besides its outcome.
Returned = Literal[
    "importantInformation", "sensitiveEvent", "highImpact", "usePeriodDays", "wayOfUse", "dueAt", "legalNeeded"
]
Counting = Literal["calendar", "working-time"]  # which time a limit counts
LIMITS = {
    "review": lambda rules: rules.review_limit,
    "release": lambda rules: rules.release_limit,
    "take-up": lambda rules: rules.take_up_period,
}
_durations: TypeAdapter[timedelta] = TypeAdapter(timedelta)


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True)


class BilingualLabel(Shape):
    """The same in both languages."""

    zh: Chinese
    en: English


class Question(BilingualLabel):
    """A question answered with yes or no. ``yes_to_approve``: the favourable outcome needs a yes."""

    code: Code
    yes_to_approve: bool = True


class Outcome(BilingualLabel):
    """An outcome of a stage, and its button; ``grave`` shows the button in red."""

    act: BilingualLabel
    grave: bool = False


class SanctionKind(BilingualLabel):
    """A sanction that a decision about a violation may name.

    ``amount``: it is of so much money. ``rule``: Legal has to approve it, and that rule of the organisation can forbid
    it; ``warning`` says what the law has against it.
    """

    amount: bool = False
    rule: Literal["fines", "dismissal"] | None = None
    warning: BilingualLabel | None = None


class Instead(Shape):
    """What a stage asks, and what follows, where it decides a matter of one kind."""

    questions: Annotated[tuple[Question, ...], Field(max_length=20)] = ()
    follows: BilingualLabel | None = None


class Group(Shape):
    """The holders of these posts in departments of a kind, in the applicant's own, or in any."""

    posts: Annotated[tuple[str, ...], Field(min_length=1)]
    departments: Literal["own", "any", "business", "administration", "legal", "security", "storage", "management"]


def _rule_or_groups(given: object) -> str:
    return "rule" if isinstance(given, str) else "groups"


Candidates = Annotated[
    Annotated[Rule, Tag("rule")] | Annotated[tuple[Group, ...], Field(min_length=1), Tag("groups")],
    Discriminator(_rule_or_groups),
]


class Stage(BilingualLabel):
    """One stage. ``outcomes`` begins with the favourable one; every outcome is signed with the password again.

    With the level ``password+totp`` a person who has a second factor, or must have one, gives a one-time code as well.
    ``candidates`` are asked group by group, the substitutes after those whose task it is. A ``retired`` stage is asked
    by no model any more; cases that had it keep its words. ``accepts_lost_per_mille`` accepts in advance that so many
    of a thousand pictures lack, at places of a second at most: then the question is not asked. A limit that counts
    ``working-time`` runs in the working hours of working days alone (``domain.working_calendar``). ``about``: what the
    stage may be asked about, the application or a kind of matter; ``instead``: its questions and what follows where it
    decides a matter of that kind. ``sanctions`` are those it may name.
    """

    code: Code
    phase: Phase
    about: Annotated[tuple[Code, ...], Field(min_length=1)] = ("application",)
    duty: Code
    candidates: Candidates
    limit_of: str = Field(alias="limit")
    limit_counts: Counting = "calendar"
    level: Level = Field(alias="signature")
    outcomes: Annotated[tuple[str, ...], Field(min_length=2)]
    questions: Annotated[tuple[Question, ...], Field(max_length=20)] = ()
    reason_for: tuple[str, ...] = ()
    opinion_needed: bool = False
    may_raise: bool = False
    may_lower: bool = False
    returns: tuple[Returned, ...] = ()
    sanctions: tuple[Code, ...] = ()
    follows: BilingualLabel | None = None
    instead: dict[Code, Instead] = Field(default_factory=dict)
    retired: bool = False
    accepts_lost_per_mille: int = Field(default=0, ge=0, le=100)

    @property
    def favourable(self) -> str:
        return self.outcomes[0]

    @property
    def all_questions(self) -> tuple[Question, ...]:
        """Every question that the stage may ask, whatever it is asked about."""
        return (*self.questions, *(question for one in self.instead.values() for question in one.questions))

    def asked_about(self, kind: str | None) -> "Stage":
        """Return the stage as it is asked about a matter of this kind; None: about the application."""
        if kind is None or kind not in self.instead:
            return self
        return self.model_copy(update={name: getattr(self.instead[kind], name) for name in ("questions", "follows")})

    @property
    def groups(self) -> tuple[Group, ...]:
        """The candidates where they are a list; empty where a rule finds them."""
        return () if isinstance(self.candidates, str) else self.candidates

    @property
    def needs_hand_over(self) -> bool:
        """Whether the review is about copies that were handed over, so that its call names the hand-over."""
        return self.phase in ("custody", "return")

    def limit(self, rules: Rules) -> timedelta:
        """Return the time for a decision: a limit of the organisation or the stage's own duration."""
        known = LIMITS.get(self.limit_of)
        return known(rules) if known else duration(self.limit_of)


class StageFile(Shape):
    """The whole file. ``posts`` are the organisation's, besides the built-in ones."""

    posts: dict[Code, BilingualLabel]
    duties: dict[Code, BilingualLabel]
    outcomes: dict[Code, Outcome]
    sanctions: dict[Code, SanctionKind] = Field(default_factory=dict)
    stages: dict[Code, Stage]


def duration(text: str) -> timedelta:
    """Parse a positive ISO 8601 duration; ValueError for any other text."""
    if not text.startswith("P"):
        raise ValueError(text)
    value = _durations.validate_python(text)
    if value <= timedelta():
        raise ValueError(text)
    return value
