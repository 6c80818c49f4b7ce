"""What people do about a violation besides deciding it: reply, start an older one, record referral and settlement."""

from datetime import UTC, datetime
from typing import Any

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.access import visibility
from services.domain.custody import violations
from services.domain.custody.violations import DEPARTMENT
from services.domain.matters import attached
from services.domain.matters.permissions import first_decisions_of
from services.domain.matters.violations import documents, packages, tasks
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import LOSS_SETTLED, REFERRAL_RECEIVED, VIOLATION_REPLIED
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def reply(uow: UnitOfWork, matter_id: str, text: str) -> Matter:
    """Reply to a violation, once: as an accused, or as the head of the department for it.

    The decision is signed over the reply too. When all accused have replied, the process goes on. Refused before the
    facts are served and after the time for it.
    """
    matter, violation = _lock(uow, matter_id, "reply to the violation")
    hearing = uow.session.get(Hearing, (matter.id, uow.actor.id))
    if hearing is None and not policy.may_answer_for(uow, matter, violation.accused):
        raise Refused(
            "not-accused", "Only the accused and the head of their department reply to a violation.", status=403
        )
    if violation.served_at is None or violation.reply_until is None:
        raise Refused("reply-too-early", "The facts of this violation were not served yet: wait for the notice.")
    if violation.heard_at is not None or uow.now > violation.reply_until:
        raise Refused("reply-too-late", "The time for a reply is over: it can no longer be changed.")
    if hearing is not None and hearing.replied_at is not None:
        raise Refused("replied-already", "You have replied already.")
    if hearing is None:
        hearing = Hearing(matter_id=matter.id, person_id=uow.actor.id, part=DEPARTMENT)
        uow.session.add(hearing)
    hearing.reply, hearing.replied_at = text.strip(), uow.now
    said: dict[str, Any] = {"by": uow.actor.id, "part": hearing.part, "text": hearing.reply, "at": uow.now.isoformat()}
    files = attached.list_of_person(uow, matter.id, uow.actor.id)
    said |= {"attachments": files} if files else {}
    tasks.change_facts(uow, matter, {**matter.facts, "replies": [*matter.facts["replies"], said]}, "violation-replied")
    notification_service.mark_done(uow, "violation", subject_id=matter.id, person_id=uow.actor.id)
    uow.session.flush()
    if violations.have_all_replied(uow, matter.id):
        violation.heard_at = uow.now
        _publish(uow, matter, VIOLATION_REPLIED)
    return matter


def start(uow: UnitOfWork, violation_id: str) -> Matter:
    """Start the handling of a violation that an older release has recorded; Refused to all but Security and Legal."""
    violation = uow.session.get(Violation, violation_id)
    if violation is None:
        raise NotFound(Message("violation"), violation_id)
    directory, me = access_queries.load_directory(uow), uow.actor.id
    reads = policy.may_read_all(directory, me)
    if not reads or me in uow.session.get_one(Application, violation.application_id).subject_ids:
        visibility.get_visible(uow, violation.application_id)
    if not reads or me in violation.accused:
        raise Refused(
            "violation-handlers-only",
            "Only Security, Legal and the supervision group start the handling of a violation.",
            status=403,
        )
    uow.session.refresh(violation, with_for_update=True)
    if violation.closed_at is not None:
        raise Refused("violation-closed", "This violation has been decided already: open it to see the decision.")
    return violations.begin_handling(uow, violation)


def record_referral(
    uow: UnitOfWork,
    matter_id: str,
    *,
    authority: str,
    handed_at: datetime,
    receipt: str,
    package_sha256: str,
    unknown_package_because: str = "",
) -> Matter:
    """Record that the evidence was handed to the authority, and write its sheet; the process goes on (R67).

    ``unknown_package_because``: where a package comes from that this desk did not make; Refused without it.
    """
    matter, violation = _lock_handled(uow, matter_id, "record the referral")
    if violation.referral is None:
        raise Refused("not-referred", "Nobody has decided to refer this violation yet.")
    if violation.referral.get("handedAt"):
        raise Refused("referred-already", "The referral of this violation is recorded already.")
    begun = datetime.fromisoformat(violation.referral["begunAt"]).replace(second=0, microsecond=0)  # pages give minutes
    if not begun <= handed_at <= uow.now:
        raise Refused(
            "referral-date",
            "Enter when the evidence was handed over: after the decision, and not in the future.",
            status=422,
            field="handedAt",
        )
    package = packages.name(uow, matter.application_id, package_sha256, unknown_package_because)
    violation.referral = {
        **violation.referral,
        "authority": authority.strip(),
        "handedAt": handed_at.astimezone(UTC).isoformat(),
        "receipt": receipt.strip(),
        "packageSha256": package.sha256,
        "packageMadeHere": package.made_here,
        "packageBecause": package.because,
        "recordedBy": uow.actor.id,
        "recordedAt": uow.now.isoformat(),
    }
    document = documents.write_referral(uow, matter, violation, first_decisions_of(uow, matter))
    tasks.record(
        uow,
        matter,
        "violation-referred",
        document=document.number,
        package=package.sha256,
        package_made_here=package.made_here,
        package_because=package.because,
    )
    notification_service.mark_done(uow, "violation", subject_id=matter.id)
    _publish(uow, matter, REFERRAL_RECEIVED)
    return matter


def settle(uow: UnitOfWork, matter_id: str, *, account: str, amount: str | None) -> Matter:
    """Record that the loss is made good; the process closes the violation.

    Refused while the referral is not recorded, which does not wait for the money.
    """
    matter, violation = _lock_handled(uow, matter_id, "record the settlement")
    if violation.settlement is not None:
        raise Refused("settled-already", "The settlement of this loss is recorded already.")
    awaited = tasks.awaits(uow, matter, violation)
    if awaited == tasks.REFERRAL:
        raise Refused("referral-first", "The referral to the authority comes first: record it before the settlement.")
    if awaited is None:
        raise Refused("no-loss", "No loss of this violation waits to be made good.")
    violation.settlement = {
        "account": account.strip(),
        "amount": amount,
        **({"currency": uow.rules.currency} if amount is not None else {}),
        "by": uow.actor.id,
        "at": uow.now.isoformat(),
    }
    tasks.record(uow, matter, "violation-settled")
    notification_service.mark_done(uow, "violation", subject_id=matter.id)
    _publish(uow, matter, LOSS_SETTLED)
    return matter


def _lock(uow: UnitOfWork, matter_id: str, act: str) -> tuple[Matter, Violation]:
    matter = uow.session.get(Matter, matter_id)
    if matter is None or matter.kind != violations.MATTER or not policy.sees(uow, matter):
        raise NotFound(Message("matter"), matter_id)
    subject, violation = tasks.lock(uow, matter_id, act)
    if subject.matter.closed_at is not None:
        raise Refused("violation-closed", "This violation has been decided already: open it to see the decision.")
    return subject.matter, violation


def _lock_handled(uow: UnitOfWork, matter_id: str, act: str) -> tuple[Matter, Violation]:
    matter, violation = _lock(uow, matter_id, act)
    if not policy.may_handle(uow, matter):
        raise Refused(
            "violation-leaders-only",
            "Only who leads Legal or Security records this, and nobody who is accused.",
            status=403,
        )
    return matter, violation


def _publish(uow: UnitOfWork, matter: Matter, name: str) -> None:
    outbox.publish(
        uow,
        name,
        matter.id,
        application_id=matter.application_id,
        matter_id=matter.id,
        message_id=f"{name}:{matter.id}",
        variables={},
    )
