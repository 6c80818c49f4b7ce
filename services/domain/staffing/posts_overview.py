"""Who holds each post, who stands in from when to when, and when nobody does: now and in the two weeks that come (T1).

The order of those who stand in is the one in which reviews ask for people (``access.policy``). What a single case bars
(T8) is not in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.people import Absence, Department, Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access.administrators import may_read
from services.runtime.errors import Refused

AHEAD = timedelta(days=14)
State = Literal["in-charge", "stands-in", "nobody"]
# Posts of the whole organisation: who holds them, and who is asked where none of these is there.
CHAINS: Mapping[str, Sequence[tuple[tuple[str, ...], str | None]]] = {
    "security-reviewer": ((("security-reviewer",), "security"), (("deputy",), "security"), (("head",), "security")),
    "storage-operator": ((("storage-operator",), "storage"), (("deputy",), "storage"), (("head",), "storage")),
    "return-inspector": (
        (("return-inspector",), "security"),
        (("security-reviewer", "deputy", "head"), "security"),
        (("return-inspector",), None),
    ),
    "manager": ((("manager",), None), (("head",), "management")),
    "supervisor": ((("supervisor",), None),),
    "administrator": ((("administrator",), None),),
}


@dataclass(frozen=True)
class Away:
    """When somebody is absent, so that others sign."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class HolderView:
    """Somebody who holds the post now or soon; ``agreed``: the confidentiality agreement is valid now."""

    person_id: str
    name: str
    since: datetime
    until: datetime | None
    away: Sequence[Away]
    agreed: bool


@dataclass(frozen=True)
class Turn:
    """From when to when whose turn it is; without ``names`` nobody is there."""

    since: datetime
    until: datetime
    state: State
    names: Sequence[str]


@dataclass(frozen=True)
class PostView:
    """A post: ``department`` is None for one of the whole organisation."""

    kind: str
    department: Department | None
    holders: Sequence[HolderView]
    turns: Sequence[Turn]

    @property
    def state(self) -> State:
        """What is so now."""
        return self.turns[0].state

    @property
    def has_gap(self) -> bool:
        return any(turn.state == "nobody" for turn in self.turns)

    @property
    def is_vacant(self) -> bool:
        """Whether nobody has the post itself at present, whoever stands in."""
        return not any(holder.since <= self.turns[0].since for holder in self.holders)


@dataclass(frozen=True)
class Overview:
    since: datetime
    until: datetime
    posts: Sequence[PostView]

    @property
    def gaps(self) -> int:
        return sum(post.has_gap for post in self.posts)


@dataclass(frozen=True)
class _Organisation:
    now: datetime
    until: datetime
    departments: Mapping[str, Department]
    held: Mapping[tuple[str, str], Sequence[Post]]  # by department and kind
    away: Mapping[str, Sequence[Away]]
    agreed: frozenset[str]


def get_overview(uow: UnitOfWork, *, only_gaps: bool = False) -> Overview:
    """Return the posts: all for administrators, the heads of Security and supervisors; for a head those below them.

    Refused for everybody else. Five statements, however many posts there are.
    """
    everything = may_read(uow)
    led = [] if everything else access_policy.led_departments(access_queries.load_directory(uow), uow.actor.id)
    if not everything and not led:
        raise Refused(
            "readers-only",
            "This page is only for administrators, Security's head, supervisors, and the heads of departments.",
            status=403,
        )
    organisation = _load(uow)
    staffed = set(uow.session.scalars(select(Person.department_id).where(Person.active).distinct()))
    staffed |= {department_id for department_id, _ in organisation.held}
    posts = [
        _head(organisation, department)
        for department in organisation.departments.values()
        if department.id in staffed and (everything or department.id in led)
    ]
    if everything:
        posts += [_of_all(organisation, kind) for kind in CHAINS]
    shown = [post for post in posts if post.has_gap] if only_gaps else posts
    return Overview(organisation.now, organisation.until, shown)


def _load(uow: UnitOfWork) -> _Organisation:
    until = uow.now + AHEAD
    departments = {row.id: row for row in uow.session.scalars(select(Department).order_by(Department.name_zh))}
    query = (
        select(Post)
        .join(Person, Person.id == Post.person_id)
        .where(
            Person.active,
            Post.kind != "member",
            Post.since < until,
            Post.until.is_(None) | (Post.until > uow.now),
            Post.until.is_(None) | (Post.until > Post.since),
        )
        .options(joinedload(Post.person))
        .order_by(Post.since, Post.id)
    )
    held: dict[tuple[str, str], list[Post]] = defaultdict(list)
    for post in uow.session.scalars(query):
        held[post.department_id, post.kind].append(post)
    people = {post.person_id for posts in held.values() for post in posts}
    absences = select(Absence).where(
        Absence.until > uow.now, Absence.since < until, Absence.until > Absence.since, Absence.person_id.in_(people)
    )
    away: dict[str, list[Away]] = defaultdict(list)
    for absence in uow.session.scalars(absences.order_by(Absence.since)):
        if absence.effective_from is not None:
            away[absence.person_id].append(Away(absence.effective_from, absence.until))
    agreed = frozenset(access_queries.list_agreed(uow, people))
    return _Organisation(uow.now, until, departments, held, away, agreed)


def _head(organisation: _Organisation, department: Department) -> PostView:
    above: list[str] = []
    superior = department.superior_id
    while superior is not None and superior not in (department.id, *above):
        above.append(superior)
        superior = organisation.departments[superior].superior_id
    groups = [
        organisation.held.get((department.id, "head"), ()),
        organisation.held.get((department.id, "deputy"), ()),
        *(organisation.held.get((other, "head"), ()) for other in above),
    ]
    return _view(organisation, "head", department, groups)


def _of_all(organisation: _Organisation, kind: str) -> PostView:
    groups = [
        [
            post
            for department in organisation.departments.values()
            if of is None or department.kind == of
            for held in kinds
            for post in organisation.held.get((department.id, held), ())
        ]
        for kinds, of in CHAINS[kind]
    ]
    return _view(organisation, kind, None, groups)


def _view(
    organisation: _Organisation, kind: str, department: Department | None, groups: Sequence[Sequence[Post]]
) -> PostView:
    holders = [
        HolderView(
            post.person_id,
            post.person.name,
            post.since,
            post.until,
            organisation.away.get(post.person_id, ()),
            post.person_id in organisation.agreed,
        )
        for post in groups[0]
    ]
    return PostView(kind, department, holders, _turns(organisation, groups))


def _turns(organisation: _Organisation, groups: Sequence[Sequence[Post]]) -> list[Turn]:
    posts = [post for group in groups for post in group]
    turns: list[Turn] = []
    edges = _edges(organisation, posts)
    for since, until in pairwise(edges):
        state, names = _at(organisation, groups, since)
        if turns and (turns[-1].state, turns[-1].names) == (state, names):
            turns[-1] = Turn(turns[-1].since, until, state, names)
        else:
            turns.append(Turn(since, until, state, names))
    return turns


def _edges(organisation: _Organisation, posts: Iterable[Post]) -> list[datetime]:
    """List the moments at which something may change, from now to the end."""
    moments = {organisation.now, organisation.until}
    for post in posts:
        moments |= {post.since, post.until or organisation.until}
        for away in organisation.away.get(post.person_id, ()):
            moments |= {away.since, away.until}
    return sorted(moment for moment in moments if organisation.now <= moment <= organisation.until)


def _at(
    organisation: _Organisation, groups: Sequence[Sequence[Post]], moment: datetime
) -> tuple[State, tuple[str, ...]]:
    for number, group in enumerate(groups):
        present = dict.fromkeys(
            post.person.name
            for post in group
            if post.since <= moment
            and (post.until is None or post.until > moment)
            and not any(away.since <= moment < away.until for away in organisation.away.get(post.person_id, ()))
        )
        if present:
            return ("stands-in" if number else "in-charge"), tuple(present)
    return "nobody", ()
