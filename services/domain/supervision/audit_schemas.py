"""What the auditors' pages and their API show."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from services.web.schemas import Answer, SpanAnswer

Look = Literal[
    "viewing",
    "on-site",
    "emergency-viewing",
    "redacted-viewing",
    "picture",
    "download",
    "received",
    "view-allowed",
    "fetched",
    "provided",
    "packaged",
]


class FootageLook(Answer):
    """One way in which one person saw some footage, or could from then on.

    ``parts`` are the recorder's moments inside the span that were read; empty where all of it was given away.
    ``present`` and ``outsiders``: to whom it was shown besides; people outside are only counted. ``redacted``: it was
    a redacted copy, and not the footage itself. ``purpose`` is the one that held at the moment ``at``.
    """

    how: Look
    redacted: bool
    at: datetime
    person_id: str | None
    person: str | None
    present: list[str]
    outsiders: int
    application_id: str
    number: str
    purpose: str
    address: str | None
    parts: list[SpanAnswer]


class TrailLine(Answer):
    """One event of the audit trail. ``actor`` is None where it is hidden from the reader, as ``hidden`` says.

    ``subject_name``: the name of the person whom the event is about.
    """

    seq: int
    at: datetime
    action: str
    by_person: bool
    actor: str | None
    hidden: bool
    subject_kind: str
    subject_id: str | None
    subject_name: str | None
    application_id: str | None
    number: str | None
    detail: dict[str, Any]


class EventPlace(Answer):
    """Where an event stands in the tree of the trail, which is the leaf ``index``.

    ``size`` and what follows are of the first signed head over it; empty while there is none yet. ``proof`` has the
    hashes beside the leaf, in hexadecimal, as RFC 6962 orders them.
    """

    index: int
    leaf_sha256: str
    size: int | None = None
    root: str | None = None
    origin: str | None = None
    signed_at: datetime | None = None
    anchored_at: datetime | None = None
    proof: list[str] = Field(default_factory=list)


class TrailEvent(TrailLine):
    """One event with its details and its place in the tree."""

    place: EventPlace


class BreachLine(Answer):
    """One thing that broke a requirement in a case; ``source`` and ``code`` say what the register calls it.

    ``zh`` and ``en`` are the sentence of a finding, or the question that an inspection has answered with no.
    """

    source: Literal["violation", "refusal", "finding", "problem", "footage", "event", "inspection"]
    code: str
    at: datetime
    application_id: str
    number: str
    title: str | None
    zh: str | None = None
    en: str | None = None


class CoveredElement(Answer):
    """An element of a model that names the requirement.

    ``state``: ``shipped`` and in use, ``own`` of the organisation, ``missing`` from the models in use.
    """

    model: str
    id: str
    zh: str
    en: str
    state: Literal["shipped", "own", "missing"]


class CoveredRequirement(Answer):
    """One requirement: what is done about it, by which elements, which tests show it, how many cases broke it."""

    number: str
    where: str
    phrase: str
    meaning: str
    verb: Literal["enforced", "recorded", "attested"]
    state: Literal["whole", "partly", "not yet"]
    lacks: str | None
    elements: list[CoveredElement]
    refusing: list[str]
    showing: list[str]
    broken: int


class PolicyCoverage(Answer):
    """All requirements, and how many are whole by each verb."""

    requirements: list[CoveredRequirement]
    whole: dict[str, int]


class Counts(Answer):
    """How many of each: applications, refused cases, overdue loans, lost copies, violations."""

    applications: int
    refused: int
    overdue: int
    lost: int
    violations: int


class MonthCounts(Counts):
    """The counts of one month; ``month`` is its first day."""

    month: date


class DepartmentCounts(Counts):
    """The counts of one department over the period, and by measure those of each month."""

    id: str
    name_zh: str
    name_en: str
    months: dict[str, list[int]]


class StageMonths(Answer):
    """One stage over the period, in seconds; ``means`` by month, with null where none of its visits began."""

    stage: str
    ended: int
    mean: float
    longest: float
    means: list[float | None]


class Statistics(Answer):
    """The figures of the last months, the present one last; those of months that are over as they were counted then."""

    months: list[MonthCounts]
    departments: list[DepartmentCounts]
    stages: list[StageMonths]


class RefusalLine(Answer):
    """One address that was refused. ``number``: of the case that it names, where the reader may see it."""

    at: datetime
    cause: str
    code: str
    asked: str
    number: str | None


class RefusalsView(Answer):
    """What was refused to a person in the last 90 days, the newest first, as far as the reader may see it.

    ``pattern``: it was much within a short time, ``limit`` addresses or more, and can be recorded as a violation.
    """

    person_id: str
    person: str
    login: str
    limit: int
    pattern: bool
    number: str | None
    refusals: list[RefusalLine]
