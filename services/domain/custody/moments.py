"""Moments of a copy that people mark while they watch it: bookmarks with words, and where a moment lies (R41, R47).

A bookmark is an entry of the custody log, so nobody removes it; a further one corrects it. Who may watch the copy now
makes and reads them, under an open viewing of the own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import grants, log, playlist, viewings
from services.domain.custody.schemas import MarkedMoment
from services.runtime.errors import Refused
from services.vault.coverage import Coverage, Fragment, Part, fragments_from_json

BOOKMARKED = "bookmarked"
STILL_SAVED = "still-saved"
EVENTS = (BOOKMARKED, STILL_SAVED)
MOST = 500  # bookmarks of one loan
EDGE_MS = 100  # by which a player may be behind the end of a fragment


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


def add_bookmark(
    uow: UnitOfWork, copy_id: str, viewing_id: str, *, at_ms: int, text: str, address: str | None
) -> CustodyEntry:
    """Enter a bookmark in the custody log; Refused as the watching is, without words, and beyond ``MOST``."""
    viewings.lock_loan(uow, copy_id)
    opened, _ = viewings.require_open(uow, copy_id, viewing_id, address=address)
    words = require_words(text)
    place = locate(opened.sealed, at_ms)
    log.require_fewer(uow, opened.hand_over_id, (BOOKMARKED,), MOST)
    return log.append(
        uow,
        uow.session.get_one(HandOver, opened.hand_over_id),
        BOOKMARKED,
        person_id=uow.actor.id,
        copy_id=copy_id,
        text=words,
        at=written(uow, copy_id, place.at),
        atMs=at_ms,
    )


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


def get_list(uow: UnitOfWork, copy_id: str, viewing_id: str, *, address: str | None) -> list[MarkedMoment]:
    """Return what was marked in a copy that the actor is viewing now; Refused as the watching is."""
    opened, _ = viewings.require_open(uow, copy_id, viewing_id, address=address)
    return list_of(uow, opened)


def list_of(uow: UnitOfWork, opened: grants.OpenedCopy) -> list[MarkedMoment]:
    """Return what was marked in a copy that is open to the actor, in the order of the footage."""
    query = (
        select(CustodyEntry, Person.name)
        .join(Person, Person.id == CustodyEntry.person_id)
        .where(
            CustodyEntry.hand_over_id == opened.hand_over_id,
            CustodyEntry.copy_id == opened.copy_id,
            CustodyEntry.event.in_(EVENTS),
        )
    )
    found = [_shown(entry, name) for entry, name in uow.session.execute(query)]
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


def _shown(entry: CustodyEntry, by: str) -> MarkedMoment:
    detail = entry.detail
    return MarkedMoment(
        seq=entry.seq,
        kind="bookmark" if entry.event == BOOKMARKED else "still",
        at=datetime.fromisoformat(detail["at"]),
        at_ms=detail["atMs"],
        text=detail.get("text") or "",
        by=by,
        made_at=entry.at,
        number=detail.get("document"),
        picture=f"/api/copies/{entry.copy_id}/stills/{detail['still']}/picture" if "still" in detail else None,
    )
