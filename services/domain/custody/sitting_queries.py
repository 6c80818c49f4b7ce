"""What the pages and the API of viewings on site read (R41, R56, R58)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import recipients
from services.domain.audit import trail as audit_trail
from services.domain.custody import (
    hand_overs,
    log,
    on_site,
    queries,
    recipient_access,
    sitting_documents,
    sitting_views,
    sittings,
)
from services.domain.custody.schemas import ShownPart, SittingOffer, SittingView, Visitor
from services.domain.stages.schema import Level
from services.runtime import stations
from services.runtime.errors import Refused

LEVEL: Level = "password"  # of the companion's signature


def get(uow: UnitOfWork, sitting_id: str) -> SittingView:
    """Return a sitting of a loan that the actor is custodian of; reading it is an event. NotFound for others."""
    sitting, hand_over = sittings.get_mine(uow, sitting_id)
    audit_trail.record(uow, "sitting-read", "sitting", sitting_id, application_id=sitting.application_id)
    application = uow.session.get_one(Application, sitting.application_id)
    of_item = joinedload(Copy.item).options(
        joinedload(Item.camera).joinedload(Camera.recorder), selectinload(Item.retrieval_record)
    )
    lent = select(Copy).where(Copy.hand_over_id == hand_over.id, Copy.discarded_at.is_(None))
    copies = uow.session.scalars(lent.options(of_item, selectinload(Copy.grants))).all()
    return SittingView(
        **sitting_views.line_of(uow, sitting),
        hand_over_id=hand_over.id,
        application_number=application.number or "",
        purpose=sitting.purpose,
        address=sitting.address,
        interval_seconds=sitting.interval_seconds,
        shown=[_shown(one) for one in sitting_documents.list_shown(uow, sitting)],
        copies=[queries.issued(copy, hand_over.custodian_id) for copy in copies],
        signs_with=list(signature_signing.methods(uow, LEVEL)),
    )


def get_offer(uow: UnitOfWork, hand_over_id: str, *, address: str) -> SittingOffer:
    """Return what a further sitting of the loan would begin with, seen from this address."""
    hand_over = log.get_mine(uow, hand_over_id, for_change=False)
    hand_overs.require_held(hand_over)
    if not on_site.holds_for(uow, hand_over):
        raise Refused("not-on-site", "This footage is not viewed on site: open it on the page of the hand-over.")
    application = uow.session.get_one(Application, hand_over.application_id)
    station = stations.find(stations.parse(uow.rules.viewing_stations), address)
    return SittingOffer(
        hand_over_id=hand_over.id,
        number=application.number or "",
        purpose=hand_over.purpose or application.purpose,
        address=address,
        station=station.said if station is not None else None,
        visitors=[
            *_viewers(uow, hand_over),
            *(sitting_views.outsider(one) for one in sittings.list_named(uow, application.id)),
        ],
    )


def _viewers(uow: UnitOfWork, hand_over: HandOver) -> list[Visitor]:
    """Return the viewers whom the signed form names, with what keeps one from being present now."""
    people = recipients.list_people(uow, recipients.list_signed(uow, hand_over.application_id))
    usernames = namesakes.get_usernames(uow, [person.id for person in people])
    found = []
    for person in people:
        if person.id == hand_over.custodian_id:
            continue
        hindrance = None
        try:
            recipient_access.require_fit(uow, hand_over, person.id)
        except Refused as refusal:
            hindrance = refusal
        found.append(
            Visitor(
                id=person.id,
                name=person.name,
                username=usernames.get(person.id),
                outsider=False,
                hindrance_zh=hindrance.zh if hindrance else None,
                hindrance_en=hindrance.en if hindrance else None,
            )
        )
    return found


def _shown(part: dict[str, object]) -> ShownPart:
    spans: list[list[str]] = part["spans"]  # type: ignore[assignment]  # as ``list_shown`` writes it
    return ShownPart(
        copy_id=str(part["copy"]),
        position=int(str(part["position"])),
        camera=str(part["camera"]),
        zone=str(part["zone"]),
        spans=[(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in spans],
    )
