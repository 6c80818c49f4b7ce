"""Open, do, verify and cancel work orders: each act with its message to the process, in one transaction (R11, R64).

A work order is done by its doer, who signs the checklist, and verified by somebody else, who signs over what was done.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.attachments import Attachment
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.work_orders import is_seen
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.process import messages, outbox, subjects
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders import documents, fitness, policy, roles
from services.domain.work_orders.kinds import ANSWERS, KINDS, Item, Kind, get_label, name_subject
from services.domain.work_orders.policy import Parts
from services.domain.work_orders.roles import Role
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Bilingual, Message, Text

__all__ = ["Cause", "Item", "Subject", "cancel", "done", "open_work_order", "verify"]

STAGE = "work-order-verification"
SUBJECT_KIND = "work-order"  # of its messages, attachments and events
DONE, CANCELLED = "done", "cancelled"
DEFECT = "defect"
VERIFIED, AGAIN = "verified", "again"
IN_PLACE = "work-order-signed-in-your-place"  # the notice to those in charge for whom a substitute signs
LONGEST = timedelta(days=366)  # until a work order is due
MOST_ITEMS = 1000

Usual = Literal["usual"]
WhenDone = Callable[[UnitOfWork, WorkOrder], object]
OfAttempt = Callable[[UnitOfWork, WorkOrder, WorkOrderAttempt], object]
Acceptance = Callable[[UnitOfWork, WorkOrder, WorkOrderAttempt], Text | None]
Requirement = Callable[[UnitOfWork, WorkOrder], Text | None]
UntilDone = Callable[[UnitOfWork, WorkOrder], bool]
Signed = Callable[[UnitOfWork, WorkOrder], Any]
Witnesses = Callable[[UnitOfWork, WorkOrder], Collection[str]]

WHEN_DONE: dict[str, WhenDone] = {}
"""By kind: what follows in the act that closes a work order as done. Registered in ``services.domain.wiring``."""

REQUIREMENTS: dict[str, Requirement] = {}
"""By kind: why a work order cannot be done yet, or None; asked in the act of doing it."""

SIGNED: dict[str, Signed] = {}
"""By kind: what its doer signs besides the answers to the checklist."""

UNTIL_DONE: dict[str, UntilDone] = {}
"""By kind: whether nobody cancels it by hand, since it ends when it is done."""

WHEN_SIGNED: dict[str, OfAttempt] = {}
"""By kind: what follows in the act in which the doer signs."""

WITNESSES: dict[str, Witnesses] = {}
"""By kind: before whom the present attempt was done, by what its doer says; none of them verifies it."""

ACCEPTANCE: dict[str, Acceptance] = {}
"""By kind: why what was done cannot be accepted yet, or None; asked in the act of verifying it."""


@dataclass(frozen=True)
class Subject:
    """What is checked or corrected: a recorder, a site, a department, a finding."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True)
class Cause:
    """Why it was opened: a finding, a matter, a reconciliation."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True)
class Answered:
    """The answer to one item of the checklist."""

    answer: str
    note: str = ""


@dataclass(frozen=True)
class Done:
    """What the doer says: an answer to each item, by its code, and what else there is to say."""

    answers: Mapping[str, Answered]
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the verifier decides. ``due_at``: until when it is to be done again."""

    outcome: str
    answers: Mapping[str, bool] = field(default_factory=dict)
    reason: str = ""
    due_at: datetime | None = None


def open_work_order(
    uow: UnitOfWork,
    kind: str,
    subject: Subject,
    *,
    key: str,
    doer: Role,
    title: Text | None = None,
    verifier: Role | Usual | None = "usual",
    due_at: datetime | None = None,
    checklist: Sequence[Item] | None = None,
    facts: Mapping[str, Any] | None = None,
    interim: str = "",
    cause: Cause | None = None,
    application_id: str | None = None,
    schedule: str | None = None,
    by_system: bool = False,
) -> WorkOrder:
    """Open a work order once for each key, and tell the process; a second call returns the first one unchanged.

    Who opens it by hand has been checked by the caller (``require_may_open``). ``by_system``: nobody has opened it.
    Raises NotFound for a kind that there is not, and Refused for a due date or a checklist that cannot be.
    """
    of_kind = find_kind(kind)
    existing = uow.session.scalar(select(WorkOrder).where(WorkOrder.key == key))
    if existing is not None:
        return existing
    due_at = due_at or uow.now + timedelta(days=of_kind.days)
    _require_date(uow, due_at)
    items = tuple(checklist) if checklist is not None else of_kind.checklist
    if not items or len(items) > MOST_ITEMS or len({item.code for item in items}) < len(items):
        raise Refused("checklist", "A checklist has 1 to {most} different questions.", most=MOST_ITEMS, status=422)
    verified_by = of_kind.verifier if verifier == "usual" else verifier
    if verified_by is not None and STAGE not in STAGES:
        raise Refused(
            "stage-lacking",
            "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
            stage=STAGE,
        )
    order = _new(uow, of_kind, subject, key=key, title=title, due_at=due_at)
    order.application_id, order.schedule = application_id, schedule
    order.opened_by = None if by_system else uow.actor.id
    doer = fitness.choose(access_queries.load_directory(uow), doer, fitness.unfit_of(uow, order, doer))
    _set_roles(order, doer, verified_by)
    order.facts = {
        "workOrder": order.id,
        "number": order.number,
        "kind": kind,
        "subject": {"kind": subject.kind, "id": subject.id, "label": subject.label},
        "title": {"zh": order.title_zh, "en": order.title_en},
        "doer": doer.as_json(),
        "verifier": verified_by.as_json() if verified_by is not None else None,
        "dueAt": due_at.isoformat(),
        "checklist": [item.as_json() for item in items],
        "interim": interim.strip(),
        "cause": {"kind": cause.kind, "id": cause.id, "label": cause.label} if cause is not None else None,
        "facts": dict(facts or {}),
        "openedBy": order.opened_by,
        "openedAt": uow.now.isoformat(),
    }
    order.facts_sha256 = hash_of(order.facts)
    uow.session.add(order)
    uow.session.flush()
    add_attempt(uow, order, due_at)
    record(uow, order, "work-order-opened", facts=order.facts_sha256, due_at=due_at.isoformat())
    outbox.publish(
        uow,
        messages.WORK_ORDER_OPENED,
        order.id,
        application_id=None,
        subject=process_subject(order),
        message_id=f"{messages.WORK_ORDER_OPENED}:{order.id}",
        variables={"workOrderId": order.id},
    )
    tell_doers(uow, order, "work-order-opened")
    return order


def open_defect(uow: UnitOfWork, defect: str) -> WorkOrder:
    """Open the work order of a part of the daily maintenance that fails; one while it is open, however often it fails.

    Raises KeyError for a part that there is not.
    """
    named = get_label(defect)
    of_defect = select(WorkOrder).where(WorkOrder.subject_kind == DEFECT, WorkOrder.subject_id == defect)
    # one that somebody has opened by hand, for whomever they chose, does not stand for the system's own
    own = WorkOrder.closed_at.is_(None), WorkOrder.opened_by.is_(None)
    existing = uow.session.scalar(of_defect.where(*own).limit(1))
    if existing is not None:
        return existing
    return open_work_order(
        uow,
        DEFECT,
        Subject(DEFECT, defect, f"{named.zh} {named.en}"),
        key=f"{DEFECT}:{defect}:{uow.now.isoformat()}",
        doer=Role("storage-operator", department_kind="storage"),
        by_system=True,
    )


def require_may_open(uow: UnitOfWork, kind: str) -> None:
    """Raise Refused unless the actor may open work orders of this kind by hand."""
    find_kind(kind)
    if not policy.opens(access_queries.load_directory(uow), str(uow.actor.id), kind):
        raise Refused(
            "not-an-opener",
            "Only the head of Security and the supervision group can open this, and the storage office what is about "
            "its devices and sites: ask one of them.",
            status=403,
        )


def done(uow: UnitOfWork, work_order_id: str, said: Done, proof: Proof) -> WorkOrder:
    """Sign the checklist as the doer, once for each attempt, and tell the process."""
    order = lock_seen(uow, work_order_id)
    attempt = require_to_do(uow, order)
    directory, role, me = access_queries.load_directory(uow), doer_of(order), str(uow.actor.id)
    _require_form(order, proof)
    answers = _checked(order, said)
    lacking = REQUIREMENTS[order.kind](uow, order) if order.kind in REQUIREMENTS else None
    if lacking is not None:
        raise Refused("not-done-yet", lacking)
    in_place_of = roles.represented(directory, role, me)
    statement = {
        "kind": "work-order-done",
        "workOrder": order.id,
        "number": order.number,
        "attempt": attempt.attempt,
        "form": order.facts_sha256,
        "answers": answers,
        "note": said.note.strip(),
        **({"besides": SIGNED[order.kind](uow, order)} if order.kind in SIGNED else {}),
        "attachments": attached(uow, order),
        "person": me,
        "represented": in_place_of,
        "decidedAt": signature_signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof)
    attempt.done_by, attempt.done_at = me, uow.now
    attempt.stands_in_for = in_place_of[0] if in_place_of else None
    attempt.answers, attempt.note = answers, said.note.strip() or None
    attempt.done_sha256, attempt.done_signature = signed.sha256, signed.signature
    notification_service.mark_done(uow, "work-order", subject_id=order.id)
    notify(uow, order, in_place_of, IN_PLACE)
    if order.kind in WHEN_SIGNED:
        WHEN_SIGNED[order.kind](uow, order, attempt)
    record(uow, order, "work-order-done", attempt=attempt.attempt, **signed.event_fields)
    outbox.publish(
        uow,
        messages.WORK_ORDER_DONE,
        f"{order.id}:{attempt.attempt}",
        application_id=None,
        subject=process_subject(order),
        message_id=f"{messages.WORK_ORDER_DONE}:{attempt.id}",
        variables={},
    )
    return order


def verify(uow: UnitOfWork, work_order_id: str, verdict: Verdict, proof: Proof) -> WorkOrder:
    """Accept what was done, or have it done again by a new date; signed, and never by who did it."""
    order = lock_seen(uow, work_order_id)
    attempt = _attempt(uow, order)
    if order.closed_at is not None or attempt.review_id is None or attempt.outcome is not None:
        raise Refused("nothing-to-verify", "There is nothing to verify: it is not done yet, or it is verified already.")
    refusal = refusal_to_verify(uow, order, attempt)
    if refusal is not None:
        raise refusal
    _require_form(order, proof)
    _check_verdict(uow, verdict)
    if verdict.outcome == VERIFIED and order.kind in ACCEPTANCE:
        lacking = ACCEPTANCE[order.kind](uow, order, attempt)
        if lacking is not None:
            raise Refused("not-accepted-yet", lacking)
    directory, me = access_queries.load_directory(uow), str(uow.actor.id)
    in_place_of = roles.represented(directory, verifier_of(order), me)
    next_due = verdict.due_at or uow.now + timedelta(days=find_kind(order.kind).days)
    statement = {
        "kind": "work-order-verified",
        "workOrder": order.id,
        "number": order.number,
        "attempt": attempt.attempt,
        "review": attempt.review_id,
        "stage": STAGE,
        "form": order.facts_sha256,
        "done": attempt.done_sha256,
        "attachments": attached(uow, order),
        "outcome": verdict.outcome,
        "answers": dict(verdict.answers),
        "reason": verdict.reason.strip(),
        "dueAt": next_due.isoformat() if verdict.outcome == AGAIN and verdict.due_at else None,
        "person": me,
        "represented": in_place_of,
        "decidedAt": signature_signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof, level=STAGES[STAGE].level)
    attempt.outcome, attempt.verified_by, attempt.verified_at = verdict.outcome, me, uow.now
    attempt.verifier_stands_in_for = in_place_of[0] if in_place_of else None
    attempt.verification, attempt.reason = dict(verdict.answers), verdict.reason.strip() or None
    attempt.next_due_at = next_due if verdict.outcome == AGAIN else None
    attempt.verified_sha256, attempt.verified_signature = signed.sha256, signed.signature
    notification_service.mark_done(uow, "work-order", "recall", subject_id=order.id)
    notify(uow, order, in_place_of, IN_PLACE)
    record(uow, order, "work-order-verified", attempt=attempt.attempt, outcome=verdict.outcome, **signed.event_fields)
    outbox.publish(
        uow,
        messages.REVIEW_DECIDED,
        attempt.review_id,
        application_id=None,
        subject=process_subject(order),
        message_id=f"{messages.REVIEW_DECIDED}:{attempt.review_id}",
        variables={"decision": verdict.outcome},
    )
    return order


def cancel(uow: UnitOfWork, work_order_id: str, because: str, *, by_system: bool = False) -> WorkOrder:
    """Cancel an open work order with a reason: of its opener and who oversees, or of the system; never of its doer."""
    order = lock(uow, work_order_id) if by_system else lock_seen(uow, work_order_id)
    if not by_system and not policy.cancels(
        access_queries.load_directory(uow), doer_of(order), str(uow.actor.id), parts_of(uow, order)
    ):
        raise Refused(
            "not-a-canceller",
            "Only the opener of the work order, the head of Security and the supervision group can cancel it, and "
            "never its doer: ask one of them.",
            status=403,
        )
    if order.closed_at is not None:
        raise _closed(order)
    if not by_system and ends_when_done(uow, order):
        raise Refused("until-done", "This work order cannot be cancelled: it ends when it is done and verified.")
    if not because.strip():
        raise Refused("missing", "Enter why it is cancelled.", status=422, field="because")
    _end(uow, order, CANCELLED)
    order.closed_because, order.closed_by = because.strip(), None if by_system else uow.actor.id
    record(uow, order, "work-order-cancelled", because=because.strip())
    outbox.publish(
        uow,
        messages.WORK_ORDER_CANCELLED,
        order.id,
        application_id=None,
        subject=process_subject(order),
        message_id=f"{messages.WORK_ORDER_CANCELLED}:{order.id}",
        variables={},
    )
    tell_doers(uow, order, "work-order-cancelled")
    return order


def ends_when_done(uow: UnitOfWork, order: WorkOrder) -> bool:
    """Return whether nobody cancels it by hand."""
    asked = UNTIL_DONE.get(order.kind)
    return asked is not None and asked(uow, order)


def require_to_do(uow: UnitOfWork, order: WorkOrder) -> WorkOrderAttempt:
    """Return the attempt that is open, locked; Refused unless the actor is to do the work order now."""
    attempt = _open_attempt(uow, order)
    directory = access_queries.load_directory(uow)
    late, unfit = uow.now >= order.due_at, fitness.barred_from(uow, order, doer_of(order))
    refusal = policy.doer_refusal(directory, doer_of(order), str(uow.actor.id), late=late, unfit=unfit)
    if refusal is not None:
        raise refusal
    return attempt


def list_verifiers(uow: UnitOfWork, order: WorkOrder) -> list[str]:
    """List who may verify what was done, as things stand; nobody where nobody verifies it."""
    if not order.is_verified:
        return []
    directory = access_queries.load_directory(uow)
    return policy.verifiers(directory, verifier_of(order), parts_of(uow, order), late=False)


def finish(uow: UnitOfWork, order: WorkOrder) -> None:
    """Close a work order as done, write its sheet, and do what follows; the caller has checked the signatures."""
    _end(uow, order, DONE)
    documents.write(uow, order)
    record(uow, order, "work-order-closed", attempt=order.attempt)
    if order.opened_by is not None:
        notify(uow, order, [order.opened_by], "work-order-closed")
    follow = WHEN_DONE.get(order.kind)
    if follow is not None:
        follow(uow, order)


def add_attempt(uow: UnitOfWork, order: WorkOrder, due_at: datetime) -> WorkOrderAttempt:
    """Begin an attempt that is due then. The first reminder comes a day before, of a short one after half of it."""
    half = uow.now + (due_at - uow.now) / 2
    attempt = WorkOrderAttempt(
        id=new_id(),
        work_order_id=order.id,
        attempt=order.attempt,
        due_at=due_at,
        first_reminder_at=max(half, due_at - timedelta(days=1)),
    )
    order.due_at = due_at
    uow.session.add(attempt)
    uow.session.flush()
    return attempt


def find_kind(code: str) -> Kind:
    """Return a kind; NotFound for one that there is not."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound(Message("kind of work order"), code)
    return kind


def doer_of(order: WorkOrder) -> Role:
    return Role(order.doer_post, order.doer_department_id, order.doer_department_kind, order.doer_id)


def verifier_of(order: WorkOrder) -> Role:
    """Return who verifies it; the caller has seen that somebody does."""
    return Role(order.verifier_post, order.verifier_department_id, order.verifier_department_kind, order.verifier_id)


def parts_of(uow: UnitOfWork, order: WorkOrder) -> Parts:
    """Return who has had a part in it; whom it was given to counts as doer even where another has done it."""
    rows = uow.session.scalars(select(WorkOrderAttempt).where(WorkOrderAttempt.work_order_id == order.id))
    doers = set[str]()
    for row in rows:
        represented = (row.done_signature or {}).get("statement", {}).get("represented", [])  # all, not the first alone
        doers |= {person for person in (row.done_by, row.stands_in_for, *represented) if person is not None}
    if order.doer_id is not None:
        doers.add(order.doer_id)
    witnesses = WITNESSES[order.kind](uow, order) if order.kind in WITNESSES else ()
    apart = order.kind in (*fitness.APART, fitness.ACCESS_REVIEW)
    unfit = fitness.involved_in(uow, order, doer_of(order)) if apart else ()
    return Parts(doers, order.opened_by, fitness.list_concerned(uow, order), witnesses, unfit)


def refusal_to_verify(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> Refused | None:
    """Return why the actor must not verify it."""
    me = str(uow.actor.id)
    return policy.verifier_refusal(
        access_queries.load_directory(uow),
        verifier_of(order),
        parts_of(uow, order),
        me,
        agreed=bool(access_queries.list_agreed(uow, [me])),
        late=attempt.verification_escalated_at is not None,
    )


def attached(uow: UnitOfWork, order: WorkOrder) -> list[str]:
    """Return the hashes of its attachments as they are now, which doer and verifier sign over."""
    return sorted(uow.session.scalars(select(Attachment.sha256).where(Attachment.matter_id == order.id)))


def process_subject(order: WorkOrder) -> subjects.Subject:
    """Return the subject that its messages to the process go to."""
    return subjects.Subject(SUBJECT_KIND, order.id)


def record(uow: UnitOfWork, order: WorkOrder, action: str, **detail: Any) -> None:
    """Append an event of the work order to the trail."""
    audit_trail.record(
        uow,
        action,
        SUBJECT_KIND,
        order.id,
        application_id=order.application_id,
        number=order.number,
        kind=order.kind,
        **detail,
    )


def notify(
    uow: UnitOfWork, order: WorkOrder, people: Sequence[str], code: str, *, application_id: str | None = None
) -> None:
    """Notify people of the work order, and nobody whom its case concerns but the one whom it asks by name (T8).

    ``application_id``: of the case that it is about, where it names one.
    """
    concerned = fitness.list_concerned(uow, order)
    for person_id in people:
        if person_id not in concerned or person_id == order.doer_id:
            notification_service.notify(
                uow, person_id, code, application_id=application_id, subject_id=order.id, excluded=concerned
            )


def list_doers(uow: UnitOfWork, order: WorkOrder, *, all_groups: bool = False) -> list[str]:
    """List who does it now, nobody with a part in its case; ``all_groups``: it is late, and substitutes do it too."""
    directory, role = access_queries.load_directory(uow), doer_of(order)
    return roles.acting(directory, role, without=fitness.barred_from(uow, order, role), all_groups=all_groups)


def give_to_fit(uow: UnitOfWork, order: WorkOrder) -> None:
    """Give an undone work order to the next fit people where those in charge have got a part in its case since."""
    role = doer_of(order)
    chosen = fitness.choose(access_queries.load_directory(uow), role, fitness.unfit_of(uow, order, role))
    if chosen != role:
        give_to(uow, order, chosen)


def give_to(uow: UnitOfWork, order: WorkOrder, doer: Role) -> None:
    """Give an undone work order to others, who are told."""
    _set_doer(order, doer)
    uow.session.flush()
    record(uow, order, "work-order-given-on", doer=doer.as_json())
    tell_doers(uow, order, "work-order-opened")


def tell_doers(uow: UnitOfWork, order: WorkOrder, code: str) -> list[str]:
    """Notify who does it now; of a person who has left, their head. Return whom."""
    people = list_doers(uow, order)
    notify(uow, order, people, code)
    return people


def lock(uow: UnitOfWork, work_order_id: str) -> WorkOrder:
    """Return the work order, locked; NotFound."""
    order = uow.session.get(WorkOrder, work_order_id, with_for_update=True, populate_existing=True)
    if order is None:
        raise NotFound(Message("work order"), work_order_id)
    return order


def lock_seen(uow: UnitOfWork, work_order_id: str) -> WorkOrder:
    """Return a work order that the actor may see, locked; NotFound for everybody else."""
    seen = select(WorkOrder.id).where(WorkOrder.id == work_order_id, is_seen(uow))
    if uow.session.scalar(seen) is None:
        raise NotFound(Message("work order"), work_order_id)
    return lock(uow, work_order_id)


def _new(uow: UnitOfWork, kind: Kind, subject: Subject, *, key: str, title: Text | None, due_at: datetime) -> WorkOrder:
    called = name_subject(subject.id, subject.label)
    named = title if title is not None else Bilingual(f"{kind.zh}：{called.zh}", f"{kind.en}: {called.en}")
    return WorkOrder(
        id=new_id(),
        number=document_service.next_number(uow, kind.code),
        key=key,
        kind=kind.code,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label,
        title_zh=named.zh,
        title_en=named.en,
        opened_at=uow.now,
        attempt=1,
        due_at=due_at,
        escalations=0,
    )


def _set_doer(order: WorkOrder, doer: Role) -> None:
    order.doer_id, order.doer_post = doer.person_id, doer.post
    order.doer_department_id, order.doer_department_kind = doer.department_id, doer.department_kind


def _set_roles(order: WorkOrder, doer: Role, verifier: Role | None) -> None:
    _set_doer(order, doer)
    if verifier is not None:
        order.verifier_id, order.verifier_post = verifier.person_id, verifier.post
        order.verifier_department_id = verifier.department_id
        order.verifier_department_kind = verifier.department_kind


def _attempt(uow: UnitOfWork, order: WorkOrder) -> WorkOrderAttempt:
    query = select(WorkOrderAttempt).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    return uow.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def _open_attempt(uow: UnitOfWork, order: WorkOrder) -> WorkOrderAttempt:
    if order.closed_at is not None:
        raise _closed(order)
    attempt = _attempt(uow, order)
    if attempt.done_at is not None:
        raise Refused("done-already", "This work order is done already: it waits to be verified or closed.")
    return attempt


def _closed(order: WorkOrder) -> Refused:
    if order.closed_as == CANCELLED:
        return Refused("cancelled", "This work order was cancelled: there is nothing left to do.")
    return Refused("closed", "This work order is closed: there is nothing left to do.")


def _end(uow: UnitOfWork, order: WorkOrder, closed_as: str) -> None:
    order.closed_at, order.closed_as = uow.now, closed_as
    notification_service.mark_done(uow, "work-order", "recall", subject_id=order.id)


def _require_form(order: WorkOrder, proof: Proof) -> None:
    if proof.form_sha256 != order.facts_sha256:
        raise Refused("form-changed", "This is not the work order that you read: open its page again, then sign.")


def _require_date(uow: UnitOfWork, due_at: datetime) -> None:
    if not uow.now < due_at <= uow.now + LONGEST:
        raise Refused(
            "due-date",
            "The due date has to be in the future, and at most {days} days from now.",
            status=422,
            field="dueAt",
            days=LONGEST.days,
        )


def _checked(order: WorkOrder, said: Done) -> dict[str, dict[str, str]]:
    """Return the answers to store; Refused for one that is missing, unknown, or no without a sentence."""
    items = {item["code"]: item for item in order.facts["checklist"]}
    unknown = sorted(set(said.answers) - set(items))
    if unknown:
        raise Refused("unknown", "The checklist has no such question: open the page again.", status=422)
    checked: dict[str, dict[str, str]] = {}
    for code, item in items.items():
        given = said.answers.get(code)
        question = Bilingual(item["zh"], item["en"])
        if given is None or given.answer not in ANSWERS:
            raise Refused(
                "missing",
                "Answer this question with yes, no or not applicable: {question}",
                status=422,
                field=f"answer-{code}",
                question=question,
            )
        if given.answer == "no" and not given.note.strip():
            raise Refused(
                "missing",
                "Write a sentence on why the answer is no: {question}",
                status=422,
                field=f"note-{code}",
                question=question,
            )
        checked[code] = {"answer": given.answer, "note": given.note.strip()}
    return checked


def _check_verdict(uow: UnitOfWork, verdict: Verdict) -> None:
    stage = STAGES[STAGE]
    if verdict.outcome not in stage.outcomes:
        raise Refused("outcome", "Choose whether it is accepted or has to be done again.", status=422, field="outcome")
    codes = {question.code for question in stage.questions}
    if set(verdict.answers) != codes:
        raise Refused("missing", "Answer each question of the verification.", status=422, field="answers")
    if verdict.outcome == stage.favourable:
        no = [one for one in stage.questions if one.yes_to_approve and not verdict.answers[one.code]]
        if no:
            raise Refused(
                "needs-yes",
                "It can only be accepted when this is answered with yes: {question}",
                status=422,
                field=f"answer-{no[0].code}",
                question=Bilingual(no[0].zh, no[0].en),
            )
        return
    if not verdict.reason.strip():
        raise Refused("missing", "Enter why it has to be done again.", status=422, field="reason")
    if verdict.due_at is not None:
        _require_date(uow, verdict.due_at)
