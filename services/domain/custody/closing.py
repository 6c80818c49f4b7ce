"""How a case ends: released without a hand-over, re-archived, disputed, or lost (R40, T2, T6, T13, F1, F14).

The database is written first, the vault follows, and what was deleted there is recorded last. A run that dies is
done again: the second one finds the first one's marks and what is left to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from services.database.tables.applications import Application, Item
from services.database.tables.custody import HandOver
from services.database.tables.disclosures import Disclosure
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.returns import ArchiveEntry
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import consents
from services.domain.applications import outsiders
from services.domain.applications import service as application_service
from services.domain.attachments import retention as attachment_retention
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.custody import (
    copies,
    discards,
    filmed_answers,
    grants,
    loan_documents,
    locks,
    log,
    reissue,
    unaccounted,
    violations,
)
from services.domain.custody.discards import Leftover
from services.domain.custody.locks import MasterLock, StoredObject, stored_object
from services.domain.custody.retention_periods import kept_for
from services.domain.documents import retention
from services.domain.documents import service as document_service
from services.domain.holds import queries as holds
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import COPY_LOST, LOAN_CLOSED
from services.domain.retrieval import attempts, masters, preservations, progress
from services.domain.reviews import moot_matters
from services.domain.reviews import tasks as review_tasks
from services.runtime.errors import NotPermitted

CLOSED_AS = {
    "rejected": "rejected",
    "expired": "expired",
    "unavailable": "footage-unavailable",
    "not-taken-up": "copy-not-taken-up",
    "withdrawn": "withdrawn",
}

RETURNED_AS = {"in-order": "footage-re-archived", "discrepancy": "return-disputed"}
LOST_AS = "copy-lost"
PROVIDED = "provided"
RELEASE = "release what the vault has"
REASONS = {
    "rejected": "was rejected in this round",
    "expired": "was sent back and not corrected in time",
    "unavailable": "has no footage, or that its partial footage was refused",
    "not-taken-up": "was offered, and declined, recalled or not taken up in time",
    "withdrawn": "was withdrawn",
}


@dataclass(frozen=True)
class VaultActions:
    """What the vault is to do after the database has committed; every part may run twice."""

    leftovers: tuple[Leftover, ...] = ()  # what is discarded: copies that were never handed over, and the quarantine
    destroy_keys: tuple[str, ...] = ()  # of copies, by id
    sweep: tuple[UploadAttempt, ...] = ()
    lift_holds: tuple[StoredObject, ...] = ()  # of copies whose loan has ended
    locks: tuple[MasterLock, ...] = ()  # of masters that stay, with their labels and replicas
    retain_until: datetime | None = None  # of the documents
    dispose_after: datetime | None = None  # of the masters of a loan that has ended
    file: tuple[Document, ...] = ()  # documents that go into the vault beside the masters
    application_number: str | None = None
    checkpoint: dict[str, Any] | None = None  # of the audit trail, the newest, as the documents' statements name it
    items: int = 0
    holds: Mapping[str, bool | None] = field(default_factory=dict)  # of the documents, by number, as of ``locks``
    violation_id: str | None = None


def release_case(uow: UnitOfWork, application_id: str, closing_outcome: str) -> VaultActions:
    """End a case without a loan: reviews closed, everything released, nothing more is wanted; then the vault.

    Its masters are opened no more, and wait for their disposal until their locks have ended.

    Raises NotPermitted unless the database has the reason that the job claims.
    """
    if closing_outcome not in CLOSED_AS:
        raise NotPermitted(
            f"could not close the case | application {application_id} | {closing_outcome!r} is no way to end it | "
            f"use one of {', '.join(CLOSED_AS)} in the process, then resolve the incident"
        )
    state = permissions.lock(uow, application_id, RELEASE)
    application = state.application
    if state.hand_over is not None and state.hand_over.accepted_at is not None:
        raise _accepted(state.hand_over)
    if application.closed_at is None:
        if closing_outcome not in permissions.releases(uow, state):
            raise permissions.refusal(
                RELEASE, application_id, f"nothing in the database says that it {REASONS[closing_outcome]}"
            )
    elif application.closed_as not in CLOSED_AS.values():
        raise permissions.refusal(RELEASE, application_id, f"it is closed as {application.closed_as}")
    reissue.inspect_unreturned(uow, application)
    first = _close(uow, application, CLOSED_AS[closing_outcome])
    moot_matters.end_of_loan(uow, application_id, CLOSED_AS[closing_outcome])
    # somebody has said no; footage that is not there, or nobody's interest in it, cannot be appealed
    refused = closing_outcome == "unavailable" and state.rejected_in("retrieval") is not None
    appealable = first and (refused or closing_outcome == "rejected")
    because = application.closed_as or closing_outcome
    hand_over = state.hand_over
    if hand_over is not None and hand_over.ended_at is None:
        hand_over.ended_at = uow.now
        notification_service.mark_done(uow, "offer", "return", "inspection", subject_id=hand_over.id)
        grants.end(uow, hand_over, because)
        log.append(uow, hand_over, "ended", because=because)
        if hand_over.declined_at is None:
            notification_service.notify(
                uow, hand_over.custodian_id, "offer-ended", application_id=application_id, subject_id=hand_over.id
            )
    attempts.abandon_case(uow, application_id, f"the application is closed as {because}")
    progress.delete_of_case(uow, application_id)
    preservations.end_tries(uow, application_id)
    kept = discards.keep(uow, application, appealable=appealable)
    leftovers = () if kept else discards.release(uow, application, because, with_copies=True)
    _notify_closed(uow, application, first=first)
    unneeded = [row for row in masters.list_of_application(uow, application_id) if row.discarded_at is None]
    for row in unneeded:
        locks.await_disposal(uow, row)
    loans = copies.list_of_application(uow, application_id)
    unlent = {row.id for row in copies.list_unlent(uow, application_id)}
    return VaultActions(
        leftovers=leftovers,
        # copies that were replaced were somebody's, and stay like those of any loan that has ended
        lift_holds=tuple(stored_object(row.sealed) for row in loans if row.id not in unlent),
        locks=tuple(locks.locks_of(uow, application_id, unneeded)),
        destroy_keys=tuple(row.id for row in loans),
        sweep=tuple(attempts.list_unswept(uow, application_id=application_id)),
        items=_items_touched(uow, application_id),
    )


def confirm_release(uow: UnitOfWork, application_id: str, actions: VaultActions) -> None:
    """Record what the vault has deleted and locked."""
    because = application_service.lock_case(uow, application_id, "close the case").closed_as
    for copy_id in actions.destroy_keys:
        copies.mark_key_destroyed(uow, copy_id)
    discards.record(uow, actions.leftovers, because or "closed")
    locks.record(uow, actions.locks)
    attempts.mark_swept(uow, [attempt.id for attempt in actions.sweep])


def re_archive(uow: UnitOfWork, application_id: str, hand_over_id: str, *, in_order: bool) -> VaultActions:
    """End the loan after a return: archive entry, disposal date; a discrepancy is a violation (R40, T13).

    Raises NotPermitted unless the copies were returned and inspected, and the inspector has decided as the job says.
    """
    act = "re-archive"
    state = permissions.lock(uow, application_id, act)
    application, hand_over = state.application, log.lock(uow, hand_over_id, application_id)
    outcome = "in-order" if in_order else "discrepancy"
    if hand_over.returned_at is None:
        raise permissions.refusal(act, application_id, f"the copies of the hand-over {hand_over_id} were not returned")
    if not state.inspected:
        raise permissions.refusal(act, application_id, f"the return of the hand-over {hand_over_id} was not inspected")
    decision = state.decisions.get("return-inspection")
    if decision is None or decision.outcome != outcome:
        raise permissions.refusal(act, application_id, f"no inspector has decided that the return is {outcome!r}")
    if application.closed_at is not None and application.closed_as != RETURNED_AS[outcome]:
        raise permissions.refusal(act, application_id, f"it is closed as {application.closed_as}")
    violation_id = None
    if not in_order:
        violation_id = violations.open_once(uow, hand_over, "discrepancy", {"custodian": hand_over.custodian_id}).id
    return _end_loan(uow, application, hand_over, in_order=in_order, because="re-archived", violation_id=violation_id)


def end_lost_loan(uow: UnitOfWork, application_id: str, hand_over_id: str) -> VaultActions:
    """End the loan of a lost copy: a violation, the loan keys destroyed, the masters retained by their class (R48).

    Raises NotPermitted unless the custodian has reported the loss.
    """
    act = "end the loan of a lost copy"
    application = permissions.lock(uow, application_id, act).application
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.lost_at is None:
        raise permissions.refusal(act, application_id, f"nobody has reported a loss of the hand-over {hand_over_id}")
    if application.closed_at is not None and application.closed_as != LOST_AS:
        raise permissions.refusal(act, application_id, f"it is closed as {application.closed_as}")
    outbox.settle(uow, application_id, "open-violation", LOAN_CLOSED, COPY_LOST)
    facts = {"custodian": hand_over.custodian_id, **(hand_over.loss or {})}
    violation = violations.open_once(uow, hand_over, "loss", facts)
    return _end_loan(uow, application, hand_over, in_order=False, because="lost", violation_id=violation.id)


def end_provided_loan(uow: UnitOfWork, application_id: str, hand_over_id: str) -> VaultActions:
    """End the loan of copies that were handed to outsiders for good: keys destroyed, masters kept by their class.

    Raises NotPermitted unless a disclosure that ends the loan was signed, and its receipt is recorded (R57, R58).
    """
    act = "end the loan of what was provided"
    application = permissions.lock(uow, application_id, act).application
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.ended_at is None or not _was_provided(uow, hand_over, hand_over.ended_at):
        raise permissions.refusal(
            act, application_id, f"nobody outside has signed for the copies of the hand-over {hand_over_id}"
        )
    if application.closed_at is not None and application.closed_as != violations.PROVIDED_AS:
        raise permissions.refusal(act, application_id, f"it is closed as {application.closed_as}")
    outbox.settle(uow, application_id, "re-archive", LOAN_CLOSED)
    return _end_loan(uow, application, hand_over, in_order=True, because=PROVIDED, violation_id=None)


def _was_provided(uow: UnitOfWork, hand_over: HandOver, ended_at: datetime) -> bool:
    """Whether a receipt has ended the loan; one that was recorded after another end has not."""
    query = select(Disclosure.id).where(
        Disclosure.hand_over_id == hand_over.id, Disclosure.ends_loan, Disclosure.received_at == ended_at
    )
    return uow.session.scalar(query.limit(1)) is not None


def _end_loan(
    uow: UnitOfWork,
    application: Application,
    hand_over: HandOver,
    *,
    in_order: bool,
    because: str,
    violation_id: str | None,
) -> VaultActions:
    entry = uow.session.scalar(select(ArchiveEntry).where(ArchiveEntry.application_id == application.id))
    archived = [row for row in masters.list_of_application(uow, application.id) if row.discarded_at is None]
    if entry is None:
        entry = _archive(uow, application, archived, in_order=in_order)
        attachment_retention.extend(uow, application.id, entry.dispose_after)
    if hand_over.ended_at is None:
        hand_over.ended_at = uow.now
        notification_service.mark_done(uow, "offer", "return", "inspection", subject_id=hand_over.id)
        grants.end(uow, hand_over, because)
        log.append(uow, hand_over, "ended", because=because)
    moot_matters.end_of_loan(uow, application.id, because)
    unaccounted.ask(uow, hand_over, unaccounted.list_unattested(uow, hand_over))
    loan_documents.write_at_end(uow, hand_over)
    attempts.abandon_case(uow, application.id, f"the loan has ended: {because}")
    progress.delete_of_case(uow, application.id)
    preservations.end_tries(uow, application.id)
    kept = discards.keep(uow, application, appealable=False)
    leftovers = () if kept else discards.release(uow, application, because, with_copies=False)
    loans = copies.list_of_application(uow, application.id)
    filed = loan_documents.filed_with(uow, application.id)
    held = holds.is_explicitly_held(uow, application.id)
    return VaultActions(
        leftovers=leftovers,
        destroy_keys=tuple(row.id for row in loans),
        sweep=tuple(attempts.list_unswept(uow, application_id=application.id)),
        lift_holds=tuple(stored_object(row.sealed) for row in loans),
        locks=tuple(locks.locks_of(uow, application.id, archived)),
        holds={document.number: locks.hold_of(document, held=held) for document in filed},
        retain_until=_keep_documents(uow, entry),
        dispose_after=entry.dispose_after,
        file=tuple(filed),
        application_number=application.number,
        checkpoint=checkpoints.newest_as_json(uow),
        items=len(archived),
        violation_id=violation_id,
    )


def confirm_loan_end(
    uow: UnitOfWork,
    application_id: str,
    actions: VaultActions,
    *,
    closed_as: str,
    filed: Mapping[str, document_service.Filed],
) -> None:
    """Keys are destroyed, holds lifted, masters retained, documents ``filed`` (by number): book it and close."""
    application = application_service.lock_case(uow, application_id, "close the case")
    for copy_id in actions.destroy_keys:
        copies.mark_key_destroyed(uow, copy_id)
    discards.record(uow, actions.leftovers, closed_as)
    locks.record(uow, actions.locks)
    if actions.retain_until is not None:
        locks.record_documents(uow, filed, dict.fromkeys(filed, actions.retain_until), actions.holds)
    attempts.mark_swept(uow, [attempt.id for attempt in actions.sweep])
    if _close(uow, application, closed_as):
        _notify_closed(uow, application, first=True)


def _accepted(hand_over: HandOver) -> NotPermitted:
    """Return why a loan is not released, and how its process goes on where it missed the receipt."""
    due_at = hand_over.due_at.isoformat() if hand_over.due_at else None
    return NotPermitted(
        f"could not {RELEASE} | application {hand_over.application_id} | its copies were accepted, and a loan ends "
        f"with its return or loss | move the process instance to the use period with handOverId {hand_over.id} and "
        f"dueAt {due_at}",
        runbook=f"{NotPermitted.runbook}#a-receipt-that-came-late",
    )


def _archive(uow: UnitOfWork, application: Application, archived: Sequence[Master], *, in_order: bool) -> ArchiveEntry:
    kept = kept_for(uow.rules, "master", important=application.importance == "important")
    # whole seconds, as every object store keeps them; no lock that lies there becomes shorter
    locked = [row.retain_until for row in archived if row.retain_until is not None]
    dispose_after = max([(uow.now + kept).replace(microsecond=0), *locked])
    entry = ArchiveEntry(
        application_id=application.id,
        archived_at=uow.now,
        in_order=in_order,
        dispose_after=dispose_after,
        location="masters",
    )
    uow.session.add(entry)
    for master in archived:
        master.archived_at, master.dispose_after = uow.now, dispose_after
        retention.extend(uow, [master], dispose_after)
        audit_trail.record(
            uow,
            "master-archived",
            "master",
            master.id,
            application_id=application.id,
            dispose_after=dispose_after.isoformat(),
            in_order=in_order,
        )
    return entry


def _keep_documents(uow: UnitOfWork, entry: ArchiveEntry) -> datetime:
    """Return until when the documents of a case are kept: as long as its footage, and as long as their class wants."""
    at_least = (entry.archived_at + kept_for(uow.rules, "documents")).replace(microsecond=0)
    return max(entry.dispose_after, at_least)


def _close(uow: UnitOfWork, application: Application, closed_as: str) -> bool:
    """Close the case once, with its reviews; the first outcome stays. Return whether this closed it."""
    if application.closed_at is not None:
        return False
    application.closed_at, application.closed_as = uow.now, closed_as
    review_tasks.close_open(uow, application.id, f"case-closed:{closed_as}")
    consents.end_open(uow, application.id, "closed")
    attachment_retention.end(uow, application.id)
    outsiders.end(uow, application.id)
    filmed_answers.close(uow, application, closed_as)
    notification_service.mark_done(
        uow,
        *("case", "correction", "consent", "progress", "letter", "management", "preparation"),
        *("custodian", "recall", "replacement"),
        application_id=application.id,
    )
    outbox.settle(uow, application.id, f"case-closed:{closed_as}")
    audit_trail.record(
        uow, "case-closed", "application", application.id, application_id=application.id, closed_as=closed_as
    )
    return True


def _notify_closed(uow: UnitOfWork, application: Application, *, first: bool) -> None:
    """Tell the applicant once how the case ended, and that it can be appealed where that is so."""
    if first:
        code = "case-closed" if application.appeal_until is None else "case-refused"
        notification_service.notify(
            uow, application.drafter_id, f"{code}:{application.closed_as}", application_id=application.id
        )


def _items_touched(uow: UnitOfWork, application_id: str) -> int:
    """Return how many items anything was preserved or retrieved of; the same in every run."""
    touched = select(Preservation.item_id).where(Preservation.application_id == application_id)
    mastered = select(Master.item_id).where(Master.application_id == application_id)
    either = Item.id.in_(touched) | Item.id.in_(mastered)
    return uow.session.scalar(select(func.count()).select_from(Item).where(either)) or 0
