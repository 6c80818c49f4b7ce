"""Who people are at the provider: one subject, one person; bound when the sign-in is whole, by whoever comes first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from authenticator import Authenticator
from review_desk import PASSWORD, ReviewDesk
from second_person import confirmed
from sqlalchemy import Update, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.database.tables.identities import Identity
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import identities, lockout, sessions, staff
from services.domain.accounts import login as account_login
from services.domain.accounts.client import Client
from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.sessions import IssuedSession
from services.runtime.errors import NotFound, Refused, Retryable

HERE = Client("Firefox", "192.0.2.1")
ISSUER, OTHER = "https://login.example", "https://other.example"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


async def come_in(desk: ReviewDesk, subject: str, login: str | None, issuer: str = ISSUER) -> IssuedSession:
    return await account_login.log_in_by_provider(desk.database, ProviderIdentity(issuer, subject, login), HERE)


def bound(desk: ReviewDesk) -> list[tuple[str, str, str]]:
    rows = desk.all(Identity, ended_at=None)
    return sorted((row.issuer, row.subject, row.person_id) for row in rows)


def before_the_lock(monkeypatch: pytest.MonkeyPatch, change: Update) -> None:
    """Who asks for a lock gets it after somebody else has made the change."""
    get_one = Session.get_one

    def waited(session: Session, *asked: Any, **how: Any) -> Any:
        if how.get("with_for_update"):
            session.execute(change, execution_options={"synchronize_session": False})
        return get_one(session, *asked, **how)

    monkeypatch.setattr(Session, "get_one", waited)


@pytest.mark.requirement("R52", refuses=True)
async def test_the_first_sign_in_binds_and_the_subject_decides_from_then_on(desk: ReviewDesk) -> None:
    first = await come_in(desk, "one", "head")
    again = await come_in(desk, "one", "keeper")  # renamed there: to a name that is somebody else's here

    assert first.person_id == again.person_id == "head"
    assert bound(desk) == [(ISSUER, "one", "head")]
    with pytest.raises(Refused) as refused:
        await come_in(desk, "two", "head")
    assert refused.value.code == "provider-other-identity"


async def test_the_subjects_of_two_issuers_are_two(desk: ReviewDesk) -> None:
    await come_in(desk, "one", "head")
    await come_in(desk, "one", "keeper", OTHER)
    await come_in(desk, "two", "head", OTHER)

    assert bound(desk) == [(ISSUER, "one", "head"), (OTHER, "one", "keeper"), (OTHER, "two", "head")]


async def test_a_way_that_ends_at_the_second_factor_binds_nobody(desk: ReviewDesk) -> None:
    authenticator = Authenticator(desk, "head")
    thief = await come_in(desk, "thief", "head")
    assert (thief.pending_step, bound(desk)) == ("code", [])

    owner = await come_in(desk, "owner", "head")
    whole = await account_login.submit_code(desk.database, owner.token, HERE, authenticator.next_code())

    assert whole.pending_step is None
    assert bound(desk) == [(ISSUER, "owner", "head")]
    with pytest.raises(Refused) as refused:
        await account_login.submit_code(desk.database, thief.token, HERE, authenticator.next_code())
    assert refused.value.code == "provider-other-identity"
    row = desk.the(LoginSession, token_sha256=sessions._sha256(whole.token))
    assert (row.issuer, row.subject) == (ISSUER, "owner")


async def test_a_password_that_others_know_is_replaced_on_this_way_too(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "head").must_change_password = True

    desk.run(act)

    half = await come_in(desk, "one", "head")
    assert half.pending_step == "password"
    whole = await account_login.choose_password(desk.database, half.token, HERE, "nine calm cameras")

    assert whole.pending_step is None
    assert bound(desk) == [(ISSUER, "one", "head")]


async def test_wrong_passwords_keep_nobody_out_who_comes_by_the_provider(desk: ReviewDesk) -> None:
    for number in range(25):
        with pytest.raises(Refused):
            await account_login.log_in(desk.database, "head", "wrong", Client("browser", f"198.51.100.{number % 6}"))
    with pytest.raises(Refused) as refused:
        await account_login.log_in(desk.database, "head", PASSWORD, HERE)
    assert refused.value.code == "account-locked"

    assert (await come_in(desk, "one", "head")).person_id == "head"


async def test_nobody_is_found_without_a_login_or_after_leaving(desk: ReviewDesk) -> None:
    desk.run(staff.deactivate, "keeper", by="admin")
    for login in (None, "", "nobody", "keeper"):
        with pytest.raises(Refused) as refused:
            await come_in(desk, "one", login)
        assert (refused.value.code, refused.value.status) == ("provider-nobody", 403)
    assert bound(desk) == []


@pytest.mark.requirement("R52", refuses=True)
async def test_unbinding_ends_sessions_and_is_an_administrators(desk: ReviewDesk) -> None:
    signed_in = await come_in(desk, "one", "head")
    with pytest.raises(Refused):
        desk.run(staff.unbind_identity, "head", by="head")
    with pytest.raises(NotFound):
        desk.run(staff.unbind_identity, "nobody", by="admin")

    confirmed(desk, staff.unbind_identity, "head")

    with pytest.raises(Refused) as refused:
        desk.run(lambda uow: sessions.get_person(uow, signed_in.token, HERE.browser))
    assert refused.value.code == "logged-out"
    ended = desk.the(Identity)
    assert (ended.ended_by, ended.ended_at) == ("admin", desk.real.now())
    await come_in(desk, "two", "head")
    assert bound(desk) == [(ISSUER, "two", "head")]
    with pytest.raises(Refused) as refused:  # who was bound before is nobody now
        await come_in(desk, "one", "head")
    assert refused.value.code == "provider-other-identity"


async def test_who_waits_for_the_lock_while_the_person_is_unbound_is_bound_no_more(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await come_in(desk, "one", "head")
    before_the_lock(monkeypatch, update(Identity).values(ended_at=desk.real.now()))

    assert (await come_in(desk, "one", "keeper")).person_id == "keeper"  # the claim decides again


async def test_a_half_session_that_is_ended_meanwhile_is_not_renewed(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = Authenticator(desk, "head")
    half = await come_in(desk, "one", "head")
    before_the_lock(monkeypatch, update(LoginSession).values(ended_at=desk.real.now()))

    with pytest.raises(Refused) as refused:
        await account_login.submit_code(desk.database, half.token, HERE, authenticator.next_code())
    assert (refused.value.code, bound(desk)) == ("logged-out", [])


async def test_leaving_tells_by_whom_somebody_came(desk: ReviewDesk) -> None:
    by_provider = await come_in(desk, "one", "head")
    by_password = await account_login.log_in(desk.database, "head", PASSWORD, HERE)

    assert desk.run(sessions.log_out, by_provider.token) == ISSUER
    assert desk.run(sessions.log_out, by_provider.token) is None
    assert desk.run(sessions.log_out, by_password.token) is None


@pytest.mark.both_databases
def test_two_at_once_are_not_both_bound(desk: ReviewDesk) -> None:
    together = Barrier(2)

    def bind(subject: str) -> str:
        def act(uow: UnitOfWork) -> None:
            if uow.session.get_bind().dialect.name == "postgresql":
                together.wait(20)  # both have begun
            identities.bind(uow, uow.session.get_one(Person, "head"), ISSUER, subject)

        try:
            desk.run(act)
        except (Refused, Retryable):
            return "refused"
        return "bound"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bind, ("one", "two"))) == ["bound", "refused"]
    assert len(bound(desk)) == 1


def test_the_tables_themselves_keep_one_subject_to_one_person(desk: ReviewDesk) -> None:
    def enter(session: Session, subject: str, person_id: str) -> None:
        row = Identity(person_id=person_id, issuer=ISSUER, subject=subject, bound_at=desk.real.now())
        session.add(row)
        session.flush()

    for subject, person_id in (("one", "keeper"), ("two", "head")):
        with Session(desk.database.engine) as session:
            enter(session, "one", "head")
            with pytest.raises(IntegrityError):
                enter(session, subject, person_id)


@pytest.mark.requirement("R52", refuses=True)
async def test_wrong_codes_of_a_stranger_keep_nobody_out_who_comes_by_the_provider(desk: ReviewDesk) -> None:
    """Codes after a login at the provider are counted apart, and are as few."""
    app, elsewhere = Authenticator(desk, "head"), Client("Chrome", "203.0.113.9")
    for _ in range(lockout.MAX_FAILURES):
        half = await account_login.log_in(desk.database, "head", PASSWORD, elsewhere)
        with pytest.raises(Refused):
            await account_login.submit_code(desk.database, half.token, elsewhere, app.wrong_code())

    half = await come_in(desk, "one", "head")
    session = await account_login.submit_code(desk.database, half.token, HERE, app.next_code())
    assert session.pending_step is None

    for number in range(lockout.MAX_FAILURES):
        half = await come_in(desk, "one", "head")
        with pytest.raises(Refused) as found:
            await account_login.submit_code(desk.database, half.token, HERE, app.wrong_code())
        assert found.value.code == ("code-wrong" if number < lockout.MAX_FAILURES - 1 else "account-locked")
    with pytest.raises(Refused, match="Too many wrong codes"):
        await come_in(desk, "one", "head")
