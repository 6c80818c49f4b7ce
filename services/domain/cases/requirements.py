"""Which requirement a case has met: at which element, by whom, when (R62).

The elements name their requirements in the documentation of the model, in the version that the case runs on. What the
process cannot know, since people do it between its steps, stands in the custody log and in the filed documents.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Literal

from sqlalchemy import select

from services.database.tables.custody import CustodyEntry
from services.database.tables.returns import Return
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.cases import rows as case_rows
from services.domain.cases import timeline
from services.domain.cases.rows import CaseRows
from services.domain.cases.schemas.requirements import (
    CaseRequirement,
    CaseRequirements,
    RequirementAwaited,
    RequirementMet,
)
from services.domain.cases.timeline import Visit
from services.domain.process import messages
from services.domain.process.model_library import ModelLibrary
from services.domain.supervision import breaches, coverage, readers
from services.domain.supervision.audit_schemas import BreachLine
from services.runtime.models import Element, Model

ACTION = "case-requirements-read"
# by the event of the custody log
CUSTODY: Mapping[str, str] = {
    "received": "R45 R46 R47 R59",
    "viewed": "R41 R47",
    "downloaded": "R36 R41 R47",
    "moved": "R45 R47",
    "lent": "R45 R47",
    "checked": "R45 R47",
    "view-allowed": "R47 R57",
    "sitting-opened": "R41 R47 R57",
    "purpose-changed": "R41",
    "due-date-changed": "R49 R50",
    "provided": "R58",
    "lost": "R48",
    "returned": "R38 R47 R51",
    "recalled": "R42 R57",
    "inspected": "R39",
}
# by the kind of the document
DOCUMENTS: Mapping[str, str] = {
    "application-form": "R16 R18 R19 R20 R21 R28 R29",
    "retrieval-record": "R35",
    "hand-over-receipt": "R45 R46",
    "return-inspection": "R39",
    "custody-log": "R47",
    "sitting": "R41 R57",
    "still": "R37 R41",
    "redacted-still": "R37 R41",
}


def get_requirements(uow: UnitOfWork, application_id: str, library: ModelLibrary) -> CaseRequirements:
    """Read them for one who may see the case; NotFound otherwise. The reading is an event."""
    rows = case_rows.of_case(uow, application_id)
    application = rows.application
    audit_trail.record(uow, ACTION, "application", application.id, application_id=application.id)
    met, awaited = _of_process(rows, library)
    doers = {entry.seq: entry.person_id or _who_recalled(uow, entry) for entry in rows.custody}
    names = access_queries.get_names(uow, doers.values())
    for entry in rows.custody:
        for number in CUSTODY.get(entry.event, "").split():
            doer = doers[entry.seq]
            person = names.get(doer or "", doer)
            met[number].append(RequirementMet(at=entry.at, how="custody", code=f"custody-{entry.event}", person=person))
    for document in rows.documents:
        for number in DOCUMENTS.get(document.kind, "").split():
            met[number].append(
                RequirementMet(at=document.made_at, how="document", code=document.kind, number=document.number)
            )
    broken = _broken(uow, application_id)
    found = [
        CaseRequirement(
            number=one["number"],
            phrase=one["phrase"],
            meaning=one["meaning"],
            verb=one["verb"],
            met=sorted(met[one["number"]], key=lambda line: line.at),
            awaited=awaited[one["number"]],
            broken=broken.get(one["number"], []),
        )
        for one in coverage.shipped()
    ]
    touched = [one for one in found if one.met or one.awaited or one.broken]
    return CaseRequirements(
        id=application.id,
        number=application.number,
        met=touched,
        other=[one for one in found if one not in touched],
    )


Met = defaultdict[str, list[RequirementMet]]
Awaited = defaultdict[str, list[RequirementAwaited]]


def _of_process(rows: CaseRows, library: ModelLibrary) -> tuple[Met, Awaited]:
    """Collect the elements where the case was, and where it is, by the requirements that they name."""
    met: Met = defaultdict(list)
    awaited: Awaited = defaultdict(list)
    people = _people(rows)
    # a recall ends the waiting for the return from outside: the department has returned nothing (R38)
    is_recalled = any(entry.event == "recalled" for entry in rows.custody)
    for model, visit in timeline.visits_of_rows(rows, library):
        element = model.elements.get(visit.element_id)
        if element is None or (is_recalled and element.message == messages.COPY_RETURNED):
            continue
        for line in _lines(model, element, visit, people):
            for number in element.requirements:
                if isinstance(line, RequirementMet):
                    met[number].append(line)
                else:
                    awaited[number].append(line)
    return met, awaited


def _lines(
    model: Model, element: Element, visit: Visit, people: Mapping[str, str]
) -> Iterator[RequirementMet | RequirementAwaited]:
    """Yield the visit as it counts: done, or under way; nothing where it ended from outside."""
    if visit.until is None:
        yield RequirementAwaited(
            model=model.process_id, element=element.id, zh=element.zh, en=element.en, since=visit.since
        )
    elif visit.whole:
        worked: Literal["step", "event"] = "step" if visit.step is not None else "event"
        yield RequirementMet(
            at=visit.until,
            how="review" if visit.review_id is not None else worked,
            model=model.process_id,
            element=element.id,
            zh=element.zh,
            en=element.en,
            person=people.get(visit.review_id or element.message or ""),
        )


def _people(rows: CaseRows) -> dict[str, str]:
    """Return who decided, by the id of the review, and who did what the process waited for, by the message."""
    decided = {row.review.id: row.decision.decided_by for row in rows.reviews if row.decision is not None}
    returned = next((entry.person_id for entry in rows.custody if entry.event == "returned"), None)
    names = access_queries.get_names(rows.uow, [*decided.values(), returned])
    people = {review_id: names.get(person_id, person_id) for review_id, person_id in decided.items()}
    if returned is not None:
        people[messages.COPY_RETURNED] = names.get(returned, returned)
    return {
        **people,
        messages.APPLICATION_SUBMITTED: rows.head.drafter,
        messages.APPLICATION_CORRECTED: rows.head.drafter,
    }


def _who_recalled(uow: UnitOfWork, entry: CustodyEntry) -> str | None:
    """Return who has signed the recall that an entry of the custody log is about; None for every other entry."""
    if entry.event != "recalled":
        return None
    return uow.session.scalar(select(Return.returned_by).where(Return.hand_over_id == entry.hand_over_id))


def _broken(uow: UnitOfWork, application_id: str) -> Mapping[str, list[BreachLine]]:
    """Return what broke which requirement in this case, for those who supervise; empty for everybody else."""
    return breaches.list_of_case(uow, application_id) if readers.may_read(uow) else {}
