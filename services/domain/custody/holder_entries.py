"""What the custodian writes into the custody log: copies or media moved, lent inside, checked (R47).

The log only grows: an entry is corrected by a further one. Lent inside is to viewers whom the signed form names (R57).
"""

from typing import Any, Literal, get_args

from services.database.tables.custody import CustodyEntry
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.custody import hand_overs, log, recipient_access
from services.runtime.errors import Refused

HolderEvent = Literal["moved", "lent", "checked"]
EVENTS: tuple[HolderEvent, ...] = get_args(HolderEvent)
MOST = 500  # entries of one loan


def write(
    uow: UnitOfWork,
    hand_over_id: str,
    event: HolderEvent,
    *,
    text: str,
    place: str | None = None,
    person_id: str | None = None,
) -> CustodyEntry:
    """Add an entry by the custodian, while the custodian holds the copies; lent are only those that open now.

    ``place``: where they are now, which ``moved`` needs. ``person_id``: to whom they are lent, which ``lent`` needs.
    Raises Refused for other people, after the return, for what is not filled in, and beyond ``MOST``.
    """
    hand_over = log.get_mine(uow, hand_over_id)
    hand_overs.require_held(hand_over)
    log.require_fewer(uow, hand_over_id, EVENTS, MOST)
    text, place = text.strip(), (place or "").strip()
    if not text:
        raise Refused("entry-text", "Describe what was done.", status=422, field="text")
    if event == "moved" and not place:
        raise Refused("entry-place", "Enter where the copies or media are now.", status=422, field="place")
    if (event == "lent") != (person_id is not None):
        raise Refused(
            "entry-person",
            "Choose the viewer who borrows the copies or media, and nobody for other entries.",
            status=422,
            field="personId",
        )
    detail: dict[str, Any] = {"text": text}
    if place:
        detail["place"] = place
    if person_id is not None:
        recipient_access.require_open(uow, hand_over)
        recipient_access.require_fit(uow, hand_over, person_id)
        detail["to"] = forms.person_to_json(uow, person_id)
    return log.append(uow, hand_over, event, person_id=uow.actor.id, **detail)
