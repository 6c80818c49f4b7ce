"""Show administrators which notices were not delivered, why, and what to do (F25)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.notifications import delivery_queries
from services.domain.notifications.api.deliveries import ChannelBody, State
from services.domain.notifications.channels.errors import ERRORS
from services.domain.notifications.deliveries import APP, MAIL, channels_in_use, kind_of
from services.domain.notifications.delivery_queries import DeliveryRow
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.csv import Cell
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()

PATH = "/admin/notices"
CHANNELS = {"webhook": "Webhook", "robot": "Chat group", "app": "Chat app"}


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(delivery_queries.Sort)
    FALLING: ClassVar = frozenset({"created", "attempts"})
    LENGTH: ClassVar = 20

    state: State = "open"


@router.get(PATH)
async def list_deliveries(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    return await _page(visitor, database, query)


@router.post(f"{PATH}/retry")
async def retry_failed(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    count = await database.run(visitor.actor, delivery_queries.retry_failed)
    return visitor.redirect(PATH, Message("{count} queued again; they will be sent shortly.", count=count))


@router.post(f"{PATH}/test")
async def send_test(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Send a test notice to oneself."""
    try:
        await database.run(visitor.actor, delivery_queries.send_test, typed.body(ChannelBody).channel)
    except Refused as refusal:
        return await _page(visitor, database, ListQuery(), refusal=refusal, typed=typed)
    return visitor.redirect(
        f"{PATH}?state=delivered",
        Message("The test notice is being sent: it is listed here when delivered, otherwise under “Not delivered”."),
    )


@router.post(f"{PATH}/{{delivery_id}}/retry")
async def retry(delivery_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    try:
        await database.run(visitor.actor, delivery_queries.retry_delivery, delivery_id)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(visitor, database, ListQuery(), refusal=refusal, typed=typed)
    return visitor.redirect(PATH, Message("Queued again; it will be sent shortly."))


async def _page(
    visitor: Visitor,
    database: Database,
    query: ListQuery,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    if refusal is not None and refusal.status == 403:
        raise refusal

    def read(uow: UnitOfWork) -> tuple[list[DeliveryRow], dict[str, int], tuple[str, ...]]:
        lines = delivery_queries.list_deliveries(uow, query.state, query.listing(visitor.language))
        return lines, delivery_queries.count_by_state(uow), channels_in_use(uow)

    lines, totals, channels = await database.read(visitor.actor, read)
    if query.as_csv:
        return _csv(visitor, lines)
    return visitor.page(
        "notifications/deliveries.html",
        status=200 if refusal is None else refusal.status,
        totals=totals,
        channels=channels,
        errors=ERRORS,
        refusal=refusal,
        typed=typed,
        **query.shown(lines),
    )


def _recipient(visitor: Visitor, line: DeliveryRow) -> str:
    kind = kind_of(line.channel)
    if kind == MAIL:
        return line.email or line.person
    named = visitor.translated(CHANNELS[kind])
    if line.robot is not None:
        return f"{named}: {line.robot} ({line.robot_address})"
    return f"{line.person} ({named})" if kind == APP else named


def _csv(visitor: Visitor, lines: Sequence[DeliveryRow]) -> Response:
    _ = visitor.translated
    states = {
        "waiting": _("waiting"),
        "failed": _("not delivered"),
        "delivered": _("delivered"),
    }
    header = [
        _("Notice"), _("When"), _("Recipient"), _("Status"), _("Attempts and times"), _("Reason and what to do"),
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for line in lines:
        why = (
            ERRORS.get(line.last_error, ERRORS["sender-failed"]).translate(visitor.language) if line.last_error else ""
        )
        rows.append(
            [
                line.message.translate(visitor.language),
                lists.written(visitor, line.created_at),
                _recipient(visitor, line),
                states.get(line.state, _("read in the portal")),
                line.attempts,
                why,
            ]
        )
    return lists.csv_answer(visitor, _("Delivery of notices"), header, rows)
