"""Sittings of a viewing on site: begun with who is present, confirmed by the companion, signed at the end (R41, R56).

The companion is the custodian. People of the organisation who are present are named in the signed form as viewers, the
people outside as those for whom it was asked, and their cards are checked at the door.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.access.queries import get_names, require_agreement
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms, outsiders
from services.domain.audit import trail as audit_trail
from services.domain.custody import hand_overs, log, on_site, recipient_access, sitting_documents, viewings
from services.domain.documents import service as document_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text

DOCUMENT = sitting_documents.KIND
LEFT = "left"
MOST_POINTS = 3000  # of one drawn signature
MOST_STROKES = 60
LEAST_POINTS = 8
WIDTH, HEIGHT = 600, 200  # of the field in which it is drawn
MOST_TEXT = 500

Strokes = Sequence[Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Present:
    """Who is there: viewers by person, people outside by their entry in the application; whose cards were checked."""

    person_ids: tuple[str, ...] = ()
    outsider_ids: tuple[str, ...] = ()
    checked_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leave:
    """How a visitor signs when leaving: drawn on the screen, or by hand on the printed sheet."""

    visitor_id: str
    how: Literal["drawn", "sheet"]
    strokes: Strokes = field(default=())


def begin(
    uow: UnitOfWork, hand_over_id: str, *, present: Present, purpose_confirmed: bool, address: str | None
) -> Sitting:
    """Begin a sitting at the station where the custodian is (R41, R56, R58).

    Refused anywhere else, for anybody whom the signed form does not name, without a checked card of each person
    outside, and while another sitting of the loan, or of the companion, has not ended.
    """
    hand_over = log.get_mine(uow, hand_over_id)
    hand_overs.require_held(hand_over)
    if not on_site.holds_for(uow, hand_over):
        raise Refused("not-on-site", "This footage is not viewed on site: open it on the page of the hand-over.")
    on_site.require_companion(uow, uow.actor.id)
    station = on_site.require_station(uow, address)
    recipient_access.require_open(uow, hand_over)
    require_agreement(uow, uow.actor.id)
    _require_no_other(uow, hand_over)
    people = [_viewer(uow, hand_over, person_id) for person_id in dict.fromkeys(present.person_ids)]
    outsiders = _outsiders(uow, hand_over, present)
    if not people and not outsiders:
        raise _missing("present", Message("Enter who is present besides you."))
    viewings.require_confirmed(purpose_confirmed)
    application = uow.session.get_one(Application, hand_over.application_id)
    sitting = Sitting(
        id=new_id(),
        number=document_service.next_number(uow, DOCUMENT),
        application_id=application.id,
        hand_over_id=hand_over.id,
        companion_id=uow.actor.id,
        station=station.said,
        address=str(address),
        purpose=hand_over.purpose or application.purpose,
        present={"people": people, "outsiders": outsiders},
        opened_at=uow.now,
        confirmed_at=uow.now,
        interval_seconds=int(uow.rules.companion_interval.total_seconds()),
    )
    uow.session.add(sitting)
    log.append(
        uow,
        hand_over,
        "sitting-opened",
        person_id=uow.actor.id,
        sitting=sitting.number,
        place=sitting.station,
        present=[one["name"] for one in (*people, *outsiders)],
    )
    return sitting


def confirm(uow: UnitOfWork, sitting_id: str, *, address: str | None) -> Sitting:
    """Confirm for the companion, at the station, that the companion is present; the time begins anew."""
    sitting, hand_over = _mine(uow, sitting_id)
    if sitting.closed_at is not None:
        raise _ended()
    if on_site.require_sitting(uow, hand_over, address).id != sitting.id:
        raise _ended()
    sitting.confirmed_at = uow.now
    audit_trail.record(uow, "companion-present", "sitting", sitting.id, application_id=sitting.application_id)
    return sitting


def end(uow: UnitOfWork, sitting_id: str, *, leaves: Sequence[Leave], note: str, proof: Proof) -> Sitting:
    """End a sitting: everybody has left, and companion and visitors sign (R47, R56). Nothing is shown afterwards.

    One that has closed by itself is signed as well: its sheet says so.
    """
    sitting, hand_over = _mine(uow, sitting_id)
    if sitting.closed_at is not None:
        return sitting
    if len(note) > MOST_TEXT:
        raise _missing("note", Message("This text is too long: shorten it."))
    departure = {"visitors": _departures(sitting, leaves), "note": note.strip() or None}
    statement = {
        "kind": "sitting",
        "sitting": sitting.number,
        "handOver": hand_over.id,
        "person": uow.actor.id,
        "openedAt": sitting.opened_at.isoformat(),
        "closedAt": signature_signing.signing_moment(uow, proof).isoformat(),
        "closedItselfAt": sitting_documents.closed_itself_at(uow, sitting),
        "station": sitting.station,
        "present": sitting.present,
        "departure": departure,
        "shown": sitting_documents.list_shown(uow, sitting),
    }
    signed = signature_signing.sign(uow, statement, proof, while_held=True)
    sitting.closed_at, sitting.closed_by, sitting.closed_as = uow.now, uow.actor.id, LEFT
    sitting.departure = departure
    sitting.statement_sha256, sitting.signature = signed.sha256, signed.signature
    log.append(
        uow,
        hand_over,
        "sitting-closed",
        person_id=uow.actor.id,
        sitting=sitting.number,
        statement_sha256=signed.sha256,
    )
    audit_trail.record(
        uow,
        "sitting-signed",
        "sitting",
        sitting.id,
        application_id=sitting.application_id,
        number=sitting.number,
        **signed.event_fields,
    )
    sitting_documents.write(uow, sitting)
    if sitting.present["outsiders"]:
        outsiders.record_answer(uow, uow.session.get_one(Application, sitting.application_id), "viewed-on-site")
    return sitting


def get_mine(uow: UnitOfWork, sitting_id: str) -> tuple[Sitting, HandOver]:
    """Return a sitting of a loan that the actor is custodian of now; NotFound for everybody else."""
    return _mine(uow, sitting_id, for_change=False)


def list_named(uow: UnitOfWork, application_id: str) -> list[dict[str, Any]]:
    """List the people outside whom the newest signed form names, as it shows them."""
    revision = forms.current_revision(uow, application_id)
    behalf = revision.form.get("onBehalf") if revision is not None else None
    return list(behalf["outsiders"]) if behalf else []


def _mine(uow: UnitOfWork, sitting_id: str, *, for_change: bool = True) -> tuple[Sitting, HandOver]:
    sitting = uow.session.get(Sitting, sitting_id)
    if sitting is None:
        raise NotFound(Message("viewing on site"), sitting_id)
    try:
        hand_over = log.get_mine(uow, sitting.hand_over_id, for_change=for_change)
    except NotFound as hidden:
        raise NotFound(Message("viewing on site"), sitting_id) from hidden
    if for_change:
        uow.session.refresh(sitting)
    return sitting, hand_over


def _require_no_other(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Raise Refused while the loan has a sitting, or its companion accompanies another one: nobody is in two rooms."""
    if on_site.find_unclosed(uow, hand_over.id) is not None:
        raise Refused("sitting-open", "A viewing on site is not ended: sign its end, then begin another one.")
    # Of two that the same person begins at once, for two loans, the second sees the first.
    uow.session.get_one(Person, uow.actor.id, with_for_update={"key_share": True})
    query = select(Sitting).where(Sitting.companion_id == uow.actor.id, Sitting.closed_at.is_(None))
    if any(on_site.is_live(uow, other) for other in uow.session.scalars(query)):
        raise Refused("companion-elsewhere", "You are accompanying another viewing on site: end it first.")


def _viewer(uow: UnitOfWork, hand_over: HandOver, person_id: str) -> dict[str, Any]:
    recipient_access.require_fit(uow, hand_over, person_id)
    return {"id": person_id, "name": get_names(uow, [person_id])[person_id]}


def _outsiders(uow: UnitOfWork, hand_over: HandOver, present: Present) -> list[dict[str, Any]]:
    named = {person["id"]: person for person in list_named(uow, hand_over.application_id)}
    chosen = list(dict.fromkeys(present.outsider_ids))
    if not set(chosen) <= named.keys():
        raise Refused(
            "outsider-not-named",
            "Only people outside named in the application may be present: choose among them.",
            status=422,
            field="outsiderIds",
        )
    if not set(chosen) <= set(present.checked_ids):
        raise Refused(
            "card-unchecked",
            "Compare the card of each person outside who is present with the person, then mark it as checked.",
            status=422,
            field="checkedIds",
        )
    return [{**named[outsider_id], "cardChecked": True} for outsider_id in chosen]


def _departures(sitting: Sitting, leaves: Sequence[Leave]) -> list[dict[str, Any]]:
    visitors = [*sitting.present["people"], *sitting.present["outsiders"]]
    given = {leave.visitor_id: leave for leave in leaves}
    if given.keys() != {one["id"] for one in visitors} or len(given) != len(leaves):
        raise _missing("leaves", Message("Enter for each visitor how the visitor has signed."))
    return [_departure(one, given[one["id"]]) for one in visitors]


def _departure(visitor: dict[str, Any], leave: Leave) -> dict[str, Any]:
    strokes = [[[int(x), int(y)] for x, y in stroke] for stroke in leave.strokes] if leave.how == "drawn" else []
    points = sum(map(len, strokes))
    inside = all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for stroke in strokes for x, y in stroke)
    if leave.how == "drawn" and not (LEAST_POINTS <= points <= MOST_POINTS and len(strokes) <= MOST_STROKES and inside):
        raise Refused(
            "signature-unreadable",
            "The drawn signature of {name} is missing or cannot be read: draw it again, or sign on the printed sheet.",
            status=422,
            field="leaves",
            name=visitor["name"],
        )
    return {"id": visitor["id"], "name": visitor["name"], "how": leave.how, "strokes": strokes}


def _ended() -> Refused:
    return Refused("sitting-ended", "This viewing on site has ended: begin another one.")


def _missing(field_name: str, message: Text) -> Refused:
    return Refused("missing", message, status=422, field=field_name)
