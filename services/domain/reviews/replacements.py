"""What is retrieved again where copies have to be replaced: only what the filed form grants (R4, R29, R44)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Item
from services.database.tables.cameras import Camera
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.reviews.given_judgements import GivenReplacement
from services.runtime.errors import Refused
from services.runtime.spans import Span
from services.runtime.translations import Message, Text

STAGE, REPLACE = "problem", "replace"
FIELD = "replacements"


@dataclass(frozen=True)
class Approved:
    """One camera with one span that the filed form grants, by the id of its line."""

    item_id: str
    camera: Camera
    span: Span


@dataclass(frozen=True)
class Replacement:
    """An item whose copy is not what was approved, and the camera and span that are retrieved instead."""

    item_id: str
    camera_id: str
    span: Span

    def to_json(self) -> dict[str, Any]:
        return {
            "item": self.item_id,
            "camera": self.camera_id,
            "from": self.span.start.isoformat(),
            "to": self.span.end.isoformat(),
        }


def list_approved(uow: UnitOfWork, state: CaseState) -> list[Approved]:
    """List what the filed form of this round grants, by position."""
    if state.form is None:
        return []
    lines = {line["id"]: line for line in json.loads(state.form.content)["granted"]["items"]}
    query = select(Item).where(Item.id.in_(lines), Item.application_id == state.application.id)
    rows = uow.session.scalars(query.options(joinedload(Item.camera)).order_by(Item.position))
    return [Approved(row.id, row.camera, _span(lines[row.id]["from"], lines[row.id]["to"])) for row in rows]


def list_reported(matter: Matter, state: CaseState) -> list[str]:
    """List the items whose copy was reported, or all of the loan where none in particular was."""
    asked, lent = matter.facts["asked"], matter.facts["before"]["copies"]
    reported = {copy["item"] for copy in lent if asked.get("copyId") in (None, copy["id"])}
    return [item.id for item in state.items if item.id in reported] or [item.id for item in state.items]


def check(uow: UnitOfWork, matter: Matter, given: Sequence[GivenReplacement]) -> list[dict[str, Any]]:
    """Return each item that is wrong, with the camera and the span that replace it.

    Without any given it is the item of the reported copy, else all of them, retrieved again as approved. Refused for an
    item that the case does not have now, and for a camera or a span that was not approved.
    """
    state = permissions.read(uow, matter.application_id)
    items = {item.id: item for item in state.items}
    wanted = list(given) or [GivenReplacement(item_id) for item_id in list_reported(matter, state)]
    if len({one.item_id for one in wanted}) < len(wanted):
        raise refusal(Message("The same item is there twice: name it once."))
    approved = list_approved(uow, state)
    checked = []
    for one in wanted:
        item = items.get(one.item_id)
        if item is None:
            raise refusal(Message("The application has no item {item_id}.", item_id=one.item_id))
        granted = Span(item.granted_start or item.asked_start, item.granted_end or item.asked_end)
        span = Span(one.start or granted.start, one.end or granted.end)
        replacement = Replacement(item.id, one.camera_id or item.camera_id, span)
        if line_of(approved, replacement.camera_id, span) is None:
            raise refusal(
                Message(
                    "Item {position}: this camera with this time span was not approved. Choose within the approved "
                    "form; anything else needs a new application.",
                    position=item.position,
                )
            )
        checked.append(replacement.to_json())
    return sorted(checked, key=lambda line: items[line["item"]].position)


def read(judgement: dict[str, Any] | None) -> list[Replacement]:
    """Return what a signed answer has replaced."""
    lines = (judgement or {}).get(FIELD, ())
    return [Replacement(line["item"], line["camera"], _span(line["from"], line["to"])) for line in lines]


def line_of(approved: Sequence[Approved], camera_id: str, span: Span) -> str | None:
    """Return the line of the filed form within which the camera lies with the whole span; None where none grants it."""
    for line in approved:
        if line.camera.id == camera_id and line.span.start <= span.start < span.end <= line.span.end:
            return line.item_id
    return None


def refusal(message: Text) -> Refused:
    return Refused("replacement", message, status=422, field=FIELD)


def _span(start: str, end: str) -> Span:
    return Span(datetime.fromisoformat(start), datetime.fromisoformat(end))
