"""Load and change people and departments for administrators."""

from typing import Any

from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text


def get_person_for_update(uow: UnitOfWork, person_id: str) -> Person:
    """Return the person, locked. Raises NotFound."""
    person = uow.session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is None:
        raise NotFound(Message("person"), person_id)
    return person


def get_department(uow: UnitOfWork, department_id: str, field: str = "departmentId") -> Department:
    """Return the department. Refused with the field where there is none."""
    department = uow.session.get(Department, department_id)
    if department is None:
        raise Refused("no-such-department", "This department does not exist.", status=422, field=field)
    return department


def department_to_json(uow: UnitOfWork, department_id: str | None) -> dict[str, Any] | None:
    """Return a department as a request names it: its names, its kind, and the names of the one above it."""
    row = uow.session.get(Department, department_id) if department_id is not None else None
    if row is None:
        return None
    above = uow.session.get(Department, row.superior_id) if row.superior_id is not None else None
    return {
        "id": row.id,
        "zh": row.name_zh,
        "en": row.name_en,
        "kind": row.kind,
        "superior": None if above is None else {"id": above.id, "zh": above.name_zh, "en": above.name_en},
    }


def apply_changes(uow: UnitOfWork, row: Any, kind: str, values: dict[str, Any]) -> bool:
    """Set values on the row and audit the changed ones.

    Returns whether any changed.
    """
    old = {name: getattr(row, name) for name in values}
    changed = {name: value for name, value in values.items() if old[name] != value}
    if not changed:
        return False
    for name, value in changed.items():
        setattr(row, name, value)
    audit_trail.record(uow, f"{kind}-changed", kind, row.id, old={name: old[name] for name in changed}, new=changed)
    return True


def refuse_oneself(uow: UnitOfWork, person_id: str, message: Text) -> None:
    """Refuse an act on the administrator's own account."""
    if person_id == uow.actor.id:
        raise Refused("not-oneself", message, status=403)
