"""The sender: takes what the book of deliveries holds to its channels, beside everything else and in nobody's way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.notifications import deliveries
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.webhook import Webhook
from services.domain.notifications.dispatch import Parcel
from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.settings import Settings
from services.runtime.waiting import set_within

log = get_logger(__name__)
ACTOR = Actor("system", "sender")
LOOK = timedelta(seconds=15)
PAUSE = timedelta(seconds=5)

Send = Callable[[Parcel], Awaitable[None]]


class Sender:
    """One for each process; each channel has a loop of its own, so that none waits for another."""

    def __init__(self, database: Database, channels: Mapping[str, Send]) -> None:
        self._register = database
        self._channels = channels
        for channel in channels:
            metrics.expect_notices(channel)
        self._wakes = {channel: asyncio.Event() for channel in channels}

    async def run(self) -> None:
        """Send until cancelled: at once after each commit that leaves something, else every few seconds."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            loop.call_soon_threadsafe(self.wake)

        self._register.on(deliveries.TOPIC, hear)
        async with anyio.create_task_group() as group:
            for channel in self._channels:
                group.start_soon(self._keep_sending, channel)

    def wake(self) -> None:
        """Look now: there is a notice, or the clock was turned. Call it on the event loop."""
        for wake in self._wakes.values():
            wake.set()

    async def send_due(self, channel: str) -> int:
        """Send what is due now; how many were tried. Raises Retryable when the register is away."""
        tried = 0
        while (parcel := await self._register.run(ACTOR, notification_dispatch.take, channel)) is not None:
            tried += 1
            try:
                await self._channels[channel](parcel)
            except Undelivered as error:
                await self._book(channel, parcel, error)
            except Exception as error:  # noqa: BLE001  # whatever it is, a notice must not stop the portal
                log.error(  # noqa: TRY400  # the texts of a traceback may name the recipient
                    "a notice could not be sent", channel=channel, delivery=parcel.delivery_id, stack=stack(error)
                )
                await self._book(channel, parcel, Undelivered("broken", type(error).__name__))
            else:
                await self._register.run(ACTOR, notification_dispatch.delivered, parcel.delivery_id)
                metrics.NOTICES.labels(channel, "delivered").inc()
        return tried

    async def _book(self, channel: str, parcel: Parcel, error: Undelivered) -> None:
        last = await self._register.run(
            ACTOR,
            notification_dispatch.failed,
            parcel.delivery_id,
            parcel.attempt,
            error.code,
            error.detail,
            for_good=error.for_good,
        )
        metrics.NOTICES.labels(channel, "failed" if last else "tried").inc()
        log.warning(
            "a notice did not arrive", channel=channel, delivery=parcel.delivery_id, cause=error.code, last=last
        )

    async def _keep_sending(self, channel: str) -> None:
        wake = self._wakes[channel]
        while True:
            wake.clear()
            try:
                await self.send_due(channel)
            except Retryable as error:
                log.warning("the notices wait", channel=channel, cause=str(error))
                await asyncio.sleep(PAUSE.total_seconds())
            await set_within(wake, LOOK.total_seconds())


def channels_of(settings: Settings) -> dict[str, Send]:
    """How each channel of the settings sends."""
    known: dict[str, Callable[[Settings], Mailer | Webhook]] = {deliveries.MAIL: Mailer, deliveries.WEBHOOK: Webhook}
    return {channel: known[channel](settings).send for channel in settings.notice_channels}


async def keep_sending(database: Database, settings: Settings, on_turn: list[Callable[[], None]]) -> None:
    """Send notices until cancelled; without a channel there is nothing to do."""
    sender = Sender(database, channels_of(settings))
    on_turn.append(sender.wake)
    await sender.run()
