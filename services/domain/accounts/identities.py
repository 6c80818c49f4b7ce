"""Bind people to their subject at the OpenID Connect provider.

The provider's claim finds a person at the first login only. Afterwards its ``sub`` decides, which is never given to
another person: a login that changes hands inherits nothing.
"""

from dataclasses import dataclass

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.identities import Identity
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused

REFUSALS = ("provider-nobody", "provider-other-identity")


@dataclass(frozen=True)
class ProviderIdentity:
    """An identity that the provider vouches for.

    ``login`` is its claim, which may change hands.
    """

    issuer: str
    subject: str
    login: str | None


def find_person(uow: UnitOfWork, identity: ProviderIdentity) -> Person:
    """Return the active person of an identity, locked.

    The subject's bound person, else the person with the claimed login. Refused where there is none, and where that
    person is bound to another subject.
    """
    bound = _find_by_subject(uow, identity)
    if bound is not None:
        person = uow.session.get_one(Person, bound.person_id, with_for_update=True)
        # Read again under the lock: the person may have been unbound meanwhile.
        if _find_by_subject(uow, identity) is not None:
            if not person.active:
                raise _unknown_person()
            return person
    query = select(Person).where(Person.login == (identity.login or ""), Person.active).with_for_update(of=Person)
    claimed = uow.session.scalar(query)
    if claimed is None:
        raise _unknown_person()
    if _find_by_person(uow, identity.issuer, claimed.id) is not None:
        raise _other_identity()
    return claimed


def bind(uow: UnitOfWork, person: Person, issuer: str, subject: str) -> None:
    """Bind the person to the subject, once.

    Refused where either is bound to another one.
    """
    bound = _find_by_subject(uow, ProviderIdentity(issuer, subject, None))
    if bound is not None and bound.person_id == person.id:
        return
    if bound is not None or _find_by_person(uow, issuer, person.id) is not None:
        raise _other_identity()
    row = Identity(id=new_id(), person_id=person.id, issuer=issuer, subject=subject, bound_at=uow.real_now)
    uow.session.add(row)
    audit_trail.record(uow, "identity-bound", "person", person.id, identity=row.id, issuer=issuer, subject=subject)


def list_identities(uow: UnitOfWork, person_id: str) -> list[Identity]:
    """List a person's bindings, oldest first."""
    rows = select(Identity).where(Identity.person_id == person_id, Identity.ended_at.is_(None))
    return list(uow.session.scalars(rows.order_by(Identity.bound_at, Identity.id)))


def unbind(uow: UnitOfWork, person_id: str) -> int:
    """End a person's bindings and return how many there were.

    The next login binds again by the claim.
    """
    rows = list_identities(uow, person_id)
    for row in rows:
        row.ended_at, row.ended_by = uow.real_now, uow.actor.id
        audit_trail.record(uow, "identity-unbound", "person", person_id, identity=row.id, issuer=row.issuer)
    return len(rows)


def _find_by_subject(uow: UnitOfWork, identity: ProviderIdentity) -> Identity | None:
    rows = select(Identity).where(Identity.issuer == identity.issuer, Identity.subject == identity.subject)
    return uow.session.scalar(rows.where(Identity.ended_at.is_(None)))


def _find_by_person(uow: UnitOfWork, issuer: str, person_id: str) -> Identity | None:
    rows = select(Identity).where(Identity.issuer == issuer, Identity.person_id == person_id)
    return uow.session.scalar(rows.where(Identity.ended_at.is_(None)))


def _unknown_person() -> Refused:
    return Refused(
        "provider-nobody",
        "The identity provider confirmed your identity, but you have no active account here: contact an "
        "administrator of your organisation.",
        status=403,
    )


def _other_identity() -> Refused:
    return Refused(
        "provider-other-identity",
        "This username is linked to another account at the identity provider: ask an administrator of your "
        "organisation to check and unlink it.",
        status=403,
    )
