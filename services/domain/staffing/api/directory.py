"""Serve the directory to administrators: what it would change, and taking it over."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from services.domain.access.administrators import require_administrator
from services.domain.accounts.api.people import InitialAnswer
from services.domain.staffing import directory_import, directory_links, ldap_client
from services.domain.staffing.directory_import import Plan
from services.runtime.threads import run_in_thread
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Identifier

router = APIRouter(prefix="/api/admin/directory", tags=["administration"])


class DirectoryChange(Answer):
    """``state``: new, changed or leaves; ``cases``: until whose transfer the account of one who leaves is kept."""

    login: str
    name: str
    state: str
    changes: dict[str, tuple[str, str]]
    cases: list[str]


class DirectoryLeftOut(Answer):
    """An entry of which nothing is taken over, and why.

    ``person_id``: whom it can be linked to, whose own entry is gone.
    """

    name: str
    zh: str
    en: str
    entry_id: str | None
    person_id: str | None


class DirectoryPlan(Answer):
    """What the directory would change, or has changed; at most ``most_leaving`` of the ``linked`` may leave at once."""

    changes: list[DirectoryChange]
    unchanged: int
    left_out: list[DirectoryLeftOut]
    linked: int
    most_leaving: int
    fingerprint: str


class DirectoryTaken(Answer):
    plan: DirectoryPlan
    initial: list[InitialAnswer]


class DirectoryBody(Body):
    """``fingerprint``: of the plan that was read. ``all_leave``: so many people have left indeed."""

    fingerprint: str
    initial_passwords: bool = False
    all_leave: bool = False


class DirectoryLinkBody(Body):
    """``person_id`` is the same person as the entry ``entry_id``, which was made anew."""

    person_id: Identifier
    entry_id: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("/plan", responses=problems(401, 403, 409))
async def read_plan(actor: Acting, database: GivenDatabase, settings: GivenSettings) -> DirectoryPlan:
    """Read the directory, and say what it would change. Administrators only."""
    await database.read(actor, require_administrator)
    entries = await run_in_thread(ldap_client.read_entries, settings.directory)
    return _plan(await database.read(actor, directory_import.preview, settings.directory, entries))


@router.post("/plan", responses=problems(401, 403, 409, 422))
async def take_over(
    body: DirectoryBody, actor: Acting, database: GivenDatabase, settings: GivenSettings
) -> DirectoryTaken:
    """Take over the plan that was read. Administrators only; no post is given by it."""
    await database.read(actor, require_administrator)
    entries = await run_in_thread(ldap_client.read_entries, settings.directory)
    plan, initial = await directory_import.take_over(
        database,
        actor,
        settings.directory,
        entries,
        fingerprint=body.fingerprint,
        with_passwords=body.initial_passwords,
        all_leave=body.all_leave,
    )
    return DirectoryTaken(plan=_plan(plan), initial=[InitialAnswer.model_validate(one) for one in initial])


@router.post("/links", responses=problems(401, 403, 409, 422))
async def link_again(
    body: DirectoryLinkBody, actor: Acting, database: GivenDatabase, settings: GivenSettings
) -> DirectoryPlan:
    """Link a person whose entry was made anew; of somebody who decides, with a second person. Administrators only."""
    await database.read(actor, require_administrator)
    entries = await run_in_thread(ldap_client.read_entries, settings.directory)
    await database.run(actor, directory_links.link_again, settings.directory, entries, body.person_id, body.entry_id)
    return _plan(await database.read(actor, directory_import.preview, settings.directory, entries))


def _plan(plan: Plan) -> DirectoryPlan:
    return DirectoryPlan(
        changes=[DirectoryChange.model_validate(change) for change in plan.changes],
        unchanged=plan.unchanged,
        left_out=[
            DirectoryLeftOut(
                name=one.name, zh=one.why.zh, en=one.why.en, entry_id=one.entry_id, person_id=one.person_id
            )
            for one in plan.left_out
        ],
        linked=plan.linked,
        most_leaving=plan.most_leaving,
        fingerprint=plan.fingerprint,
    )
