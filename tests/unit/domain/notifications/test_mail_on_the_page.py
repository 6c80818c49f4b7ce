"""The mail server that an administrator sets on a page: kept secret, tested with the server's answer, then used."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from background import drain
from notice_servers import PASSWORD, Post, certificate, mail_server
from portal_client import Portal, problem
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.mail_servers import MailServer
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.deliveries import MAIL
from services.domain.notifications.dispatch import MOST_BY_APP
from services.runtime.settings import Settings

PAGE, API = "/admin/notices/mail", "/api/admin/mail-server"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)

    def address(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"

    desk.run(address)
    yield desk
    desk.close()


def settings(**more: Any) -> Settings:
    return Settings.load(allowed_networks="127.0.0.0/8", portal={"public_url": "https://footage.example"}, **more)


def body(port: int, **changed: Any) -> dict[str, Any]:
    values = {"host": "localhost", "port": port, "security": "none", "sender": "desk@footage.example"}
    return {**values, **changed}


async def test_it_is_set_tested_and_used_and_its_password_is_nowhere_in_the_clear(
    desk: ReviewDesk, tmp_path: Path
) -> None:
    made, post = certificate(tmp_path), Post(answer="250 2.0.0 Ok: queued as 4Yz1")
    async with mail_server(post, starttls=made, auth=True) as port, Portal(desk, settings=settings()) as portal:
        admin = await portal.signed_in("admin")
        form = {"csrf_token": admin.headers["X-CSRF-Token"]}
        assert (await admin.get(API)).json()["by"] == "nobody"
        assert problem(await admin.post(f"{API}/test"))[:2] == (409, "mail-not-sent")
        typed = body(
            port, security="starttls", username="desk", password=PASSWORD, authority=made.authority.read_text()
        )
        answer = await admin.post(PAGE, data={**form, **typed})
        assert answer.status_code == 303, answer.text
        page = await admin.post(f"{PAGE}/test", data=form)
        assert "250 2.0.0 Ok: queued as 4Yz1" in page.text
        assert PASSWORD not in page.text
        assert post.mails[0]["To"] == "admin@footage.example"
        # notices go by it from now on, also those of a process that ran before
        application_id = desk.submitted()
        desk.run(notification_service.notify, "drafter", "application-incomplete", application_id=application_id)
        sender = Sender(desk.database, channels_of(settings(), desk.database))
        assert await drain(partial(sender.send_next, MAIL)) >= 1
        assert "drafter@footage.example" in [mail["To"] for mail in post.mails]
        # the settings come first, and the page says so
        other = settings(notices={"mail": {"host": "other.example", "sender": "x@footage.example"}})
        async with Portal(desk, settings=other) as second:
            again = await second.signed_in("admin")
            assert (await again.get(API)).json()["by"] == "settings"
            assert "other.example" in (await again.get(PAGE)).text
        assert (await admin.post(f"{PAGE}/end", data=form)).status_code == 303
        assert (await admin.delete(API)).status_code == 409
    assert (await drain(partial(sender.send_next, MAIL))) == 0
    [row] = desk.all(MailServer)
    assert PASSWORD not in str(row.password)
    assert all(PASSWORD not in event.entry for event in desk.all(AuditEvent))
    # who watches over changes is told, when it was set and when it was ended
    assert {row.person_id for row in desk.all(Notice, code="mail-server-changed")} == {"security-head", "supervisor"}


def both(desk: ReviewDesk) -> Sender:
    """A sender by the server in use, and by those that have ended."""
    ended = Mailer(settings(), desk.database).send_by
    return Sender(desk.database, channels_of(settings(), desk.database), ended_mail=ended)


async def sent(sender: Sender) -> None:
    await drain(partial(sender.send_next, MAIL))
    await drain(sender.send_by_ended_mail)


def told(post: Post) -> list[tuple[str, bool]]:
    """To whom a server's mails are, and whether each says that the mail server was changed."""
    return sorted((mail["To"], "mail server" in str(mail["Subject"])) for mail in post.mails)


@pytest.mark.requirement("R52", refuses=True)
async def test_a_server_that_is_replaced_or_ended_still_sends_what_waits_and_says_so_last(desk: ReviewDesk) -> None:
    """Nobody takes away the notices that wait, or the word of it, by a server of his own."""
    first, second = Post(), Post()
    changed = [("security-head@footage.example", True), ("supervisor@footage.example", True)]

    def english(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.locale = "en"

    desk.run(english)
    application_id = desk.submitted()
    async with mail_server(first) as one, mail_server(second) as two, Portal(desk, settings=settings()) as portal:
        admin = await portal.signed_in("admin")
        assert (await admin.put(API, json=body(one))).status_code == 200
        await sent(both(desk))
        first.mails.clear()
        desk.run(notification_service.notify, "drafter", "application-incomplete", application_id=application_id)

        assert (await admin.put(API, json=body(two))).status_code == 200
        await sent(both(desk))
        assert told(first) == [("drafter@footage.example", False), *changed]
        assert told(second) == changed

        first.mails.clear()
        second.mails.clear()
        desk.run(notification_service.notify, "drafter", "application-incomplete", application_id=application_id)
        assert (await admin.delete(API)).status_code == 204
        await sent(both(desk))
        assert told(first) == []
        assert told(second) == [("drafter@footage.example", False), *changed]


async def test_what_a_replaced_server_does_not_send_is_mailed_by_the_one_in_use(desk: ReviewDesk) -> None:
    """A server may be replaced because it is broken."""
    post = Post()
    application_id = desk.submitted()
    async with mail_server(post) as port, Portal(desk, settings=settings()) as portal:
        admin = await portal.signed_in("admin")
        assert (await admin.put(API, json=body(1024))).status_code == 200
        desk.run(notification_service.notify, "drafter", "application-incomplete", application_id=application_id)
        assert (await admin.put(API, json=body(port))).status_code == 200
        for _ in range(MOST_BY_APP):
            await sent(both(desk))
            desk.clock.turn(timedelta(minutes=30))
        await sent(both(desk))
        assert [mail["To"] for mail in post.mails].count("drafter@footage.example") == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"host": "https://mail.example"}, "mail-host"),
        ({"port": 22}, "mail-port"),
        ({"sender": "Desk <desk@footage.example>"}, "mail-sender"),
        ({"username": "desk"}, "mail-password"),
        ({"username": "desk", "password": "x"}, "mail-security"),
        ({"authority": "no certificate"}, "mail-authority"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_set(desk: ReviewDesk, changed: dict[str, Any], code: str) -> None:
    async with Portal(desk, settings=settings()) as portal:
        admin = await portal.signed_in("admin")
        assert problem(await admin.put(API, json={**body(587), **changed}))[:2] == (422, code)
    assert desk.all(MailServer) == []


async def test_a_server_that_refuses_is_shown_with_its_answer_and_no_network_of_this_machine_is_called(
    desk: ReviewDesk,
) -> None:
    async with mail_server(Post(answer="554 5.7.1 spam")) as port:
        async with Portal(desk, settings=settings()) as portal:
            admin = await portal.signed_in("admin")
            form = {"csrf_token": admin.headers["X-CSRF-Token"]}
            assert (await admin.put(API, json=body(port))).status_code == 200
            page = await admin.post(f"{PAGE}/test", data=form)
            assert page.status_code == 409
            assert "554 5.7.1 spam" in page.text
            # a supervisor reads about it, and cannot set it
            supervisor = await portal.signed_in("supervisor")
            assert (await supervisor.put(API, json=body(port))).status_code == 403
            assert (await supervisor.get(PAGE)).status_code == 403
        closed = Settings.load(portal={"public_url": "https://footage.example"})
        async with Portal(desk, settings=closed) as portal:
            admin = await portal.signed_in("admin")
            answer = await admin.post(f"{API}/test")
            assert problem(answer)[:2] == (409, "mail-not-sent")
            assert "FOOTAGE_DESK_ALLOWED_NETWORKS" in answer.text
