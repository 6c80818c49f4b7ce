"""Robots of chat groups: administrators add and end them; the notices of the process go to each, once.

A group gets what a mail has, a fixed sentence with number and link, and nothing that concerns a person's own account.
Whoever watches over changes is told of each robot that is added or ended, and the ended one says so in its group.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select, update

from services.database.base import new_id
from services.database.tables.deliveries import Delivery
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.notices import Notice
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.dispatch import ROBOT_CHANGED, ROBOT_ENDED, TEST, open_channel
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal, NotFound, Refused
from services.runtime.translations import Message

Kind = Literal["wecom", "dingtalk", "feishu"]
REMOVED = "channel-removed"  # why what waited for an ended robot is not sent
MOST = 10
PURPOSE = "notice robot"
# How many messages a minute each service takes of one robot, by its documentation; a tenth is left free.
PAUSES = {"wecom": timedelta(seconds=3.4), "dingtalk": timedelta(seconds=3.4), "feishu": timedelta(seconds=0.7)}
AFTER_TOO_MANY = timedelta(minutes=10)  # for which DingTalk and WeCom take nothing


@dataclass(frozen=True)
class Robot:
    """A robot with its address and secret in clear, for the sender."""

    id: str
    kind: Kind
    language: str
    address: str = field(repr=False)
    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class NewRobot:
    """A robot to add; ``networks`` may be called inside (``FOOTAGE_DESK_ALLOWED_NETWORKS``)."""

    kind: Kind
    name: str
    language: str
    address: str = field(repr=False)
    secret: str | None = field(repr=False)
    networks: str | None = None


@dataclass(frozen=True)
class RobotRow:
    """A robot as pages show it."""

    id: str
    kind: str
    name: str
    language: str
    shown: str
    signed: bool
    added_at: datetime
    ended_at: datetime | None
    waiting: int


def list_robots(uow: UnitOfWork) -> list[RobotRow]:
    """List the robots in use, with how many notices wait for each. Administrators only."""
    require_administrator(uow)
    robots = uow.session.scalars(
        select(NoticeRobot).where(NoticeRobot.ended_at.is_(None)).order_by(NoticeRobot.added_at)
    )
    return [_row(uow, robot) for robot in robots]


def add(uow: UnitOfWork, new: NewRobot) -> RobotRow:
    """Add a robot; whoever watches over changes is told.

    Refused for an address that is none of this service's, a missing secret, or one robot too many. Administrators only.
    """
    require_administrator(uow)
    lock_setup(uow)  # a lock on the rows would not show the second of two that are added at once
    in_use = uow.session.scalars(select(NoticeRobot).where(NoticeRobot.ended_at.is_(None)).with_for_update()).all()
    if len(in_use) >= MOST:
        raise Refused("too-many-robots", Message("There are {most} robots already: end one first.", most=MOST))
    networks = parse_networks(new.networks)
    # Without its token nobody can send to a group, so it never travels in the clear, but on a network that is listed.
    address = (
        Guard(networks, ("https", "http") if networks else ("https",), field="webhook", secret=True)
        .read(new.address.strip())
        .url
    )
    shown = _check_form(new.kind, address, new.secret)
    if any(robot.kind == new.kind and _has_address(uow, robot, address) for robot in in_use):
        raise Refused("robot-known", Message("This robot is in use already."), field="webhook")
    robot = NoticeRobot(
        id=new_id(),
        kind=new.kind,
        name=new.name,
        language=new.language,
        address=uow.secrets.encrypt(address, PURPOSE),
        shown=shown,
        secret=uow.secrets.encrypt(new.secret, PURPOSE) if new.secret else None,
        added_by=uow.actor.id,
        added_at=uow.now,
        next_at=uow.now,
    )
    uow.session.add(robot)
    uow.session.flush()
    audit_trail.record(uow, "robot-added", "robot", robot.id, kind=new.kind, address=shown, signed=bool(new.secret))
    deliveries.forget_robots(uow)
    _tell(uow)
    return _row(uow, robot)


def end(uow: UnitOfWork, robot_id: str) -> None:
    """End a robot: what waits for it is not sent, and its group is told so last. Administrators only."""
    require_administrator(uow)
    robot = uow.session.get(NoticeRobot, robot_id, with_for_update=True)
    if robot is None or robot.ended_at is not None:
        raise NotFound(Message("robot"), robot_id)
    uow.session.execute(
        update(Delivery)
        .where(Delivery.channel == robot.channel, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None))
        .values(given_up_at=uow.now, last_error=REMOVED)
        .execution_options(synchronize_session=False)
    )
    robot.ended_at, robot.ended_by = uow.now, uow.actor.id
    audit_trail.record(uow, "robot-ended", "robot", robot.id, kind=robot.kind, address=robot.shown)
    deliveries.forget_robots(uow)
    _send(uow, robot, ROBOT_ENDED)
    _tell(uow)


def send_test(uow: UnitOfWork, robot_id: str) -> Notice:
    """Send a test by one robot. Administrators only."""
    require_administrator(uow)
    robot = uow.session.get(NoticeRobot, robot_id)
    if robot is None or robot.ended_at is not None:
        raise NotFound(Message("robot"), robot_id)
    notice = _send(uow, robot, TEST)
    audit_trail.record(uow, "test-notice", "notice", notice.id, channel=robot.channel)
    return notice


def claim(uow: UnitOfWork) -> list[Robot]:
    """Take the robots that send now, with their secrets in clear; what is due by one that does not open is given up."""
    taken = deliveries.claim_senders(uow, NoticeRobot, deliveries.ROBOT, lambda robot: PAUSES[robot.kind])
    opened = [open_channel(uow, robot.channel, partial(_open, uow, robot)) for robot in taken]
    return [robot for robot in opened if robot is not None]


def pause(uow: UnitOfWork, robot_id: str) -> None:
    """Send nothing for a while: the service says that there was too much."""
    uow.session.get_one(NoticeRobot, robot_id, with_for_update=True).next_at = uow.now + AFTER_TOO_MANY


def _check_form(kind: Kind, address: str, secret: str | None) -> str:
    """Return what is shown of an address; Refused where it is none of this service's robots."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    if kind == "wecom":
        token = "".join(query.get("key", [])) if parts.path == "/cgi-bin/webhook/send" else ""
        form = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
    elif kind == "dingtalk":
        token = "".join(query.get("access_token", [])) if parts.path == "/robot/send" else ""
        form = "https://oapi.dingtalk.com/robot/send?access_token=…"
    else:
        start, _, token = parts.path.rpartition("/")
        token = token if start == "/open-apis/bot/v2/hook" else ""
        form = "https://open.feishu.cn/open-apis/bot/v2/hook/…"
    if not token:
        raise Refused(
            "robot-address",
            Message(
                "This is no address of such a robot: copy it from the robot's settings; it has the form {form}",
                form=form,
            ),
            status=422,
            field="webhook",
        )
    if kind == "wecom" and secret:
        raise Refused(
            "robot-secret", Message("A robot of WeCom has no secret: leave it empty."), status=422, field="secret"
        )
    if kind != "wecom" and not secret:
        raise Refused(
            "robot-secret",
            Message("Choose signing in the robot's security settings, and enter the secret that is shown there."),
            status=422,
            field="secret",
        )
    return f"{parts.netloc} …{token[-4:]}"


def _send(uow: UnitOfWork, robot: NoticeRobot, code: str) -> Notice:
    """Send a notice of the administrator's own by this robot alone; it is no news in the portal."""
    notice = Notice(
        id=new_id(), person_id=uow.actor.id, application_id=None, code=code, subject_id=None, created_at=uow.now
    )
    notice.read_at = uow.now
    uow.session.add(notice)
    uow.session.flush()
    deliveries.add(uow, notice, [robot.channel])
    return notice


def _tell(uow: UnitOfWork) -> None:
    """Tell those who watch over changes: the head of Security and the supervisors."""
    directory = access_queries.load_directory(uow)
    for person_id in dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]):
        service.notify(uow, person_id, ROBOT_CHANGED, application_id=None)


def _open(uow: UnitOfWork, robot: NoticeRobot) -> Robot:
    secret = uow.secrets.decrypt(robot.secret, PURPOSE) if robot.secret else None
    kind: Kind = robot.kind  # type: ignore[assignment]  # the column has a check
    return Robot(robot.id, kind, robot.language, uow.secrets.decrypt(robot.address, PURPOSE), secret)


def _has_address(uow: UnitOfWork, robot: NoticeRobot, address: str) -> bool:
    """Return whether a robot has this address; one that does not open any more may be added anew."""
    try:
        return uow.secrets.decrypt(robot.address, PURPOSE) == address
    except Fatal:
        return False


def _row(uow: UnitOfWork, robot: NoticeRobot) -> RobotRow:
    waiting = select(Delivery.id).where(
        Delivery.channel == robot.channel, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)
    )
    return RobotRow(
        id=robot.id,
        kind=robot.kind,
        name=robot.name,
        language=robot.language,
        shown=robot.shown,
        signed=robot.secret is not None,
        added_at=robot.added_at,
        ended_at=robot.ended_at,
        waiting=len(uow.session.scalars(waiting).all()),
    )
