"""Whatever people sign in a case, by passkey or by password, is kept whole and is on the audit trail (R25, R52)."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from lent_case import lend, offered
from passkey_desk import add, asked, preparing, proof, shown
from review_desk import PASSWORD, ReviewDesk
from soft_passkey import SoftPasskey

from services.database.tables.audit import AuditEvent
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.domain.accounts.signatures import signed_acts
from services.domain.accounts.signatures import statements as signature_statements
from services.domain.accounts.signatures.challenges import Prepared
from services.domain.accounts.signatures.given import Proof
from services.domain.accounts.signatures.signed_acts import SignedAct
from services.domain.agreements import service as agreement_service
from services.domain.applications import joint
from services.domain.custody import hand_overs, returns
from services.domain.reviews import filing
from services.domain.reviews import service as review_service
from services.domain.reviews.classification import Classification
from services.verifier.assertions import check_assertion

pytestmark = [pytest.mark.requirement("R25", "R52"), pytest.mark.both_databases]


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


class Signers:
    """People with a passkey each, added when they first sign."""

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk
        self._passkeys: dict[str, SoftPasskey] = {}

    def passkey(self, person: str) -> SoftPasskey:
        if person not in self._passkeys:
            self._passkeys[person] = SoftPasskey()
            add(self._desk, person, self._passkeys[person])
        return self._passkeys[person]

    def decide(self, review_id: str, by: str, **named: Any) -> None:
        passkey = self.passkey(by)
        told = asked(self._desk, review_id, by, **named)
        self._desk.decide(review_id, by, proof=proof(told, passkey, self._desk.form_sha256(review_id)), **named)

    def sign(self, by: str, act: Callable[..., Any], *args: Any, form: str = "", **named: Any) -> Any:
        """The act is shown and signed half a minute later; what is shown has words for everything."""
        passkey = self.passkey(by)
        with pytest.raises(Prepared) as caught:
            self._desk.run(act, *args, by=by, proof=preparing(form), **named)
        told = shown(self._desk, caught.value)
        lines = self._desk.run(signature_statements.describe, json.loads(told.statement))
        assert len(lines) > 2
        assert all(line.name_zh and line.name_en and line.zh and line.en for line in lines)
        self._desk.clock.turn(timedelta(seconds=30))
        return self._desk.run(act, *args, by=by, proof=proof(told, passkey, form), **named)


def kept(desk: ReviewDesk, application_id: str) -> list[SignedAct]:
    """The signed acts of the case, each of which holds by itself and is on the trail."""
    acts = desk.run(signed_acts.of_application, application_id)
    events = [json.loads(event.entry) for event in desk.all(AuditEvent)]
    on_trail = {(event["detail"].get("statement_sha256"), event["actor"]["id"]) for event in events}
    for act in acts:
        sha256 = hashlib.sha256(rfc8785.dumps(act.statement)).hexdigest()
        assert act.signature["sha256"] == sha256
        assert act.statement["kind"] in (act.kind, "decision")
        assert "statement" not in act.signature
        assert "auditCheckpoint" in act.statement
        assert (sha256, act.signature["person"]) in on_trail
        assert act.person == act.statement["person"] == act.signature["person"]
        if act.signature["method"] == "passkey":
            check_assertion(act.signature["passkey"], sha256)
    return acts


def test_from_the_first_review_to_the_return_by_passkey(desk: ReviewDesk) -> None:
    people = Signers(desk)
    application_id = desk.submitted()
    for stage, by in (("preliminary", "head"), ("security", "reviewer"), ("security-signature", "security-head")):
        people.decide(desk.opened(application_id, stage), by)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download", second_person=True)
    release = desk.opened(application_id, "storage-release")
    form = desk.form_sha256(release)
    people.decide(release, "operator")
    people.sign("operator2", review_service.confirm, release, form=form, agrees=False, reason="时钟未核对")
    people.decide(release, "operator")
    people.sign("operator2", review_service.confirm, release, form=form, agrees=True)
    people.sign("keeper", agreement_service.sign, desk.rules.agreement_version)
    _, _, hand_over_id = desk.run(offered, application_id)
    desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    version = desk.rules.policy_version
    people.sign("keeper", hand_overs.accept, hand_over_id, form=form, conditions_version=version)
    people.sign("keeper", returns.return_copies, hand_over_id, return_to="security", fates=[], no_other_copies=True)

    acts = kept(desk, application_id)

    assert {act.signature["method"] for act in acts} == {"passkey"}
    assert [(act.kind, act.stage) for act in acts] == [
        ("decision", "preliminary"),
        ("decision", "security"),
        ("decision", "security-signature"),
        ("proposal", "storage-release"),
        ("confirmation", "storage-release"),
        ("decision", "storage-release"),
        ("confirmation", "storage-release"),
        ("confidentiality-agreement", None),
        ("decision", "receipt"),
        ("return", None),
    ]
    receipt = next(act for act in acts if act.stage == "receipt")
    due_at = desk.the(HandOver).due_at
    assert due_at is not None
    assert receipt.statement["answers"]["dueAt"] == due_at.isoformat()


def test_by_password_as_whole(desk: ReviewDesk) -> None:
    known = lend(desk)
    desk.run(
        returns.return_copies,
        known["hand_over_id"],
        return_to="security",
        fates=[returns.AttestedFate(known["download_id"], "destroyed")],
        no_other_copies=True,
        proof=Proof(password=PASSWORD),
        by="keeper",
    )
    acts = kept(desk, known["application_id"])
    assert [act.kind for act in acts][-2:] == ["decision", "return"]
    assert {act.signature["method"] for act in acts} == {"password"}


def test_a_department_consents_by_passkey_and_another_refuses(desk: ReviewDesk) -> None:
    people = Signers(desk)
    for act, named in ((joint.consent, {}), (joint.refuse, {"reason": "与本部门无关"})):
        desk.submitted(**{"joint_department_ids": ("security",), "purpose": f"核对记录 {act.__name__}"})
        consent = next(row for row in desk.all(Consent) if row.answer is None)
        form = desk.run(joint.get_consent, consent.id, by="security-head")[1].sha256
        people.sign("security-head", act, consent.id, form=form, **named)
        (signed,) = kept(desk, consent.application_id)
        assert (signed.kind, signed.signature["method"]) == ("consent", "passkey")
        assert signed.statement["answer"] == ("consented" if act is joint.consent else "refused")
