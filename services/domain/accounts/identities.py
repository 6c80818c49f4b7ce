"""Who a person is at the organisation's OpenID Connect provider: bound at the first sign-in, unbound by hand.

The provider's claim finds the person only until then. From then on its ``sub`` decides, which it never gives to
anybody else: whoever is given a login that was another's before inherits nothing.
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
    """What a provider says of whoever signed in there. ``login`` is its claim, which may change hands."""

    issuer: str
    subject: str
    login: str | None


def find_person(uow: UnitOfWork, vouched: ProviderIdentity) -> Person:
    """The active person, locked: the one that the subject is bound to, else the one whom the claim finds in the books.

    Refused where there is none, and where the claim finds somebody who is bound to another subject.
    """
    bound = _find_by_subject(uow, vouched)
    if bound is not None:
        person = uow.session.get_one(Person, bound.person_id, with_for_update=True)
        # Asked again under the lock: who waited for it while the person was unbound is bound no more.
        if _find_by_subject(uow, vouched) is not None:
            if not person.active:
                raise _unknown_person()
            return person
    found = select(Person).where(Person.login == (vouched.login or ""), Person.active).with_for_update(of=Person)
    named = uow.session.scalar(found)
    if named is None:
        raise _unknown_person()
    if _find_by_person(uow, vouched.issuer, named.id) is not None:
        raise _other_identity()
    return named


def bind(uow: UnitOfWork, person: Person, issuer: str, subject: str) -> None:
    """Bind the person to the subject, once. Refused where either belongs to another by now."""
    bound = _find_by_subject(uow, ProviderIdentity(issuer, subject, None))
    if bound is not None and bound.person_id == person.id:
        return
    if bound is not None or _find_by_person(uow, issuer, person.id) is not None:
        raise _other_identity()
    row = Identity(id=new_id(), person_id=person.id, issuer=issuer, subject=subject, bound_at=uow.real_now)
    uow.session.add(row)
    audit_trail.record(uow, "identity-bound", "person", person.id, identity=row.id, issuer=issuer, subject=subject)


def list_identities(uow: UnitOfWork, person_id: str) -> list[Identity]:
    """What the person is bound to, the oldest first."""
    rows = select(Identity).where(Identity.person_id == person_id, Identity.ended_at.is_(None))
    return list(uow.session.scalars(rows.order_by(Identity.bound_at, Identity.id)))


def unbind(uow: UnitOfWork, person_id: str) -> int:
    """End every binding of the person; how many there were. The next sign-in binds anew, by the claim."""
    rows = list_identities(uow, person_id)
    for row in rows:
        row.ended_at, row.ended_by = uow.real_now, uow.actor.id
        audit_trail.record(uow, "identity-unbound", "person", person_id, identity=row.id, issuer=row.issuer)
    return len(rows)


def _find_by_subject(uow: UnitOfWork, vouched: ProviderIdentity) -> Identity | None:
    rows = select(Identity).where(Identity.issuer == vouched.issuer, Identity.subject == vouched.subject)
    return uow.session.scalar(rows.where(Identity.ended_at.is_(None)))


def _find_by_person(uow: UnitOfWork, issuer: str, person_id: str) -> Identity | None:
    rows = select(Identity).where(Identity.issuer == issuer, Identity.person_id == person_id)
    return uow.session.scalar(rows.where(Identity.ended_at.is_(None)))


def _unknown_person() -> Refused:
    return Refused(
        "provider-nobody",
        "The provider knows you, and this desk has no active account for you: ask an "
        "administrator of your organisation.",
        status=403,
    )


def _other_identity() -> Refused:
    return Refused(
        "provider-other-identity",
        "This login is bound to another account of the provider: ask an administrator of "
        "your organisation to look into it and to unbind it.",
        status=403,
    )
