"""Who is told in somebody's place: the head of the department, else the deputy, where they may know of the case."""

from dataclasses import replace

from services.register import people, visibility
from services.register.people import Person
from services.register.unit import Actor, Unit
from services.runtime.errors import NotFound


def stand_ins(unit: Unit, person_id: str, application_id: str | None) -> list[str]:
    """The present heads of the person's own department, else its present deputies; never the person.

    Somebody whom the case concerns is passed over, so that a notice tells nobody of a case that is not theirs to see.
    """
    department_id = unit.session.get_one(Person, person_id).department_id
    for post in ("head", "deputy"):
        fit = [
            other
            for other in people.present(unit, people.holders(unit, department_id, post))
            if other != person_id and (application_id is None or _may_see(unit, other, application_id))
        ]
        if fit:
            return fit
    return []


def away(unit: Unit, person_id: str) -> bool:
    """Whether a notice would find nobody: the person has left, or is absent now."""
    return not unit.session.get_one(Person, person_id).active or people.absent(unit, person_id)


def _may_see(unit: Unit, person_id: str, application_id: str) -> bool:
    try:
        visibility.visible(replace(unit, actor=Actor("person", person_id)), application_id)
    except NotFound:
        return False
    return True
