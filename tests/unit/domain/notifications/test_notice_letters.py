"""What leaves the portal: for every notice there is, a sentence, a number and a link, and nothing of the case."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from own_stage import OWN, own_stage
from review_desk import FORM, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.webhook import signature
from services.domain.notifications.deliveries import MAIL, WEBHOOK
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.texts import DIGEST, all_texts
from services.runtime.rules import Rules

SECRET = ("甲方机密", "secret")  # in everything that a case and its people are made of
URL = "https://footage.example"
PARCEL = OutgoingNotice(
    "d-1",
    1,
    "n-1",
    "review-opened",
    "SQ-2031-000001",
    "case",
    "review",
    datetime(2031, 3, 4, tzinfo=UTC),
    "zh",
    "a@b.example",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(
        f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL, WEBHOOK))
    )
    desk.run(_mark)
    yield desk
    desk.close()


def _mark(uow: UnitOfWork) -> None:
    """Write the secret words into every name and place there is."""
    named = {
        Person: ("name", "login"),
        Department: ("name_zh", "name_en"),
        Camera: ("name_zh", "name_en", "place_zh", "place_en", "channel"),
        Recorder: ("name", "site"),
    }
    for table, columns in named.items():
        for row in uow.session.query(table):
            for column in columns:
                setattr(row, column, f"{SECRET[0]}{SECRET[1]}{row.id}")
    for person in uow.session.query(Person):
        person.email = f"{100 + len(person.id)}@mail.example"


@pytest.mark.slow
@pytest.mark.requirement("R30", "R52")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_notice_tells_a_name_a_reason_a_place_or_a_camera(desk: ReviewDesk, language: str) -> None:
    marked = "".join(SECRET) + FORM.reason
    application_id = desk.submitted(title="".join(SECRET), reason=marked, purpose=marked, place_of_use=marked)

    def tell_everything(uow: UnitOfWork) -> str:
        uow.session.get_one(Person, "drafter").locale = language
        for code in all_texts():
            notification_service.notify(uow, "drafter", code, application_id=application_id, subject_id="subject-id")
        return str(uow.session.get_one(Application, application_id).number)

    number = desk.run(tell_everything)
    seen = set()
    for channel in (MAIL, WEBHOOK):
        while (parcel := desk.run(notification_dispatch.claim_next, channel)) is not None:
            desk.run(notification_dispatch.mark_delivered, parcel.delivery_id)
            if channel == MAIL:
                message = payloads.build_mail(parcel, sender="desk@footage.example", portal_url=URL)
                text = "\n".join([*map(str, message.values()), message.get_content()])
            else:
                text = payloads.build_event(parcel, portal_url=URL).decode()
            seen.add((channel, parcel.code))
            assert not any(word in text for word in (*SECRET, FORM.reason, FORM.purpose)), text
            assert number in text
            assert URL in text

    assert seen >= {(channel, code) for channel in (MAIL, WEBHOOK) for code in all_texts()}


@pytest.mark.parametrize("field", ["number", "delivery_id", "address"])
def test_no_line_break_gets_into_a_header(field: str) -> None:
    spoilt = replace(PARCEL, **{field: "x\r\nBcc: thief@elsewhere.example"})

    with pytest.raises((ValueError, Undelivered)):
        payloads.build_mail(spoilt, sender="desk@footage.example", portal_url=URL)


def test_a_subject_in_chinese_is_encoded_and_the_text_is_read_by_every_mail_program() -> None:
    raw = payloads.build_mail(PARCEL, sender="desk@footage.example", portal_url=URL).as_bytes()

    assert raw.isascii()
    assert b"Subject: =?utf-8?" in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("code", ["review-opened", DIGEST])
def test_an_english_name_of_a_stage_with_typographic_signs_is_mailed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setitem(OWN["stages"]["interpreting"], "en", "Data protection officer’s review – “second”")
    line = replace(PARCEL, language="en", stage="interpreting")
    sent = replace(line, code=code, lines=(line,) if code == DIGEST else ())

    with own_stage(tmp_path):
        message = payloads.build_mail(sent, sender="desk@footage.example", portal_url=URL)

    assert "Data protection officer’s review – “second”" in message.get_content()
    assert message.as_bytes().isascii()
    plain = payloads.build_mail(replace(PARCEL, language="en"), sender="desk@footage.example", portal_url=URL)
    assert plain["Content-Transfer-Encoding"] == "7bit"


def test_a_language_that_nobody_translated_is_answered_in_chinese() -> None:
    message = payloads.build_mail(replace(PARCEL, language="fr"), sender="desk@footage.example", portal_url=URL)

    assert message["Content-Language"] == "zh-CN"
    assert "有一项审核待您办理" in message.get_content()


def test_the_signature_is_that_of_the_published_scheme() -> None:
    # computed with openssl: printf 'msg.1700000000.{}' | openssl dgst -sha256 -hmac kkkk… -binary | base64
    headers = signature(b"k" * 32, "msg", 1_700_000_000, b"{}")

    assert headers == {
        "webhook-id": "msg",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,XTlAHnC58BIsKHxU9T+SqEv4HWj5J4xjqEDIL9nQMm0=",
    }
