"""Viewings and downloads: every read of a copy is checked, counted and seen (R41, R52, F18, F20)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.copies import Copy, Download, Viewing
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import DerivativeViewing
from services.database.tables.emergency_views import EmergencyViewing
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import grants, log, numbered_media, on_site
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

# A player asks for many small ranges: the counters are written at each, an audit event at the first and at new ground.
AUDIT_STEP_BYTES = 16 * 1024 * 1024
AUDIT_STEP_TIME = timedelta(minutes=1)
MOST_RANGES = 2000  # of one viewing that lie apart: they are kept exactly, and written at each read
RECIPIENT_LENGTH = 62
MOST_DOWNLOADS = 1000  # of one loan: a return attests for each, and for no more

# A page beside the file that opens it in a browser; a ZIP for an archive program; an age file for an own age key.
OpensWith = Literal["browser", "archiver", "age-key"]


@dataclass(frozen=True)
class OpenedViewing:
    """A viewing that was opened; ``size`` is the plaintext's, in bytes; ``sitting_id`` where it is on site."""

    viewing_id: str
    copy_id: str
    purpose: str
    size: int
    sitting_id: str | None = None


def open_viewing(uow: UnitOfWork, copy_id: str, *, purpose_confirmed: bool, address: str) -> OpenedViewing:
    """Begin a viewing: the purpose of the application is shown, and confirmed anew each time (R41)."""
    lock_loan(uow, copy_id)
    opened = grants.check(uow, copy_id, "view", address=address)
    require_confirmed(purpose_confirmed)
    viewing = Viewing(
        id=new_id(),
        copy_id=copy_id,
        person_id=uow.actor.id,
        opened_at=uow.now,
        address=address,
        reads=0,
        bytes_read=0,
        ranges=[],
        sitting_id=opened.sitting_id,
    )
    if opened.sitting_id is not None:
        _end_others(uow, copy_id, opened.sitting_id)
    uow.session.add(viewing)
    hand_over = uow.session.get_one(HandOver, opened.hand_over_id)
    log.append(uow, hand_over, "viewed", person_id=uow.actor.id, copy_id=copy_id, viewing=viewing.id, address=address)
    return OpenedViewing(viewing.id, copy_id, opened.purpose, opened.sealed["plainSize"], opened.sitting_id)


def require_confirmed(purpose_confirmed: bool) -> None:
    """Raise Refused until the purpose is confirmed, anew each time (R41)."""
    if not purpose_confirmed:
        raise Refused(
            "purpose-not-confirmed",
            "Confirm first that you use it only for the purpose stated in the application.",
            status=422,
            field="purposeConfirmed",
        )


def get_mine(uow: UnitOfWork, copy_id: str, viewing_id: str, *, lock: bool = False) -> Viewing:
    """Return a viewing that the actor has opened of this copy, locked if asked for; NotFound otherwise."""
    viewing = uow.session.get(Viewing, viewing_id, with_for_update=lock or None, populate_existing=True)
    if viewing is None or viewing.copy_id != copy_id or viewing.person_id != uow.actor.id:
        raise NotFound(Message("viewing"), viewing_id)
    return viewing


def require_open(
    uow: UnitOfWork, copy_id: str, viewing_id: str, *, address: str | None, lock: bool = False
) -> tuple[grants.OpenedCopy, Viewing]:
    """Return the copy and the actor's viewing of it, which is open now; Refused with the reason where it is not.

    On site it has to be of the sitting that is open, and the copy has been opened in no other window since.
    """
    opened = grants.check(uow, copy_id, "view", address=address)
    viewing = get_mine(uow, copy_id, viewing_id, lock=lock)
    if opened.sitting_id is not None and viewing.sitting_id != opened.sitting_id:
        raise on_site.refused(*on_site.NO_SITTING)
    if viewing.ended_at is not None:
        raise on_site.refused(*on_site.SUPERSEDED)
    return opened, viewing


def record_read(
    uow: UnitOfWork, copy_id: str, viewing_id: str, offset: int, length: int, *, address: str | None = None
) -> grants.OpenedCopy:
    """Check the grant and count one read of ``length`` bytes at ``offset`` of the plaintext."""
    opened, viewing = require_open(uow, copy_id, viewing_id, address=address, lock=True)
    count_read(uow, viewing, offset, length, subject="copy", application_id=opened.application_id)
    return opened


def count_read(
    uow: UnitOfWork,
    viewing: Viewing | EmergencyViewing | DerivativeViewing,
    offset: int,
    length: int,
    *,
    subject: str,
    application_id: str,
) -> None:
    """Count one read of ``length`` bytes at ``offset`` of the plaintext; an event for new ground and after a pause.

    ``subject``: what the audit trail calls the kind of copy. Refused as ``add_range``.
    """
    before = length_of(viewing.ranges)
    viewing.ranges = add_range(viewing.ranges, offset, length)
    new_ground = before // AUDIT_STEP_BYTES != length_of(viewing.ranges) // AUDIT_STEP_BYTES
    pause = viewing.last_read_at is None or uow.now - viewing.last_read_at >= AUDIT_STEP_TIME
    viewing.reads += 1
    viewing.bytes_read += length
    viewing.last_read_at = uow.now
    if new_ground or pause:
        audit_trail.record(
            uow,
            "footage-read",
            subject,
            viewing.copy_id,
            application_id=application_id,
            viewing=viewing.id,
            start=offset,
            end=offset + length,
            reads=viewing.reads,
            bytes=viewing.bytes_read,
        )


def list_download(
    uow: UnitOfWork,
    copy_id: str,
    *,
    recipient: str,
    medium: str = "",
    medium_number: str = "",
    address: str,
    opens_with: OpensWith = "age-key",
) -> Download:
    """List a download for the attestation, before its first byte leaves (T2, T9, R57).

    ``recipient`` is the custodian's own, and empty unless it opens with an age key. ``medium_number``: of the register,
    which shows the medium with the custodian from now on; else ``medium`` says in words on which computer it is kept.
    """
    lock_loan(uow, copy_id)
    opened = grants.check(uow, copy_id, "download")
    if opens_with != "age-key" and recipient:
        raise Refused(
            "recipient-unused",
            "You entered an age public key but chose another way to open the file: choose “My age key”, or leave "
            "the key empty.",
            status=422,
            field="recipient",
        )
    if opens_with == "age-key" and (not recipient.startswith("age1") or len(recipient) != RECIPIENT_LENGTH):
        raise Refused(
            "recipient-wrong",
            "Enter your own age public key (it begins with age1): the file is encrypted for this key only.",
            status=422,
            field="recipient",
        )
    kept_on = _medium(uow, medium.strip(), medium_number.strip())
    log.require_fewer(uow, opened.hand_over_id, ("downloaded",), MOST_DOWNLOADS)
    if medium_number or numbered_media.is_registered(uow, kept_on):
        number = uow.session.get_one(Application, opened.application_id).number or ""
        numbered_media.take(uow, kept_on, for_what=number, hand_over_id=opened.hand_over_id)
    download = Download(
        id=new_id(),
        copy_id=copy_id,
        hand_over_id=opened.hand_over_id,
        person_id=uow.actor.id,
        recipient=recipient,
        opens_with=opens_with,
        medium=kept_on,
        address=address,
        asked_at=uow.now,
        reads=0,
    )
    uow.session.add(download)
    hand_over = uow.session.get_one(HandOver, opened.hand_over_id)
    log.append(
        uow,
        hand_over,
        "downloaded",
        person_id=uow.actor.id,
        copy_id=copy_id,
        download=download.id,
        opensWith=opens_with,
        address=address,
    )
    return download


def _medium(uow: UnitOfWork, words: str, number: str) -> str:
    """Return on what a file is kept: the number of a medium, or words; Refused where neither is said, or both."""
    if words and number:
        raise Refused(
            "medium-twice",
            "Choose a numbered medium, or name a computer: the file is kept on one of them.",
            status=422,
            field="medium",
        )
    if not words and not number:
        raise Refused(
            "medium-missing",
            "Choose the numbered medium on which the file will be kept, or name the computer.",
            status=422,
            field="medium",
        )
    return number or words


def get_listed(uow: UnitOfWork, download_id: str) -> Download:
    """Return a download that the acting person has listed; NotFound for those of others."""
    download = uow.session.get(Download, download_id)
    if download is None or download.person_id != uow.actor.id:
        raise NotFound(Message("download"), download_id)
    return download


def start_download(uow: UnitOfWork, download_id: str) -> tuple[Download, grants.OpenedCopy]:
    """Check the grant before a download is sent, and count the sending."""
    download, opened = _download(uow, download_id)
    download.reads += 1
    audit_trail.record(
        uow,
        "download-sent",
        "copy",
        download.copy_id,
        application_id=opened.application_id,
        download=download.id,
        opens_with=download.opens_with,
        sendings=download.reads,
    )
    return download, opened


def continue_download(uow: UnitOfWork, download_id: str, *, last: bool) -> None:
    """Check the grant again while a download runs, before each stretch; Refused when it ended meanwhile."""
    download, _ = _download(uow, download_id)
    if last and download.finished_at is None:
        download.finished_at = uow.now


def _end_others(uow: UnitOfWork, copy_id: str, sitting_id: str) -> None:
    """End what was opened of the copy in this sitting before: one window shows it at a time."""
    query = select(Viewing).where(
        Viewing.sitting_id == sitting_id, Viewing.copy_id == copy_id, Viewing.ended_at.is_(None)
    )
    for viewing in uow.session.scalars(query.with_for_update()):
        viewing.ended_at = uow.now


def lock_loan(uow: UnitOfWork, copy_id: str) -> None:
    """Lock the loan before its grant is checked: a return at the same moment comes first or has this to attest for."""
    copy = uow.session.get(Copy, copy_id)
    if copy is not None and copy.hand_over_id is not None:
        uow.session.get(HandOver, copy.hand_over_id, with_for_update=True, populate_existing=True)


def _download(uow: UnitOfWork, download_id: str) -> tuple[Download, grants.OpenedCopy]:
    download = get_listed(uow, download_id)
    return download, grants.check(uow, download.copy_id, "download")


def add_range(ranges: list[list[int]], offset: int, length: int) -> list[list[int]]:
    """Return ``ranges`` and ``length`` bytes at ``offset``, merged.

    Refused where they lie apart in more than ``MOST_RANGES`` places, as no player's do.
    """
    merged = merge_ranges([*ranges, [offset, offset + length]])
    if len(merged) > MOST_RANGES:
        raise Refused(
            "viewing-scattered",
            "The footage was read at too many places in this viewing: open the footage again.",
            status=429,
        )
    return merged


def merge_ranges(ranges: list[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = [merged[-1][0], max(merged[-1][1], end)]
        else:
            merged.append([start, end])
    return merged


def length_of(ranges: list[list[int]]) -> int:
    return sum(end - start for start, end in ranges)
