"""Serve deliveries of notices to administrators: list, retry, send a test."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import deliveries, delivery_queries
from services.domain.notifications.channels.errors import ERRORS
from services.domain.notifications.delivery_queries import DeliveryRow
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, ListParameters, Moment

router = APIRouter(prefix="/api/deliveries", tags=["administration"])

State = Literal["open", "waiting", "failed", "delivered"]


class DeliveriesQuestion(ListParameters):
    """``text`` is searched in notices, recipients, and the server's answers."""

    sort: delivery_queries.Sort = "created"
    order: Literal["asc", "desc"] = "desc"
    state: State = "open"


class DeliveryAnswer(Answer):
    """``errorZh`` and ``errorEn`` say what to do; ``lastDetail`` is the server's answer.

    ``robot`` is the name of the chat group's robot, ``robotAddress`` what is shown of its address.
    """

    id: str
    channel: str
    state: str
    code: str
    zh: str
    en: str
    person_id: str
    person: str
    email: str | None
    attempts: int
    created_at: Moment
    next_at: Moment
    delivered_at: Moment | None
    given_up_at: Moment | None
    last_error: str | None
    last_detail: str | None
    robot: str | None
    robot_address: str | None
    error_zh: str | None = None
    error_en: str | None = None


class DeliveriesAnswer(Answer):
    """``channels`` are those that are set; the totals count all deliveries, not only the list."""

    channels: list[str]
    waiting: int
    failed: int
    delivered: int
    deliveries: list[DeliveryAnswer]


class ChannelBody(Body):
    channel: Literal["mail", "webhook"]


class TestNoticeAnswer(Answer):
    notice_id: str


class RetriedAnswer(Answer):
    retried: int


def answer_of(line: DeliveryRow) -> DeliveryAnswer:
    answer = DeliveryAnswer.model_validate(line)
    if line.last_error is not None:
        error = ERRORS.get(line.last_error, ERRORS["sender-failed"])
        answer.error_zh, answer.error_en = error.zh, error.en
    return answer


@router.get("", responses=problems(401, 403))
async def list_deliveries(
    question: Annotated[DeliveriesQuestion, Query()], actor: Acting, database: GivenDatabase
) -> DeliveriesAnswer:
    """The deliveries in a state, the newest first; ``open`` are all that have not arrived. Administrators only."""

    def read(uow: UnitOfWork) -> DeliveriesAnswer:
        lines = delivery_queries.list_deliveries(uow, question.state, question.listing())
        return DeliveriesAnswer(
            channels=list(deliveries.channels_in_use(uow)),
            **delivery_queries.count_by_state(uow),
            deliveries=[answer_of(line) for line in lines],
        )

    return await database.read(actor, read)


@router.post("/retry", responses=problems(401, 403))
async def retry_failed(actor: Acting, database: GivenDatabase) -> RetriedAnswer:
    """Send all anew that were given up. Administrators only."""
    return RetriedAnswer(retried=await database.run(actor, delivery_queries.retry_failed))


@router.post("/test", responses=problems(401, 403, 409))
async def try_channel(body: ChannelBody, actor: Acting, database: GivenDatabase) -> TestNoticeAnswer:
    """Send a test notice to oneself by one channel. Administrators only."""
    return TestNoticeAnswer(notice_id=(await database.run(actor, delivery_queries.send_test, body.channel)).id)


@router.post("/{delivery_id}/retry", responses=problems(401, 403, 404, 409))
async def retry(delivery_id: str, actor: Acting, database: GivenDatabase) -> DeliveryAnswer:
    """Send one anew, now. Administrators only."""
    return answer_of(await database.run(actor, delivery_queries.retry_delivery, delivery_id))
