"""What the jobs of an urgent retrieval do, and who calls it: the rows decide, never the job (4.6).

Released by the caller and a second person, an early look at what the quarantine has; the ordinary application has to be
approved within a day of the release, or a violation of the caller is recorded. Each job looks for the approval itself,
because a message of it may come after the timer (P13).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from services.database.tables.documents import Document
from services.database.tables.emergency_views import EmergencyCopy
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import drafts, forms
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.cameras.clocks import Clock, clock_of
from services.domain.custody import emergency, violations
from services.domain.matters import documents, service
from services.domain.matters.kinds import urgent as kind
from services.domain.matters.kinds.urgent import NOT_RATIFIED, RATIFIED, RATIFY_WITHIN, STAGE, UrgentAsked
from services.domain.matters.permissions import (
    Subject,
    bind_instance,
    decisions_of,
    lock,
    refusal,
    require_signed,
)
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import APPLICATION_APPROVED, APPLICATION_REFUSED, REVIEW_DECIDED
from services.domain.retrieval import attempts, preservations
from services.domain.reviews import filing, moot_matters
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.moot_matters import MOOT
from services.runtime.errors import NotYet, Refused
from services.runtime.spans import Span

CODE = kind.UrgentRetrieval.code


@dataclass(frozen=True)
class Order:
    """An item that is to be seen: what the quarantine has of it, and the recorder's clock."""

    application_id: str
    item_id: str
    channel: str
    asked: Span
    clock: Clock
    preserved: Sequence[Mapping[str, Any]]
    least_share: float


@dataclass(frozen=True)
class Ended:
    """Whether the application was approved, and which copies of the view are still to be destroyed."""

    ratified: bool
    copies: Sequence[tuple[str, str, str]]  # id, bucket, key
    unfinished: Sequence[UploadAttempt]


def call(uow: UnitOfWork, application_id: str, asked: Mapping[str, Any], proof: Proof) -> Matter:
    """Call footage urgently, signed by the caller; an own draft is submitted in the same act.

    Refused where the caller may not, where it is too much, and where the form is not complete.
    """
    application = visibility.get_visible(uow, application_id)
    if application.submitted_at is None:
        application = drafts.submit(uow, application_id, forms.from_application(uow, application))
        if application.submitted_at is None:
            raise Refused(
                "joint-first",
                "The joint departments have to consent before this application can be called urgently.",
            )
    kind_here = kind.UrgentRetrieval()
    read = UrgentAsked.model_validate(service.parse(kind_here, asked).model_dump(by_alias=True))
    state = permissions.lock(uow, application_id, "call footage urgently")
    kind_here.require_may_open(uow, state, read)
    statement = kind.statement(uow, state.application, read, kind.items_of(uow, state))
    signed = signature_signing.sign(uow, statement, proof, level="password+totp")
    matter = service.open_signed(uow, kind_here, state, read)
    review_tasks.pass_on(uow, application_id, str(uow.actor.id))  # who calls it does not approve it
    documents.write(uow, matter, kind_here, (), {}, call=_signature(uow, matter, signed))
    audit_trail.record(
        uow,
        "urgent-called",
        "matter",
        matter.id,
        application_id=application_id,
        number=matter.number,
        ground=read.ground,
        **signed.event_fields,
    )
    return matter


def begin_preserving(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> str | None:
    """Return the application whose items are all preserved now; None where it is decided meanwhile.

    The first job of its own process: from then on the matter names its instance. Raises NotPermitted unless the urgent
    retrieval is released, and for another process instance.
    """
    act = "preserve footage urgently"
    subject = _lock(uow, matter_id, act)
    bind_instance(subject.matter, process_instance_key, act)
    return None if _is_over(uow, subject) else subject.application.id


def list_orders(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> list[Order]:
    """List what is still to be made of an emergency view; nothing where the application is decided meanwhile.

    What a correction has added since the call was signed by neither of the two, and is not shown. Raises NotPermitted
    unless it is released, and for another process instance.
    """
    act = "open the emergency view"
    subject = _lock(uow, matter_id, act)
    matter = subject.matter
    bind_instance(matter, process_instance_key, act)
    if _is_over(uow, subject):
        return []
    made = {copy.item_id for copy in emergency.list_of_matter(uow, matter_id)}
    orders = []
    signed = {one["item"] for one in matter.facts["before"]["items"]}
    items = [item for item in preservations.items_in_scope(uow, subject.application.id) if item.id in signed]
    if not any(preservations.list_usable(uow, item) for item in items):
        _require_no_writer(uow, subject)
    for item in items:
        held = preservations.list_usable(uow, item)
        if item.id not in made and held:
            recorder = item.camera.recorder
            orders.append(
                Order(
                    subject.application.id,
                    item.id,
                    measurements.build_source(item.camera, recorder).channel,
                    Span(item.asked_start, item.asked_end),
                    clock_of(recorder),
                    [dict(row.sealed) for row in held],
                    uow.rules.least_share,
                )
            )
    return orders


def open_view(uow: UnitOfWork, matter_id: str) -> datetime:
    """Let the caller and whoever released it see what was made; when that ends. A second run changes nothing."""
    subject = _lock(uow, matter_id, "open the emergency view")
    matter, decision = subject.matter, _released(uow, subject.matter)
    until = _until(uow, matter)
    outbox.settle(uow, matter.application_id, "the emergency view is opened", REVIEW_DECIDED, matter_id=matter.id)
    if _is_over(uow, subject) or emergency.list_grants(uow, matter.id):
        return until
    people = _people(matter, decision)
    emergency.grant(uow, matter.id, matter.application_id, people, until)
    matter.applied_at = uow.now
    for person_id in people:
        notification_service.notify(
            uow, person_id, "emergency-view-open", application_id=matter.application_id, subject_id=matter.id
        )
    return until


def record_copy(uow: UnitOfWork, attempt_id: str, matter_id: str, sealed: dict[str, Any]) -> EmergencyCopy | None:
    """Record what was made for the view; None once it is over: then its object and its key go.

    A job that the process has taken back may still make copies after the view has ended, which destroys those that are
    recorded by then and no others.
    """
    subject = _lock(uow, matter_id, "keep an emergency copy")
    if _is_over(uow, subject):
        attempts.abandon(uow, attempts.get(uow, attempt_id), "the emergency view has ended")
        return None
    return emergency.create(uow, attempt_id, matter_id, sealed)


def end_view(uow: UnitOfWork, matter_id: str) -> Ended:
    """End the emergency view; a second run finds the same.

    An approval that was signed after the time does not ratify it, whenever this runs. Raises NotPermitted while the
    application is under approval and its time is not over.
    """
    act = "end the emergency view"
    subject = _lock(uow, matter_id, act)
    matter, application_id = subject.matter, subject.application.id
    outbox.settle(
        uow,
        application_id,
        "the emergency view has ended",
        APPLICATION_APPROVED,
        APPLICATION_REFUSED,
        matter_id=matter_id,
    )
    form = _ratified_by(uow, subject)
    if matter.closed_at is None:
        if form is None:
            _require_unratified(uow, subject, act)
        emergency.end(uow, matter_id, application_id, "approved" if form is not None else "not approved in time")
        if form is not None:
            _close(uow, subject, RATIFIED, {"ratifiedBy": form.number})
    left = [copy for copy in emergency.list_of_matter(uow, matter_id) if copy.discarded_at is None]
    for attempt in _unfinished(uow, application_id):
        attempts.abandon(uow, attempt, "the emergency view has ended")
    uow.session.flush()
    return Ended(
        matter.closed_as == RATIFIED,
        [(copy.id, copy.sealed["bucket"], copy.sealed["key"]) for copy in left],
        attempts.list_unswept(uow, purpose="emergency", application_id=application_id),
    )


def open_violation(uow: UnitOfWork, matter_id: str) -> str | None:
    """Record that nobody has approved an urgent retrieval in time, against its caller, once; None where somebody has.

    The register says so, and not what came first (P13). Raises NotPermitted while the view is open, or the application
    under approval inside its time; NotYet while an approval that was signed in time is being filed.
    """
    act = "open a violation"
    subject = _lock(uow, matter_id, act)
    matter, application_id = subject.matter, subject.application.id
    if matter.closed_as in (RATIFIED, MOOT):
        return None
    if matter.closed_as == NOT_RATIFIED:
        return str((matter.outcome or {}).get("violation"))
    if any(one.ended_at is None for one in emergency.list_grants(uow, matter_id)):
        raise refusal(matter, act, "its emergency view is still open")
    form = _ratified_by(uow, subject)
    if form is not None:
        _close(uow, subject, RATIFIED, {"ratifiedBy": form.number})
        return None
    _require_filed(uow, subject)
    _require_unratified(uow, subject, act)
    if not emergency.list_grants(uow, matter_id):
        # refused before anything could be seen: nobody has to answer for it
        moot_matters.close(uow, matter, MOOT, {"because": "nothing was shown"})
        return None
    late = _approved_by(uow, application_id)
    facts = {
        "matter": matter.number,
        "caller": matter.opened_by,
        "releasedBy": _released(uow, matter).decided_by,
        **({"approvedLate": late.number} if late is not None else {}),
    }
    violation = violations.open_of_matter(
        uow, application_id, "urgent-not-ratified", facts, matter_id=matter_id, accused=[str(matter.opened_by)]
    )
    _close(uow, subject, NOT_RATIFIED, {"violation": violation.id})
    return violation.id


def _lock(uow: UnitOfWork, matter_id: str, act: str) -> Subject:
    """Load an urgent retrieval that is released, locked; NotPermitted for any other matter, and before the release."""
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    if matter.kind != CODE:
        raise refusal(matter, act, f"it is no urgent retrieval but {matter.kind}")
    if matter.closed_as not in (None, RATIFIED, NOT_RATIFIED, MOOT):
        raise refusal(matter, act, f"it is closed as {matter.closed_as}")
    decisions = decisions_of(uow, matter)
    require_signed(matter, decisions, act)
    decision = decisions.get(STAGE)
    if decision is None or decision.outcome != "approved":
        raise refusal(matter, act, "nobody has released it")
    if decision.decided_by == matter.opened_by:
        raise refusal(matter, act, "its caller alone has released it")
    return subject


def _released(uow: UnitOfWork, matter: Matter) -> Decision:
    return decisions_of(uow, matter)[STAGE]


def _people(matter: Matter, decision: Decision) -> list[str]:
    return sorted({str(matter.opened_by), decision.decided_by})


def _is_over(uow: UnitOfWork, subject: Subject) -> bool:
    """Whether nothing is shown any more."""
    late = uow.now >= _until(uow, subject.matter)
    return subject.matter.closed_at is not None or emergency.is_decided(subject.state) or late


def _approved_by(uow: UnitOfWork, application_id: str) -> Document | None:
    """Return the filed form, of any round, that approves the case."""
    query = select(Document).where(Document.application_id == application_id, Document.kind == "application-form")
    return uow.session.scalar(query.order_by(Document.made_at, Document.number).limit(1))


def _until(uow: UnitOfWork, matter: Matter) -> datetime:
    """Return when the view ends, and until when the application has to be approved."""
    return _released(uow, matter).decided_at + RATIFY_WITHIN


def _ratified_by(uow: UnitOfWork, subject: Subject) -> Document | None:
    """Return the filed form whose last signature came in time; a job that has filed it later changes nothing."""
    form = _approved_by(uow, subject.application.id)
    if form is None:
        return None
    signed_at = uow.session.scalar(
        select(func.max(Decision.decided_at)).where(
            Decision.application_id == subject.application.id,
            Decision.matter_id.is_(None),
            Decision.decided_at <= form.made_at,
        )
    )
    return form if (signed_at or form.made_at) <= _until(uow, subject.matter) else None


def _require_filed(uow: UnitOfWork, subject: Subject) -> None:
    """Raise NotYet where all have approved in time, and only the job that files the form has not come yet."""
    state = subject.state
    if state.form is not None or state.returned or emergency.is_decided(state):
        return
    decided, until = state.decisions, _until(uow, subject.matter)
    needed = [stage for stage in state.order if stage != filing.MANAGEMENT or stage in decided]
    asked = select(Review.id).where(
        Review.application_id == subject.application.id, Review.matter_id.is_(None), Review.closed_at.is_(None)
    )
    if (
        all(state.has_ended_with(stage) and decided[stage].decided_at <= until for stage in needed)
        and uow.session.scalar(asked.limit(1)) is None
    ):
        raise NotYet(
            f"could not open a violation | {subject.matter.number} | its application is approved and not filed yet | "
            "wait: it is tried again; where the filing has an incident, resolve that first"
        )


def _require_unratified(uow: UnitOfWork, subject: Subject, act: str) -> None:
    """Raise NotPermitted while the application can still be approved in time."""
    until = _until(uow, subject.matter)
    if not emergency.is_decided(subject.state) and not permissions.is_over(uow, until):
        raise refusal(subject.matter, act, f"its application can be approved until {until.isoformat()}")


def _require_no_writer(uow: UnitOfWork, subject: Subject) -> None:
    """Raise NotYet while another job preserves what is to be seen, such as the one of the application itself."""
    if _unfinished(uow, subject.application.id, "quarantine"):
        raise NotYet(
            f"could not open the emergency view | {subject.matter.number} | its footage is being preserved | "
            "wait: it is tried again"
        )


def _unfinished(uow: UnitOfWork, application_id: str, purpose: str = "emergency") -> list[UploadAttempt]:
    query = select(UploadAttempt).where(
        UploadAttempt.application_id == application_id,
        UploadAttempt.purpose == purpose,
        UploadAttempt.finished_at.is_(None),
        UploadAttempt.abandoned_at.is_(None),
    )
    return list(uow.session.scalars(query))


def _close(uow: UnitOfWork, subject: Subject, closed_as: str, more: Mapping[str, Any]) -> None:
    """Write what was seen and how it ended, and close the matter."""
    matter, decision = subject.matter, _released(uow, subject.matter)
    looks = emergency.count_looks(uow, matter.id)
    given = emergency.list_grants(uow, matter.id)
    outcome = {
        "people": _people(matter, decision),
        "from": min((one.since for one in given), default=decision.decided_at).isoformat(),
        "until": max((one.ended_at or one.until for one in given), default=uow.now).isoformat(),
        "seen": [
            {"copy": copy.id, "position": copy.item.position, "looks": looks.get(copy.id, 0)}
            for copy in emergency.list_of_matter(uow, matter.id)
        ],
        **more,
    }
    documents.write(uow, matter, kind.UrgentRetrieval(), [decision], outcome, part=documents.LAST)
    moot_matters.close(uow, matter, closed_as, outcome)


def _signature(uow: UnitOfWork, matter: Matter, signed: signature_signing.Signed) -> dict[str, Any]:
    return {
        "by": forms.person_to_json(uow, matter.opened_by),
        "at": matter.opened_at.isoformat(),
        "statement": signed.sha256,
        "signature": signed.signature,
    }
