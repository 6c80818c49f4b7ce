"""The organisation at one moment: departments, and who holds which post, is absent and has signed the agreement.

Values alone, without a session or a clock: ``access.queries`` loads them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

T = TypeVar("T")
LEADERS = frozenset({"head", "deputy"})


@dataclass(frozen=True)
class DepartmentInfo:
    """A department: its kind, and the id of the one above it."""

    kind: str
    superior_id: str | None = None


@dataclass(frozen=True)
class PersonInfo:
    """A person with their own department."""

    name: str
    department_id: str


@dataclass(frozen=True)
class HeldPost:
    """A post that an active person holds."""

    person_id: str
    department_id: str
    kind: str


@dataclass(frozen=True)
class Directory:
    """The organisation at one moment: its departments, and the people with a post other than membership.

    ``absent`` and ``agreed`` (with a valid confidentiality agreement) are about those ``people`` alone: they are some
    hundred, while plain members may be 20,000. ``announced`` maps people to the local moment from which an absence
    counts that somebody else has entered.
    """

    departments: Mapping[str, DepartmentInfo]
    people: Mapping[str, PersonInfo]
    held: Collection[HeldPost]
    absent: Collection[str] = frozenset()
    announced: Mapping[str, datetime] = field(default_factory=dict)
    agreed: Collection[str] = frozenset()

    @cached_property
    def _by_post(self) -> Mapping[tuple[str, str], set[str]]:
        """The ids of people by department and kind of post."""
        by_post: dict[tuple[str, str], set[str]] = defaultdict(set)
        for post in self.held:
            by_post[post.department_id, post.kind].add(post.person_id)
        return dict(by_post)

    @cached_property
    def _by_person(self) -> Mapping[str, list[HeldPost]]:
        by_person: dict[str, list[HeldPost]] = defaultdict(list)
        for post in self.held:
            by_person[post.person_id].append(post)
        return dict(by_person)

    @cached_property
    def _by_kind(self) -> Mapping[tuple[str | None, str], set[str]]:
        """The ids of people by kind of department (None: any) and kind of post.

        Lists ask once for each of their rows, and departments may be a thousand.
        """
        by_kind: dict[tuple[str | None, str], set[str]] = defaultdict(set)
        for post in self.held:
            by_kind[None, post.kind].add(post.person_id)
            if post.department_id in self.departments:
                by_kind[self.departments[post.department_id].kind, post.kind].add(post.person_id)
        return dict(by_kind)

    @cached_property
    def administrators(self) -> frozenset[str]:
        return frozenset(self.holders(None, "administrator"))

    @cached_property
    def _departments_by_kind(self) -> Mapping[str, list[str]]:
        by_kind: dict[str, list[str]] = defaultdict(list)
        for department_id in sorted(self.departments):
            by_kind[self.departments[department_id].kind].append(department_id)
        return dict(by_kind)

    def departments_of_kind(self, kind: str) -> list[str]:
        """List, by id, the departments of one kind."""
        return self._departments_by_kind.get(kind, [])

    def posts_of(self, person_id: str) -> list[HeldPost]:
        """Return the posts of one of these people; empty for a plain member."""
        return self._by_person.get(person_id, [])

    def holders(self, department_id: str | None, *kinds: str) -> list[str]:
        """List, by id, who holds one of these posts in the department (None: any); the absent too."""
        if department_id is None:
            return _sorted(self._by_kind, None, kinds)
        return _sorted(self._by_post, department_id, kinds)

    def holders_in(self, department_kind: str, *kinds: str) -> list[str]:
        """List holders in all departments of one kind, such as the heads of Security."""
        return _sorted(self._by_kind, department_kind, kinds)

    def holds(self, person_id: str, *kinds: str) -> bool:
        """Whether the person holds one of these posts anywhere."""
        return any(post.kind in kinds for post in self.posts_of(person_id))

    def holds_in(self, person_id: str, department_kind: str, *kinds: str) -> bool:
        """Whether the person holds one of these posts in a department of this kind."""
        return any(
            post.kind in kinds and self.departments[post.department_id].kind == department_kind
            for post in self.posts_of(person_id)
        )

    def superiors(self, department_id: str) -> list[str]:
        """List the departments above, the nearest first; a cycle ends where it closes."""
        superiors: list[str] = []
        above = self.departments[department_id].superior_id
        while above is not None and above not in (department_id, *superiors):
            superiors.append(above)
            above = self.departments[above].superior_id
        return superiors

    def departments_of(self, person_id: str) -> set[str]:
        """Return the departments of one of these people: their own, and those of their posts."""
        return {self.people[person_id].department_id, *(post.department_id for post in self.posts_of(person_id))}

    def present(self, people: Iterable[str]) -> list[str]:
        """Leave out the absent; keeps the order."""
        return [person for person in people if person not in self.absent]


def _sorted(people: Mapping[tuple[T, str], set[str]], where: T, kinds: tuple[str, ...]) -> list[str]:
    found: set[str] = set()
    for kind in kinds:
        found |= people.get((where, kind), set())
    return sorted(found)
