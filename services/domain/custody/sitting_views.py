"""Sittings as their companion sees them, and whom a further one may have present (R56, R58)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Person
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import on_site
from services.domain.custody.schemas import SittingLine, Visitor


def list_of_all(uow: UnitOfWork, hand_overs: Sequence[HandOver]) -> Mapping[str, list[SittingLine]]:
    """Return the sittings of each loan, the newest first; one statement for all of them."""
    found: dict[str, list[SittingLine]] = defaultdict(list)
    if hand_overs:
        query = select(Sitting).where(Sitting.hand_over_id.in_([row.id for row in hand_overs]))
        for sitting in uow.session.scalars(query.order_by(Sitting.opened_at.desc(), Sitting.number.desc())):
            found[sitting.hand_over_id].append(SittingLine(**line_of(uow, sitting)))
    return found


def line_of(uow: UnitOfWork, sitting: Sitting) -> dict[str, Any]:
    """Return the fields of a sitting's line."""
    live = on_site.is_live(uow, sitting)
    people, outsiders = sitting.present["people"], sitting.present["outsiders"]
    return {
        "id": sitting.id,
        "number": sitting.number,
        "state": "ended" if sitting.closed_at else "open" if live else "lapsed",
        "station": sitting.station,
        "opened_at": sitting.opened_at,
        "closes_at": on_site.ends_at(sitting),
        "closed_at": sitting.closed_at,
        "visitors": [
            *(Visitor(id=one["id"], name=one["name"], outsider=False) for one in people),
            *(outsider(one) for one in outsiders),
        ],
    }


def outsider(person: Mapping[str, Any]) -> Visitor:
    """Return a person outside, as the signed form names them."""
    return Visitor(
        id=person["id"],
        name=person["name"],
        outsider=True,
        unit=person["unit"],
        card_kind=person["cardKind"],
        card_tail=person["cardTail"],
    )


def office_of(uow: UnitOfWork) -> str | None:
    """Return the office to which the acting person returns copies: the own department, where it takes them."""
    query = select(Department.kind).join(Person, Person.department_id == Department.id)
    kind = uow.session.scalar(query.where(Person.id == uow.actor.id))
    return kind if kind in ("security", "storage") else None
