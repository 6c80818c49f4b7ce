"""Read what happened in the register's cases, page by page: eleven statements each, however many cases it has.

What was written by people (reasons, purposes, names of subjects) is not read. Whom a case concerns is in no log.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
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
from services.domain.cases.event_log import activities, submitted_cases
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

Rows = dict[str, list[Row[Any]]]


def read(session: Session, people: PeopleOfLog, since: datetime | None, until: datetime | None) -> Iterator[CaseLog]:
    """Yield the cases that were submitted from ``since`` and before ``until``, the oldest first."""
    query = (
        select(Application.number, Application.submitted_at, Application.closed_at, Application.withdrawn_at)
        .add_columns(Application.closed_as, Application.round, Application.importance, Application.way_of_use)
        .add_columns(Department.name_en.label("department"))
        .join(Department, Department.id == Application.department_id)
    )
    seen: set[str] = set()
    for applications in submitted_cases.read_pages(session, query, since, until):
        page = _Page(session, [row.id for row in applications])
        logs = [page.case(row, people) for row in applications]
        ids = {person_id for _, of_case in logs for person_id in of_case}
        new = _people(session, ids - seen)
        seen |= ids
        for log, of_case in logs:
            yield replace(log, people=people.objects(new, of_case, log.case.since))


def _people(session: Session, ids: Collection[str]) -> list[Known]:
    if not ids:
        return []
    query = select(Person.id, Person.name, Department.name_en).join(Department, Department.id == Person.department_id)
    return [Known(*row) for row in session.execute(query.where(Person.id.in_(ids)))]


@dataclass
class _CaseParts:
    """The objects and events of one case as they are found, and the ids of the people who did something in it."""

    people: PeopleOfLog
    objects: list[LogObject] = field(default_factory=list)
    events: list[LogEvent] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def happened(
        self, activity: str, at: datetime | None, objects: Related, person_id: str | None = None, **more: Any
    ) -> None:
        """Note an event, if it has happened."""
        if at is None:
            return
        if person_id is None:
            self.events.append(LogEvent(activity, at, objects, **more))
            return
        self.seen.add(person_id)
        code = self.people.code(person_id)
        self.events.append(LogEvent(activity, at, (*objects, ("by", code)), person=code, **more))


class _Page:
    """The rows of some cases, by case."""

    def __init__(self, session: Session, ids: Sequence[str]) -> None:
        self._session, self._ids = session, ids
        self.revisions = self._of(
            select(Revision.application_id, Revision.round, Revision.submitted_by, Revision.submitted_at).order_by(
                Revision.round
            ),
            Revision.application_id,
        )
        self.items = self._of(
            select(Item.application_id, Item.id, Item.position, Item.asked_start, Item.asked_end, Item.outcome)
            .add_columns(Item.coverage, Camera.camera_class, Camera.retention_days)
            .join(Camera, Camera.id == Item.camera_id),
            Item.application_id,
        )
        self.reviews = self._of(
            select(Review.application_id, Review.id, Review.stage, Review.round, Review.opened_at, Review.due_at)
            .add_columns(Review.escalated_at, Review.hand_over_id, Decision.outcome, Decision.decided_by)
            .add_columns(Decision.decided_at)
            .outerjoin(Decision, Decision.review_id == Review.id)
            .where(Review.matter_id.is_(None))
            .order_by(Review.opened_at, Review.id),
            Review.application_id,
        )
        self.preserved = self._of(
            select(Preservation.application_id, Preservation.item_id, Preservation.preserved_at.label("at")),
            Preservation.application_id,
        )
        self.masters = self._of(
            select(Master.application_id, Master.item_id, Master.retrieved_at.label("at")), Master.application_id
        )
        self.copies = self._of(select(Copy.application_id, Copy.item_id, Copy.made_at.label("at")), Copy.application_id)
        self.hand_overs = self._of(
            select(HandOver.application_id, HandOver.offered_at, HandOver.due_at, HandOver.use_days),
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
        rows: Rows = defaultdict(list)
        for row in self._session.execute(query.where(key.in_(self._ids))):
            rows[row.application_id].append(row)
        return rows

    def case(self, row: Row[Any], people: PeopleOfLog) -> tuple[CaseLog, set[str]]:
        """Return a case, without the objects of people, and the ids of its people."""
        parts = _CaseParts(people)
        case = row.number or row.id
        attributes = {"department": row.department, "wayOfUse": row.way_of_use, "corrections": row.round}
        attributes |= {} if row.importance is None else {"importance": row.importance}
        attributes |= {} if row.closed_as is None else {"outcome": row.closed_as}
        names = {item.id: f"{case}/{item.position}-{item.id[-4:]}" for item in self.items[row.id]}
        for revision in self.revisions[row.id]:
            activity = activities.SUBMITTED if revision.round == 0 else activities.CORRECTED
            asked = [("case", case), *(("item", name) for name in names.values())]
            parts.happened(activity, revision.submitted_at, asked, revision.submitted_by)
        self._footage(row.id, case, names, parts)
        loan = f"{case}/loan"
        for hand_over in self.hand_overs[row.id]:  # one at most
            lent = {"useDays": hand_over.use_days, **({} if hand_over.due_at is None else {"dueAt": hand_over.due_at})}
            parts.objects.append(LogObject(loan, HAND_OVER, hand_over.offered_at, lent, [("of", case)]))
        for number, review in enumerate(self.reviews[row.id], 1):
            self._review(review, f"{case}/review-{number}", case, loan, parts)
        for entry in self.custody[row.id]:
            related = [("case", case), ("hand-over", loan)]
            parts.happened(OF_CUSTODY[entry.event], entry.at, related, entry.person_id)
        parts.happened(activities.WITHDRAWN, row.withdrawn_at, [("case", case)])
        parts.happened(activities.CLOSED, row.closed_at, [("case", case)], attributes={"outcome": row.closed_as or ""})
        parts.events.sort(key=lambda event: event.at)
        of_case = LogObject(case, CASE, row.submitted_at, attributes)
        return CaseLog(of_case, parts.objects, [], parts.events), parts.seen

    def _footage(self, application_id: str, case: str, names: dict[str, str], parts: _CaseParts) -> None:
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
            parts.objects.append(LogObject(names[item.id], ITEM, since, attributes, [("of", case)]))
        for rows, activity in (
            (self.preserved, activities.PRESERVED),
            (self.masters, activities.RETRIEVED),
            (self.copies, activities.COPY_MADE),
        ):
            for done in rows[application_id]:
                related = [("case", case), *((("item", names[done.item_id]),) if done.item_id in names else ())]
                parts.happened(activity, done.at, related)
        for failed in self.failures[application_id]:
            if failed.item_id in names:
                related = [("case", case), ("item", names[failed.item_id])]
                parts.happened(activities.NOT_RETRIEVED, failed.ended_at, related, attributes={"why": failed.outcome})

    @staticmethod
    def _review(review: Row[Any], name: str, case: str, loan: str, parts: _CaseParts) -> None:
        stage = STAGES.get(review.stage)
        activity = review.stage if stage is None else stage.en
        about = [("of", case), *(() if review.hand_over_id is None else (("about", loan),))]
        attributes = {"stage": review.stage, "round": review.round, "dueAt": review.due_at}
        parts.objects.append(LogObject(name, REVIEW, review.opened_at, attributes, about))
        related = [("case", case), ("review", name)]
        parts.happened(activity, review.opened_at, related, transition="schedule")
        parts.happened(activities.escalated(activity), review.escalated_at, related)
        decided = {} if review.outcome is None else {"outcome": review.outcome}
        parts.happened(activity, review.decided_at, related, review.decided_by, attributes=decided)
