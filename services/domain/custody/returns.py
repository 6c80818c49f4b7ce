"""Returns, their inspection, and re-archiving (R38 to R40, T2, T12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.holds import Hold
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody import copies, grants, hand_overs, heads, log, on_site, suspensions, unaccounted
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import COPY_RETURNED, USE_PERIOD_CHANGED
from services.domain.reviews import moot_matters
from services.domain.reviews import tasks as review_tasks
from services.runtime.errors import NotPermitted, Refused

OFFICES = {
    "security": ("head", "security-reviewer", "return-inspector"),
    "storage": ("storage-operator", "return-inspector"),
}
FATES = ("destroyed", "given-back")
RECALLED_TO = "security"
DESTROYED_HELD = "download-destroyed-held"  # the notice


@dataclass(frozen=True)
class AttestedFate:
    """What became of one download: destroyed, or given back on its medium."""

    download_id: str
    fate: str
    note: str = ""


def return_copies(
    uow: UnitOfWork,
    hand_over_id: str,
    *,
    return_to: str,
    fates: Sequence[AttestedFate],
    no_other_copies: bool,
    proof: Proof,
) -> Return:
    """Return the copies and attest for every download, signed (R38, T2, T12).

    Access ends with it, and the process is notified. Refused for a download that was destroyed while somebody holds the
    case, unless it says how that came; whoever keeps the hold is told (R67).

    Where the custodian has left, the head of the department returns them in their place. Nobody attests for another
    one, so each download is a finding then, and somebody is asked what became of it; Refused for who tries to.
    """
    hand_over = get_returnable(uow, hand_over_id)
    in_place_of = hand_over.custodian_id if hand_over.custodian_id != uow.actor.id else None
    known = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over_id))
    if known is not None:
        return known
    if in_place_of is not None and hand_over.accepted_at is None:
        raise Refused(
            "not-accepted", "Nobody has accepted the copies: name another custodian on the page of the case instead."
        )
    hand_overs.require_held(hand_over)
    if suspensions.is_frozen(uow, hand_over):
        raise Refused(
            "copy-frozen",
            "The copies are frozen while a problem report is being checked: return them when Security has answered.",
        )
    sitting = on_site.find_unclosed(uow, hand_over_id)
    # of a companion who has left nobody signs the end: its sheet says so when the loan ends
    if sitting is not None and (in_place_of is None or on_site.is_live(uow, sitting)):
        raise Refused("sitting-open", "A viewing on site is not ended: sign its end, then return the copies.")
    if return_to not in OFFICES:
        raise Refused(
            "return-to",
            "Choose whether to return to Security or to the storage office.",
            status=422,
            field="returnTo",
        )
    attestation: dict[str, Any] = {"downloads": {}, "noOtherCopies": False, "inPlaceOf": in_place_of}
    owners: list[str] = []
    if in_place_of is None:
        _check_fates(uow, hand_over_id, fates, no_other_copies)
        owners = _require_kept(uow, hand_over, fates)
        attestation = {
            "downloads": {fate.download_id: {"fate": fate.fate, "note": fate.note.strip()} for fate in fates},
            "noOtherCopies": True,
        }
    elif fates or no_other_copies:
        raise Refused(
            "attestation-not-yours",
            "You cannot attest for another person: return the copies without saying what became of the downloads. "
            "Each of them is a finding of the inspection, and you are asked about it separately.",
            status=422,
            field="downloads" if fates else "noOtherCopies",
        )
    held = copies.list_lent(uow, hand_over.id)
    statement = {
        "attestation": attestation,
        "copies": {copy.id: copy.sealed["sha256Cipher"] for copy in held},
        "handOver": hand_over_id,
        "kind": "return",
        "person": uow.actor.id,
        "returnTo": return_to,
        "returnedAt": signature_signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof, while_held=True)
    returned = Return(
        id=new_id(),
        hand_over_id=hand_over_id,
        returned_by=uow.actor.id,
        returned_at=uow.now,
        return_to=return_to,
        attestation=attestation,
        statement_sha256=signed.sha256,
        signature=signed.signature,
    )
    uow.session.add(returned)
    _end_use(uow, hand_over, "returned")
    for person_id in owners:
        notification_service.notify(
            uow, person_id, DESTROYED_HELD, application_id=hand_over.application_id, subject_id=hand_over.id
        )
    log.append(
        uow,
        hand_over,
        "returned",
        person_id=uow.actor.id,
        return_to=return_to,
        statement_sha256=signed.sha256,
        **({"inPlaceOf": in_place_of} if in_place_of is not None else {}),
    )
    audit_trail.record(
        uow,
        "return-signed",
        "hand-over",
        hand_over_id,
        application_id=hand_over.application_id,
        **signed.event_fields,
    )
    _ask_for_inspection(uow, returned, hand_over)
    return returned


def get_returnable(uow: UnitOfWork, hand_over_id: str, *, for_change: bool = True) -> HandOver:
    """Return a hand-over that the actor returns: their own, or that of a custodian who has left (R38, R45).

    It is locked ``for_change``; NotFound for everybody else.
    """
    hand_over = uow.session.get(HandOver, hand_over_id, with_for_update=for_change, populate_existing=True)
    if hand_over is not None and heads.stands_in(uow, hand_over):
        return hand_over
    return log.get_mine(uow, hand_over_id, for_change=for_change)


def recall(uow: UnitOfWork, hand_over: HandOver, decision: Decision, *, number: str, matter_id: str) -> Return:
    """End the use of copies that are recalled by a signed decision: nobody attests for them, and they are inspected.

    Each download counts as not accounted for. ``number`` and ``matter_id`` are those of the matter that was decided,
    which alone of the loan's matters goes on.
    """
    returned = Return(
        id=new_id(),
        hand_over_id=hand_over.id,
        returned_by=decision.decided_by,
        returned_at=uow.now,
        return_to=RECALLED_TO,
        attestation={"downloads": {}, "noOtherCopies": False, "recalled": number},
        statement_sha256=decision.statement_sha256,
        signature=decision.signature,
    )
    uow.session.add(returned)
    _end_use(uow, hand_over, "recalled", by_matter=matter_id)
    log.append(uow, hand_over, "recalled", matter=number, statement_sha256=decision.statement_sha256)
    _ask_for_inspection(uow, returned, hand_over)
    return returned


def recall_offer(uow: UnitOfWork, hand_over: HandOver, decision: Decision, *, number: str, matter_id: str) -> None:
    """End the offer of copies that nobody has accepted, by a signed recall (R42, R46).

    The process hears that they are not taken, and discards them as after the time to accept them. ``number`` and
    ``matter_id`` are as of ``recall``.
    """
    hand_over.ended_at = uow.now
    notification_service.mark_done(uow, "offer", subject_id=hand_over.id)
    notification_service.mark_done(uow, "custodian", "recall", application_id=hand_over.application_id)
    log.append(
        uow,
        hand_over,
        "ended",
        person_id=decision.decided_by,
        because=suspensions.RECALLED,
        matter=number,
        statement_sha256=decision.statement_sha256,
    )
    review_tasks.end_receipts(uow, hand_over)
    drafter_id = uow.session.get_one(Application, hand_over.application_id).drafter_id
    for person_id in sorted({hand_over.custodian_id, drafter_id}):
        notification_service.notify(
            uow, person_id, "offer-recalled", application_id=hand_over.application_id, subject_id=hand_over.id
        )
    moot_matters.end_of_loan(uow, hand_over.application_id, suspensions.RECALLED, by_matter=matter_id)


def _end_use(uow: UnitOfWork, hand_over: HandOver, because: str, *, by_matter: str | None = None) -> None:
    hand_over.returned_at = uow.now
    notification_service.mark_done(uow, "return", subject_id=hand_over.id)
    notification_service.mark_done(uow, "custodian", "recall", application_id=hand_over.application_id)
    grants.end(uow, hand_over, because)
    moot_matters.end_of_loan(uow, hand_over.application_id, because, by_matter=by_matter)


def _ask_for_inspection(uow: UnitOfWork, returned: Return, hand_over: HandOver) -> None:
    """Tell the office, and the process, that there are copies to inspect; nobody whom the case concerns (T8)."""
    concerned = uow.session.get_one(Application, hand_over.application_id).subject_ids
    for person_id in measurements.list_holders(uow, *OFFICES[returned.return_to]):
        if person_id in concerned:
            continue
        notification_service.notify(
            uow, person_id, "copy-returned", application_id=hand_over.application_id, subject_id=hand_over.id
        )
    outbox.publish(
        uow,
        COPY_RETURNED,
        hand_over.id,
        application_id=hand_over.application_id,
        message_id=f"{COPY_RETURNED}:{hand_over.id}",
        variables={},
    )


def _check_fates(uow: UnitOfWork, hand_over_id: str, fates: Sequence[AttestedFate], no_other_copies: bool) -> None:
    asked = {download.id for download in copies.list_downloads(uow, hand_over_id)}
    attested = [fate.download_id for fate in fates]
    if set(attested) != asked or len(attested) != len(asked):
        raise Refused(
            "attestation-incomplete",
            "Account for each of the {asked} downloads.",
            status=422,
            field="downloads",
            asked=len(asked),
        )
    if any(fate.fate not in FATES for fate in fates):
        raise Refused(
            "attestation-fate",
            "For each download, choose whether it was destroyed or given back.",
            status=422,
            field="downloads",
        )
    if not no_other_copies:
        raise Refused(
            "attestation-other-copies",
            "Confirm that no other copy was kept. If a copy was lost or leaked, report the loss instead.",
            status=422,
            field="noOtherCopies",
        )


def _require_kept(uow: UnitOfWork, hand_over: HandOver, fates: Sequence[AttestedFate]) -> list[str]:
    """Return who keeps the holds of a case of which something was destroyed; Refused where nothing says how."""
    destroyed = [fate for fate in fates if fate.fate == "destroyed"]
    query = select(Hold.owner_id).where(Hold.application_id == hand_over.application_id, Hold.lifted_at.is_(None))
    owners = sorted(set(uow.session.scalars(query))) if destroyed else []
    if owners and not all(fate.note.strip() for fate in destroyed):
        raise Refused(
            "case-held",
            "The case is held, so nothing of it may be destroyed: give the medium back. If it was destroyed before, "
            "write in the note when, how and who has witnessed it.",
            field="downloads",
        )
    return owners


def get_inspection_task(
    uow: UnitOfWork, application_id: str, hand_over_id: str
) -> tuple[int | None, list[dict[str, Any]]]:
    """Return the number of findings of an inspection that is done, and the copies as they were sealed."""
    log.lock(uow, hand_over_id, application_id)
    done = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over_id))
    if _return_of(uow, hand_over_id) is None:
        raise NotPermitted(
            f"could not inspect the return | hand-over {hand_over_id} | the database has no return | "
            "let the custodian return the copies, then resolve the incident"
        )
    outbox.settle(uow, application_id, "inspect-return", COPY_RETURNED, USE_PERIOD_CHANGED)
    held = copies.list_lent(uow, hand_over_id)
    return (
        None if done is None else len(done.findings),
        [{"copyId": copy.id, **copy.sealed} for copy in held],
    )


def record_inspection(uow: UnitOfWork, application_id: str, hand_over_id: str, hashes: Mapping[str, bool]) -> int:
    """Write what the inspection found: hashes, downloads against the attestation, lateness (R39); how many findings."""
    hand_over = log.lock(uow, hand_over_id, application_id)
    done = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over_id))
    if done is not None:
        return len(done.findings)
    returned = _return_of(uow, hand_over_id)
    findings: list[dict[str, Any]] = [
        {"code": "hash-differs", "copy": copy_id} for copy_id, matches in sorted(hashes.items()) if not matches
    ]
    unattested = unaccounted.list_unattested(uow, hand_over)
    findings += [{"code": "download-not-attested", "download": download.id} for download in unattested]
    if returned is not None and hand_over.due_at is not None and returned.returned_at > hand_over.due_at:
        findings.append({"code": "returned-late", "days": (returned.returned_at - hand_over.due_at).days})
    uow.session.add(Inspection(hand_over_id=hand_over_id, inspected_at=uow.now, hashes=dict(hashes), findings=findings))
    log.append(uow, hand_over, "inspected", hashes=dict(hashes), findings=len(findings))
    unaccounted.ask(uow, hand_over, unattested)
    return len(findings)


def _return_of(uow: UnitOfWork, hand_over_id: str) -> Return | None:
    return uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over_id))
