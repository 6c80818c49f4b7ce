"""The book of deliveries: what is entered, taken, tried again, given up, and who hears of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import service as notification_service
from services.domain.notifications.deliveries import MAIL, WEBHOOK
from services.domain.notifications.dispatch import LEASE, RETRY_DELAYS, OutgoingNotice
from services.runtime.rules import Rules

pytestmark = pytest.mark.both_databases

HOUR = timedelta(hours=1)
LEGAL = "application-incomplete"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url, Rules(max_use_days=30, notice_channels=(MAIL, WEBHOOK)))

    def addresses(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"

    desk.run(addresses)
    yield desk
    desk.close()


def tell(desk: ReviewDesk, person_id: str = "drafter", code: str = LEGAL, **named: Any) -> str:
    named.setdefault("application_id", desk.submitted())
    return desk.run(notification_service.notify, person_id, code, **named).id


def take(desk: ReviewDesk, channel: str = MAIL) -> OutgoingNotice | None:
    return desk.run(notification_dispatch.claim_next, channel)


def fail(
    desk: ReviewDesk, parcel: OutgoingNotice | None, error: str = "unreachable", *, for_good: bool = False
) -> bool:
    assert parcel is not None
    return desk.run(
        notification_dispatch.record_failure, parcel.delivery_id, parcel.attempt, error, "", for_good=for_good
    )


def recipients(desk: ReviewDesk, code: str) -> set[str]:
    return {notice.person_id for notice in desk.all(Notice, code=code)}


def change(desk: ReviewDesk, person_id: str, **values: Any) -> None:
    def act(uow: UnitOfWork) -> None:
        for name, value in values.items():
            setattr(uow.session.get_one(Person, person_id), name, value)

    desk.run(act)


@pytest.mark.requirement("R30")
def test_a_notice_is_entered_once_for_each_channel_in_the_transaction_that_leaves_it(desk: ReviewDesk) -> None:
    notice_id = tell(desk)

    assert {row.channel for row in desk.all(Delivery, notice_id=notice_id)} == {MAIL, WEBHOOK}

    def break_off(uow: UnitOfWork) -> None:
        notification_service.notify(uow, "drafter", LEGAL, application_id=None)
        raise RuntimeError

    before = len(desk.all(Delivery))
    with pytest.raises(RuntimeError):
        desk.run(break_off)
    assert len(desk.all(Delivery)) == before


def test_the_webhook_hears_once_of_what_several_people_are_told(desk: ReviewDesk) -> None:
    def tell_both(uow: UnitOfWork) -> None:
        for person_id in ("operator", "operator2"):
            notification_service.notify(uow, person_id, "storage-prepare", application_id=None)

    desk.run(tell_both)

    assert len(desk.all(Delivery, channel=MAIL)) == 2
    assert len(desk.all(Delivery, channel=WEBHOOK)) == 1


def test_without_a_channel_nothing_is_entered(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    tell(desk)
    assert desk.all(Delivery) == []
    desk.close()


def test_who_takes_a_delivery_has_it_alone_until_the_lease_is_over(desk: ReviewDesk) -> None:
    tell(desk)

    first = take(desk)
    assert take(desk) is None
    desk.clock.turn(LEASE)
    second = take(desk)

    assert first is not None
    assert second is not None
    assert (first.delivery_id, first.attempt, second.attempt) == (second.delivery_id, 1, 2)
    assert fail(desk, first) is False  # somebody else is at it now
    assert desk.the(Delivery, id=first.delivery_id).last_error is None
    desk.run(notification_dispatch.mark_delivered, first.delivery_id)  # but if it did arrive, it did
    assert desk.the(Delivery, id=first.delivery_id).state == "delivered"
    desk.clock.turn(LEASE)
    assert take(desk) is None


def test_a_failed_try_is_made_again_with_growing_pauses_until_the_last(desk: ReviewDesk) -> None:
    notice_id = tell(desk)
    row = desk.the(Delivery, notice_id=notice_id, channel=MAIL)
    for pause in RETRY_DELAYS:
        assert fail(desk, _own(desk, row.id)) is False
        desk.clock.turn(pause - timedelta(seconds=1))
        assert desk.the(Delivery, id=row.id).next_at > desk.clock.now()
        desk.clock.turn(timedelta(seconds=1))
    assert fail(desk, _own(desk, row.id)) is True

    desk.clock.turn(timedelta(days=2))
    assert _own(desk, row.id) is None
    assert desk.the(Delivery, id=row.id).state == "failed"
    assert desk.the(AuditEvent, action="delivery-given-up", subject_id=row.id).application_id is not None


def _own(desk: ReviewDesk, delivery_id: str) -> OutgoingNotice | None:
    """This delivery when it is due; the notices of its escalation are taken on the way."""
    while (parcel := take(desk)) is not None:
        if parcel.delivery_id == delivery_id:
            return parcel
        desk.run(notification_dispatch.mark_delivered, parcel.delivery_id)
    return None


@pytest.mark.requirement("R30")
def test_what_has_not_arrived_within_the_limit_escalates_once_to_the_head_and_the_administrator(
    desk: ReviewDesk,
) -> None:
    row = desk.the(Delivery, notice_id=tell(desk), channel=MAIL)
    fail(desk, _own(desk, row.id))
    assert recipients(desk, "notice-undelivered") == set()

    for _ in range(3):
        desk.clock.turn(HOUR)
        fail(desk, _own(desk, row.id))

    assert recipients(desk, "notice-undelivered") == {"head"}
    assert recipients(desk, "deliveries-failing") == {"admin"}
    assert len(desk.all(Notice, code="notice-undelivered")) == 1
    assert len(desk.all(AuditEvent, action="delivery-escalated", subject_id=row.id)) == 1
    assert desk.all(Notice, code="deliveries-failing")[0].application_id is None


def test_the_deputy_is_told_where_the_head_is_away_or_is_the_one_not_reached(desk: ReviewDesk) -> None:
    tell(desk, "head")
    fail(desk, take(desk), "recipient-refused", for_good=True)
    assert recipients(desk, "notice-undelivered") == {"deputy"}

    desk.away("head")
    row = desk.the(Delivery, notice_id=tell(desk), channel=MAIL)
    fail(desk, _own(desk, row.id), "recipient-refused", for_good=True)
    assert recipients(desk, "notice-undelivered") == {"deputy"}


def test_nobody_hears_in_this_way_of_a_case_that_concerns_them(desk: ReviewDesk) -> None:
    tell(desk, application_id=desk.submitted(subject_ids=("head",)))

    fail(desk, take(desk), "recipient-refused", for_good=True)

    assert recipients(desk, "notice-undelivered") == {"deputy"}


def test_a_mail_server_that_is_down_says_so_once_and_not_of_its_own_notices(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    for _ in range(3):
        tell(desk, application_id=application_id)
        desk.clock.turn(timedelta(minutes=1))

    while (parcel := take(desk)) is not None:
        fail(desk, parcel, for_good=True)

    assert len(desk.all(Notice, code="deliveries-failing")) == 1
    assert len(desk.all(Notice, code="notice-undelivered")) == 1


def test_a_webhook_that_fails_is_the_administrators_matter_alone(desk: ReviewDesk) -> None:
    tell(desk)

    fail(desk, take(desk, WEBHOOK), for_good=True)

    assert recipients(desk, "deliveries-failing") == {"admin"}
    assert recipients(desk, "notice-undelivered") == set()


@pytest.mark.parametrize(
    ("change_to", "error"),
    [({"email": None}, "no-address"), ({"email": ""}, "no-address"), ({"active": False}, "inactive")],
)
def test_who_cannot_be_written_to_escalates_at_once(desk: ReviewDesk, change_to: dict[str, Any], error: str) -> None:
    notice_id = tell(desk)
    change(desk, "drafter", **change_to)

    while (parcel := take(desk)) is not None:
        desk.run(notification_dispatch.mark_delivered, parcel.delivery_id)

    row = desk.the(Delivery, notice_id=notice_id, channel=MAIL)
    assert (row.state, row.last_error, row.attempts) == ("failed", error, 0)
    assert recipients(desk, "notice-undelivered") == {"head"}


def test_what_was_read_in_the_portal_is_mailed_no_more(desk: ReviewDesk) -> None:
    notice_id = tell(desk)
    desk.run(notification_service.mark_read, notice_id, by="drafter")

    assert take(desk) is None
    assert desk.the(Delivery, notice_id=notice_id, channel=MAIL).state == "unneeded"
    assert desk.all(AuditEvent, action="delivery-given-up") == []
    assert recipients(desk, "deliveries-failing") == set()


@pytest.mark.parametrize("gone", ["absent", "inactive"])
def test_who_stands_in_is_told_as_well(desk: ReviewDesk, gone: str) -> None:
    application_id = desk.submitted()
    if gone == "absent":
        desk.away("keeper")
    else:
        change(desk, "keeper", active=False)

    tell(desk, "keeper", "return-overdue", application_id=application_id, subject_id="loan")

    assert recipients(desk, "return-overdue") == {"keeper", "head"}


def test_what_a_server_says_is_kept_short_and_on_one_line(desk: ReviewDesk) -> None:
    tell(desk)
    parcel = take(desk)
    assert parcel is not None

    desk.run(
        notification_dispatch.record_failure,
        parcel.delivery_id,
        1,
        "try-later",
        "451 a\r\nb" + "x" * 500,
        for_good=False,
    )

    detail = desk.the(Delivery, id=parcel.delivery_id).last_detail
    assert detail is not None
    assert detail.startswith("451 a  bxxx")
    assert len(detail) == 200


def test_reading_all_reads_ones_own_alone(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    before = desk.run(notification_service.count_unread, by="keeper")
    for person_id in ("drafter", "drafter", "keeper"):
        tell(desk, person_id, application_id=application_id)

    assert (
        desk.run(notification_service.mark_all_read, by="drafter")
        == desk.run(notification_service.count_unread, by="drafter") + 2
    )
    assert desk.run(notification_service.count_unread, by="drafter") == 0
    assert desk.run(notification_service.count_unread, by="keeper") == before + 1
