"""Moments of footage that people mark while they watch it: bookmarks with words, and where a moment lies (R41, R47).

A bookmark is an entry of the custody log, so nobody removes it; a further one corrects it. Who may watch the copy now,
or the redacted copy that was derived of it, makes and reads them, under an open viewing of the own. What was marked in
one is not shown in the other: both have their own pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.copies import Copy, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.matters import Matter
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivative_viewings, log, playlist, suspensions, viewings
from services.domain.custody.schemas import MarkedMoment
from services.runtime.errors import Refused
from services.vault.coverage import Coverage, Fragment, Part, fragments_from_json

BOOKMARKED = "bookmarked"
STILL_SAVED = "still-saved"
EVENTS = (BOOKMARKED, STILL_SAVED)
MOST = 500  # bookmarks of one loan
EDGE_MS = 100  # by which a player may be behind the end of a fragment

MarkedKind = Literal["copy", "derivative"]
"""An issued copy, or a redacted copy that was derived of one."""


@dataclass(frozen=True)
class OpenedFootage:
    """Footage that is open to the actor in a viewing; ``copy_id`` is of the issued copy, itself or derived of.

    ``id`` is that of the footage, and ``key_id`` names the key that opens it. ``sitting_id`` is of the open sitting,
    where it is viewed on site alone.
    """

    kind: MarkedKind
    id: str
    copy_id: str
    application_id: str
    hand_over_id: str
    purpose: str
    key_id: str
    sealed: dict[str, Any]
    sitting_id: str | None
    viewing: Viewing | DerivativeViewing


@dataclass(frozen=True)
class Place:
    """Where a moment lies in a copy: its fragment, the part whose first boxes that needs, and the recorder's time.

    ``inside_ms`` is how long after the first picture of the fragment.
    """

    fragment: Fragment
    part: Part
    at: datetime
    inside_ms: int


def locate(sealed: Mapping[str, Any], at_ms: int) -> Place:
    """Return where the moment ``at_ms`` after the first picture lies; Refused where the copy has no footage there."""
    coverage = Coverage.from_json(dict(sealed["coverage"]))
    before = None
    for segment in playlist.list_segments(coverage, fragments_from_json(sealed["fragments"])):
        if segment.fragment.time_ms > at_ms:
            break
        before = segment
    if before is not None:
        inside = at_ms - before.fragment.time_ms
        if inside <= before.duration / timedelta(milliseconds=1) + EDGE_MS:
            return Place(before.fragment, before.part, before.at + timedelta(milliseconds=inside), inside)
    raise Refused(
        "moment-without-footage",
        "There is no footage at this moment: go to one at which the camera recorded, then try again.",
        status=422,
        field="atMs",
    )


def require_open(
    uow: UnitOfWork, kind: MarkedKind, footage_id: str, viewing_id: str, *, address: str | None, lock: bool = False
) -> OpenedFootage:
    """Return footage that the actor is viewing now, the viewing locked if asked for; Refused as the watching is."""
    if kind == "copy":
        copy, viewing = viewings.require_open(uow, footage_id, viewing_id, address=address, lock=lock)
        return OpenedFootage(
            kind=kind,
            id=copy.copy_id,
            copy_id=copy.copy_id,
            application_id=copy.application_id,
            hand_over_id=copy.hand_over_id,
            purpose=copy.purpose,
            key_id=copy.copy_id,
            sealed=copy.sealed,
            sitting_id=copy.sitting_id,
            viewing=viewing,
        )
    derivative = derivative_viewings.check(uow, footage_id, address=address)
    return OpenedFootage(
        kind=kind,
        id=derivative.derivative_id,
        copy_id=derivative.copy_id,
        application_id=derivative.application_id,
        hand_over_id=derivative.hand_over_id,
        purpose=derivative.purpose,
        key_id=derivative.key_id,
        sealed=derivative.sealed,
        sitting_id=derivative.sitting_id,
        viewing=derivative_viewings.get_mine(uow, footage_id, viewing_id, lock=lock),
    )


def require_markable(
    uow: UnitOfWork, kind: MarkedKind, footage_id: str, viewing_id: str, *, address: str | None, lock: bool = False
) -> OpenedFootage:
    """Return footage in which the actor marks a moment now; Refused as the watching is, and while its loan is closed.

    Who decides about a redacted copy watches it while the loan is suspended, and writes nothing in its custody log.
    """
    opened = require_open(uow, kind, footage_id, viewing_id, address=address, lock=lock)
    hand_over = uow.session.get_one(HandOver, opened.hand_over_id)
    over = hand_over.due_at is not None and uow.now >= hand_over.due_at
    if over or suspensions.list_open(uow, hand_over):
        raise Refused(
            "marks-closed",
            "Access to the copy is suspended or its use period has ended: nothing can be marked in it now.",
            status=403,
        )
    return opened


def lock_for_mark(
    uow: UnitOfWork, kind: MarkedKind, footage_id: str, viewing_id: str, *, event: str, most: int, address: str | None
) -> OpenedFootage:
    """Lock the loan, whose custody log is written next, and return the footage in which a moment is marked.

    Refused as ``require_markable``, and where the log has ``most`` entries of this ``event`` already.
    """
    copy_id: str | None = footage_id
    if kind == "derivative":
        copy_id = uow.session.scalar(select(Derivative.copy_id).where(Derivative.id == footage_id))
    if copy_id is not None:
        viewings.lock_loan(uow, copy_id)
    opened = require_markable(uow, kind, footage_id, viewing_id, address=address)
    log.require_fewer(uow, opened.hand_over_id, (event,), most)
    return opened


def add_bookmark(
    uow: UnitOfWork,
    kind: MarkedKind,
    footage_id: str,
    viewing_id: str,
    *,
    at_ms: int,
    text: str,
    address: str | None,
) -> CustodyEntry:
    """Enter a bookmark in the custody log; Refused as ``require_markable``, without words, and beyond ``MOST``."""
    opened = lock_for_mark(uow, kind, footage_id, viewing_id, event=BOOKMARKED, most=MOST, address=address)
    words = require_words(text)
    place = locate(opened.sealed, at_ms)
    return log.append(
        uow,
        uow.session.get_one(HandOver, opened.hand_over_id),
        BOOKMARKED,
        person_id=uow.actor.id,
        copy_id=opened.copy_id,
        text=words,
        at=written(uow, opened.copy_id, place.at),
        atMs=at_ms,
        **of_derivative(uow, opened),
    )


def of_derivative(uow: UnitOfWork, opened: OpenedFootage) -> dict[str, str | None]:
    """Return what an entry says besides of a redacted copy: its id, and the number of its redaction."""
    if opened.kind == "copy":
        return {}
    number = select(Matter.number).join(Derivative, Derivative.matter_id == Matter.id)
    return {"derivative": opened.id, "redaction": uow.session.scalar(number.where(Derivative.id == opened.id))}


def require_words(text: str) -> str:
    """Return the words without spaces around them; Refused where there are none."""
    words = text.strip()
    if not words:
        raise Refused("moment-words", "Write what is to be seen at this moment.", status=422, field="text")
    return words


def written(uow: UnitOfWork, copy_id: str, at: datetime) -> str:
    """Return the recorder's time of a copy as the custody log has it: in its zone, to the millisecond."""
    zone = uow.session.scalars(select(Item.zone).join(Copy, Copy.item_id == Item.id).where(Copy.id == copy_id)).one()
    return at.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds")


def get_list(
    uow: UnitOfWork, kind: MarkedKind, footage_id: str, viewing_id: str, *, address: str | None
) -> list[MarkedMoment]:
    """Return what was marked in footage that the actor is viewing now, in its order; Refused as the watching is."""
    opened = require_open(uow, kind, footage_id, viewing_id, address=address)
    query = (
        select(CustodyEntry, Person.name, Item.position)
        .join(Person, Person.id == CustodyEntry.person_id)
        .join(Copy, Copy.id == CustodyEntry.copy_id)
        .join(Item, Item.id == Copy.item_id)
        .where(
            CustodyEntry.hand_over_id == opened.hand_over_id,
            CustodyEntry.copy_id == opened.copy_id,
            CustodyEntry.event.in_(EVENTS),
        )
    )
    derivative = opened.id if kind == "derivative" else None
    found = [
        _shown(entry, name, position)
        for entry, name, position in uow.session.execute(query)
        if entry.detail.get("derivative") == derivative
    ]
    return sorted(found, key=lambda one: (one.at_ms, one.seq))


def watermark(uow: UnitOfWork, number: str) -> str:
    """Return what a picture that is shown or kept is marked with: who sees it, for which case, and when."""
    name, department = uow.session.execute(
        select(Person.name, Department.name_zh)
        .join(Department, Department.id == Person.department_id)
        .where(Person.id == uow.actor.id)
    ).one()
    now = uow.now.astimezone(ZoneInfo(uow.rules.zone))
    return f"{name} · {department} · {number} · {now:%Y-%m-%d %H:%M} {_offset(now)}"


def _offset(moment: datetime) -> str:
    minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def _shown(entry: CustodyEntry, by: str, item: int) -> MarkedMoment:
    detail = entry.detail
    derivative = detail.get("derivative")
    footage = f"copies/{entry.copy_id}" if derivative is None else f"derivatives/{derivative}"
    return MarkedMoment(
        seq=entry.seq,
        kind="bookmark" if entry.event == BOOKMARKED else "still",
        at=datetime.fromisoformat(detail["at"]),
        at_ms=detail["atMs"],
        text=detail.get("text") or "",
        by=by,
        made_at=entry.at,
        item=item,
        redaction=detail.get("redaction"),
        number=detail.get("document"),
        picture=f"/api/{footage}/stills/{detail['still']}/picture" if "still" in detail else None,
    )
