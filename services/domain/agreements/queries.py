"""List who has signed the confidentiality agreement, and who has not (R59)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from services.database.listing import EVERYTHING, Listing
from services.database.tables.agreements import Agreement
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries

Sort = Literal["name", "department", "state", "version", "signed", "expires"]
STATES = ("valid", "outdated", "expired", "ended", "never")


@dataclass(frozen=True)
class Signer:
    """A person and their latest agreement. ``state`` is one of ``STATES``."""

    person_id: str
    name: str
    department: Department
    state: str
    version: str | None
    signed_at: datetime | None
    expires_at: datetime | None


def list_signers(uow: UnitOfWork, listing: Listing = EVERYTHING, *, state: str = "") -> list[Signer]:
    """List active people by name, with their agreements.

    The text is searched in name and department. For administrators, Security's head and supervisors.
    """
    administrators.require_reader(uow)
    versions = {uow.rules.agreement_version, *uow.session.scalars(access_queries.select_still_valid(uow))}
    latest: dict[str, Agreement] = {}
    for agreement in uow.session.scalars(select(Agreement).order_by(Agreement.signed_at)):
        latest[agreement.person_id] = agreement
    query = (
        select(Person, Department)
        .join(Department, Department.id == Person.department_id)
        .where(Person.active)
        .order_by(Person.name, Person.id)
    )
    signers = [
        _signer(uow, person, department, latest.get(person.id), versions)
        for person, department in uow.session.execute(query)
    ]
    columns: dict[str, Callable[[Signer], Any]] = {
        "name": lambda signer: signer.name,
        "department": lambda signer: listing.name(signer.department),
        "state": lambda signer: STATES.index(signer.state),
        "version": lambda signer: signer.version,
        "signed": lambda signer: signer.signed_at,
        "expires": lambda signer: signer.expires_at,
    }
    return listing.of(
        (signer for signer in signers if not state or signer.state == state),
        columns,
        lambda signer: (signer.name, signer.department.name_zh, signer.department.name_en),
    )


def _signer(
    uow: UnitOfWork, person: Person, department: Department, agreement: Agreement | None, versions: set[str | None]
) -> Signer:
    if agreement is None:
        return Signer(person.id, person.name, department, "never", None, None, None)
    state = "valid"
    if agreement.ended_at is not None:
        state = "ended"
    elif agreement.version not in versions:
        state = "outdated"
    elif agreement.expires_at <= uow.now:
        state = "expired"
    return Signer(
        *(person.id, person.name, department, state),
        *(agreement.version, agreement.signed_at, agreement.expires_at),
    )
