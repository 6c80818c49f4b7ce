"""What pages and API show of reconciliations, and what is sent to them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.web.schemas import Answer, Body, Code, PageParameters, no_control

Sentence = Annotated[str, Field(min_length=4, max_length=1000), AfterValidator(no_control)]
FindingSort = Literal["found"]


class ReconciliationLine(Answer):
    """The reconciliation of one day: ``compared`` counts by what, ``notTold`` what was not compared and why."""

    day: str
    made_at: datetime
    document: str
    compared: dict[str, Any]
    found: int
    open: int
    not_told: list[dict[str, str]]


class FindingLine(Answer):
    """One difference; ``violationMatterId`` is the matter of the violation that it has led to."""

    id: str
    kind: str
    place: str
    subject: str
    application_id: str | None
    application_number: str | None
    detail: dict[str, Any]
    found_at: datetime
    last_day: str
    state: str
    explained_by: str | None
    explained_at: datetime | None
    explanation: str | None
    violation_matter_id: str | None
    work_order_id: str | None
    may_explain: bool


class DamageLine(Answer):
    """A damaged version: repaired or why not, and what an examination has found."""

    id: str
    application_id: str
    application_number: str | None
    place: str
    key: str
    version_id: str
    faults: list[str]
    found_at: datetime
    repaired_at: datetime | None
    unrepaired_because: str | None
    examined_by: str | None
    examined_at: datetime | None
    examined_as: str | None
    removed_at: datetime | None


class ReconciliationsAnswer(Answer):
    """The newest reconciliations, a page of findings, and damaged versions that somebody has to look at."""

    reports: list[ReconciliationLine]
    findings: list[FindingLine]
    damages: list[DamageLine]
    may_explain: bool
    next: str = ""
    previous: str = ""


class StoreLogAnswer(Answer):
    """What was received of a store's access log: events, new accesses of our objects, events that nobody could read."""

    events: int
    new: int
    unread: int


class FindingsQuestion(PageParameters):
    """``state``: open, explained, work-order or gone; empty for all."""

    state: Code = ""
    kind: Code = ""


class ExplanationBody(Body):
    """Why it is so, in a sentence."""

    explanation: Sentence


class ExaminationBody(Body):
    """What the examination of a damaged version has found."""

    found: Sentence
