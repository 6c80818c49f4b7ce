"""Serve the robots of chat groups to administrators: list, add, test, end."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, SecretStr

from services.domain.notifications import robots
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.language import KnownLanguage
from services.web.schemas import Answer, Body, Identifier, Moment

router = APIRouter(prefix="/api/admin/robots", tags=["administration"])


class RobotBody(Body):
    """``webhook``: the address in the robot's settings; ``secret`` of DingTalk and Feishu, whose signing is on."""

    kind: robots.Kind
    name: Annotated[str, Field(min_length=1, max_length=60)]
    language: KnownLanguage = "zh"
    webhook: Annotated[SecretStr, Field(max_length=500)]
    secret: Annotated[SecretStr, Field(max_length=200)] = SecretStr("")


class RobotAnswer(Answer):
    """``shown``: the host and the last four characters of the token; ``waiting``: notices to be sent."""

    id: str
    kind: str
    name: str
    language: str
    shown: str
    signed: bool
    added_at: Moment
    waiting: int


class RobotsAnswer(Answer):
    robots: list[RobotAnswer]


class RobotTestAnswer(Answer):
    notice_id: str


@router.get("", responses=problems(401, 403))
async def list_robots(actor: Acting, database: GivenDatabase) -> RobotsAnswer:
    """List the robots in use. Administrators only."""
    rows = await database.read(actor, robots.list_robots)
    return RobotsAnswer(robots=[RobotAnswer.model_validate(row) for row in rows])


@router.post("", responses=problems(401, 403, 409, 422))
async def add(body: RobotBody, actor: Acting, database: GivenDatabase, settings: GivenSettings) -> RobotAnswer:
    """Add a robot. Administrators only; the head of Security and the supervisors are told."""
    return RobotAnswer.model_validate(await database.run(actor, robots.add, new_of(body, settings.allowed_networks)))


@router.post("/{robot_id}/test", responses=problems(401, 403, 404))
async def send_test(robot_id: Identifier, actor: Acting, database: GivenDatabase) -> RobotTestAnswer:
    """Send a test notice by one robot. Administrators only."""
    return RobotTestAnswer(notice_id=(await database.run(actor, robots.send_test, robot_id)).id)


@router.delete("/{robot_id}", status_code=204, responses=problems(401, 403, 404))
async def end(robot_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """End a robot; its group is told so last. Administrators only."""
    await database.run(actor, robots.end, robot_id)


def new_of(body: RobotBody, networks: str | None) -> robots.NewRobot:
    """Return what a body asks for."""
    return robots.NewRobot(
        kind=body.kind,
        name=body.name,
        language=body.language,
        address=body.webhook.get_secret_value(),
        secret=body.secret.get_secret_value() or None,
        networks=networks,
    )
