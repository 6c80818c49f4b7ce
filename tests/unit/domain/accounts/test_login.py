"""Signing in with steps: half signed in one takes the step and nothing else; wrong codes lock like wrong passwords."""

import inspect
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import anyio
import pyotp
import pytest
from authenticator import Authenticator
from review_desk import HASH, PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import login as account_login
from services.domain.accounts import own_account, second_factors, sessions
from services.domain.accounts.client import Client
from services.domain.accounts.sessions import IssuedSession
from services.runtime.errors import Refused

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
UPDATED = FIREFOX.replace("140", "141")
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
HERE = Client(FIREFOX, "192.0.2.1")
NEW = "nine calm cameras"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


async def sign_in(desk: ReviewDesk, login: str = "head", place: Client = HERE) -> IssuedSession:
    return await account_login.log_in(desk.database, login, PASSWORD, place)


def person_of(desk: ReviewDesk, signed_in: IssuedSession, browser: str = FIREFOX) -> str:
    return desk.run(lambda uow: sessions.get_person(uow, signed_in.token, browser).id)


async def give_code(desk: ReviewDesk, half: IssuedSession, code: str) -> IssuedSession:
    return await account_login.submit_code(desk.database, half.token, HERE, code)


def must_change(desk: ReviewDesk, person_id: str) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, person_id).must_change_password = True

    desk.run(act)


def must_enrol(desk: ReviewDesk) -> None:
    object.__setattr__(desk.database.rules, "second_factor", "everyone")


async def refused(act: Callable[[], object]) -> Refused:
    """Why the act is refused, whether it is awaited or not."""
    try:
        result = act()
        if inspect.isawaitable(result):
            await result
    except Refused as refusal:
        return refusal
    pytest.fail("it was not refused")


@pytest.mark.requirement("R52")
async def test_half_signed_in_one_is_nobody_yet(desk: ReviewDesk) -> None:
    Authenticator(desk, "head")
    half = await sign_in(desk)

    assert half.pending_step == "code"
    assert (await refused(lambda: person_of(desk, half))).code == "login-unfinished"
    assert desk.run(sessions.list_own, by="head") == []
    assert desk.all(AuditEvent, action="logged-in") == []


@pytest.mark.requirement("R52")
async def test_each_step_gives_another_token_and_ends_the_one_before(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await sign_in(desk)

    whole = await give_code(desk, half, app.next_code())

    assert whole.token != half.token
    assert person_of(desk, whole) == "head"
    assert (await refused(lambda: person_of(desk, half))).code == "logged-out"
    assert (await refused(lambda: give_code(desk, half, app.next_code()))).code == "logged-out"


async def test_a_recovery_code_takes_the_place_of_the_phone_once(desk: ReviewDesk) -> None:
    code = Authenticator(desk, "head").recovery_codes[0]

    assert person_of(desk, await give_code(desk, await sign_in(desk), code)) == "head"
    half = await sign_in(desk)
    assert (await refused(lambda: give_code(desk, half, code))).code == "code-wrong"
    assert desk.the(AuditEvent, action="recovery-code-used").subject_id == "head"


@pytest.mark.requirement("R52")
async def test_five_wrong_codes_lock_the_account_and_end_what_was_begun(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await sign_in(desk)

    codes = [(await refused(lambda: give_code(desk, half, app.wrong_code()))).code for _ in range(5)]

    assert codes == ["code-wrong"] * 4 + ["account-locked"]
    assert (await refused(lambda: give_code(desk, half, app.next_code()))).code == "logged-out"
    assert (await refused(lambda: sign_in(desk))).status == 429


@pytest.mark.requirement("R52")
async def test_the_right_password_buys_no_further_tries_at_the_code(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")

    codes = []
    for _ in range(5):
        half = await sign_in(desk)
        codes.append((await refused(lambda: give_code(desk, half, app.wrong_code()))).code)  # noqa: B023  at once

    assert codes == ["code-wrong"] * 4 + ["account-locked"]


@pytest.mark.both_databases
@pytest.mark.requirement("R52")
async def test_many_wrong_codes_at_once_are_counted_one_by_one(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half, wrong = await sign_in(desk), app.wrong_code()
    outcomes: list[str] = []
    start = threading.Barrier(12)

    def guess() -> None:
        start.wait()
        try:
            anyio.run(account_login.submit_code, desk.database, half.token, HERE, wrong)
        except Refused as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("code-wrong") == 4
    assert len(desk.all(AuditEvent, action="code-refused")) == 5


async def test_a_used_code_is_refused_without_being_counted(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    code = app.next_code()
    await give_code(desk, await sign_in(desk), code)
    half = await sign_in(desk)

    assert (await refused(lambda: give_code(desk, half, code))).code == "code-used"
    assert desk.the(Person, id="head").failed_logins == 0


async def test_a_step_is_left_for_ten_minutes(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await sign_in(desk)
    desk.real.turn(timedelta(minutes=10))

    assert (await refused(lambda: give_code(desk, half, app.code()))).code == "logged-out"


async def test_a_first_password_is_replaced_before_anything_else(desk: ReviewDesk) -> None:
    must_change(desk, "head")
    half = await sign_in(desk)
    assert half.pending_step == "password"
    assert (await refused(lambda: person_of(desk, half))).code == "login-unfinished"

    async def choose(password: str) -> IssuedSession:
        return await account_login.choose_password(desk.database, half.token, HERE, password)

    assert (await refused(lambda: choose(PASSWORD))).code == "password-same"
    assert (await refused(lambda: choose("too short"))).code == "password-weak"
    whole = await choose(NEW)

    assert person_of(desk, whole) == "head"
    assert desk.the(Person, id="head").password_hash != HASH
    assert (await refused(lambda: sign_in(desk))).code == "login-failed"
    assert (await account_login.log_in(desk.database, "head", NEW, HERE)).pending_step is None


@pytest.mark.requirement("R25")
async def test_whoever_must_have_a_second_factor_sets_it_up_at_sign_in(desk: ReviewDesk) -> None:
    must_enrol(desk)
    must_change(desk, "head")
    half = await sign_in(desk)
    half = await account_login.choose_password(desk.database, half.token, HERE, NEW)
    assert half.pending_step == "enrolment"
    assert (await refused(lambda: person_of(desk, half))).code == "login-unfinished"

    begun = desk.run(account_login.get_enrolment, half.token, FIREFOX)
    assert desk.run(account_login.get_enrolment, half.token, FIREFOX) == begun
    code = pyotp.TOTP(begun.secret).at(desk.real.now())
    enrolled = desk.run(account_login.confirm_enrolment, half.token, HERE, code)

    assert person_of(desk, enrolled.session) == "head"
    assert len(enrolled.recovery_codes) == second_factors.RECOVERY_CODES


async def test_a_step_is_not_taken_in_the_place_of_another(desk: ReviewDesk) -> None:
    Authenticator(desk, "head")
    half = await sign_in(desk)

    for act in (
        lambda: desk.run(account_login.get_enrolment, half.token, FIREFOX),
        lambda: desk.run(account_login.confirm_enrolment, half.token, HERE, "123456"),
        lambda: account_login.choose_password(desk.database, half.token, HERE, NEW),
    ):
        assert (await refused(act)).status == 401


@pytest.mark.requirement("R52")
async def test_a_session_holds_in_its_browser_whatever_the_version_and_address(desk: ReviewDesk) -> None:
    signed_in = await sign_in(desk)

    assert person_of(desk, signed_in, UPDATED) == "head"
    for browser in (CHROME, ""):
        assert (await refused(lambda: person_of(desk, signed_in, browser))).code == "logged-out"  # noqa: B023  at once
    assert person_of(desk, signed_in) == "head"


@pytest.mark.requirement("R52")
async def test_a_new_password_ends_the_other_sessions_and_renews_this_one(desk: ReviewDesk) -> None:
    here, there = await sign_in(desk), await sign_in(desk, place=Client(CHROME, "198.51.100.7"))

    actor = Actor("person", "head")
    renewed = await own_account.change_password(desk.database, actor, here.token, PASSWORD, NEW)

    assert person_of(desk, renewed) == "head"
    for over in (here, there):
        with pytest.raises(Refused):
            person_of(desk, over, FIREFOX if over is here else CHROME)
    session = desk.the(LoginSession, ended_at=None)
    assert session.expires_at == session.created_at + sessions.LIFETIME


async def test_a_wrong_old_password_is_counted(desk: ReviewDesk) -> None:
    here = await sign_in(desk)

    actor = Actor("person", "head")
    wrong = await refused(lambda: own_account.change_password(desk.database, actor, here.token, "guess", NEW))

    assert wrong.code == "password-wrong"
    assert desk.the(Person, id="head").failed_logins == 1


async def test_one_sees_ones_sessions_and_ends_them(desk: ReviewDesk) -> None:
    here, there = await sign_in(desk), await sign_in(desk, place=Client(CHROME, "198.51.100.7"))
    await sign_in(desk, "reviewer")
    rows = {row.address: row for row in desk.run(sessions.list_own, by="head")}
    assert set(rows) == {"192.0.2.1", "198.51.100.7"}

    stranger = await refused(lambda: desk.run(sessions.end, rows["198.51.100.7"].id, by="reviewer"))
    desk.run(sessions.end, rows["198.51.100.7"].id, by="head")

    assert stranger.status == 404
    with pytest.raises(Refused):
        person_of(desk, there, CHROME)
    assert person_of(desk, here) == "head"


async def test_the_sign_in_before_this_one_is_told(desk: ReviewDesk) -> None:
    first = await sign_in(desk)
    assert desk.run(sessions.get_previous, first.token, by="head") is None
    desk.real.turn(timedelta(minutes=3))
    second = await sign_in(desk)

    before = desk.run(sessions.get_previous, second.token, by="head")
    assert before is not None
    assert before.created_at == desk.real.now() - timedelta(minutes=3)


async def test_whoever_has_a_second_factor_needs_its_code_to_replace_it(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")

    begin = own_account.begin_second_factor
    assert (await refused(lambda: desk.run(begin, PASSWORD, None, by="head"))).code == "code-missing"
    assert (await refused(lambda: desk.run(begin, PASSWORD, app.wrong_code(), by="head"))).code == "code-wrong"
    assert desk.run(begin, PASSWORD, app.next_code(), by="head").secret != app.secret


async def test_a_second_factor_that_must_be_is_not_removed(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    must_enrol(desk)

    end = own_account.end_second_factor
    assert (await refused(lambda: desk.run(end, PASSWORD, app.next_code(), by="head"))).code == (
        "second-factor-required"
    )
    object.__setattr__(desk.database.rules, "second_factor", "nobody")
    desk.run(end, PASSWORD, app.next_code(), by="head")
    assert (await sign_in(desk)).pending_step is None
