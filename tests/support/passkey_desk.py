"""A desk's people with passkeys: they add one, are shown what they sign, and sign it."""

from typing import Any

import pytest
from review_desk import PASSWORD, ReviewDesk
from soft_passkey import ORIGIN, RP_ID, SoftPasskey

from services.database.base import new_id
from services.database.tables.passkeys import Passkey
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account, passkeys
from services.domain.accounts.signatures import challenges as signature_challenges
from services.domain.accounts.signatures.challenges import Prepared, RelyingParty, SigningRequest
from services.domain.accounts.signatures.given import Assertion, Proof

PLACE = RelyingParty(RP_ID, ORIGIN)


def add(desk: ReviewDesk, person: str, passkey: SoftPasskey, *, code: str | None = None, **client_data: Any) -> Passkey:
    """The person adds the passkey."""
    begun = desk.run(own_account.begin_passkey, PLACE, PASSWORD, code, by=person)
    made = passkey.attestation(begun.options["challenge"], **client_data)
    return desk.run(passkeys.finish_enrolment, person, begun.id, made, "my key", by=person)


def preparing(form_sha256: str = "") -> Proof:
    return Proof(form_sha256, preparing=new_id())


def shown(desk: ReviewDesk, prepared: Prepared) -> SigningRequest:
    """What the person is shown."""

    def act(uow: UnitOfWork) -> SigningRequest:
        own = passkeys.list_passkeys(uow, prepared.person_id, PLACE)
        return signature_challenges.store(uow, prepared, PLACE, [one.credential_id for one in own])

    return desk.run(act, by=prepared.person_id)


def asked(desk: ReviewDesk, review_id: str, by: str, **named: Any) -> SigningRequest:
    """What the person is shown of the decision that they are about to sign."""
    with pytest.raises(Prepared) as caught:
        desk.decide(review_id, by, proof=preparing(desk.form_sha256(review_id)), **named)
    return shown(desk, caught.value)


def proof(told: SigningRequest, passkey: SoftPasskey, form_sha256: str = "", **client_data: Any) -> Proof:
    """The passkey's signature of what was shown."""
    answer = passkey.assertion(told.options["challenge"], **client_data)
    return Proof(form_sha256, passkey=Assertion(told.pending, answer))
