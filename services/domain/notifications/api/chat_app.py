"""Serve the chat app to administrators: what is set, set another, test, end."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, SecretStr

from services.domain.notifications import chat_apps
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Moment

router = APIRouter(prefix="/api/admin/chat-app", tags=["administration"])


class ChatAppBody(Body):
    """``account``: the corp id (WeCom), app key (DingTalk) or app id (Feishu); ``agent``: AgentId or robot code.

    ``idType``: what the ids of people are in Feishu. ``address``: of a service of one's own, else the public one.
    """

    kind: chat_apps.Kind
    account: Annotated[str, Field(min_length=2, max_length=128)]
    agent: Annotated[str | None, Field(max_length=128)] = None
    id_type: chat_apps.IdType | None = None
    secret: Annotated[SecretStr, Field(min_length=1, max_length=500)]
    address: Annotated[str | None, Field(max_length=300)] = None


class UnknownPersonAnswer(Answer):
    id: str
    name: str
    chat_id: str


class ChatAppAnswer(Answer):
    """The app in use; without ``kind`` there is none.

    ``reached``: how many of the active people have an id. ``unknown``: those whom the app does not know.
    """

    kind: str | None = None
    address: str | None = None
    account: str | None = None
    agent: str | None = None
    id_type: str | None = None
    set_by: str | None = None
    set_at: Moment | None = None
    waiting: int = 0
    reached: int = 0
    people: int = 0
    unknown: list[UnknownPersonAnswer] = Field(default_factory=list)


class ChatAppTestAnswer(Answer):
    notice_id: str


@router.get("", responses=problems(401, 403))
async def read(actor: Acting, database: GivenDatabase) -> ChatAppAnswer:
    """Return the app in use, without its secret. Administrators only."""
    return answer_of(await database.read(actor, chat_apps.get_view))


@router.put("", responses=problems(401, 403, 422))
async def set_app(body: ChatAppBody, actor: Acting, database: GivenDatabase, settings: GivenSettings) -> ChatAppAnswer:
    """Set the app. Administrators only; the head of Security and the supervisors are told."""
    await database.run(actor, chat_apps.set_app, new_of(body, settings.allowed_networks))
    return answer_of(await database.read(actor, chat_apps.get_view))


@router.post("/test", responses=problems(401, 403, 409))
async def send_test(actor: Acting, database: GivenDatabase) -> ChatAppTestAnswer:
    """Send a test notice to oneself by the app. Administrators only."""
    return ChatAppTestAnswer(notice_id=(await database.run(actor, chat_apps.send_test)).id)


@router.delete("", status_code=204, responses=problems(401, 403, 409))
async def end(actor: Acting, database: GivenDatabase) -> None:
    """End the app that was set; notices are mailed again. Administrators only."""
    await database.run(actor, chat_apps.end)


def answer_of(view: chat_apps.AppView | None) -> ChatAppAnswer:
    """Return what is in use."""
    return ChatAppAnswer() if view is None else ChatAppAnswer.model_validate(view)


def new_of(body: ChatAppBody, networks: str | None) -> chat_apps.NewApp:
    """Return what a body asks for."""
    return chat_apps.NewApp(
        kind=body.kind,
        account=body.account.strip(),
        agent=(body.agent or "").strip() or None,
        id_type=body.id_type,
        secret=body.secret.get_secret_value(),
        address=body.address,
        networks=networks,
    )
