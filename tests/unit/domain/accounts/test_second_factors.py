"""The second factor: enrolled with one code, each code once, a step of drift, recovery codes, reset without a look."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from authenticator import Authenticator
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.second_factors import RecoveryCode, SecondFactor
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import second_factors
from services.runtime.errors import Refused


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def take(desk: ReviewDesk, code: str, person_id: str = "head") -> str:
    """``taken``, or the code of the refusal."""
    try:
        desk.run(second_factors.verify_code, person_id, code, by=person_id)
    except Refused as refusal:
        return refusal.code
    return "taken"


@pytest.mark.requirement("R52", refuses=True)
def test_a_code_is_taken_once_and_those_before_it_never(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    before = app.code()
    desk.real.turn(timedelta(seconds=60))
    now = app.code()

    assert [take(desk, code) for code in (now, now, app.code(-1))] == ["taken", "code-used", "code-used"]
    assert take(desk, before) == "code-wrong"


def test_the_code_of_the_enrolment_is_used_up_with_it(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")

    assert take(desk, app.code()) == "code-used"
    assert take(desk, app.next_code()) == "taken"


def test_a_phones_clock_may_be_off_by_one_step_and_no_more(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    desk.real.turn(timedelta(minutes=10))

    assert take(desk, app.code(-2)) == "code-wrong"
    assert take(desk, app.code(-1)) == "taken"
    assert take(desk, app.code(2)) == "code-wrong"
    assert take(desk, app.code(1)) == "taken"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "0x1234"])
def test_what_is_no_code_is_wrong(desk: ReviewDesk, code: str) -> None:
    Authenticator(desk, "head")

    assert take(desk, code) == "code-wrong"


def test_spaces_in_a_code_do_not_matter(desk: ReviewDesk) -> None:
    code = Authenticator(desk, "head").next_code()

    assert take(desk, f" {code[:3]} {code[3:]} ") == "taken"


def test_turning_the_desks_clock_changes_no_code(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    desk.clock.turn(timedelta(days=40))

    assert take(desk, app.next_code()) == "taken"


@pytest.mark.both_databases
@pytest.mark.requirement("R52", refuses=True)
def test_of_two_who_use_one_code_at_once_one_is_refused(desk: ReviewDesk) -> None:
    code = Authenticator(desk, "head").next_code()
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def act() -> None:
        start.wait()
        outcomes.append(take(desk, code))

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["code-used"] * 3 + ["taken"]


@pytest.mark.requirement("R54")
def test_neither_secret_nor_recovery_code_is_in_the_books(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")

    assert app.secret not in desk.the(SecondFactor).encrypted_secret
    kept = {row.code_sha256 for row in desk.all(RecoveryCode)}
    assert len(kept) == len(set(app.recovery_codes)) == second_factors.RECOVERY_CODES
    assert not kept & set(app.recovery_codes)
    trail = "".join(event.entry for event in desk.all(AuditEvent))
    assert app.secret not in trail
    assert not any(code in trail for code in app.recovery_codes)


def test_a_recovery_code_opens_once_however_it_is_typed(desk: ReviewDesk) -> None:
    code = Authenticator(desk, "head").recovery_codes[3]

    def use(typed: str) -> bool:
        return desk.run(second_factors.use_recovery_code, "head", typed, by="head")

    assert use(f" {code.upper().replace('-', ' ')} ")
    assert not use(code)
    assert desk.run(second_factors.get_state, "head").recovery_codes == second_factors.RECOVERY_CODES - 1


def test_nobody_elses_recovery_code_opens(desk: ReviewDesk) -> None:
    others = Authenticator(desk, "reviewer").recovery_codes[0]
    Authenticator(desk, "head")

    assert not desk.run(second_factors.use_recovery_code, "head", others, by="head")


def test_an_enrolment_that_was_not_confirmed_leaves_the_one_before_in_force(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    desk.run(second_factors.begin_enrolment, "head", by="head")

    with pytest.raises(Refused) as refused:
        desk.run(second_factors.confirm_enrolment, "head", app.wrong_code(), by="head")
    assert refused.value.code == "code-wrong"
    assert take(desk, app.next_code()) == "taken"


def test_another_phone_takes_the_place_of_the_first(desk: ReviewDesk) -> None:
    first = Authenticator(desk, "head")
    desk.real.turn(timedelta(minutes=5))
    second = Authenticator(desk, "head")
    desk.real.turn(timedelta(minutes=5))

    assert take(desk, first.code()) == "code-wrong"
    assert take(desk, second.code()) == "taken"
    assert not desk.run(second_factors.use_recovery_code, "head", first.recovery_codes[0], by="head")


def test_nothing_is_confirmed_that_was_not_begun(desk: ReviewDesk) -> None:
    with pytest.raises(Refused) as refused:
        desk.run(second_factors.confirm_enrolment, "head", "123456", by="head")

    assert refused.value.code == "nothing-begun"
    assert take(desk, "123456") == "no-second-factor"


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        ("nobody", set()),
        ("signers", {"security-head", "security-deputy", "manager", "board-head", "operator"}),
        ("everyone", {"security-head", "security-deputy", "manager", "board-head", "operator", "head", "admin"}),
    ],
)
@pytest.mark.requirement("R25", "R27")
def test_the_rule_says_who_must_have_one(desk: ReviewDesk, rule: str, who: set[str]) -> None:
    object.__setattr__(desk.database.rules, "second_factor", rule)

    def asked(uow: UnitOfWork) -> set[str]:
        people = ("security-head", "security-deputy", "manager", "board-head", "operator", "head", "admin")
        return {person for person in people if second_factors.is_required(uow, person)}

    assert desk.run(asked) == who
