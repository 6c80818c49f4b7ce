"""Read what happened in the register's cases, page by page: eleven statements each, however many cases it has.

What was written by people (reasons, purposes, names of subjects) is not read. Whom a case concerns is in no log.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.masters import Master
from services.database.tables.people import Department, Person
from services.database.tables.preservations import Preservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision, Review
from services.domain.cases.event_log import activities
from services.domain.cases.event_log.activities import OF_CUSTODY
from services.domain.cases.event_log.people import Known, PeopleOfLog
from services.domain.cases.event_log.shapes import (
    CASE,
    HAND_OVER,
    ITEM,
    REVIEW,
    CaseLog,
    LogEvent,
    LogObject,
    Related,
)
from services.domain.process.steps import CANCELLED, COMPLETED
from services.domain.stages.catalogue import STAGES

CASES_AT_ONCE = 500
Rows = dict[str, list[Row[Any]]]


def read(session: Session, people: PeopleOfLog, since: datetime | None, until: datetime | None) -> Iterator[CaseLog]:
    """Yield the cases that were submitted from ``since`` and before ``until``, the oldest first."""
    seen: set[str] = set()
    for applications in _pages(session, since, until):
        page = _Page(session, [row.id for row in applications])
        found = [page.case(row, people) for row in applications]
        ids = {person_id for _, of_case in found for person_id in of_case}
        known = {person.id: person for person in _people(session, ids - seen)}
        seen |= ids
        for log, of_case in found:
            new = people.objects(known.values(), of_case, log.case.since)
            yield CaseLog(log.case, log.objects, new, log.events)


def _pages(session: Session, since: datetime | None, until: datetime | None) -> Iterator[Sequence[Row[Any]]]:
    columns = (Application.id, Application.number, Application.submitted_at, Application.closed_at)
    query = (
        select(*columns, Application.closed_as, Application.round, Application.importance, Application.way_of_use)
        .add_columns(Application.withdrawn_at, Application.listed_at, Department.name_en.label("department"))
        .join(Department, Department.id == Application.department_id)
        .where(Application.submitted_at.is_not(None))
        .order_by(Application.listed_at, Application.id)
        .limit(CASES_AT_ONCE)
    )
    if since is not None:
        query = query.where(Application.listed_at >= since)
    if until is not None:
        query = query.where(Application.listed_at < until)
    key, kinds = tuple_(Application.listed_at, Application.id), [Application.listed_at.type, Application.id.type]
    page = session.execute(query).all()
    while page:
        yield page
        last = tuple_(page[-1].listed_at, page[-1].id, types=kinds)
        page = session.execute(query.where(key > last)).all()


def _people(session: Session, ids: Iterable[str]) -> list[Known]:
    wanted = list(ids)
    if not wanted:
        return []
    query = select(Person.id, Person.name, Department.name_en).join(Department, Department.id == Person.department_id)
    return [Known(*row) for row in session.execute(query.where(Person.id.in_(wanted)))]


@dataclass
class _OfCase:
    """The objects and events of one case as they are found, and whoever did something in it."""

    people: PeopleOfLog
    objects: list[LogObject] = field(default_factory=list)
    events: list[LogEvent] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def person(self, person_id: str | None) -> str | None:
        if person_id is None:
            return None
        self.seen.add(person_id)
        return self.people.code(person_id)

    def happened(
        self, activity: str, at: datetime | None, objects: Related, person: str | None = None, **more: Any
    ) -> None:
        """Note an event, if it has happened."""
        if at is None:
            return
        who = self.person(person)
        related = (*objects, *((("by", who),) if who is not None else ()))
        self.events.append(LogEvent(activity, at, related, person=who, **more))


class _Page:
    """The rows of some cases, by case."""

    def __init__(self, session: Session, ids: Sequence[str]) -> None:
        self._session, self._ids = session, ids
        self.revisions = self._of(
            select(Revision.application_id, Revision.round, Revision.submitted_by, Revision.submitted_at),
            Revision.application_id,
        )
        self.items = self._of(
            select(Item.application_id, Item.id, Item.position, Item.asked_start, Item.asked_end, Item.outcome)
            .add_columns(Item.coverage, Item.dropped_in_round, Camera.camera_class, Camera.retention_days)
            .join(Camera, Camera.id == Item.camera_id),
            Item.application_id,
        )
        self.reviews = self._of(
            select(Review.application_id, Review.id, Review.stage, Review.round, Review.opened_at, Review.due_at)
            .add_columns(Review.escalated_at, Review.hand_over_id, Decision.outcome, Decision.decided_by)
            .add_columns(Decision.decided_at)
            .outerjoin(Decision, Decision.review_id == Review.id),
            Review.application_id,
        )
        self.preserved = self._of(
            select(Preservation.application_id, Preservation.item_id, Preservation.preserved_at),
            Preservation.application_id,
        )
        self.masters = self._of(
            select(Master.application_id, Master.item_id, Master.retrieved_at, Master.origin), Master.application_id
        )
        self.copies = self._of(select(Copy.application_id, Copy.item_id, Copy.made_at), Copy.application_id)
        self.hand_overs = self._of(
            select(HandOver.application_id, HandOver.id, HandOver.offered_at, HandOver.due_at, HandOver.use_days),
            HandOver.application_id,
        )
        self.custody = self._of(
            select(HandOver.application_id, CustodyEntry.at, CustodyEntry.event, CustodyEntry.person_id)
            .join(HandOver, HandOver.id == CustodyEntry.hand_over_id)
            .where(CustodyEntry.event.in_(OF_CUSTODY))
            .order_by(CustodyEntry.seq),
            HandOver.application_id,
        )
        self.failures = self._of(
            select(ProcessStep.application_id, ProcessStep.item_id, ProcessStep.ended_at, ProcessStep.outcome).where(
                ProcessStep.item_id.is_not(None), ProcessStep.outcome.not_in((COMPLETED, CANCELLED))
            ),
            ProcessStep.application_id,
        )

    def _of(self, query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[str]) -> Rows:
        found: Rows = defaultdict(list)
        for row in self._session.execute(query.where(key.in_(self._ids))):
            found[row.application_id].append(row)
        return found

    def case(self, row: Row[Any], people: PeopleOfLog) -> tuple[CaseLog, set[str]]:
        """Return a case, without the objects of people, and the ids of its people."""
        found = _OfCase(people)
        case = row.number or row.id
        attributes = {"department": row.department, "wayOfUse": row.way_of_use, "corrections": row.round}
        attributes |= {} if row.importance is None else {"importance": row.importance}
        attributes |= {} if row.closed_as is None else {"outcome": row.closed_as}
        names = {item.id: f"{case}/{item.position}-{item.id[-4:]}" for item in self.items[row.id]}
        for revision in self.revisions[row.id]:
            activity = activities.SUBMITTED if revision.round == 0 else activities.CORRECTED
            asked = [("case", case), *(("item", name) for name in names.values())]
            found.happened(activity, revision.submitted_at, asked, revision.submitted_by)
        self._footage(row.id, case, names, found)
        loans = {loan.id: f"{case}/loan" for loan in self.hand_overs[row.id]}
        for loan in self.hand_overs[row.id]:
            lent = {"useDays": loan.use_days, **({} if loan.due_at is None else {"dueAt": loan.due_at})}
            found.objects.append(LogObject(loans[loan.id], HAND_OVER, loan.offered_at, lent, [("of", case)]))
        for number, review in enumerate(self.reviews[row.id], 1):
            self._review(review, f"{case}/review-{number}", case, loans, found)
        for entry in self.custody[row.id]:
            related = [("case", case), *(("hand-over", loan) for loan in loans.values())]
            found.happened(OF_CUSTODY[entry.event], entry.at, related, entry.person_id)
        found.happened(activities.WITHDRAWN, row.withdrawn_at, [("case", case)])
        found.happened(activities.CLOSED, row.closed_at, [("case", case)], attributes={"outcome": row.closed_as or ""})
        found.events.sort(key=lambda event: event.at)
        of_case = LogObject(case, CASE, row.submitted_at, attributes)
        return CaseLog(of_case, found.objects, [], found.events), found.seen

    def _footage(self, application_id: str, case: str, names: dict[str, str], found: _OfCase) -> None:
        submitted = self.revisions[application_id]
        for item in self.items[application_id]:
            attributes: dict[str, Any] = {
                "cameraClass": item.camera_class,
                "retentionDays": item.retention_days,
                "minutes": (item.asked_end - item.asked_start).total_seconds() / 60,
                **({} if item.outcome is None else {"outcome": item.outcome}),
                **({} if item.coverage is None else {"coverage": item.coverage}),
            }
            since = submitted[0].submitted_at if submitted else item.asked_end
            found.objects.append(LogObject(names[item.id], ITEM, since, attributes, [("of", case)]))
        for rows, activity, moment in (
            (self.preserved, activities.PRESERVED, "preserved_at"),
            (self.masters, activities.RETRIEVED, "retrieved_at"),
            (self.copies, activities.COPY_MADE, "made_at"),
        ):
            for done in rows[application_id]:
                related = [("case", case), *((("item", names[done.item_id]),) if done.item_id in names else ())]
                found.happened(activity, getattr(done, moment), related)
        for failed in self.failures[application_id]:
            if failed.item_id in names:
                related = [("case", case), ("item", names[failed.item_id])]
                found.happened(activities.NOT_RETRIEVED, failed.ended_at, related, attributes={"why": failed.outcome})

    @staticmethod
    def _review(review: Row[Any], name: str, case: str, loans: dict[str, str], found: _OfCase) -> None:
        stage = STAGES.get(review.stage)
        activity = review.stage if stage is None else stage.en
        about = [("of", case), *((("about", loans[review.hand_over_id]),) if review.hand_over_id in loans else ())]
        attributes = {"stage": review.stage, "round": review.round, "dueAt": review.due_at}
        found.objects.append(LogObject(name, REVIEW, review.opened_at, attributes, about))
        related = [("case", case), ("review", name)]
        found.happened(activity, review.opened_at, related, transition="schedule")
        found.happened(activities.escalated(activity), review.escalated_at, related)
        decided = {} if review.outcome is None else {"outcome": review.outcome}
        found.happened(activity, review.decided_at, related, review.decided_by, attributes=decided)
