"""The numbered medium on which footage goes out: one of the register, free, and from then on with who took it (R39).

The storage office keeps the register (``domain.storage.media``). A download or a disclosure names a medium by its
number, and the register shows who has it since: who took it, the next custodian, or people outside. What earlier
releases wrote about a medium are words, which name none of the register.
"""

from collections.abc import Collection

from sqlalchemy import and_, exists, or_, select

from services.database.tables.copies import Download
from services.database.tables.devices import IN, OUT, Medium, MediumEvent
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.people import Person
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused

HANDED_OUT, PROVIDED = "handed-out", "provided"
MOST_OFFERED = 200


def is_registered(uow: UnitOfWork, number: str) -> bool:
    """Return whether the register has a medium with this number."""
    return uow.session.scalar(select(Medium.id).where(Medium.number == number)) is not None


def list_offered(uow: UnitOfWork) -> list[tuple[str, str]]:
    """List the media that the actor can take, by number, each with where it lies: at its site, or with the actor."""
    mine = and_(Medium.state == OUT, Medium.holder_id == uow.actor.id)
    query = (
        select(Medium.number, Site.name)
        .join(Site, Site.id == Medium.site_id)
        .where(or_(mine, and_(Medium.state == IN, Site.closed_at.is_(None))))
        .order_by(Medium.state == IN, Medium.number)
        .limit(MOST_OFFERED)
    )
    return [(number, f"{number} · {site}") for number, site in uow.session.execute(query)]


def require_free(uow: UnitOfWork, number: str, *, field: str = "medium") -> Medium:
    """Return the medium with this number, locked; Refused where the actor cannot take it.

    It is not in the register, or out of use, or with somebody else, or at a site that is closed.
    """
    query = (
        select(Medium, Site.closed_at, Person.name)
        .join(Site, Site.id == Medium.site_id)
        .outerjoin(Person, Person.id == Medium.holder_id)
        .where(Medium.number == number)
        .with_for_update(of=Medium)  # somebody else may take it at the same moment
        .execution_options(populate_existing=True)
    )
    found = uow.session.execute(query).one_or_none()
    if found is None:
        raise Refused(
            "medium-unknown",
            "No medium has the number {number}: read it again, or have the storage office register the medium.",
            status=422,
            field=field,
            number=number,
        )
    medium, closed_at, holder = found
    if medium.state not in (IN, OUT):
        raise Refused(
            "medium-out-of-use",
            "The medium {number} is out of use: choose another one.",
            status=422,
            field=field,
            number=number,
        )
    if medium.state == OUT and medium.holder_id != uow.actor.id:
        raise Refused(
            "medium-elsewhere",
            "The medium {number} is with {holder}: choose another one, or have it scanned when it is back.",
            status=422,
            field=field,
            number=number,
            holder=holder or "",
        )
    if medium.state == IN and closed_at is not None:
        raise Refused(
            "medium-site-closed",
            "The medium {number} belongs to a site that is closed: choose another one.",
            status=422,
            field=field,
            number=number,
        )
    return medium


def take(
    uow: UnitOfWork, number: str, *, for_what: str, hand_over_id: str | None = None, disclosure_id: str | None = None
) -> None:
    """Take a medium for a download of this loan, or a file of this disclosure; the register shows it with the actor.

    Refused where the actor cannot take it, and where it has footage of something else since it was taken.
    """
    medium = require_free(uow, number)
    if medium.state == OUT:
        if _is_used(uow, medium, hand_over_id, disclosure_id):
            raise Refused(
                "medium-used",
                "The medium {number} has footage of something else on it: give it back first, or choose another one.",
                status=422,
                field="medium",
                number=number,
            )
        return
    medium.state, medium.holder_id, medium.out_since = OUT, uow.actor.id, uow.now
    enter(uow, medium, HANDED_OUT, note=for_what)


def hand_on(uow: UnitOfWork, numbers: Collection[str], former: str, to: str, *, for_what: str) -> None:
    """Let the register show these media with the next custodian, who signed for them, as far as the former has them."""
    query = select(Medium).where(Medium.number.in_(numbers), Medium.state == OUT, Medium.holder_id == former)
    for medium in uow.session.scalars(query.order_by(Medium.number).with_for_update()) if numbers else ():
        medium.holder_id = to
        enter(uow, medium, HANDED_OUT, note=for_what, by=to)


def provide(uow: UnitOfWork, number: str, *, for_what: str) -> None:
    """Take a medium out of the register that people outside have signed for; one that is out of it stays so."""
    medium = uow.session.scalar(select(Medium).where(Medium.number == number).with_for_update())
    if medium is None or medium.state not in (IN, OUT):
        return
    holder, medium.state, medium.holder_id, medium.out_since = medium.holder_id, PROVIDED, None, None
    enter(uow, medium, PROVIDED, note=for_what, holder_id=holder)


def enter(
    uow: UnitOfWork, medium: Medium, event: str, *, note: str = "", holder_id: str | None = None, by: str | None = None
) -> None:
    """Write what became of a medium.

    ``holder_id``: who had it, where that is nobody any more; ``by``: whose act it is, where the system carries it out.
    """
    holder = holder_id or medium.holder_id
    row = MediumEvent(medium_id=medium.id, event=event, at=uow.now, by=by or uow.actor.id, holder_id=holder)
    row.note = note or None
    uow.session.add(row)
    audit_trail.record(uow, f"medium-{event}", "medium", medium.id, number=medium.number, holder=holder)


def _is_used(uow: UnitOfWork, medium: Medium, hand_over_id: str | None, disclosure_id: str | None) -> bool:
    """Return whether something else than this loan or disclosure was written to it since it is out."""
    of_loan = select(Download.id).where(
        Download.medium == medium.number,
        Download.asked_at >= medium.out_since,
        Download.hand_over_id != (hand_over_id or ""),
    )
    of_disclosure = select(DisclosureDownload.id).where(
        DisclosureDownload.medium == medium.number,
        DisclosureDownload.asked_at >= medium.out_since,
        DisclosureDownload.disclosure_id != (disclosure_id or ""),
    )
    return bool(uow.session.scalar(select(or_(exists(of_loan), exists(of_disclosure)))))
