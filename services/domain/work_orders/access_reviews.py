"""The quarterly review of grants: what is open, what its reviewer asks to end, and how that is carried out (R55).

Each person's grants of one loan are a question of the checklist, so that doer and verifier sign over the answers. A
viewer's end when the review is closed. A custodian's end by a recall alone, which Security opens and its head signs:
until then the review is not accepted. Nobody reviews the grants of a case that concerns them (T8).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.directory import LEADERS
from services.domain.custody import recipient_access
from services.domain.work_orders import follow_ups, opening, service
from services.domain.work_orders.fitness import ACCESS_REVIEW, GRANT
from services.domain.work_orders.kinds import Item, get_label
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.sources import ScheduleSubject
from services.runtime import local_times
from services.runtime.translations import Message, Text

KIND, CODE = ACCESS_REVIEW, GRANT
WITHHELD = "withheld"  # the grants that a head must not learn of
RECALL = "recall"
MOST = opening.MOST_ITEMS - 40  # the questions of the schedule come before
QUESTIONS = {
    False: Message("{person} may view the copies of {number} ({since} to {until}): is this still needed?"),
    True: Message("{person} keeps the copies of {number} ({since} to {until}): is this still needed?"),
}


@dataclass
class OpenGrants:
    """What one person may do with the copies of one loan."""

    hand_over_id: str
    number: str
    person_id: str
    person: str
    department_id: str
    custodian: bool
    concerns: frozenset[str]
    actions: set[str]
    since: datetime
    until: datetime

    def item(self, zone: str) -> Item:
        """Return it as a question of the checklist."""
        local = (moment.astimezone(ZoneInfo(zone)) for moment in (self.since, self.until))
        since, until = (f"{moment:%Y-%m-%d %H:%M} {local_times.offset(moment)}" for moment in local)
        text = QUESTIONS[self.custodian].with_values(person=self.person, number=self.number, since=since, until=until)
        return Item(f"{CODE}:{self.hand_over_id}:{self.person_id}", text.zh, text.en)

    def as_json(self) -> dict[str, Any]:
        return {
            "person": self.person,
            "loan": self.number,
            "actions": " + ".join(sorted(self.actions)),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
        }


def register() -> None:
    """Register what an access review does besides; again is no error."""
    service.WHEN_SIGNED[KIND] = ask_for_recalls
    service.ACCEPTANCE[KIND] = require_ends
    service.WHEN_DONE[KIND] = end_viewings


def list_open(uow: UnitOfWork) -> list[OpenGrants]:
    """List the grants that are open now, one entry for each person and loan; one statement."""
    query = (
        select(Grant, HandOver, Application, Person)
        .join(Copy, Copy.id == Grant.copy_id)
        .join(HandOver, HandOver.id == Copy.hand_over_id)
        .join(Application, Application.id == HandOver.application_id)
        .join(Person, Person.id == Grant.person_id)
        .where(
            Grant.ended_at.is_(None),
            Grant.until > uow.now,
            *(moment.is_(None) for moment in (HandOver.ended_at, HandOver.returned_at, HandOver.lost_at)),
        )
        .order_by(Grant.until, HandOver.id, Person.id)
    )
    found: dict[tuple[str, str], OpenGrants] = {}
    for grant, hand_over, application, person in uow.session.execute(query):
        key = hand_over.id, person.id
        known = found.get(key)
        if known is None:
            found[key] = OpenGrants(
                hand_over_id=hand_over.id,
                number=application.number or "",
                person_id=person.id,
                person=person.name,
                department_id=person.department_id,
                custodian=person.id == hand_over.custodian_id,
                concerns=frozenset(application.subject_ids),
                actions={grant.action},
                since=grant.since,
                until=grant.until,
            )
            continue
        known.actions.add(grant.action)
        known.since, known.until = min(known.since, grant.since), max(known.until, grant.until)
    return list(found.values())


def by_reviewer(uow: UnitOfWork) -> dict[str, list[OpenGrants]]:
    """List the open grants by the department whose head reviews them; under WITHHELD what supervision reviews.

    That is what concerns the head or the deputy, and what they hold themselves. What concerns Security or a supervisor,
    who read every review, is in none: it ends with its use period.
    """
    directory = access_queries.load_directory(uow)
    overseers = {
        *directory.holders_in("security", *LEADERS, "security-reviewer"),
        *directory.holders(None, "supervisor"),
    }
    heads: dict[str, set[str]] = {}
    found = defaultdict[str, list[OpenGrants]](list)
    for grants in list_open(uow):
        if grants.concerns & overseers:
            continue
        department = grants.department_id
        if department not in heads:
            heads[department] = set(directory.holders(department, *LEADERS))
        withheld = (grants.concerns | {grants.person_id}) & heads[department] or not heads[department]
        found[WITHHELD if withheld else department].append(grants)
    return found


def with_grants(uow: UnitOfWork, subjects: Sequence[ScheduleSubject]) -> list[ScheduleSubject]:
    """Return the departments to review with what is open of their people, and the one of what heads must not learn."""
    open_ones = by_reviewer(uow)
    reviewed = [_with(uow, subject, open_ones.pop(subject.subject.id, [])) for subject in subjects]
    left = [grants for of_department in open_ones.values() for grants in of_department]
    if not left:
        return reviewed
    named = get_label(WITHHELD)
    security = access_queries.load_directory(uow).holders_in("security", *LEADERS)
    of_security = any(grants.person_id in security for grants in left)
    supervision = ScheduleSubject(
        Subject("department", WITHHELD, f"{named.zh} {named.en}"),
        doer=Role("supervisor"),
        verifier=Role("supervisor") if of_security else None,
    )
    return [*reviewed, _with(uow, supervision, left)]


def ask_for_recalls(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> None:
    """Tell Security of each loan to be recalled, in the act in which the reviewer asks for it."""
    directory = access_queries.load_directory(uow)
    people = directory.holders_in("security", "head", "security-reviewer")
    for hand_over in _list_unrecalled(uow, order, attempt):
        service.notify(uow, order, people, "work-order-recall-asked", application_id=hand_over.application_id)


def require_ends(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> Text | None:
    """Return why the review cannot be accepted yet: copies that are to come back are not recalled."""
    for hand_over in _list_unrecalled(uow, order, attempt):
        number = uow.session.get_one(Application, hand_over.application_id).number
        return Message("The copies of {number} are to come back: have Security recall them first.", number=number)
    return None


def end_viewings(uow: UnitOfWork, order: WorkOrder) -> None:
    """End what named viewers may no longer do; each of them and the custodian are told."""
    query = select(WorkOrderAttempt.answers).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    for hand_over, person_id in _to_end(uow, order, uow.session.scalar(query) or {}):
        if hand_over.custodian_id != person_id and not follow_ups.is_over(hand_over):
            recipient_access.end_by_review(uow, hand_over, person_id, review=order.number)


def _with(uow: UnitOfWork, subject: ScheduleSubject, grants: Sequence[OpenGrants]) -> ScheduleSubject:
    listed = list(grants[:MOST])
    return ScheduleSubject(
        subject.subject,
        doer=subject.doer,
        verifier=subject.verifier,
        application_id=subject.application_id,
        facts={**subject.facts, "grants": [one.as_json() for one in listed]},
        find_facts=subject.find_facts,
        items=[one.item(uow.rules.zone) for one in listed],
    )


def _to_end(uow: UnitOfWork, order: WorkOrder, answers: Mapping[str, Any]) -> list[tuple[HandOver, str]]:
    """List the loans and people whose grants the reviewer wants to end, the loans locked."""
    asked = [code.split(":") for code, given in answers.items() if _is_end(code, given)]
    codes: Collection[str] = {item["code"] for item in order.facts["checklist"]}
    found = []
    for parts in asked:
        if len(parts) == 3 and ":".join(parts) in codes:
            hand_over = uow.session.get(HandOver, parts[1], with_for_update=True, populate_existing=True)
            if hand_over is not None:
                found.append((hand_over, parts[2]))
    return found


def _list_unrecalled(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> list[HandOver]:
    """List the loans that the reviewer wants to end and that nobody has recalled since the review began."""
    loans = [
        hand_over
        for hand_over, person_id in _to_end(uow, order, attempt.answers or {})
        if hand_over.custodian_id == person_id and not follow_ups.is_over(hand_over)
    ]
    recalled = select(Matter.hand_over_id).where(
        Matter.kind == RECALL,
        Matter.hand_over_id.in_([hand_over.id for hand_over in loans]),
        Matter.opened_at >= order.opened_at,
    )
    already = set(uow.session.scalars(recalled)) if loans else set()
    return [hand_over for hand_over in loans if hand_over.id not in already]


def _is_end(code: str, given: Mapping[str, Any]) -> bool:
    return code.startswith(f"{CODE}:") and given.get("answer") == "no"
