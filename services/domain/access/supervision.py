"""Who supervises, who appoints the group and who reads: pure functions over the organisation (R60 to R62)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.domain.access.directory import LEADERS, Directory
from services.runtime.errors import Refused
from services.runtime.translations import Joined, Message, in_context

REQUIRED = ("security", "administration", "legal")  # kinds of departments that the group has at least one member of
KIND_LABELS: Mapping[str, Message] = {
    "security": Message("Security"),
    "administration": in_context("department kind", "Administration"),
    "legal": Message("Legal"),
}
SUPERVISOR = "supervisor"  # the post that each member holds


@dataclass(frozen=True)
class Composition:
    """The people of a group as they are now, by id; ``leader`` is one of them."""

    leader: str
    people: Collection[str]


def appointers(directory: Directory) -> list[str]:
    """List who may appoint the group, and confirm it as the second person: the management."""
    managers = {*directory.holders(None, "manager"), *directory.holders_in("management", *LEADERS)}
    return sorted(managers - directory.administrators)


def may_appoint(directory: Directory, person_id: str) -> bool:
    """Return whether the person may propose a group, or confirm it as the second person."""
    manages = directory.holds(person_id, "manager") or directory.holds_in(person_id, "management", *LEADERS)
    return manages and person_id not in directory.administrators


def may_read(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read group, inspections and reports.

    Supervisors, those who lead Security, and the management may; administrators may not.
    """
    reads = (
        directory.holds(person_id, SUPERVISOR)
        or directory.holds_in(person_id, "security", *LEADERS)
        or may_appoint(directory, person_id)
    )
    return reads and person_id not in directory.administrators


def department_kind(directory: Directory, person_id: str) -> str:
    """Return the kind of the person's own department; each member counts for this one alone."""
    return directory.departments[directory.people[person_id].department_id].kind


def composition_refusal(directory: Directory, group: Composition) -> Refused | None:
    """Return why these people are no group now, or None (R61).

    Each holds the post of a supervisor, is no administrator and has a valid confidentiality agreement; at least one
    each belongs to Security, Administration and Legal.
    """
    for person_id in sorted(group.people):
        holds = person_id in directory.people and directory.holds(person_id, SUPERVISOR)
        if not holds or person_id in directory.administrators:
            return _refused(
                "member-unfit",
                Message("Each member has to hold the post of a supervisor, and must not administer: {names}."),
                directory,
                person_id,
            )
        if person_id not in directory.agreed:
            return _refused(
                "member-without-agreement",
                Message("Each member needs a valid confidentiality agreement: {names}."),
                directory,
                person_id,
            )
    kinds = {department_kind(directory, person_id) for person_id in group.people}
    missing = [kind for kind in REQUIRED if kind not in kinds]
    if missing:
        return Refused(
            "composition",
            "The group needs at least one member of each: {departments}.",
            status=422,
            departments=Joined(", ", [KIND_LABELS[kind] for kind in missing]),
        )
    if group.leader not in group.people:
        return Refused("leader", "Choose the leader among the members.", status=422, field="leaderId")
    return None


def _refused(code: str, message: Message, directory: Directory, person_id: str) -> Refused:
    named = directory.people.get(person_id)
    return Refused(code, message.with_values(names=named.name if named is not None else person_id), status=422)
