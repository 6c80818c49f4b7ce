"""The organisation's directory, on pages for administrators: test, preview, take over."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.access.administrators import require_administrator
from services.domain.staffing import directory_import, directory_links, ldap_client
from services.domain.staffing.directory_import import Plan
from services.domain.staffing.ldap_client import Answer
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/directory")


@router.get("")
async def show(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Show which directory is set, and what can be done with it."""
    return await _page(visitor, database, settings)


@router.post("/test")
async def test(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Connect to the directory and read one page."""
    await database.read(visitor.actor, require_administrator)
    try:
        answer = await run_in_thread(ldap_client.test_connection, settings.directory)
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return await _page(visitor, database, settings, answer=answer)


@router.post("/check")
async def check(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Show what the directory would change."""
    await database.read(visitor.actor, require_administrator)
    try:
        entries = await run_in_thread(ldap_client.read_entries, settings.directory)
        plan = await database.read(visitor.actor, directory_import.preview, settings.directory, entries)
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return await _page(visitor, database, settings, plan=plan)


@router.post("")
async def take_over(visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Take over what the preview showed; show the initial passwords once."""
    await database.read(visitor.actor, require_administrator)
    try:
        entries = await run_in_thread(ldap_client.read_entries, settings.directory)
        plan, initial = await directory_import.take_over(
            database,
            visitor.actor,
            settings.directory,
            entries,
            fingerprint=typed.text("fingerprint"),
            with_passwords=typed.text("passwords") == "true",
            all_leave=typed.text("allLeave") == "true",
        )
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal, typed=typed)
    headers = {"Cache-Control": "no-store"}
    return visitor.page("staffing/taken_over.html", headers=headers, plan=plan, initial=initial)


@router.post("/link")
async def link_again(visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Link a person whose entry was made anew, and show what the directory would change then."""
    await database.read(visitor.actor, require_administrator)
    try:
        entries = await run_in_thread(ldap_client.read_entries, settings.directory)
        person_id, entry_id = typed.text("personId"), typed.text("entryId")
        await database.run(visitor.actor, directory_links.link_again, settings.directory, entries, person_id, entry_id)
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return visitor.redirect(
        "/admin/directory", Message("Linked, and the person was notified: check what would change.")
    )


async def _page(
    visitor: Visitor,
    database: Database,
    settings: Settings,
    *,
    answer: Answer | None = None,
    plan: Plan | None = None,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    await database.read(visitor.actor, require_administrator)
    status = refusal.status if refusal is not None else 200
    directory = settings.directory
    return visitor.page(
        "staffing/directory.html",
        status,
        directory=directory,
        with_sign_on=settings.oidc.issuer is not None,
        answer=answer,
        plan=plan,
        refusal=refusal,
        typed=typed,
    )
