"""Sign confidentiality agreements, which every task, key and view requires (R59)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.agreements import Agreement
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import texts
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.runtime.errors import Refused

TERM = timedelta(days=365)
RENEWAL_LEAD = timedelta(days=30)  # before its end an agreement is signed again
KIND = "confidentiality-agreement"


def list_own(uow: UnitOfWork) -> list[Agreement]:
    """List the acting person's agreements, newest first."""
    query = select(Agreement).where(Agreement.person_id == uow.actor.id).order_by(Agreement.signed_at.desc())
    return list(uow.session.scalars(query))


def get_document_numbers(uow: UnitOfWork, agreements: Sequence[Agreement]) -> dict[str, str]:
    """Return document numbers by agreement id; old agreements have none."""
    documents = (document_service.of_subject(uow, KIND, agreement.id) for agreement in agreements)
    return {str(document.subject_id): document.number for document in documents if document is not None}


def is_renewable(uow: UnitOfWork, agreement: Agreement) -> bool:
    """Return whether the agreement ends so soon that it should be signed again."""
    return agreement.expires_at <= uow.now + RENEWAL_LEAD


def sign(uow: UnitOfWork, version: str, proof: Proof) -> Agreement:
    """Sign the current agreement for a year.

    Refused for an older version.
    """
    if version != uow.rules.agreement_version:
        raise Refused(
            "agreement-outdated",
            "The agreement is now version {agreement_version}: read and sign this version.",
            field="version",
            agreement_version=uow.rules.agreement_version,
        )
    signed_at = signature_signing.signing_moment(uow, proof)
    agreement = Agreement(
        id=proof.pending or new_id(),
        person_id=uow.actor.id,
        version=version,
        signed_at=signed_at,
        expires_at=signed_at + TERM,
    )
    statement = {
        "kind": KIND,
        "agreement": agreement.id,
        "person": uow.actor.id,
        "version": version,
        "signedAt": signed_at.isoformat(),
        "expiresAt": agreement.expires_at.isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof)
    agreement.statement_sha256, agreement.signature = signed.sha256, signed.signature
    uow.session.add(agreement)
    notification_service.mark_done(uow, "agreement", person_id=uow.actor.id)
    audit_trail.record(uow, "agreement-signed", "agreement", agreement.id, version=version, **signed.event_fields)
    document_service.write_once(uow, KIND, agreement.id, lambda: _content(uow, agreement), application_id=None)
    return agreement


def _content(uow: UnitOfWork, agreement: Agreement) -> dict[str, Any]:
    """Return the agreement's document: text, signer and signature."""
    text = texts.get_text(uow, agreement.version)
    person = uow.session.get_one(Person, agreement.person_id)
    department = uow.session.get_one(Department, person.department_id)
    return {
        "title": "保密协议",
        "agreement": agreement.id,
        "version": agreement.version,
        "textZh": text.text_zh,
        "textEn": text.text_en,
        "by": {"id": person.id, "name": person.name},
        "department": {"id": department.id, "zh": department.name_zh, "en": department.name_en},
        "signedAt": agreement.signed_at.isoformat(),
        "expiresAt": agreement.expires_at.isoformat(),
        "statement": agreement.statement_sha256,
        "signature": agreement.signature,
    }
