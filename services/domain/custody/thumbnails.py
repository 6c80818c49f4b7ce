"""Rows of small pictures below the time bar: which ones, who may see them, how often they are made (R41, R52, R57).

They are footage. A row is made under an open viewing, its reads are counted as those of the player, and each picture
carries the watermark. However long the footage is, a row is a few key frames of it; nothing of it is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.database.tables.applications import Application
from services.database.tables.copies import Viewing
from services.database.tables.derivatives import DerivativeViewing
from services.database.tables.emergency_views import EmergencyViewing
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import emergency, moments, playlist, viewings
from services.domain.custody.grants import CopyKind
from services.runtime.errors import Refused
from services.vault.coverage import Coverage, fragments_from_json

CELLS = (6, 12)  # pictures of one row, on a phone and on a desk
MOST = 12  # rows of one viewing
LARGEST = 1 << 20  # bytes that are read for one picture: what is larger stays blank


@dataclass(frozen=True)
class Piece:
    """What is read for one picture: the first boxes of its part, and the beginning of its fragment."""

    part: int
    init: int
    offset: int
    length: int


@dataclass(frozen=True)
class Row:
    """A row that may be made now: its pieces, None where there is no footage, and what it is marked with."""

    key_id: str
    sealed: dict[str, Any]
    pieces: list[Piece | None]
    mark: str


@dataclass(frozen=True)
class _Open:
    application_id: str
    key_id: str
    sealed: dict[str, Any]
    viewing: Viewing | DerivativeViewing | EmergencyViewing


def record(uow: UnitOfWork, kind: CopyKind, copy_id: str, viewing_id: str, cells: int, *, address: str | None) -> Row:
    """Check that the copy is open to the actor, and count one row of ``cells`` pictures as reads of the viewing.

    Refused as the watching is, and beyond ``MOST`` rows of one viewing.
    """
    opened = _require_open(uow, kind, copy_id, viewing_id, address)
    if opened.viewing.strips >= MOST:
        raise Refused(
            "thumbnails-over",
            "Thumbnails were made {most} times for this viewing, which is the limit: open the footage again.",
            status=429,
            most=MOST,
        )
    opened.viewing.strips += 1
    pieces = plan(opened.sealed, cells)
    for piece in pieces:
        if piece is not None:
            viewings.count_read(
                uow,
                opened.viewing,
                piece.offset,
                piece.length,
                subject=kind,
                application_id=opened.application_id,
            )
    audit_trail.record(
        uow,
        "thumbnails-shown",
        kind,
        copy_id,
        application_id=opened.application_id,
        viewing=viewing_id,
        pictures=sum(piece is not None for piece in pieces),
    )
    number = uow.session.get_one(Application, opened.application_id).number or ""
    return Row(opened.key_id, opened.sealed, pieces, moments.watermark(uow, number))


def plan(sealed: Mapping[str, Any], cells: int) -> list[Piece | None]:
    """Return what is read for each of ``cells`` equal parts of the time from the first picture to the last.

    That is the key frame that is shown in the middle of it, or the next one inside it; None in a gap.
    """
    coverage = Coverage.from_json(dict(sealed["coverage"]))
    whole = (max([coverage.last_frame, *(span.end for span in coverage.covered)]) - coverage.first_frame) / cells
    whole = max(whole, timedelta(milliseconds=1))
    found: list[Piece | None] = [None] * cells
    distance: list[timedelta] = [whole] * cells
    for segment in playlist.list_segments(coverage, fragments_from_json(sealed["fragments"])):
        begins = segment.at - coverage.first_frame
        for cell in range(max(0, begins // whole), min(cells, (begins + segment.duration) // whole + 1)):
            middle = whole * cell + whole / 2
            away = max(begins - middle, middle - begins - segment.duration, timedelta())
            inside = whole * cell <= begins < whole * (cell + 1)
            if away < distance[cell] and (inside or not away):
                distance[cell] = away
                length = min(segment.fragment.length, LARGEST)
                found[cell] = Piece(segment.part.offset, segment.part.init, segment.fragment.offset, length)
    return found


def _require_open(uow: UnitOfWork, kind: CopyKind, copy_id: str, viewing_id: str, address: str | None) -> _Open:
    if kind == "emergency-copy":
        seen, look = emergency.require_open(uow, copy_id, viewing_id, lock=True)
        return _Open(seen.application_id, copy_id, seen.sealed, look)
    opened = moments.require_open(uow, kind, copy_id, viewing_id, address=address, lock=True)
    return _Open(opened.application_id, opened.key_id, opened.sealed, opened.viewing)
