"""Hand out what was allowed, to nobody but the people named, and record their receipt (R57, R58)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.applications import outsiders
from services.domain.applications.outsiders import AUTHORITY, LEAST_OFFICERS
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.domain.custody import closing, grants, log, numbered_media, suspensions
from services.domain.matters.kinds.base import loan_is_over, roles_of
from services.domain.matters.kinds.disclosure import named_of
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import LOAN_CLOSED
from services.domain.reviews import moot_matters
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

# The files in clear, for a sealed medium; encrypted with a page that opens them; a ZIP for an archive program.
OpensWith = Literal["medium", "browser", "archiver"]
HANDING_OUT = ("security", "security-head")


@dataclass(frozen=True)
class Handing:
    """An allowed disclosure with its matter and loan."""

    row: Disclosure
    matter: Matter
    hand_over: HandOver
    application: Application

    @property
    def opens_with(self) -> OpensWith:
        chosen: OpensWith = self.matter.facts["asked"]["opensWith"]
        return chosen

    @property
    def medium(self) -> str:
        """The number of the medium; of a disclosure of an earlier release words, with the number of the seal."""
        return str(self.matter.facts["asked"].get("medium") or "")

    @property
    def seal(self) -> str:
        return str(self.matter.facts["asked"].get("seal") or "")

    @property
    def is_numbered(self) -> bool:
        """Whether it goes out on a medium of the register."""
        return self.opens_with == "medium" and bool(self.seal)


@dataclass(frozen=True)
class HandedFile:
    """A file as it lies in the vault, and the name of the key that opens it. ``derived``: of a redacted copy."""

    key_id: str
    sealed: dict[str, Any]
    derived: Derivative | None = None


def get(uow: UnitOfWork, matter_id: str, *, lock: bool = False) -> Handing:
    """Return what the matter has allowed, for who may see its case; NotFound otherwise, and before it is signed."""
    row = uow.session.scalar(select(Disclosure).where(Disclosure.matter_id == matter_id))
    if row is None:
        raise NotFound(Message("disclosure"), matter_id)
    try:
        application = visibility.get_visible(uow, row.application_id)
    except NotFound as hidden:
        raise NotFound(Message("disclosure"), matter_id) from hidden
    if lock:
        uow.session.get(Application, row.application_id, with_for_update=True, populate_existing=True)
        uow.session.get(HandOver, row.hand_over_id, with_for_update=True, populate_existing=True)
        uow.session.refresh(row)
    matter = uow.session.get_one(Matter, matter_id)
    return Handing(row, matter, uow.session.get_one(HandOver, row.hand_over_id), application)


def refusal(uow: UnitOfWork, handing: Handing) -> Refused | None:
    """Return why the acting person can hand out nothing now, or None."""
    refused = _not_handed(uow, handing)
    if refused is None and loan_is_over(handing.hand_over):
        refused = Refused("loan-ended", "The loan has ended: the footage can no longer be handed out.")
    return refused or _closed(uow, handing.hand_over) or _not_as_signed(handing)


def receipt_refusal(uow: UnitOfWork, handing: Handing) -> Refused | None:
    """Return why the acting person can record no receipt now, or None.

    What keeps footage from being handed out keeps nobody from recording that it was.
    """
    return _not_handed(uow, handing) or _not_as_signed(handing) or _not_fetched(uow, handing)


def _not_handed(uow: UnitOfWork, handing: Handing) -> Refused | None:
    """Return why it is not the acting person, or not any more, who hands it out."""
    if not set(HANDING_OUT) & roles_of(uow, handing.application, handing.hand_over):
        return Refused(
            "not-yours",
            "Only the head of Security, the deputy and security reviewers hand footage to people outside.",
            status=403,
        )
    if handing.row.received_at is not None:
        return Refused("provided-already", "The people outside have signed for it: nothing more is handed out.")
    return None


def _not_fetched(uow: UnitOfWork, handing: Handing) -> Refused | None:
    fetched = {one.copy_id for one in list_downloads(uow, handing) if one.finished_at is not None}
    if set(handing.row.copy_ids) <= fetched:
        return None
    return Refused("not-fetched", "Not every file was downloaded yet: download them all, then record the receipt.")


def _not_as_signed(handing: Handing) -> Refused | None:
    """Return why it is not what was signed, or signed without the letter that it needs."""
    if outsiders.lacks_letter(handing.application):
        return Refused("letter-missing", "The original letter is not entered yet: enter it, then hand out the footage.")
    facts = handing.matter.facts
    if handing.matter.closed_as != "applied" or hash_of(facts) != handing.matter.facts_sha256:
        return Refused("not-signed", "The disclosure is not what was signed: report this to the administrator.")
    return None


def _closed(uow: UnitOfWork, hand_over: HandOver) -> Refused | None:
    """Return why the copies do not open for the acting person now, or None."""
    if suspensions.list_open(uow, hand_over):
        return Refused("suspended", "Access to the copies is suspended: settle this first.")
    if suspensions.of_person(uow, uow.actor.id):
        return Refused(
            "person-suspended",
            "Your own access to footage is suspended: another person of Security has to do this.",
            status=403,
        )
    # the job that suspends the loan at its due date may be late, and the copies are due all the same
    if hand_over.due_at is None or uow.now >= hand_over.due_at:
        return Refused("use-period-over", "The use period has ended: have it extended first.")
    return None


def require(uow: UnitOfWork, handing: Handing) -> None:
    """Raise Refused where the acting person can hand out nothing now."""
    refused = refusal(uow, handing)
    if refused is not None:
        raise refused
    access_queries.require_agreement(uow, uow.actor.id)


def list_download(uow: UnitOfWork, matter_id: str, copy_id: str, *, address: str) -> DisclosureDownload:
    """List a file that is fetched to be handed out, before its first byte leaves.

    Refused also where it goes out on a numbered medium that whoever fetches it cannot take.
    """
    handing = get(uow, matter_id, lock=True)
    require(uow, handing)
    _allowed_file(uow, handing, copy_id)
    if handing.is_numbered:
        numbered_media.take(uow, handing.medium, for_what=handing.matter.number, disclosure_id=handing.row.id)
    download = DisclosureDownload(
        id=new_id(),
        disclosure_id=handing.row.id,
        copy_id=copy_id,
        person_id=uow.actor.id,
        opens_with=handing.opens_with,
        medium=handing.medium,
        address=address,
        asked_at=uow.now,
        reads=0,
    )
    uow.session.add(download)
    log.append(
        uow,
        handing.hand_over,
        "prepared",
        person_id=uow.actor.id,
        copy_id=copy_id,
        matter=handing.matter.number,
        download=download.id,
        opensWith=download.opens_with,
        address=address,
    )
    return download


def start_download(uow: UnitOfWork, download_id: str) -> tuple[DisclosureDownload, HandedFile]:
    """Check before a file is sent, count the sending, and return what it was sealed as."""
    download, handing = _download(uow, download_id)
    handed = _allowed_file(uow, handing, download.copy_id)
    download.reads += 1
    audit_trail.record(
        uow,
        "disclosure-fetched",
        "copy",
        download.copy_id,
        application_id=handing.application.id,
        matter=handing.matter.id,
        download=download.id,
        opens_with=download.opens_with,
        sendings=download.reads,
    )
    return download, handed


def continue_download(uow: UnitOfWork, download_id: str, *, last: bool) -> None:
    """Check again before each stretch; Refused when it ended meanwhile."""
    download, _ = _download(uow, download_id)
    if last and download.finished_at is None:
        download.finished_at = uow.now


def list_downloads(uow: UnitOfWork, handing: Handing) -> Sequence[DisclosureDownload]:
    query = select(DisclosureDownload).where(DisclosureDownload.disclosure_id == handing.row.id)
    return uow.session.scalars(query.order_by(DisclosureDownload.asked_at, DisclosureDownload.id)).all()


def record_receipt(
    uow: UnitOfWork, matter_id: str, *, outsider_ids: Sequence[str], attachment_id: str | None, note: str
) -> Disclosure:
    """Record that the people named have signed the list; where nothing is kept, a loan that still runs ends.

    Refused for anybody else than those who were signed for, and before each file was fetched.
    """
    handing = get(uow, matter_id, lock=True)
    refused = receipt_refusal(uow, handing)
    if refused is not None:
        raise refused
    access_queries.require_agreement(uow, uow.actor.id)
    holds.check(uow, uow.actor.id)
    people = {person["id"]: person for person in named_of(handing.matter.facts)}
    chosen = list(dict.fromkeys(outsider_ids))
    if not chosen or not set(chosen) <= people.keys():
        raise _missing("outsiderIds", Message("Choose who has signed: only the people named in the disclosure may."))
    if handing.application.on_behalf == AUTHORITY and len(chosen) < LEAST_OFFICERS:
        raise _missing("outsiderIds", Message("At least two officers of an authority sign: choose both."))
    if attachment_id is not None:
        attachment = uow.session.get(Attachment, attachment_id)
        if attachment is None or (attachment.application_id, attachment.kind) != (handing.application.id, "receipt"):
            raise _missing("attachmentId", Message("Choose a receipt that is attached to this case."))
    row, hand_over = handing.row, handing.hand_over
    outsiders.record_answer(uow, handing.application, "provided")
    row.received_at, row.recorded_by = uow.now, uow.actor.id
    row.received = {
        "people": [people[outsider_id] for outsider_id in chosen],
        "attachment": attachment_id,
        "note": note.strip() or None,
    }
    if handing.is_numbered:
        numbered_media.provide(uow, handing.medium, for_what=handing.matter.number)
    log.append(
        uow,
        hand_over,
        "provided",
        person_id=uow.actor.id,
        matter=handing.matter.number,
        outsiders=[people[outsider_id]["name"] for outsider_id in chosen],
        receipt=attachment_id,
        coHolder=not row.ends_loan,
    )
    audit_trail.record(
        uow,
        "disclosure-received",
        "matter",
        matter_id,
        application_id=handing.application.id,
        number=handing.matter.number,
        outsiders=chosen,
        receipt=attachment_id,
        ends_loan=row.ends_loan,
    )
    # what is recalled, or frozen by a report, ends by that
    waits = {one.cause for one in suspensions.list_open(uow, hand_over)} & {suspensions.RECALLED, suspensions.PROBLEM}
    if row.ends_loan and not waits and not loan_is_over(hand_over):
        _end_loan(uow, handing)
    return row


def _end_loan(uow: UnitOfWork, handing: Handing) -> None:
    """Nobody here holds the copies any more: grants end, and the process archives the masters."""
    hand_over = handing.hand_over
    hand_over.ended_at = uow.now
    notification_service.mark_done(uow, "offer", "return", "inspection", subject_id=hand_over.id)
    notification_service.mark_done(uow, "custodian", "recall", application_id=hand_over.application_id)
    grants.end(uow, hand_over, closing.PROVIDED)
    log.append(uow, hand_over, "ended", because=closing.PROVIDED)
    moot_matters.end_of_loan(uow, hand_over.application_id, closing.PROVIDED)
    outbox.publish(
        uow,
        LOAN_CLOSED,
        hand_over.id,
        application_id=hand_over.application_id,
        message_id=f"{LOAN_CLOSED}:{hand_over.id}",
        variables={"loanOutcome": closing.PROVIDED},
    )


def of_download(uow: UnitOfWork, download: DisclosureDownload) -> Handing:
    """Return the disclosure of a file that was fetched."""
    return get(uow, uow.session.get_one(Disclosure, download.disclosure_id).matter_id)


def file_of(uow: UnitOfWork, download_id: str) -> HandedFile:
    """Return a listed file as it lies in the vault; Refused where it may not be fetched now."""
    download, handing = _download(uow, download_id)
    return _allowed_file(uow, handing, download.copy_id)


def _download(uow: UnitOfWork, download_id: str) -> tuple[DisclosureDownload, Handing]:
    download = uow.session.get(DisclosureDownload, download_id)
    if download is None or download.person_id != uow.actor.id:
        raise NotFound(Message("download"), download_id)
    handing = of_download(uow, download)
    require(uow, handing)
    return download, handing


def _allowed_file(uow: UnitOfWork, handing: Handing, copy_id: str) -> HandedFile:
    """Return what was signed for of a copy, unchanged since: the copy, or its redacted copy alone.

    NotFound for any other one, Refused where a redacted copy is kept no longer.
    """
    copy = uow.session.get(Copy, copy_id)
    signed = {file["copy"]: file for file in handing.matter.facts["before"]["files"]}.get(copy_id)
    if copy is None or signed is None or copy_id not in handing.row.copy_ids:
        raise NotFound(Message("copy"), copy_id)
    if "derived" not in signed:
        if handing.matter.facts["asked"].get("redacted") or signed["sha256"] != copy.sealed["sha256Plain"]:
            raise NotFound(Message("copy"), copy_id)
        return HandedFile(copy.id, dict(copy.sealed))
    row = uow.session.get(Derivative, signed["derived"]["derivative"])
    if row is None or row.copy_id != copy_id or row.approved_at is None or row.sealed is None or not row.attempt_id:
        raise NotFound(Message("copy"), copy_id)
    if row.sealed["sha256Plain"] != signed["sha256"]:
        raise NotFound(Message("copy"), copy_id)
    if row.key_destroyed_at is not None or row.discarded_at is not None:
        raise Refused("copy-gone", "The redacted copy is kept no longer: have a new one made, and ask again.")
    return HandedFile(row.attempt_id, dict(row.sealed), row)


def _missing(field: str, message: Message) -> Refused:
    return Refused("missing", message, status=422, field=field)
