"""Serve the login's pages, step by step, and the logout."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import login as account_login
from services.domain.accounts import second_factors, sessions
from services.domain.accounts.api.session import client_of, write_session
from services.domain.accounts.pages.login_first_page import first_page
from services.domain.accounts.pages.login_visitor import GivenGuest, Guest
from services.domain.accounts.passwords import MIN_LENGTH
from services.domain.accounts.single_sign_on.provider import GivenProvider
from services.runtime.errors import Refused
from services.web import cookies, qr
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.identity import ANONYMOUS
from services.web.visitor import Visiting

router = APIRouter()


@router.get("/login")
async def show_login(
    guest: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider
) -> Response:
    """Show the login page; logged-in people are redirected."""
    logged_in: bool = await database.read(ANONYMOUS, _is_logged_in, guest.session, guest.browser)
    if logged_in:
        return RedirectResponse(guest.next_path, 303)
    return await first_page(guest, database, settings, provider)


@router.post("/login")
async def log_in(
    guest: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider
) -> Response:
    """Log in, and redirect to the next step or the requested page."""
    try:
        guest.require_own_form()
        login, password = guest.typed.text("login"), guest.typed.text("password")
        return guest.continue_login(await account_login.log_in(database, login, password, client_of(guest.request)))
    except Refused as refusal:
        return await first_page(guest, database, settings, provider, refusal)


@router.get("/login/code")
async def show_code(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Show the page for the one-time code."""
    return await _step(guest, database, "code")


@router.post("/login/code")
async def submit_code(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Check the one-time code or recovery code."""
    try:
        token = guest.require_own_step()
        return guest.continue_login(
            await account_login.submit_code(database, token, client_of(guest.request), guest.typed.text("code"))
        )
    except Refused as refusal:
        return await _step(guest, database, "code", refusal)


@router.get("/login/password")
async def show_password(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Show the page for a new password."""
    return await _step(guest, database, "password")


@router.post("/login/password")
async def choose_password(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Replace the password that an administrator gave."""
    try:
        token, password = guest.require_own_step(), guest.typed.text("newPassword")
        require_same(password, guest.typed.text("repeat"))
        session = await account_login.choose_password(database, token, client_of(guest.request), password)
        return guest.continue_login(session)
    except Refused as refusal:
        return await _step(guest, database, "password", refusal)


@router.get("/login/enrolment")
async def show_enrolment(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Show the page that enrols the second factor."""
    return await _step(guest, database, "enrolment")


@router.get("/login/enrolment/qr.svg")
async def qr_code(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Return the QR code for the authenticator app."""
    enrolment = await database.run(account_login.ACTOR, account_login.get_enrolment, guest.session, guest.browser)
    return qr.image(enrolment.address)


@router.post("/login/enrolment")
async def confirm_enrolment(guest: GivenGuest, database: GivenDatabase) -> Response:
    """Enrol the second factor and show the recovery codes once."""
    try:
        token = guest.require_own_step()
        enrolled = await database.run(
            account_login.ACTOR,
            account_login.confirm_enrolment,
            token,
            client_of(guest.request),
            guest.typed.text("code"),
        )
    except Refused as refusal:
        return await _step(guest, database, "enrolment", refusal)
    answer = guest.page("recovery_codes.html", codes=enrolled.recovery_codes)
    write_session(guest.request, answer, enrolled.session)
    return answer


@router.post("/logout")
async def log_out(guest: GivenGuest, visitor: Visiting, database: GivenDatabase, provider: GivenProvider) -> Response:
    """End the session, and at the provider where it was used."""
    issuer = await database.run(visitor.actor, sessions.log_out, guest.session)
    logout_url = await provider.logout_url() if provider is not None and issuer == provider.issuer else None
    # A page with a link and no redirect: browsers apply the form's form-action to redirects.
    answer = (
        visitor.redirect("/login")
        if logout_url is None
        else guest.page("logged_out.html", address=logout_url, here="/login")
    )
    cookies.remove(visitor.request, answer, cookies.SESSION)
    return answer


def require_same(password: str, repeated: str) -> None:
    """Refuse unless both passwords are the same."""
    if password != repeated:
        raise Refused(
            "not-the-same",
            "The two new passwords do not match: enter them again.",
            status=422,
            field="repeat",
        )


async def _step(guest: Guest, database: Database, step: str, refusal: Refused | None = None) -> Response:
    """Show the page of a step.

    Redirects where the session does not wait for that step.
    """
    try:
        context = await database.run(ANONYMOUS, _step_context, guest.session, guest.browser, step)
    except Refused as ended:
        if ended.status != 401:
            raise
        if refusal is not None and refusal.code == "account-locked":
            return guest.page("locked.html", refusal=refusal)
        if await database.run(ANONYMOUS, _is_logged_in, guest.session, guest.browser):
            return RedirectResponse(guest.next_path, 303)  # otherwise a link from another site could log people out
        return guest.restart()
    return guest.page(f"{step}.html", refusal=refusal, step=step, shortest=MIN_LENGTH, **context)


def _step_context(uow: UnitOfWork, token: str, browser: str, step: str) -> dict[str, object]:
    row = sessions.get_pending(uow, token, browser, step)
    context: dict[str, object] = {"vouched": row.issuer is not None}
    if step != "enrolment":
        return context
    return {
        **context,
        "enrolment": second_factors.get_enrolment(uow, row.person_id)
        or account_login.get_enrolment(uow, token, browser),
    }


def _is_logged_in(uow: UnitOfWork, token: str, browser: str) -> bool:
    try:
        sessions.get_person(uow, token, browser)
    except Refused:
        return False
    return True
