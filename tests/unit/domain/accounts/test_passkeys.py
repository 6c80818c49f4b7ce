"""A decision is signed by passkey over the statement that was shown, and by nothing else (R25)."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
import rfc8785
import webauthn
from at_once import at_once
from authenticator import Authenticator
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from passkey_desk import PLACE, add, asked, preparing, proof, shown
from review_desk import PASSWORD, ReviewDesk
from second_person import confirmed
from soft_passkey import ORIGIN, RP_ID, USER_PRESENT, SoftPasskey

from services.database.tables.agreements import Agreement
from services.database.tables.audit import AuditEvent
from services.database.tables.login_failures import LoginFailure
from services.database.tables.passkeys import Passkey, PasskeyChallenge
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account, own_notices, passkeys, staff
from services.domain.accounts.signatures import signed_acts
from services.domain.accounts.signatures import statements as signature_statements
from services.domain.accounts.signatures.challenges import LIFETIME, Prepared
from services.domain.accounts.signatures.given import Assertion, Proof
from services.domain.agreements import service as agreement_service
from services.domain.change_requests import holds
from services.runtime.errors import NotFound, Refused
from services.verifier.assertions import check_assertion

pytestmark = pytest.mark.requirement("R25")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def passkey(desk: ReviewDesk) -> SoftPasskey:
    """The head's."""
    passkey = SoftPasskey()
    add(desk, "head", passkey)
    return passkey


@pytest.fixture
def review_id(desk: ReviewDesk) -> str:
    return desk.opened(desk.submitted(), "preliminary")


def refused(desk: ReviewDesk, review_id: str, given: Proof, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        desk.decide(review_id, "head", proof=given, **named)
    assert desk.all(Decision) == []
    return caught.value.code


def over(desk: ReviewDesk, review_id: str, passkey: SoftPasskey, **client_data: Any) -> Proof:
    """The head is shown the decision, and signs it."""
    return proof(asked(desk, review_id, "head"), passkey, desk.form_sha256(review_id), **client_data)


def test_what_was_shown_is_what_is_signed_and_holds_without_us(
    desk: ReviewDesk, review_id: str, passkey: SoftPasskey
) -> None:
    told = asked(desk, review_id, "head")
    assert desk.all(Decision) == []
    assert desk.the(Review, id=review_id).closed_at is None

    desk.clock.turn(timedelta(seconds=40))
    desk.decide(review_id, "head", proof=proof(told, passkey, desk.form_sha256(review_id)))

    decision = desk.the(Decision)
    (act,) = desk.run(signed_acts.of_application, decision.application_id)
    assert (act.kind, act.stage, act.person) == ("decision", "preliminary", "head")
    assert rfc8785.dumps(act.statement).decode() == told.statement
    assert decision.statement_sha256 == act.signature["sha256"] == told.sha256
    assert act.signature["method"] == "passkey"
    assert {"auditCheckpoint", "nonce"} <= set(act.statement)
    check_assertion(act.signature["passkey"], hashlib.sha256(told.statement.encode()).hexdigest())
    (event,) = desk.all(AuditEvent, action="review-decided")
    assert json.loads(event.entry)["detail"]["statement_sha256"] == told.sha256


def test_the_kept_assertion_holds_for_the_library_as_well(
    desk: ReviewDesk, review_id: str, passkey: SoftPasskey
) -> None:
    told = asked(desk, review_id, "head")
    answer = passkey.assertion(told.options["challenge"])
    attested = SoftPasskey(key=passkey.key, credential_id=passkey.credential_id).attestation(told.options["challenge"])
    made = webauthn.verify_registration_response(
        credential=_credential(attested, "clientDataJSON", "attestationObject"),
        expected_challenge=bytes.fromhex(told.sha256),
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
    )
    found = webauthn.verify_authentication_response(
        credential=_credential(answer, "clientDataJSON", "authenticatorData", "signature"),
        expected_challenge=bytes.fromhex(told.sha256),
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        credential_public_key=made.credential_public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert found.user_verified


def test_it_is_told_in_words_item_by_item_in_both_languages(
    desk: ReviewDesk, review_id: str, passkey: SoftPasskey
) -> None:
    told = asked(desk, review_id, "head", reason="查明经过")
    lines = desk.run(signature_statements.describe, json.loads(told.statement))
    assert all(line.name_zh and line.name_en and line.zh and line.en for line in lines)
    in_words = {line.name_en: line.en for line in lines}
    assert in_words["Reason"] == "查明经过"
    assert in_words["Signer"] == "head"
    assert in_words["SHA-256 of the form"] == desk.form_sha256(review_id)
    assert any(name.startswith("Item 1") for name in in_words)


@pytest.mark.requirement("R25", refuses=True)
def test_nothing_else_than_what_was_shown_is_decided(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    given = over(desk, review_id, passkey)
    assert refused(desk, review_id, given, reason="另一个理由") == "statement-changed"
    assert refused(desk, review_id, given, outcome="returned") == "statement-changed"


@pytest.mark.requirement("R25", refuses=True)
def test_a_form_that_has_changed_is_read_again(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    told = asked(desk, review_id, "head")
    assert refused(desk, review_id, proof(told, passkey, "0" * 64)) == "form-changed"


@pytest.mark.requirement("R25", refuses=True)
def test_a_signature_is_good_for_one_act(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    given = over(desk, review_id, passkey)
    desk.decide(review_id, "head", proof=given)
    other = desk.opened(desk.submitted(), "preliminary")
    with pytest.raises(Refused, match="already used"):
        desk.decide(other, "head", proof=Proof(desk.form_sha256(other), passkey=given.passkey))
    with pytest.raises(Prepared) as caught:
        desk.run(agreement_service.sign, desk.rules.agreement_version, preparing(), by="head")
    once = proof(shown(desk, caught.value), passkey)
    desk.run(agreement_service.sign, desk.rules.agreement_version, once, by="head")
    with pytest.raises(Refused, match="already used"):
        desk.run(agreement_service.sign, desk.rules.agreement_version, once, by="head")


@pytest.mark.requirement("R25", refuses=True)
def test_a_session_alone_signs_nothing(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    made_up = Proof(desk.form_sha256(review_id), passkey=Assertion("made-up", passkey.assertion("AAAA")))
    assert refused(desk, review_id, made_up) == "challenge-over"
    assert refused(desk, review_id, Proof(desk.form_sha256(review_id))) == "password-wrong"


@pytest.mark.requirement("R25", refuses=True)
def test_after_five_minutes_it_is_shown_again(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    given = over(desk, review_id, passkey)
    desk.real.turn(LIFETIME)
    assert refused(desk, review_id, given) == "challenge-over"
    asked(desk, review_id, "head")
    assert len(desk.all(PasskeyChallenge, kind="signature")) == 1


@pytest.mark.requirement("R25", refuses=True)
def test_what_one_person_was_shown_no_other_signs(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    mine = SoftPasskey()
    add(desk, "deputy", mine)
    told = asked(desk, review_id, "head")
    form = desk.form_sha256(review_id)
    assert refused(desk, review_id, proof(told, mine, form)) == "passkey-wrong"
    desk.away("head")
    with pytest.raises(Refused) as caught:
        desk.decide(review_id, "deputy", proof=proof(told, mine, form))
    assert caught.value.code == "challenge-over"
    assert len(desk.all(LoginFailure, address="signature head")) == 1


@pytest.mark.requirement("R25", refuses=True)
@pytest.mark.parametrize(
    ("changes", "client_data"),
    [
        ({"flags": USER_PRESENT}, {}),
        ({"origin": "http://localhost:9"}, {}),
        ({"rp_id": "footage.example"}, {}),
        ({}, {"challenge": "AAAA"}),
        ({}, {"type": "webauthn.create"}),
        ({}, {"crossOrigin": True}),
    ],
)
def test_what_does_not_hold_is_refused_and_counted(
    desk: ReviewDesk, review_id: str, passkey: SoftPasskey, changes: dict[str, Any], client_data: dict[str, Any]
) -> None:
    told = asked(desk, review_id, "head")
    for name, value in changes.items():
        setattr(passkey, name, value)
    given = proof(told, passkey, desk.form_sha256(review_id), **client_data)
    assert refused(desk, review_id, given) == "passkey-wrong"
    assert len(desk.all(LoginFailure, address="signature head")) == 1
    assert desk.all(AuditEvent, action="signature-refused")


@pytest.mark.requirement("R25", refuses=True)
def test_a_count_that_goes_back_is_refused_and_told(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    desk.decide(review_id, "head", proof=over(desk, review_id, passkey))
    passkey.sign_count = 0
    other = desk.opened(desk.submitted(), "preliminary")
    with pytest.raises(Refused) as caught:
        desk.decide(other, "head", proof=over(desk, other, passkey))
    assert caught.value.code == "passkey-cloned"
    assert desk.the(AuditEvent, action="passkey-cloned").subject_id == desk.the(Passkey).id


def test_an_authenticator_that_does_not_count_signs_again_and_again(desk: ReviewDesk, review_id: str) -> None:
    passkey = SoftPasskey(counts=False)
    add(desk, "head", passkey)
    for review in (review_id, desk.opened(desk.submitted(), "preliminary")):
        desk.decide(review, "head", proof=over(desk, review, passkey))
    assert len(desk.all(Decision)) == 2


@pytest.mark.requirement("R25", refuses=True)
def test_a_passkey_takes_the_place_of_the_code_when_it_was_added_with_one(desk: ReviewDesk) -> None:
    weak, strong = SoftPasskey(), SoftPasskey()
    add(desk, "security-head", weak)
    app = Authenticator(desk, "security-head")
    with pytest.raises(Refused):
        add(desk, "security-head", strong)
    add(desk, "security-head", strong, code=app.next_code())
    application_id = desk.submitted()
    for stage, by in (("preliminary", "head"), ("security", "reviewer")):
        desk.decide(desk.opened(application_id, stage), by)
    review_id = desk.opened(application_id, "security-signature")

    told = asked(desk, review_id, "security-head")
    with pytest.raises(Refused) as caught:
        desk.decide(review_id, "security-head", proof=proof(told, weak, desk.form_sha256(review_id)))
    assert caught.value.code == "passkey-weak"
    desk.decide(review_id, "security-head", proof=proof(told, strong, desk.form_sha256(review_id)))
    assert desk.the(Decision, stage="security-signature").signature["method"] == "passkey"


def test_an_agreement_is_signed_as_it_was_shown(desk: ReviewDesk, passkey: SoftPasskey) -> None:
    version = desk.rules.agreement_version
    with pytest.raises(Prepared) as caught:
        desk.run(agreement_service.sign, version, preparing(), by="head")
    told = shown(desk, caught.value)
    desk.clock.turn(timedelta(minutes=1))

    signed = desk.run(agreement_service.sign, version, proof(told, passkey), by="head")

    assert desk.the(Agreement, id=signed.id).signature == signed.signature
    assert json.loads(told.statement)["expiresAt"] == signed.expires_at.isoformat()
    assert signed.statement_sha256 == told.sha256


@pytest.mark.requirement("R25", refuses=True)
def test_an_enrolment_is_sound_verified_and_taken_once(desk: ReviewDesk) -> None:
    def code(passkey: SoftPasskey, **client_data: Any) -> str:
        with pytest.raises(Refused) as caught:
            add(desk, "head", passkey, **client_data)
        return caught.value.code

    assert code(SoftPasskey(flags=USER_PRESENT)) == "passkey-unsound"
    assert code(SoftPasskey(origin="http://localhost:9")) == "passkey-unsound"
    assert code(SoftPasskey(rp_id="footage.example")) == "passkey-unsound"
    assert code(SoftPasskey(), challenge="AAAA") == "passkey-unsound"
    assert code(SoftPasskey(), type="webauthn.get") == "passkey-unsound"
    assert desk.all(Passkey) == []

    passkey = SoftPasskey()
    begun = desk.run(own_account.begin_passkey, PLACE, PASSWORD, None, by="head")
    made = passkey.attestation(begun.options["challenge"])
    with pytest.raises(Refused, match="has expired"):
        desk.run(passkeys.finish_enrolment, "deputy", begun.id, made, "x", by="deputy")
    with pytest.raises(Refused) as caught:
        desk.run(passkeys.finish_enrolment, "head", begun.id, {**made, "attestationObject": "AAAA"}, "x", by="head")
    assert caught.value.code == "passkey-unsound"
    kept = desk.run(passkeys.finish_enrolment, "head", begun.id, made, "x", by="head")
    [added] = desk.all(AuditEvent, action="passkey-added")
    detail = json.loads(added.entry)["detail"]
    der = load_pem_public_key(kept.public_key.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert detail["public_key_sha256"] == hashlib.sha256(der).hexdigest()
    assert detail["credential_id"] == kept.credential_id
    with pytest.raises(Refused, match="already used"):
        desk.run(passkeys.finish_enrolment, "head", begun.id, made, "x", by="head")
    assert code(passkey) == "passkey-known"
    with pytest.raises(Refused) as caught:
        desk.run(own_account.begin_passkey, PLACE, "wrong", None, by="head")
    assert caught.value.code == "password-wrong"


@pytest.mark.both_databases
@pytest.mark.requirement("R25", refuses=True)
def test_of_two_passkeys_that_are_added_at_once_the_last_allowed_one_is_added(
    any_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, both, notify = ReviewDesk(any_database_url), Barrier(2), own_notices.notify
    made = [SoftPasskey() for _ in range(2)]
    begun = [desk.run(own_account.begin_passkey, PLACE, PASSWORD, None, by="head") for _ in made]
    monkeypatch.setattr(passkeys, "MAX_PASSKEYS", 2)
    add(desk, "head", SoftPasskey())

    def notify_together(*arguments: Any) -> None:
        """Wait for the other one to have added its passkey as well; in vain where it waits for this one to end."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        notify(*arguments)

    monkeypatch.setattr(own_notices, "notify", notify_together)
    finish = [
        partial(
            passkeys.finish_enrolment, enrolment_id=one.id, attestation=passkey.attestation(one.options["challenge"])
        )
        for one, passkey in zip(begun, made, strict=True)
    ]
    ended = at_once(*(partial(desk.run, act, person_id="head", name="x", by="head") for act in finish))
    there = desk.all(Passkey)
    desk.close()

    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, Refused)
    assert (refusal.code, len(there)) == ("passkeys-enough", 2)


@pytest.mark.requirement("R25", refuses=True)
def test_a_passkey_that_is_over_signs_no_more_and_what_it_signed_stays(
    desk: ReviewDesk, review_id: str, passkey: SoftPasskey
) -> None:
    row = desk.the(Passkey)
    given = over(desk, review_id, passkey)
    with pytest.raises(NotFound):
        desk.run(passkeys.remove, row.id, by="deputy")
    with pytest.raises(NotFound):
        desk.run(passkeys.rename, row.id, "mine", by="deputy")
    assert desk.run(passkeys.rename, row.id, "phone", by="head").name == "phone"

    with pytest.raises(Refused):
        desk.run(staff.end_passkeys, "head", by="deputy")
    confirmed(desk, staff.end_passkeys, "head")
    [hold] = desk.run(holds.list_current)
    desk.run(holds.release, hold.id, by="security-head")

    assert refused(desk, review_id, given) == "passkey-wrong"
    assert desk.run(lambda uow: passkeys.list_passkeys(uow, "head")) == []
    assert desk.the(AuditEvent, action="passkey-ended").subject_id == row.id
    with pytest.raises(Refused):
        desk.run(staff.end_passkeys, "head", by="admin")


def test_preparing_leaves_no_trace_but_the_statement(desk: ReviewDesk, review_id: str, passkey: SoftPasskey) -> None:
    before = desk.run(_events)
    asked(desk, review_id, "head")
    assert desk.run(_events) == before
    assert desk.all(LoginFailure) == []


def _events(uow: UnitOfWork) -> int:
    return uow.session.query(AuditEvent).count()


def _credential(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    response = {name: answer[name] for name in names}
    return {"id": answer["credentialId"], "rawId": answer["credentialId"], "type": "public-key", "response": response}
