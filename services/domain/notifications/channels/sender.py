"""The sender: sends due deliveries by their channels, in the background."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import cast

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.notifications import chat_apps, deliveries, mail_server
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import robots as notification_robots
from services.domain.notifications.channels.errors import TOO_MANY, Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.webhook import Webhook
from services.domain.notifications.chat_apps import OpenApp
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.mail_server import MailAccount
from services.domain.notifications.robots import Robot
from services.runtime import metrics
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.runtime.settings import Settings

log = get_logger(__name__)
ACTOR = Actor("system", "sender")
POLL_INTERVAL = timedelta(seconds=15)
PAUSE = timedelta(seconds=5)
ROBOT_INTERVAL = timedelta(seconds=4)  # a robot or an app may send again so soon

Send = Callable[[OutgoingNotice], Awaitable[object]]
SendByRobot = Callable[[Robot, OutgoingNotice], Awaitable[None]]
SendByApp = Callable[[OpenApp, OutgoingNotice], Awaitable[None]]
SendByServer = Callable[[MailAccount, OutgoingNotice], Awaitable[object]]


class Sender:
    """One for each process; each channel has its own task, so that none waits for another."""

    name = "notices"

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Send],
        robots: SendByRobot | None = None,
        apps: SendByApp | None = None,
        *,
        ended_mail: SendByServer | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._robots = robots
        self._apps = apps
        self._ended_mail = ended_mail
        for channel in (*channels, deliveries.ROBOT, deliveries.APP):
            metrics.expect_notices(channel)
        self._tasks = [
            Periodic(f"notices-{channel}", POLL_INTERVAL, partial(self.send_next, channel), pause=PAUSE)
            for channel in channels
        ]
        if robots is not None:
            self._tasks.append(Periodic("notices-robot", ROBOT_INTERVAL, self.send_by_robots, pause=PAUSE))

        if apps is not None:
            self._tasks.append(Periodic("notices-app", ROBOT_INTERVAL, self.send_by_apps, pause=PAUSE))
        if ended_mail is not None:
            self._tasks.append(Periodic("notices-ended-mail", POLL_INTERVAL, self.send_by_ended_mail, pause=PAUSE))

    async def run(self) -> None:
        """Send until cancelled: after each commit with a delivery, and every few seconds."""
        self._database.on(deliveries.TOPIC, self.wake)
        async with anyio.create_task_group() as group:
            for task in self._tasks:
                group.start_soon(task.run)

    def wake(self) -> None:
        """Run now: there is a notice, or the clock was turned."""
        for task in self._tasks:
            task.wake()

    async def send_next(self, channel: str) -> bool:
        """Send one due notice; return whether there was one. Raises Retryable without a database."""
        if not await self._database.read(ACTOR, notification_dispatch.is_due, channel):
            return False
        return await self._send_one(channel, self._channels[channel])

    async def send_by_robots(self) -> bool:
        """Send one due notice by each robot that may send now; return whether there was one."""
        sent = False
        if not await self._database.read(ACTOR, deliveries.is_due, deliveries.ROBOT):
            return sent
        for robot in await self._database.run(ACTOR, notification_robots.claim):
            send = partial(self._send_by, robot)
            sent |= await self._send_one(f"{deliveries.ROBOT}:{robot.id}", send)
        return sent

    async def _send_by(self, robot: Robot, notice: OutgoingNotice) -> None:
        try:
            await cast("SendByRobot", self._robots)(robot, notice)
        except Undelivered as error:
            if error.code == TOO_MANY:
                await self._database.run(ACTOR, notification_robots.pause, robot.id)
            raise

    async def send_by_apps(self) -> bool:
        """Send what is due by each chat app that may send now, so much at once as it takes; return whether any was."""
        sent = False
        if not await self._database.read(ACTOR, deliveries.is_due, deliveries.APP):
            return sent
        for app in await self._database.run(ACTOR, chat_apps.claim):
            send = partial(self._send_by_app, app)
            for _ in range(chat_apps.AT_ONCE):
                if app.paused or not await self._send_one(f"{deliveries.APP}:{app.id}", send):
                    break
                sent = True
        return sent

    async def _send_by_app(self, app: OpenApp, notice: OutgoingNotice) -> None:
        try:
            await cast("SendByApp", self._apps)(app, notice)
        except Undelivered as error:
            if error.code == TOO_MANY:
                app.paused = True
                await self._database.run(ACTOR, chat_apps.pause, app.id)
            raise

    async def send_by_ended_mail(self) -> bool:
        """Send one due mail by each server of the page that has ended; return whether there was one."""
        sent = False
        if not await self._database.read(ACTOR, deliveries.is_due, deliveries.MAIL):
            return sent
        for channel, account in (await self._database.run(ACTOR, mail_server.open_ended)).items():
            sent |= await self._send_one(channel, partial(cast("SendByServer", self._ended_mail), account))
        return sent

    async def _send_one(self, channel: str, send: Send) -> bool:
        kind = deliveries.kind_of(channel)
        notice = await self._database.run(ACTOR, notification_dispatch.claim_next, channel)
        if notice is None:  # or so many were given up that others may write first
            return await self._database.read(ACTOR, notification_dispatch.is_due, channel)
        try:
            await send(notice)
        except Undelivered as error:
            await self._record_failure(kind, notice, error)
        except Exception as error:  # noqa: BLE001  # the notices behind it must not wait
            log.error(  # noqa: TRY400  # the texts of a traceback may name the recipient
                "a notice could not be sent", channel=kind, delivery=notice.delivery_id, stack=stack(error)
            )
            await self._record_failure(kind, notice, Undelivered("sender-failed", type(error).__name__))
        else:
            await self._database.run(ACTOR, notification_dispatch.mark_delivered, notice.delivery_id)
            metrics.NOTICES.labels(kind, "delivered").inc()
        return True

    async def _record_failure(self, channel: str, notice: OutgoingNotice, error: Undelivered) -> None:
        last = await self._database.run(
            ACTOR,
            notification_dispatch.record_failure,
            notice.delivery_id,
            notice.attempt,
            error.code,
            error.detail,
            for_good=error.for_good,
            wait=error.wait,
        )
        metrics.NOTICES.labels(channel, "failed" if last else "deferred").inc()
        log.warning(
            "a notice did not arrive", channel=channel, delivery=notice.delivery_id, cause=error.code, last=last
        )


def channels_of(settings: Settings, database: Database | None = None) -> dict[str, Send]:
    """Build the send function of each channel of the settings; mail also where it may be set on the page."""
    channels: dict[str, Send] = {}
    if settings.notices.mail.host is not None or database is not None:
        channels[deliveries.MAIL] = Mailer(settings, database).send
    if settings.notices.webhook.url is not None:
        channels[deliveries.WEBHOOK] = Webhook(settings).send
    return channels
