"""Signing in: wrong passwords lock, addresses are limited, sessions end; all on real time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from review_desk import HASH, PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.login_failures import LoginFailure
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import known_browsers, lockout, sessions
from services.domain.accounts import login as account_login
from services.domain.accounts.client import Client, counted_address
from services.domain.accounts.sessions import IssuedSession
from services.runtime.clock import FixedClock
from services.runtime.errors import Refused

pytestmark = pytest.mark.both_databases

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def desk(any_database_url: str) -> AsyncIterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.fixture
def real(desk: ReviewDesk) -> FixedClock:
    return desk.real


async def _sign_in(
    desk: ReviewDesk, real: FixedClock, login: str = "head", password: str = PASSWORD, address: str = "192.0.2.1"
) -> IssuedSession:
    return await account_login.log_in(desk.database, login, password, Client(BROWSER, address))


async def _refused(desk: ReviewDesk, real: FixedClock, **given: str) -> Refused:
    with pytest.raises(Refused) as refused:
        await _sign_in(desk, real, **given)
    return refused.value


def _person(desk: ReviewDesk, token: str, real: FixedClock) -> str:
    return desk.run(lambda uow: sessions.get_person(uow, token, BROWSER).id)


@pytest.mark.requirement("R52")
async def test_the_token_is_kept_as_a_hash_only(desk: ReviewDesk, real: FixedClock) -> None:
    signed_in = await _sign_in(desk, real)

    row = desk.the(LoginSession)
    assert _person(desk, signed_in.token, real) == "head"
    assert signed_in.token not in (row.token_sha256, row.person_id)
    assert desk.the(AuditEvent, action="logged-in").subject_id == "head"


async def test_a_wrong_name_and_a_wrong_password_are_refused_alike(desk: ReviewDesk, real: FixedClock) -> None:
    name = await _refused(desk, real, login="nobody")
    password = await _refused(desk, real, password="guess")

    assert (
        (name.code, name.zh, name.status)
        == (password.code, password.zh, password.status)
        == (
            "login-failed",
            name.zh,
            401,
        )
    )
    assert "nobody" not in "".join(event.entry for event in desk.all(AuditEvent))


@pytest.mark.requirement("R52", refuses=True)
async def test_five_wrong_passwords_delay_the_address_they_come_from_and_nobody_else(
    desk: ReviewDesk, real: FixedClock
) -> None:
    codes = [(await _refused(desk, real, password="guess")).code for _ in range(5)]
    while_delayed = await _refused(desk, real)
    elsewhere = await _sign_in(desk, real, address="192.0.2.2")
    still_delayed = await _refused(desk, real)
    real.turn(timedelta(minutes=15))

    assert codes == ["login-failed"] * 4 + ["account-locked"]
    assert (while_delayed.code, while_delayed.status) == ("account-locked", 429)
    assert elsewhere.person_id == "head"
    assert still_delayed.code == "account-locked"
    assert (await _sign_in(desk, real)).person_id == "head"
    assert desk.the(AuditEvent, action="login-delayed").subject_id == "head"


@pytest.mark.requirement("R52", refuses=True)
async def test_who_has_signed_in_with_a_browser_is_not_kept_out_there_by_strangers(
    desk: ReviewDesk, real: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "MAX_ACCOUNT_FAILURES", 6)
    office = "192.0.2.1"  # of the whole organisation, behind one proxy
    known = (await _sign_in(desk, real, address=office)).known_browser
    assert known is not None
    for number in range(6):
        await _refused(desk, real, password="guess", address=f"198.51.100.{number}")
    for number in range(30):
        await _refused(desk, real, login=f"nobody-{number}", address=office)

    unknown = await _refused(desk, real, address="203.0.113.9")
    other = await account_login.log_in(desk.database, "head", PASSWORD, Client(BROWSER, office, ("rubbish", known)))

    assert (unknown.code, unknown.status) == ("account-locked", 429)
    assert other.person_id == "head"


@pytest.mark.requirement("R52", refuses=True)
async def test_a_known_browser_is_one_persons_and_guesses_no_more_than_others(
    desk: ReviewDesk, real: FixedClock
) -> None:
    known = (await _sign_in(desk, real, "keeper")).known_browser
    assert known is not None
    thief = Client(BROWSER, "192.0.2.1", (known,))

    async def guess(login: str) -> str:
        with pytest.raises(Refused) as refused:
            await account_login.log_in(desk.database, login, "guess", thief)
        return refused.value.code

    assert [await guess("keeper") for _ in range(6)] == ["login-failed"] * 4 + ["account-locked"] * 2
    for number in range(30):
        await _refused(desk, real, login=f"nobody-{number}")
    assert await guess("head") == "address-locked"


@pytest.mark.requirement("R52")
async def test_a_browser_is_known_no_more_after_half_a_year_or_a_new_password(
    desk: ReviewDesk, real: FixedClock
) -> None:
    def is_known(token: str) -> bool:
        return desk.run(lambda uow: known_browsers.find(uow, uow.session.get_one(Person, "head"), [token])) == token

    first = (await _sign_in(desk, real)).known_browser
    assert first is not None
    assert is_known(first)
    real.turn(known_browsers.LIFETIME)
    assert not is_known(first)

    second = (await _sign_in(desk, real)).known_browser
    assert second is not None
    assert is_known(second)
    desk.run(lambda uow: account_login.set_password(uow, uow.session.get_one(Person, "head"), HASH))
    assert not is_known(second)


async def test_a_right_password_begins_the_count_anew(desk: ReviewDesk, real: FixedClock) -> None:
    for _ in range(2):
        for _ in range(4):
            await _refused(desk, real, password="guess")
        await _sign_in(desk, real)

    assert not [row for row in desk.all(LoginFailure) if row.address == "person:head 192.0.2.1"]


@pytest.mark.requirement("R52", refuses=True)
async def test_an_address_that_guesses_much_waits(
    desk: ReviewDesk, real: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "MAX_ADDRESS_FAILURES", 3)
    for login in ("a", "b", "c"):
        await _refused(desk, real, login=login)

    refused = await _refused(desk, real)
    elsewhere = await _sign_in(desk, real, address="192.0.2.2")
    real.turn(timedelta(minutes=16))

    assert (refused.code, refused.status) == ("address-locked", 429)
    assert elsewhere.person_id == "head"
    assert (await _sign_in(desk, real)).person_id == "head"


@pytest.mark.requirement("R52", refuses=True)
async def test_portals_count_a_name_that_nobody_has_together(
    desk: ReviewDesk, real: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for login in ("nobody", "head"):
        codes = []
        for number in range(6):
            monkeypatch.setattr(lockout, "_PROCESS_KEY", bytes([number]) * 32)  # each time another portal
            codes.append((await _refused(desk, real, login=login, password="guess")).code)
        assert codes == ["login-failed"] * 4 + ["account-locked"] * 2


@pytest.mark.requirement("R52", refuses=True)
async def test_the_addresses_of_one_machine_by_ipv6_are_counted_together(desk: ReviewDesk, real: FixedClock) -> None:
    """A machine takes as many as it likes of the 2**64 of its network."""
    addresses = [f"2001:db8:1:2::{number:x}" for number in range(1, 61)]
    for address in addresses[: lockout.MAX_ACCOUNT_FAILURES]:
        await _refused(desk, real, password="wrong", address=address)
    assert (await _sign_in(desk, real)).pending_step is None  # the account is not delayed everywhere

    codes = [(await _refused(desk, real, login=f"name{at}", address=at)).code for at in addresses]
    assert codes[-1] == "address-locked"
    assert (await _refused(desk, real, login="name", address="2001:db8:1:3::1")).code == "login-failed"
    told = [event.entry for event in desk.all(AuditEvent, action="login-refused")]
    assert any('2001:db8:1:2::5"' in entry for entry in told)  # the trail has the whole address


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("unknown", "unknown"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"),
    ],
)  # fmt: skip
def test_an_address_is_counted_by_what_one_machine_has(address: str, counted: str) -> None:
    assert counted_address(address) == counted


async def test_old_wrong_sign_ins_are_forgotten(desk: ReviewDesk, real: FixedClock) -> None:
    await _refused(desk, real, login="a")
    real.turn(timedelta(minutes=16))
    await _refused(desk, real, login="b")

    # by its address, by its name, which nobody has, and by both
    assert {row.at for row in desk.all(LoginFailure)} == {real.now()}


async def test_a_session_ends_when_it_is_idle_and_in_any_case(desk: ReviewDesk, real: FixedClock) -> None:
    idle, busy = await _sign_in(desk, real), await _sign_in(desk, real)

    real.turn(timedelta(minutes=29))
    assert _person(desk, busy.token, real) == "head"
    real.turn(timedelta(minutes=2))
    assert _person(desk, busy.token, real) == "head"
    with pytest.raises(Refused):
        _person(desk, idle.token, real)
    for _ in range(20):
        real.turn(timedelta(minutes=28))
        _person(desk, busy.token, real)
    real.turn(timedelta(minutes=28))
    with pytest.raises(Refused) as refused:
        _person(desk, busy.token, real)
    assert refused.value.status == 401


async def test_a_session_ends_by_hand_and_with_the_account(desk: ReviewDesk, real: FixedClock) -> None:
    ended, inactive = await _sign_in(desk, real), await _sign_in(desk, real, login="deputy")
    desk.run(sessions.log_out, ended.token, by="head")

    def leave(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "deputy").active = False

    desk.run(leave)

    for token in (ended.token, inactive.token, "made up"):
        with pytest.raises(Refused) as refused:
            _person(desk, token, real)
        assert refused.value.code == "logged-out"
    assert (await _refused(desk, real, login="deputy")).code == "login-failed"


async def test_turning_the_desks_clock_ends_no_session(desk: ReviewDesk, real: FixedClock) -> None:
    signed_in = await _sign_in(desk, real)

    desk.clock.turn(timedelta(days=40))

    assert _person(desk, signed_in.token, real) == "head"
