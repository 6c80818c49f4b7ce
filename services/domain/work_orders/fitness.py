"""Nobody puts right what was found in a case in which they have a part: who does it instead (R64, T8).

Of these kinds whoever drafted, decided, received copies, is concerned or is accused in the case does nothing, whatever
their post; of the others, whom the case concerns does nothing by a post. The work order is given to the next fit
person: the deputy, the head above, the management.
"""

from collections.abc import Collection, Iterator

from services.database.tables.applications import Application
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.access.directory import LEADERS, Directory
from services.domain.work_orders import roles
from services.domain.work_orders.roles import DEPUTY, HEAD, Role

APART = ("corrective-action",)
ACCESS_REVIEW = "access-review"
GRANT = "grant"  # of a question of an access review: grant:<hand-over>:<person>


def unfit_of(uow: UnitOfWork, order: WorkOrder, role: Role) -> frozenset[str]:
    """Return who does not do this work order in this role, because of their part in its case."""
    if order.application_id is None:
        return frozenset()
    if order.kind not in APART:
        # who is asked by name, such as the custodian, knows of the case
        return frozenset() if role.person_id is not None else list_concerned(uow, order)
    facts = access_queries.load_facts(uow, order.application_id)
    acted = {person for people in facts.done.values() for person in people}
    return frozenset({*acted, *facts.subjects, *facts.custodians, *violations.list_accused(uow, order.application_id)})


def involved_in(uow: UnitOfWork, order: WorkOrder, role: Role) -> frozenset[str]:
    """Return who neither verifies nor cancels it because of their part in what it is about.

    Of a corrective action that is who has a part in its case, of an access review whose grants it is about.
    """
    unfit = unfit_of(uow, order, role)
    if order.kind == ACCESS_REVIEW:
        codes = [item["code"].split(":") for item in order.facts["checklist"]]
        return unfit | {code[2] for code in codes if code[0] == GRANT and len(code) == 3}
    return unfit


def barred_from(uow: UnitOfWork, order: WorkOrder, role: Role) -> frozenset[str]:
    """Return who does not do it: who is involved in it, while somebody else of the role can do it.

    An access review whose reviewers all have grants in it is done by them, and verified by somebody else.
    """
    unfit, involved = unfit_of(uow, order, role), involved_in(uow, order, role)
    if involved == unfit:
        return unfit
    pools = roles.pools(access_queries.load_directory(uow), role)
    return involved if any(person not in involved for group in pools for person in group) else unfit


def list_concerned(uow: UnitOfWork, order: WorkOrder) -> frozenset[str]:
    """Return whom the case of the work order concerns; nobody without a case (T8)."""
    if order.application_id is None:
        return frozenset()
    return frozenset(uow.session.get_one(Application, order.application_id).subject_ids)


def choose(directory: Directory, role: Role, unfit: Collection[str]) -> Role:
    """Return the role as it is where one of those in charge is fit, else that of the next fit people.

    The role as it is, too, where nobody of those who could take it is fit: then it waits for somebody with the post.
    """
    if not unfit:
        return role
    first = roles.pools(directory, role)[:1]
    if any(person not in unfit for group in first for person in group):
        return role
    return next((one for one in _further(directory, role) if _has_fit(directory, one, unfit)), role)


def _has_fit(directory: Directory, role: Role, unfit: Collection[str]) -> bool:
    return bool(roles.acting(directory, role, without=unfit))


def _further(directory: Directory, role: Role) -> Iterator[Role]:
    """Yield who takes a work order that those in charge must not do, the nearest first."""
    if role.person_id is not None:
        posts = directory.posts_of(role.person_id)
        departments = sorted({post.department_id for post in posts})
        yield from (Role(HEAD, department_id=one) for one in departments)
    elif role.department_id is not None:
        departments = [role.department_id]
    else:
        departments = sorted(
            one for one, info in directory.departments.items() if info.kind == (role.department_kind or info.kind)
        )
    if role.post == HEAD:
        yield Role(DEPUTY, role.department_id, role.department_kind)
    elif role.post is not None:
        yield from (Role(leader, role.department_id, role.department_kind) for leader in LEADERS)
    for one in departments:
        yield from (Role(HEAD, department_id=above) for above in directory.superiors(one))
    yield Role(HEAD, department_kind="management")
    yield Role("manager")
    yield from (Role(HEAD, department_id=one) for one in sorted(directory.departments))
