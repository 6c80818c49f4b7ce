"""A second issue of the same application, where copies have to be replaced (R32, R44, R50).

The loan ends, its copies open no more, and the approved items are retrieved and handed over again on the same form.
Each item gets a row of its own, because a master and a copy belong to one item: what was wrong is retrieved again, and
the rest is taken from its master. The masters of before are kept.
"""

from collections.abc import Sequence

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import HandOver
from services.database.tables.returns import Inspection
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody import discards, grants, heads, loan_documents, log, suspensions, unaccounted
from services.domain.notifications import service as notification_service
from services.domain.process import deployed_models, outbox, permissions
from services.domain.process.messages import LOAN_CLOSED
from services.domain.process.permissions import CaseState
from services.domain.retrieval import attempts, masters, progress
from services.domain.reviews import ending, moot_matters, replacements
from services.domain.reviews.replacements import Approved, Replacement
from services.domain.reviews.schemas import RecalledBecause
from services.domain.rules import agreed_limits

BECAUSE = "replaced"
NOT_ATTESTED = "download-not-attested"  # as the inspection of a return calls it
INSPECTORS = ("security-reviewer", "return-inspector")
STAYS_CLOSED = (suspensions.VIOLATION, suspensions.RECALLED)


def find_obstacle(uow: UnitOfWork, state: CaseState, hand_over: HandOver) -> RecalledBecause | None:
    """Return why the copies of a loan cannot be replaced under its application; None where they can.

    Not once its longest use period is used up (R50), not while a violation or a recall keeps the loan closed, which the
    new copies would open again (R42, R65), and not where the case runs on a model of an earlier release, which does not
    know of it: then the copies are recalled, and a new application is needed.
    """
    if any(row.hand_over_id is not None and row.cause in STAYS_CLOSED for row in suspensions.list_open(uow, hand_over)):
        return "loan-closed"
    if agreed_limits.remaining_days(uow, state.application) <= 0:
        return "used-up"
    return None if deployed_models.waits_for(uow, state.application, LOAN_CLOSED) else "earlier-model"


def begin(
    uow: UnitOfWork, state: CaseState, hand_over: HandOver, decision: Decision, *, number: str, matter_id: str
) -> list[str]:
    """End the loan and begin the next issue, by a signed answer; return the ids of the new items.

    ``number`` and ``matter_id`` are those of the problem report. Raises NotPermitted where the answer goes beyond the
    filed form.
    """
    application, act = state.application, "replace the copies"
    wrong = {one.item_id: one for one in replacements.read(decision.judgement)}
    _require_approved(uow, state, list(wrong.values()), act)
    hand_over.replaced_at = hand_over.ended_at = uow.now
    notification_service.mark_done(uow, "return", subject_id=hand_over.id)
    notification_service.mark_done(uow, "recall", application_id=application.id)
    grants.end(uow, hand_over, BECAUSE)
    log.append(uow, hand_over, BECAUSE, matter=number, statement_sha256=decision.statement_sha256)
    moot_matters.end_of_loan(uow, application.id, BECAUSE, by_matter=matter_id)
    loan_documents.write_at_end(uow, hand_over)
    uow.after_commit.add(discards.TOPIC)  # nobody holds these copies any more: their keys are destroyed now
    attempts.abandon_case(uow, application.id, "its copies are being replaced")
    progress.delete_of_case(uow, application.id)
    for master in masters.list_of_application(uow, application.id):
        if master.superseded_at is None and master.discarded_at is None:
            master.superseded_at = uow.now
    application.issue, application.reissued_at = application.issue + 1, uow.now
    application.storage_notified_at = None
    application.named_custodian_id = hand_over.custodian_id  # whoever held the wrong copies gets the right ones
    approved = replacements.list_approved(uow, state)
    created = [_replace(item, wrong.get(item.id), approved, application.round) for item in state.items]
    uow.session.add_all(created)
    uow.session.flush()
    ending.close_passed(uow, application.id)
    audit_trail.record(
        uow,
        "copies-reissued",
        "application",
        application.id,
        application_id=application.id,
        number=number,
        issue=application.issue,
        items={str(item.replaces_id): item.id for item in created},
        wrong=sorted(wrong),
        statement_sha256=decision.statement_sha256,
    )
    outbox.publish(
        uow,
        LOAN_CLOSED,
        hand_over.id,
        application_id=application.id,
        message_id=f"{LOAN_CLOSED}:{hand_over.id}",
        variables={"loanOutcome": replacements.REPLACE},
    )
    return [item.id for item in created]


def inspect_unreturned(uow: UnitOfWork, application: Application) -> None:
    """Inspect the downloads of replaced copies where the case ends and nobody has returned what replaces them (R39).

    Nobody has accounted for them, so each is a finding. The holder and the office that inspects returns are notified;
    a violation may be recorded about a replaced loan as about any other. A second run changes nothing.
    """
    if application.closed_at is not None:
        return
    replaced = (
        select(HandOver)
        .where(
            HandOver.application_id == application.id,
            HandOver.replaced_at.is_not(None),
            HandOver.id.not_in(select(Inspection.hand_over_id)),
        )
        .order_by(HandOver.issue)
        .with_for_update()
    )
    for hand_over in uow.session.scalars(replaced).all():
        # an offer that nobody took up had taken them over
        of_copies = (
            select(Download)
            .join(Copy, Copy.id == Download.copy_id)
            .where(Copy.hand_over_id == hand_over.id)
            .order_by(Download.asked_at, Download.id)
        )
        downloads = uow.session.scalars(of_copies).all()
        if not downloads:
            continue
        findings = [{"code": NOT_ATTESTED, "download": download.id} for download in downloads]
        uow.session.add(Inspection(hand_over_id=hand_over.id, inspected_at=uow.now, hashes={}, findings=findings))
        log.append(uow, hand_over, "inspected", hashes={}, findings=len(findings))
        unaccounted.ask(uow, hand_over, downloads)
        _notify_unaccounted(uow, application, hand_over)


def _notify_unaccounted(uow: UnitOfWork, application: Application, hand_over: HandOver) -> None:
    told = {"application_id": application.id, "subject_id": hand_over.id}
    notification_service.notify(uow, hand_over.custodian_id, "downloads-unaccounted", **told)
    office = {*measurements.list_holders(uow, *INSPECTORS), *heads.list_of_security(uow, application)}
    for person_id in sorted(office - {hand_over.custodian_id, *application.subject_ids}):
        notification_service.notify(uow, person_id, "replaced-unaccounted", **told)


def _require_approved(uow: UnitOfWork, state: CaseState, wrong: Sequence[Replacement], act: str) -> None:
    if not wrong:
        raise permissions.refusal(act, state.application.id, "the answer names no item that is to be replaced")
    known, approved = {item.id for item in state.items}, replacements.list_approved(uow, state)
    for one in wrong:
        if one.item_id not in known or replacements.line_of(approved, one.camera_id, one.span) is None:
            raise permissions.refusal(
                act, state.application.id, f"what is to replace the item {one.item_id} is not in the filed form"
            )


def _replace(item: Item, wrong: Replacement | None, approved: Sequence[Approved], round_: int) -> Item:
    """Return the row that takes the place of an item, which leaves the scope as a dropped one does."""
    anew = Item(
        id=new_id(),
        application_id=item.application_id,
        position=item.position,
        camera_id=item.camera_id,
        zone=item.zone,
        asked_start=item.asked_start,
        asked_end=item.asked_end,
        granted_start=item.granted_start,
        granted_end=item.granted_end,
        reported=item.reported,
        replaces_id=item.id,
        form_item_id=item.form_item_id or item.id,
        unchanged=wrong is None and item.outcome in permissions.RETRIEVED,
    )
    if wrong is not None:
        if wrong.camera_id != item.camera_id:
            anew.camera_id, anew.reported = wrong.camera_id, None
        if not item.asked_start <= wrong.span.start < wrong.span.end <= item.asked_end:
            anew.asked_start, anew.asked_end = wrong.span.start, wrong.span.end
        anew.granted_start, anew.granted_end = wrong.span.start, wrong.span.end
        anew.form_item_id = replacements.line_of(approved, wrong.camera_id, wrong.span)
    item.dropped_in_round = round_
    return anew
