"""The report on safety and use as pages and API show it (R1)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.web.schemas import Answer, Body, Line, Moment


class UseReportBody(Body):
    """``period``: a month such as 2026-10, a quarter such as 2026-Q4, or a year such as 2026."""

    period: Annotated[Line, Field(min_length=4, max_length=7)]


class UseReportLine(Answer):
    """One report in the list; ``by`` is None where the system has made it."""

    number: str
    period: str
    made_at: datetime
    by: str | None


class UseFigure(Answer):
    """One figure, and that of the period before. ``group``: use, safety, storage or work."""

    group: str
    code: str
    now: int
    before: int


class UseCounts(Answer):
    """The figures of a department in one period."""

    submitted: int
    received: int
    overdue: int
    lost: int
    violations: int


class UseDepartment(Answer):
    """A department; ``outcomes``: how its applications of the period had ended when the report was made."""

    id: str
    name_zh: str
    name_en: str
    now: UseCounts
    before: UseCounts
    outcomes: dict[str, int]


class UseViolations(Answer):
    """The violations of one kind."""

    kind: str
    now: int
    before: int


class TrendMonth(Answer):
    """What the statistics say of one month, such as 2026-10."""

    month: str
    applications: int
    refused: int
    overdue: int
    lost: int
    violations: int


class UseReportView(Answer):
    """One report; ``sha256`` is the hash of its document. Those of older releases have no ``trend``."""

    number: str
    sha256: str
    period: str
    length: str
    period_from: Moment
    period_to: Moment
    before: str
    made_at: Moment
    by: str | None
    days: int
    days_before: int
    figures: list[UseFigure]
    departments: list[UseDepartment]
    violations: list[UseViolations]
    trend: list[TrendMonth]
