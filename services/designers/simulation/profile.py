"""What a simulation draws from: who there is, when cases come, how long people take, what they decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from services.designers.simulation.draws import Spread, Weights
from services.domain.access.directory import Directory
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime.rules import Rules

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Deciding:
    """How one stage is decided.

    ``response`` is the working time (s) until somebody who is free turns to an open review, ``work`` what the decision
    then takes (s of working time); a person does one at a time. ``outcomes`` weighs the outcomes.
    """

    response: Spread
    work: Spread
    outcomes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Camera:
    """Cameras of one kind: their class, and how many days the recorder keeps their footage; None: for ever."""

    camera_class: str
    retention_days: float | None


@dataclass(frozen=True)
class Footage:
    """What is asked for. ``age``: from the end of the span to the submission (s); ``length`` of the span (s).

    ``missing``, ``unreadable`` and ``partial`` are shares of the items that the recorder still should have;
    ``unpreserved`` the share of preservations that fail.
    """

    items: Weights[int]
    age: Spread
    length: Spread
    cameras: Weights[Camera]
    missing: float
    unreadable: float
    partial: float
    unpreserved: float


@dataclass(frozen=True)
class Applicants:
    """What applicants and custodians do besides reviews; times in s of calendar time.

    ``returned`` is the time until copies come back, as a share of their use period.
    """

    corrects: float
    correction: Spread
    withdraws: float
    withdrawal: Spread
    returned: Spread
    loses: float
    extends: float


@dataclass(frozen=True)
class Absences:
    """How often in a year each person is absent, others by ``others``, and for how long (days)."""

    per_year: Mapping[str, float]
    others: float
    days: Spread


@dataclass(frozen=True)
class Profile:
    """All of it. ``cases`` come in the year from ``start``, by the hours of working days and of days off.

    ``jobs`` says how long workers take, by job type (s); ``values`` weighs the values of variables, by their words.
    """

    source: str
    start: date
    cases: int
    hours: Sequence[float]
    hours_off: Sequence[float]
    departments: Weights[str]
    directory: Directory
    absences: Absences
    stages: Mapping[str, Deciding]
    other_stage: Deciding
    jobs: Mapping[str, Spread]
    other_job: Spread
    values: Mapping[str, Mapping[str, float]]
    footage: Footage
    applicants: Applicants
    rules: Rules
    calendar: WorkingCalendar

    @property
    def begins(self) -> datetime:
        """The first moment of the year, in UTC."""
        return datetime.combine(self.start, time(), self.calendar.zone).astimezone(UTC)

    def deciding(self, stage: str) -> Deciding:
        """Return how a stage is decided; one that nobody has decided yet, as the others are."""
        return self.stages.get(stage, self.other_stage)
