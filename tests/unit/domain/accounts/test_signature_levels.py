"""What a signature needs at each stage, and what is kept of it; what is wrong is counted, though nothing is signed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from authenticator import Authenticator
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.audit import AuditEvent
from services.database.tables.login_failures import LoginFailure
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.domain.accounts import lockout
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreement_service
from services.domain.cases import inbox as case_inbox
from services.runtime.errors import Refused


@pytest.fixture
def review_id(desk: ReviewDesk) -> str:
    """A sign-off that waits for the head of Security."""
    application_id = desk.submitted()
    for stage, by in (("preliminary", "head"), ("security", "reviewer")):
        desk.decide(desk.opened(application_id, stage), by)
    return desk.opened(application_id, "security-signature")


def sign(desk: ReviewDesk, review_id: str, code: str | None, password: str = PASSWORD) -> str:
    """The method of the signature, or the code of the refusal."""
    try:
        desk.decide(review_id, "security-head", proof=Proof(desk.form_sha256(review_id), password, code))
    except Refused as refusal:
        return refusal.code
    return str(desk.the(Decision, review_id=review_id).signature["method"])


@pytest.mark.requirement("R25", refuses=True)
def test_with_a_second_factor_the_sign_off_takes_its_code(desk: ReviewDesk, review_id: str) -> None:
    app = Authenticator(desk, "security-head")
    assert desk.run(case_inbox.get_review, review_id, by="security-head").signature_methods == ["password", "totp"]

    assert sign(desk, review_id, None) == "code-missing"
    assert sign(desk, review_id, app.wrong_code()) == "code-wrong"
    assert sign(desk, review_id, app.code()) == "code-used"
    assert sign(desk, review_id, app.next_code()) == "password+totp"


@pytest.mark.requirement("R25")
def test_without_one_and_without_the_rule_the_password_signs(desk: ReviewDesk, review_id: str) -> None:
    assert desk.run(case_inbox.get_review, review_id, by="security-head").signature_methods == ["password"]
    assert sign(desk, review_id, "123456") == "no-second-factor"
    assert sign(desk, review_id, None) == "password"


@pytest.mark.requirement("R25", refuses=True)
def test_whoever_must_have_one_and_has_none_signs_nothing(desk: ReviewDesk, review_id: str) -> None:
    object.__setattr__(desk.database.rules, "second_factor", "signers")

    assert sign(desk, review_id, None) == "second-factor-missing"
    assert desk.run(case_inbox.get_review, review_id, by="security-head").signature_methods == ["password", "totp"]


def test_a_stage_that_asks_for_the_password_alone_takes_a_code_as_well(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    review_id = desk.opened(desk.submitted(), "preliminary")
    assert desk.run(case_inbox.get_review, review_id, by="head").signature_methods == ["password"]

    desk.decide(review_id, "head", proof=Proof(desk.form_sha256(review_id), PASSWORD, app.next_code()))

    assert desk.the(Decision, review_id=review_id).signature["method"] == "password+totp"


@pytest.mark.requirement("R52", refuses=True)
def test_wrong_passwords_and_codes_at_signatures_lock_the_account(desk: ReviewDesk, review_id: str) -> None:
    app = Authenticator(desk, "security-head")

    for _ in range(2):
        assert sign(desk, review_id, app.next_code(), "guess") == "password-wrong"
    for _ in range(3):
        assert sign(desk, review_id, app.wrong_code()) == "code-wrong"

    assert desk.the(Person, id="security-head").locked_until is not None
    assert len(desk.all(AuditEvent, action="signature-refused")) == 5
    assert desk.all(Decision, review_id=review_id) == []


@pytest.mark.requirement("R52", refuses=True)
def test_guesses_that_are_under_way_together_are_no_more_than_five(desk: ReviewDesk) -> None:
    """Each was let in before the first one failed; the fifth ends the sessions, and the others go on."""
    app = Authenticator(desk, "head")

    def guess() -> str:
        with pytest.raises(Refused) as found:
            desk.run(signing.authenticate, PASSWORD, app.wrong_code(), level="password+totp", by="head")
        return found.value.code

    answers = [guess() for _ in range(40)]

    assert answers.count("code-wrong") == lockout.MAX_FAILURES
    assert set(answers[lockout.MAX_FAILURES :]) == {"account-locked"}
    with pytest.raises(Refused, match="too many wrong"):
        desk.run(signing.authenticate, PASSWORD, app.next_code(), level="password+totp", by="head")
    desk.real.turn(lockout.LOCK_DURATION)
    desk.run(signing.authenticate, PASSWORD, app.next_code(), level="password+totp", by="head")


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.both_databases
def test_of_guesses_by_many_threads_few_are_tried(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    app, begin = Authenticator(desk, "head"), Barrier(20)

    def guess(_: int) -> str:
        begin.wait()
        try:
            desk.run(signing.authenticate, PASSWORD, app.wrong_code(), level="password+totp", by="head")
        except Refused as refusal:
            return refusal.code
        return "right"

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(guess, range(20)))

    # in PostgreSQL the next one may have begun while the one before is counted
    assert answers.count("code-wrong") <= 2 * lockout.MAX_FAILURES
    assert "account-locked" in answers
    desk.close()


def test_a_refusal_for_another_reason_counts_nothing_and_uses_no_code(desk: ReviewDesk, review_id: str) -> None:
    app = Authenticator(desk, "security-head")
    code = app.next_code()

    with pytest.raises(Refused):
        desk.decide(review_id, "security-head", proof=Proof("0" * 64, PASSWORD, code))

    assert desk.all(LoginFailure) == []
    assert sign(desk, review_id, code) == "password+totp"


def test_an_agreement_is_signed_by_password_and_with_a_code_where_one_is_given(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    version = desk.rules.agreement_version

    desk.run(agreement_service.sign, version, Proof(password=PASSWORD), by="head")
    desk.run(agreement_service.sign, version, Proof(password=PASSWORD, code=app.next_code()), by="head")

    signed = [row for row in desk.all(Agreement) if row.signature]
    assert [row.signature["method"] for row in signed if row.signature] == ["password", "password+totp"]
    told = [event.entry for event in desk.all(AuditEvent, action="agreement-signed")]
    for row, entry in zip(signed, told, strict=True):
        assert f'"statement_sha256":"{row.statement_sha256}"' in entry
