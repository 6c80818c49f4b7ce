"""Who is told in somebody's place: the head of the department, else the deputy."""

from services.register import people
from services.register.applications import Application
from services.register.people import Person
from services.register.unit import Unit


def stand_ins(unit: Unit, person_id: str, application_id: str | None) -> list[str]:
    """The present heads of the person's own department, else its present deputies; never the person.

    Whom the case concerns is passed over: that there is one is not theirs to learn beforehand (T8).
    """
    passed_over = {person_id}
    if application_id is not None:
        passed_over |= set(unit.session.get_one(Application, application_id).subject_ids)
    department_id = unit.session.get_one(Person, person_id).department_id
    for post in ("head", "deputy"):
        holders = people.present(unit, people.holders(unit, department_id, post))
        fit = [other for other in holders if other not in passed_over]
        if fit:
            return fit
    return []


def away(unit: Unit, person_id: str) -> bool:
    """Whether a notice would find nobody: the person has left, or is absent now."""
    return not unit.session.get_one(Person, person_id).active or people.absent(unit, person_id)
