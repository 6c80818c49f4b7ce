"""Who does a work order and who verifies it: a person, or the holders of a post (R11, R64).

Pure functions over the organisation. In the place of an absent head the deputies act. Administrators do nothing of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from services.domain.access.directory import Directory

HEAD, DEPUTY = "head", "deputy"
DEPARTMENT_KINDS = ("business", "administration", "legal", "security", "storage", "management")


@dataclass(frozen=True)
class Role:
    """A person; or the holders of ``post`` in a department, in all departments of a kind, or in any."""

    post: str | None = None
    department_id: str | None = None
    department_kind: str | None = None
    person_id: str | None = None

    def __post_init__(self) -> None:
        if (self.post is None) == (self.person_id is None):
            raise ValueError("a role is a person or a post: give one of them")

    def as_json(self) -> dict[str, Any]:
        """Return it as facts and schedules store it, without what is empty."""
        named = {
            "post": self.post,
            "department": self.department_id,
            "departmentKind": self.department_kind,
            "person": self.person_id,
        }
        return {name: value for name, value in named.items() if value is not None}

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Role":
        """Read what ``as_json`` has returned."""
        return Role(stored.get("post"), stored.get("department"), stored.get("departmentKind"), stored.get("person"))


def pools(directory: Directory, role: Role) -> list[list[str]]:
    """List who acts in this role: those in charge, and behind them the substitutes of a head."""
    if role.person_id is not None:
        return [[role.person_id]]
    groups = [_holders(directory, role, str(role.post))]
    if role.post == HEAD:
        groups.append(_holders(directory, role, DEPUTY))
    barred = directory.administrators
    return [[person for person in group if person not in barred] for group in groups]


def acting(directory: Directory, role: Role, *, without: Collection[str] = (), all_groups: bool = False) -> list[str]:
    """List who acts now: the first group in which somebody is present, with all groups before it.

    ``without``: people who must not act. ``all_groups``: it is late, so the substitutes act as well.
    """
    chosen: list[str] = []
    for group in pools(directory, role):
        fit = [person for person in group if person not in without]
        chosen += [person for person in fit if person not in chosen]
        if directory.present(fit) and not all_groups:
            break
    return chosen


def represented(directory: Directory, role: Role, person_id: str) -> list[str]:
    """List in whose place the person acts; nobody where the person is in charge."""
    groups = pools(directory, role)
    if not groups or person_id in groups[0]:
        return []
    return groups[0]


def heads_above(
    directory: Directory, role: Role, people: Collection[str], *, without: Collection[str] = ()
) -> list[str]:
    """List who is told that these people are late: heads of their departments, else of those above, else Security's.

    Neither ``people`` themselves nor those ``without`` whom it is told are anybody's heads here.
    """
    departments = {role.department_id} if role.department_id else set()
    if not departments:
        departments = {directory.people[person].department_id for person in people if person in directory.people}
    found: list[str] = []
    for department_id in sorted(departments):
        for one in (department_id, *directory.superiors(department_id)):
            heads = [person for person in directory.holders(one, HEAD) if person not in (*people, *without)]
            if heads:
                found += heads
                break
    for post in (HEAD, DEPUTY):
        found = found or [person for person in directory.holders_in("security", post) if person not in without]
    return sorted(set(found) - directory.administrators)


def _holders(directory: Directory, role: Role, post: str) -> list[str]:
    if role.department_id is not None:
        return directory.holders(role.department_id, post)
    if role.department_kind is not None:
        return directory.holders_in(role.department_kind, post)
    return directory.holders(None, post)
