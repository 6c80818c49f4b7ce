"""The robots of chat groups, on pages for administrators."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.domain.notifications import robots
from services.domain.notifications.api.robots import RobotBody, new_of
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed
from services.web.schemas import Identifier
from services.web.visitor import Visiting

router = APIRouter(prefix="/admin/notices/robots")
PATH = "/admin/notices/robots"
SERVICES = {"wecom": Message("WeCom"), "dingtalk": Message("DingTalk"), "feishu": Message("Feishu")}


@router.get("")
async def list_robots(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the robots, and the form that adds one."""
    rows = await database.read(visitor.actor, robots.list_robots)
    return visitor.page("notifications/robots.html", robots=rows, services=SERVICES)


@router.post("")
async def add(visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Add a robot."""
    try:
        new = new_of(typed.body(RobotBody), settings.allowed_networks)
        await database.run(visitor.actor, robots.add, new)
    except Refused as refusal:
        rows = await database.read(visitor.actor, robots.list_robots)  # refuses whoever may not see the form either
        return visitor.page(
            "notifications/robots.html", refusal.status, robots=rows, services=SERVICES, refusal=refusal, typed=typed
        )
    return visitor.redirect(PATH, Message("The robot was added: send a test to its group."))


@router.post("/{robot_id}/test")
async def send_test(robot_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Send a test to a robot's group."""
    await database.run(visitor.actor, robots.send_test, robot_id)
    return visitor.redirect(
        "/admin/notices?state=delivered",
        Message("The test notice is being sent: it is listed here when delivered, otherwise under “Not delivered”."),
    )


@router.post("/{robot_id}/end")
async def end(robot_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """End a robot."""
    await database.run(visitor.actor, robots.end, robot_id)
    return visitor.redirect(PATH, Message("The robot was ended: its group is informed."))
