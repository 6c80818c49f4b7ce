"""Signing in with steps: half signed in one takes the step and nothing else; wrong codes lock like wrong passwords."""

import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import anyio
import pyotp
import pytest
from authenticator import Authenticator
from review_desk import HASH, PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.deliveries import Delivery
from services.database.tables.login_failures import LoginFailure
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import lockout, own_account, second_factors, sessions, staff
from services.domain.accounts import login as account_login
from services.domain.accounts.changes import apply_changes
from services.domain.accounts.client import Client
from services.domain.accounts.sessions import IssuedSession
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreements
from services.domain.change_requests import holds
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


def _mail(uow: UnitOfWork, person_id: str, address: str) -> None:
    uow.session.get_one(Person, person_id).email = address


async def _enrol_at_login(desk: ReviewDesk, half: IssuedSession) -> None:
    begun = desk.run(account_login.get_enrolment, half.token, FIREFOX)
    desk.run(account_login.confirm_enrolment, half.token, HERE, pyotp.TOTP(begun.secret).at(desk.real.now()))


async def refused(act: Callable[[], object]) -> Refused:
    """Why the act is refused, whether it is awaited or not."""
    try:
        result = act()
        if inspect.isawaitable(result):
            await result
    except Refused as refusal:
        return refusal
    pytest.fail("it was not refused")


@pytest.mark.requirement("R52", refuses=True)
async def test_half_signed_in_one_is_nobody_yet(desk: ReviewDesk) -> None:
    Authenticator(desk, "head")
    half = await sign_in(desk)

    assert half.pending_step == "code"
    assert (await refused(lambda: person_of(desk, half))).code == "login-unfinished"
    assert desk.run(sessions.list_own, by="head") == []
    assert desk.all(AuditEvent, action="logged-in") == []


@pytest.mark.requirement("R52", refuses=True)
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


@pytest.mark.requirement("R52", refuses=True)
async def test_five_wrong_codes_lock_the_account_and_end_what_was_begun(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await sign_in(desk)

    codes = [(await refused(lambda: give_code(desk, half, app.wrong_code()))).code for _ in range(5)]

    assert codes == ["code-wrong"] * 4 + ["account-locked"]
    assert (await refused(lambda: give_code(desk, half, app.next_code()))).code == "logged-out"
    assert (await refused(lambda: sign_in(desk))).status == 429


@pytest.mark.requirement("R52", refuses=True)
async def test_the_right_password_buys_no_further_tries_at_the_code(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")

    codes = []
    for _ in range(5):
        half = await sign_in(desk)
        codes.append((await refused(lambda: give_code(desk, half, app.wrong_code()))).code)  # noqa: B023  at once

    assert codes == ["code-wrong"] * 4 + ["account-locked"]


@pytest.mark.both_databases
@pytest.mark.requirement("R52", refuses=True)
async def test_no_login_of_the_victim_buys_further_guesses_at_the_code(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    here = await give_code(desk, await sign_in(desk), app.next_code())
    known = Client(CHROME, "198.51.100.7", (here.known_browser or "",))

    codes = []
    for number in range(8):
        thief = Client(FIREFOX, f"203.0.113.{number}")
        try:
            half = await sign_in(desk, place=thief)
            await account_login.submit_code(desk.database, half.token, thief, app.wrong_code())
        except Refused as refusal:
            codes.append(refusal.code)
        own = await sign_in(desk, place=known)
        await account_login.submit_code(desk.database, own.token, known, app.next_code())

    assert codes == ["code-wrong"] * 4 + ["account-locked"] * 4
    assert person_of(desk, here) == "head"  # who knows the password ends nobody's sessions


@pytest.mark.requirement("R52", refuses=True)
async def test_slow_guesses_at_the_code_are_delayed_for_a_day(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    thief = Client(FIREFOX, "203.0.113.1")

    async def guess() -> str:
        desk.real.turn(timedelta(minutes=4))
        half = await sign_in(desk, place=thief)
        return (await refused(lambda: give_code(desk, half, app.wrong_code()))).code

    assert [await guess() for _ in range(15)] == ["code-wrong"] * 14 + ["account-locked"]
    desk.real.turn(timedelta(hours=1))
    assert (await refused(lambda: sign_in(desk, place=Client(FIREFOX, "203.0.113.2")))).status == 429
    desk.real.turn(timedelta(days=1))
    assert (await sign_in(desk, place=thief)).pending_step == "code"


@pytest.mark.requirement("R52", verb="recorded")
async def test_whose_password_is_known_is_told_of_wrong_codes_once_a_day(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await sign_in(desk)
    for _ in range(2):
        await refused(lambda: give_code(desk, half, app.wrong_code()))
    assert [notice.person_id for notice in desk.all(Notice, code="code-refused")] == ["head"]

    await give_code(desk, half, app.next_code())  # the same browser: they were the person's own
    assert not [row for row in desk.all(LoginFailure) if row.address.startswith("code ")]
    desk.run(lambda uow: lockout.reset(uow, uow.session.get_one(Person, "head")))
    recovered = await sign_in(desk)
    await give_code(desk, recovered, app.recovery_codes[0])
    assert [notice.person_id for notice in desk.all(Notice, code="recovery-code-used")] == ["head"]


@pytest.mark.requirement("R52", refuses=True)
async def test_no_login_forgets_guesses_at_a_signature(desk: ReviewDesk) -> None:
    thief = await sign_in(desk)
    actor, codes = Actor("person", "head"), []
    for _ in range(5):
        wrong = await refused(lambda: own_account.change_password(desk.database, actor, thief.token, "guess", NEW))
        codes.append(wrong.code)
        locked = desk.the(Person, id="head").locked_until
        if locked is None:
            await sign_in(desk, place=Client(CHROME, "198.51.100.7"))

    assert locked is not None
    assert desk.all(LoginSession, ended_at=None) == []
    assert {notice.person_id for notice in desk.all(Notice, code="account-locked")} == {"head"}


@pytest.mark.both_databases
@pytest.mark.requirement("R52", refuses=True)
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
    assert desk.all(LoginFailure) == []


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


@pytest.mark.requirement("R25", refuses=True)
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


@pytest.mark.requirement("R52", refuses=True)
async def test_a_session_holds_in_its_browser_whatever_the_version_and_address(desk: ReviewDesk) -> None:
    signed_in = await sign_in(desk)

    assert person_of(desk, signed_in, UPDATED) == "head"
    for browser in (CHROME, ""):
        assert (await refused(lambda: person_of(desk, signed_in, browser))).code == "logged-out"  # noqa: B023  at once
    assert person_of(desk, signed_in) == "head"


@pytest.mark.requirement("R52", refuses=True)
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


@pytest.mark.parametrize("act", ["reset", "deactivated", "ended"])
async def test_what_an_administrator_does_during_a_change_of_the_password_wins(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A thief with session and password changes the password while he is locked out: a hash takes a while."""
    thief, actor = await sign_in(desk, "drafter"), Actor("person", "drafter")
    hash_new = account_login.hash_new_password

    async def slow(login: str, old: str, new: str) -> str:
        hashed = await hash_new(login, old, new)
        if act == "reset":
            await staff.reset_password(desk.database, Actor("person", "admin"), "drafter")
        elif act == "deactivated":
            desk.run(staff.deactivate, "drafter", by="admin")
        else:
            desk.run(sessions.end_all, "drafter", by="drafter")
        return hashed

    monkeypatch.setattr(account_login, "hash_new_password", slow)
    late = await refused(lambda: own_account.change_password(desk.database, actor, thief.token, PASSWORD, NEW))

    assert (late.code, late.status) == ("logged-out", 401)
    assert desk.all(LoginSession, ended_at=None) == []
    assert desk.all(AuditEvent, action="password-changed") == []


async def test_a_new_password_of_ones_own_leaves_the_browser_known(desk: ReviewDesk) -> None:
    here = await sign_in(desk)
    actor = Actor("person", "head")
    renewed = await own_account.change_password(desk.database, actor, here.token, PASSWORD, NEW)
    for number in range(lockout.MAX_ACCOUNT_FAILURES):
        place = Client("curl", f"203.0.113.{number}")
        await refused(lambda place=place: account_login.log_in(desk.database, "head", "wrong", place))

    await refused(lambda: account_login.log_in(desk.database, "head", NEW, HERE))
    assert renewed.known_browser is not None
    known = replace(HERE, known_browsers=(renewed.known_browser,))
    assert (await account_login.log_in(desk.database, "head", NEW, known)).pending_step is None


async def test_a_wrong_old_password_is_counted(desk: ReviewDesk) -> None:
    here = await sign_in(desk)

    actor = Actor("person", "head")
    wrong = await refused(lambda: own_account.change_password(desk.database, actor, here.token, "guess", NEW))

    assert wrong.code == "password-wrong"
    assert len(desk.all(LoginFailure, address="signature head")) == 1


@pytest.mark.requirement("R25", "R52", refuses=True)
async def test_a_password_is_changed_with_the_code_and_told_at_the_old_address(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    here = await give_code(desk, await sign_in(desk), app.next_code())
    desk.database.rules = replace(desk.rules, notice_channels=("mail",))
    desk.run(_mail, "head", "head@example.org")
    desk.run(lambda uow: apply_changes(uow, uow.session.get_one(Person, "head"), "person", {"email": "x@example.org"}))
    actor = Actor("person", "head")

    async def change(code: str | None) -> IssuedSession:
        return await own_account.change_password(desk.database, actor, here.token, PASSWORD, NEW, code=code)

    assert (await refused(lambda: change(None))).code == "code-missing"
    assert (await refused(lambda: change(app.wrong_code()))).code == "code-wrong"
    await change(app.next_code())

    assert [notice.person_id for notice in desk.all(Notice, code="own-account-changed")] == ["head"]
    assert [row.address for row in desk.all(Delivery) if row.address] == ["head@example.org"]


@pytest.mark.requirement("R25", refuses=True)
async def test_a_first_second_factor_signs_nothing_for_a_day(desk: ReviewDesk) -> None:
    must_enrol(desk)
    thief = await sign_in(desk)
    await _enrol_at_login(desk, thief)
    assert [hold.person_id for hold in desk.run(holds.list_current)] == []  # nobody was ever here before

    desk.run(lambda uow: second_factors.end(uow, "head", "second-factor-ended"))
    await _enrol_at_login(desk, await sign_in(desk))

    assert [hold.person_id for hold in desk.run(holds.list_current)] == ["head"]
    version = desk.rules.agreement_version
    refusal = await refused(lambda: desk.run(agreements.sign, version, Proof(password=PASSWORD), by="head"))
    assert refusal.code == "signature-held"
    assert {notice.person_id for notice in desk.all(Notice, code="own-account-changed")} == {"head"}


@pytest.mark.requirement("R25")
async def test_a_first_second_factor_set_up_in_a_session_signs_nothing_for_a_day(desk: ReviewDesk) -> None:
    thief = await sign_in(desk)
    must_enrol(desk)
    begun = desk.run(own_account.begin_second_factor, PASSWORD, by="head")
    own = own_account.confirm_second_factor
    desk.run(own, thief.token, pyotp.TOTP(begun.secret).at(desk.real.now()), by="head")

    assert [hold.person_id for hold in desk.run(holds.list_current)] == ["head"]
    assert {notice.person_id for notice in desk.all(Notice, code="own-account-changed")} == {"head"}
    desk.real.turn(timedelta(seconds=30))
    code = pyotp.TOTP(begun.secret).at(desk.real.now())
    again = desk.run(own_account.begin_second_factor, PASSWORD, code, by="head")
    desk.run(own, thief.token, pyotp.TOTP(again.secret).at(desk.real.now()), by="head")
    assert len(desk.run(holds.list_current)) == 1  # one that replaces another was proved by it


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
