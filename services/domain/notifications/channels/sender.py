"""The sender: takes what the book of deliveries holds to its channels, beside everything else and in nobody's way."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.notifications import deliveries
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.webhook import Webhook
from services.domain.notifications.dispatch import OutgoingNotice
from services.runtime import metrics
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.runtime.settings import Settings

log = get_logger(__name__)
ACTOR = Actor("system", "sender")
POLL_INTERVAL = timedelta(seconds=15)
PAUSE = timedelta(seconds=5)

Send = Callable[[OutgoingNotice], Awaitable[None]]


class Sender:
    """One for each process; each channel has a task of its own, so that none waits for another."""

    def __init__(self, database: Database, channels: Mapping[str, Send]) -> None:
        self._register = database
        self._channels = channels
        for channel in channels:
            metrics.expect_notices(channel)
        self._tasks = [
            Periodic(f"notices-{channel}", POLL_INTERVAL, partial(self.send_next, channel), pause=PAUSE)
            for channel in channels
        ]

    async def run(self) -> None:
        """Send until cancelled: at once after each commit that leaves something, else every few seconds."""
        self._register.on(deliveries.TOPIC, self.wake)
        async with anyio.create_task_group() as group:
            for task in self._tasks:
                group.start_soon(task.run)

    def wake(self) -> None:
        """Look now: there is a notice, or the clock was turned."""
        for task in self._tasks:
            task.wake()

    async def send_next(self, channel: str) -> bool:
        """Send one notice that is due; whether there was one. Raises Retryable when the register is away."""
        parcel = await self._register.run(ACTOR, notification_dispatch.claim_next, channel)
        if parcel is None:
            return False
        try:
            await self._channels[channel](parcel)
        except Undelivered as error:
            await self._book(channel, parcel, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the notices behind it must not wait for it
            log.error(  # noqa: TRY400  # the texts of a traceback may name the recipient
                "a notice could not be sent", channel=channel, delivery=parcel.delivery_id, stack=stack(error)
            )
            await self._book(channel, parcel, Undelivered("sender-failed", type(error).__name__))
        else:
            await self._register.run(ACTOR, notification_dispatch.mark_delivered, parcel.delivery_id)
            metrics.NOTICES.labels(channel, "delivered").inc()
        return True

    async def _book(self, channel: str, parcel: OutgoingNotice, error: Undelivered) -> None:
        last = await self._register.run(
            ACTOR,
            notification_dispatch.record_failure,
            parcel.delivery_id,
            parcel.attempt,
            error.code,
            error.detail,
            for_good=error.for_good,
        )
        metrics.NOTICES.labels(channel, "failed" if last else "deferred").inc()
        log.warning(
            "a notice did not arrive", channel=channel, delivery=parcel.delivery_id, cause=error.code, last=last
        )


def channels_of(settings: Settings) -> dict[str, Send]:
    """How each channel of the settings sends."""
    known: dict[str, Callable[[Settings], Mailer | Webhook]] = {deliveries.MAIL: Mailer, deliveries.WEBHOOK: Webhook}
    return {channel: known[channel](settings).send for channel in settings.notices.channels}
