"""List who has signed the confidentiality agreement, and who has not (R59)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, case, func, literal, select
from sqlalchemy.orm import aliased

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
    code = _state(uow)
    query = _select_signers(code).where(listing.mentioned(Person.name, Department.name_zh, Department.name_en))
    if state:
        query = query.where(code == state)
    columns = {
        **{"name": Person.name, "department": listing.name(Department), "version": Agreement.version},
        **{"signed": Agreement.signed_at, "expires": Agreement.expires_at},
        "state": case({name: place for place, name in enumerate(STATES)}, value=code),
    }
    return [
        Signer(
            *(person.id, person.name, department, state_of),
            *((agreement.version, agreement.signed_at, agreement.expires_at) if agreement else (None, None, None)),
        )
        for person, department, agreement, state_of in uow.session.execute(
            listing.part(query, columns, Person.name, Person.id)
        )
    ]


def count_unsigned(uow: UnitOfWork) -> int:
    """Count the active people without a valid agreement."""
    administrators.require_reader(uow)
    code = _state(uow)
    return uow.session.scalar(_select_signers(code).where(code != "valid").with_only_columns(func.count())) or 0


def _select_signers(code: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    """Select the active people, each with the department, the newest agreement and its state."""
    other = aliased(Agreement)
    newest = (
        select(other.id)
        .where(other.person_id == Person.id)
        .order_by(other.signed_at.desc(), other.id.desc())
        .limit(1)
        .correlate(Person)
        .scalar_subquery()
    )
    return (
        select(Person, Department, Agreement, code)
        .join(Department, Department.id == Person.department_id)
        .outerjoin(Agreement, Agreement.id == newest)
        .where(Person.active)
    )


def _state(uow: UnitOfWork) -> ColumnElement[str]:
    """Derive the state of the agreement, in a query of ``_select_signers``."""
    versions = [uow.rules.agreement_version, *uow.session.scalars(access_queries.select_still_valid(uow))]
    return case(
        (Agreement.id.is_(None), literal("never", String)),
        (Agreement.ended_at.is_not(None), "ended"),
        (Agreement.version.not_in([version for version in versions if version is not None]), "outdated"),
        (Agreement.expires_at <= uow.now, "expired"),
        else_="valid",
    )
