"""Who has signed the confidentiality agreement, and who has not (R59)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from services.register import administration
from services.register.agreements import Agreement
from services.register.people import Department, Person
from services.register.unit import Unit

STATES = ("valid", "outdated", "expired", "ended", "never")


@dataclass(frozen=True)
class Signer:
    """A person and the agreement that counts: the latest. ``state`` is one of ``STATES``."""

    person_id: str
    name: str
    department: Department
    state: str
    version: str | None
    signed_at: datetime | None
    expires_at: datetime | None


def signers(unit: Unit, *, text: str = "", state: str = "") -> list[Signer]:
    """The active people by name; for administrators, Security's head and supervisors."""
    administration.require_reader(unit)
    latest: dict[str, Agreement] = {}
    for agreement in unit.session.scalars(select(Agreement).order_by(Agreement.signed_at)):
        latest[agreement.person_id] = agreement
    query = (
        select(Person, Department)
        .join(Department, Department.id == Person.department_id)
        .where(Person.active)
        .order_by(Person.name, Person.id)
    )
    if text:
        columns = (Person.name, Department.name_zh, Department.name_en)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    found = [
        _signer(unit, person, department, latest.get(person.id)) for person, department in unit.session.execute(query)
    ]
    return [one for one in found if not state or one.state == state]


def _signer(unit: Unit, person: Person, department: Department, agreement: Agreement | None) -> Signer:
    if agreement is None:
        return Signer(person.id, person.name, department, "never", None, None, None)
    state = "valid"
    if agreement.ended_at is not None:
        state = "ended"
    elif agreement.version != unit.rules.agreement_version:
        state = "outdated"
    elif agreement.expires_at <= unit.now:
        state = "expired"
    return Signer(
        *(person.id, person.name, department, state),
        *(agreement.version, agreement.signed_at, agreement.expires_at),
    )
