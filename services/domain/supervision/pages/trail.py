"""The pages of the audit trail: the list with filters, and one event with its place in the tree (R62)."""

import json
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.domain.cases import event_messages
from services.domain.cases.event_messages import EVENT_MESSAGES
from services.domain.supervision import event_fields, trail_reader
from services.domain.supervision.api.audit import PAGE
from services.domain.supervision.audit_schemas import TrailLine
from services.domain.supervision.trail_messages import TRAIL_MESSAGES
from services.domain.supervision.trail_reader import TrailSearch
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import days
from services.web.dependencies import GivenDatabase
from services.web.schemas import PlaceText, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision/audit")
UNFILLED = "…"
MESSAGES = {**EVENT_MESSAGES, **TRAIL_MESSAGES}


class TrailQuery(BaseModel):
    """What the address asks for, as it was typed."""

    person: SearchText = ""
    action: str = Field("", max_length=64)
    number: SearchText = ""
    since: str = Field("", max_length=32)
    until: str = Field("", max_length=32)
    looks: bool = False
    place: PlaceText = ""

    @property
    def narrowed(self) -> bool:
        """Whether the list is filtered, so that the whole one is longer."""
        return any((self.person, self.action, self.number, self.since, self.until))

    def query(self) -> str:
        """Return the query string without the place."""
        given = self.model_dump(exclude={"place"}, exclude_defaults=True)
        return urlencode({name: str(value).lower() if value is True else value for name, value in given.items()})

    def search(self, zone: str) -> TrailSearch:
        """Return it as a search; Refused where a day is none."""
        return TrailSearch(
            person=self.person,
            action=self.action if self.action in MESSAGES else "",
            number=self.number,
            since=days.optional(self.since, zone, "since"),
            until=days.optional(self.until, zone, "until", last=True),
            looks=self.looks,
        )


@router.get("")
async def list_events(visitor: Visiting, database: GivenDatabase, wanted: Annotated[TrailQuery, Query()]) -> Response:
    """Return the audit trail, the newest event first."""
    refusal = None
    try:
        search = wanted.search(visitor.zone)
    except Refused as refused:
        refusal, search = refused, wanted.model_copy(update={"since": "", "until": ""}).search(visitor.zone)
    found = await database.read(
        visitor.actor, lambda uow: trail_reader.read_page(uow, search, limit=PAGE, place=wanted.place)
    )
    return visitor.page(
        "supervision/trail.html",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        wanted=wanted,
        found=found,
        what=lambda line: describe(visitor, line),
        actions=_actions(visitor),
    )


@router.get("/{seq}")
async def show_event(seq: int, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return one event with its details and its place in the tree."""
    event = await database.read(visitor.actor, trail_reader.read_event, seq)
    return visitor.page(
        "supervision/event.html",
        event=event,
        what=describe(visitor, event),
        subject=event_fields.SUBJECTS.get(event.subject_kind),
        details=event_fields.fields_of(event.detail, event.action),
        raw=json.dumps(event.detail, ensure_ascii=False, indent=1, sort_keys=True),
    )


def describe(visitor: Visitor, line: TrailLine) -> str:
    """Return what happened, in the visitor's language."""
    return event_messages.describe(visitor.language, line.action, line.detail, visitor.zone, MESSAGES)


def _actions(visitor: Visitor) -> list[tuple[str, str]]:
    """Return the actions to choose from, by their sentences, in which dots stand for each detail."""
    named = [(action, _unfilled(visitor, action, message)) for action, message in MESSAGES.items()]
    return sorted(named, key=lambda pair: pair[1])


def _unfilled(visitor: Visitor, action: str, message: Message) -> str:
    sentence = message.translate(visitor.language).format_map(_Unfilled())
    if not sentence.startswith(UNFILLED):
        return sentence
    subject = Message("Matter") if action.startswith("matter-") else Message("Review")
    return subject.translate(visitor.language) + sentence.removeprefix(UNFILLED)


class _Unfilled(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return UNFILLED
