"""The sender: beside everything else, at once, and stopped by nothing that a channel does."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from background import drain, going
from review_desk import ReviewDesk

from services.database.tables.deliveries import Delivery
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.mail import MAX_WAITS
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.deliveries import MAIL, WEBHOOK
from services.domain.notifications.dispatch import OutgoingNotice
from services.runtime import metrics
from services.runtime.rules import Rules
from services.runtime.settings import Settings
from services.runtime.settings.notices import MOST_SECONDS

SOON = 4  # seconds: before the sender would look by itself


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(
        f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL, WEBHOOK))
    )

    def address(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"

    desk.run(address)
    yield desk
    desk.close()


class Channel:
    """Remembers what it was given; ``trouble`` is raised instead while it is set."""

    def __init__(self) -> None:
        self.parcels: list[OutgoingNotice] = []
        self.trouble: Exception | None = None
        self.heard = asyncio.Event()

    async def send(self, parcel: OutgoingNotice) -> None:
        self.heard.set()
        if self.trouble is not None:
            raise self.trouble
        self.parcels.append(parcel)


def tell(desk: ReviewDesk) -> str:
    return desk.run(
        notification_service.notify, "drafter", "application-incomplete", application_id=desk.submitted()
    ).id


@pytest.mark.requirement("R30")
async def test_a_notice_goes_out_at_the_commit_that_leaves_it(desk: ReviewDesk) -> None:
    mail, webhook = Channel(), Channel()

    async with going(Sender(desk.database, {MAIL: mail.send, WEBHOOK: webhook.send}).run()):
        await asyncio.to_thread(tell, desk)
        async with asyncio.timeout(SOON):
            await mail.heard.wait()
        async with asyncio.timeout(SOON):
            await webhook.heard.wait()

    assert mail.parcels[0].code == webhook.parcels[0].code == "application-incomplete"
    assert mail.parcels[0].address == "drafter@footage.example"
    assert webhook.parcels[0].address is None


async def test_a_channel_that_hangs_holds_up_neither_the_other_nor_the_books(desk: ReviewDesk) -> None:
    webhook = Channel()

    async def hang(_parcel: OutgoingNotice) -> None:
        await asyncio.Event().wait()

    async with going(Sender(desk.database, {MAIL: hang, WEBHOOK: webhook.send}).run()):
        await asyncio.to_thread(tell, desk)
        async with asyncio.timeout(SOON):
            await webhook.heard.wait()
        webhook.heard.clear()
        await asyncio.to_thread(tell, desk)
        async with asyncio.timeout(SOON):
            await webhook.heard.wait()

    assert len(webhook.parcels) >= 1


async def test_two_senders_send_each_notice_once(desk: ReviewDesk) -> None:
    for _ in range(5):
        tell(desk)
    channel = Channel()
    senders = [Sender(desk.database, {MAIL: channel.send}) for _ in range(2)]

    await asyncio.gather(*(drain(partial(sender.send_next, MAIL)) for sender in senders))

    sent = [parcel.delivery_id for parcel in channel.parcels]
    assert len(sent) == len(set(sent)) == len(desk.all(Delivery, channel=MAIL))


async def test_a_defect_in_a_channel_costs_one_try_and_stops_nothing(desk: ReviewDesk) -> None:
    tell(desk)
    channel = Channel()
    channel.trouble = ZeroDivisionError("a defect")
    sender = Sender(desk.database, {MAIL: channel.send})

    await drain(partial(sender.send_next, MAIL))
    rows = desk.all(Delivery, channel=MAIL)
    assert {(row.state, row.last_error, row.last_detail) for row in rows} == {
        ("waiting", "sender-failed", "ZeroDivisionError")
    }

    channel.trouble = None
    desk.clock.turn(timedelta(minutes=1))
    assert await drain(partial(sender.send_next, MAIL)) == len(rows)


async def test_what_came_of_each_try_is_counted(desk: ReviewDesk) -> None:
    def counted(outcome: str) -> float:
        return (
            metrics.REGISTRY.get_sample_value("footage_desk_notices_total", {"channel": MAIL, "outcome": outcome}) or 0
        )

    tell(desk)
    channel, before = Channel(), {outcome: counted(outcome) for outcome in ("deferred", "failed", "delivered")}
    sender = Sender(desk.database, {MAIL: channel.send})
    channel.trouble = Undelivered("try-later")
    tries = await drain(partial(sender.send_next, MAIL))
    assert counted("deferred") == before["deferred"] + tries

    desk.clock.turn(timedelta(minutes=1))
    channel.trouble = None
    await drain(partial(sender.send_next, MAIL))
    assert counted("delivered") == before["delivered"] + tries

    tell(desk)
    channel.trouble = Undelivered("recipient-refused", for_good=True)
    await drain(partial(sender.send_next, MAIL))
    assert counted("failed") > before["failed"]


def test_no_try_lasts_longer_than_the_lease() -> None:
    assert timedelta(seconds=MOST_SECONDS * MAX_WAITS) < notification_dispatch.LEASE


def test_without_settings_there_is_nothing_to_serve() -> None:
    assert channels_of(Settings.load()) == {}
