"""The sign-in pages: password, one-time code, a password of one's own, setting up the second factor; signing out."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import login as account_login
from services.domain.accounts import second_factors, sessions
from services.domain.accounts.api.session import client_of
from services.domain.accounts.pages.login_first_page import first_page
from services.domain.accounts.pages.login_visitor import GivenGuest, Guest
from services.domain.accounts.passwords import MIN_LENGTH
from services.domain.accounts.single_sign_on.dependency import GivenProvider
from services.runtime.errors import Refused
from services.web import cookies, qr
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.identity import ANONYMOUS
from services.web.visitor import Visiting

router = APIRouter()


@router.get("/login")
async def ask(door: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider) -> Response:
    """The page that asks who it is; whoever is signed in goes on."""
    signed_in: bool = await database.run(ANONYMOUS, _is_signed_in, door.session, door.browser)
    if signed_in:
        return RedirectResponse(door.back, 303)
    return await first_page(door, database, settings, provider)


@router.post("/login")
async def sign_in(
    door: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider
) -> Response:
    """Sign in, and go on to the next step or to the page that was asked for."""
    try:
        door.require_own_form()
        login, password = door.typed.text("login"), door.typed.text("password")
        return door.go_on(await account_login.log_in(database, login, password, client_of(door.request)))
    except Refused as refusal:
        return await first_page(door, database, settings, provider, refusal)


@router.get("/login/code")
async def ask_code(door: GivenGuest, database: GivenDatabase) -> Response:
    """The page that asks for the one-time code."""
    return await _step(door, database, "code")


@router.post("/login/code")
async def give_code(door: GivenGuest, database: GivenDatabase) -> Response:
    """The one-time code, or a recovery code."""
    try:
        token = door.require_own_step()
        return door.go_on(await account_login.submit_code(database, token, door.browser, door.typed.text("code")))
    except Refused as refusal:
        return await _step(door, database, "code", refusal)


@router.get("/login/password")
async def ask_password(door: GivenGuest, database: GivenDatabase) -> Response:
    """The page that asks for a password of one's own."""
    return await _step(door, database, "password")


@router.post("/login/password")
async def choose_password(door: GivenGuest, database: GivenDatabase) -> Response:
    """Replace the password that an administrator gave."""
    try:
        token, password = door.require_own_step(), door.typed.text("newPassword")
        require_same(password, door.typed.text("repeat"))
        return door.go_on(await account_login.choose_password(database, token, door.browser, password))
    except Refused as refusal:
        return await _step(door, database, "password", refusal)


@router.get("/login/enrolment")
async def ask_enrolment(door: GivenGuest, database: GivenDatabase) -> Response:
    """The page that sets up the second factor."""
    return await _step(door, database, "enrolment")


@router.get("/login/enrolment/qr.svg")
async def qr_code(door: GivenGuest, database: GivenDatabase) -> Response:
    """What the authenticator app scans."""
    begun = await database.run(account_login.ACTOR, account_login.get_enrolment, door.session, door.browser)
    return qr.image(begun.address)


@router.post("/login/enrolment")
async def enrol(door: GivenGuest, database: GivenDatabase) -> Response:
    """The app's first code; shows the recovery codes, once."""
    try:
        token = door.require_own_step()
        enrolled = await database.run(
            account_login.ACTOR, account_login.confirm_enrolment, token, door.browser, door.typed.text("code")
        )
    except Refused as refusal:
        return await _step(door, database, "enrolment", refusal)
    answer = door.page("recovery_codes.html", codes=enrolled.recovery_codes)
    cookies.write(door.request, answer, cookies.SESSION, enrolled.signed_in.token)
    return answer


@router.post("/logout")
async def sign_out(door: GivenGuest, visitor: Visiting, database: GivenDatabase, provider: GivenProvider) -> Response:
    """End the session; whoever came by the provider is led there to end that one too."""
    issuer = await database.run(visitor.actor, sessions.log_out, door.session)
    leave = await provider.goodbye() if provider is not None and issuer == provider.issuer else None
    # A page leads there and no redirect, which browsers hold the form's form-action against.
    answer = visitor.redirect("/login") if leave is None else door.page("logged_out.html", address=leave, here="/login")
    cookies.remove(visitor.request, answer, cookies.SESSION)
    return answer


def require_same(password: str, again: str) -> None:
    """Refused unless the new password was typed the same twice."""
    if password != again:
        raise Refused(
            "not-the-same",
            "The two new passwords are not the same: enter them again.",
            status=422,
            field="repeat",
        )


async def _step(door: Guest, database: Database, step: str, refusal: Refused | None = None) -> Response:
    """The page of a step; back to the first one where the half session is over or waits for another step."""
    try:
        context = await database.run(ANONYMOUS, _waiting, door.session, door.browser, step)
    except Refused as over:
        if over.status != 401:
            raise
        if refusal is not None and refusal.code == "account-locked":
            return door.page("locked.html", refusal=refusal)
        if await database.run(ANONYMOUS, _is_signed_in, door.session, door.browser):
            return RedirectResponse(door.back, 303)  # or a link from elsewhere would sign somebody out
        return door.start_again()
    return door.page(f"{step}.html", refusal=refusal, step=step, shortest=MIN_LENGTH, **context)


def _waiting(uow: UnitOfWork, token: str, browser: str, step: str) -> dict[str, object]:
    row = sessions.get_pending(uow, token, browser, step)
    vouched: dict[str, object] = {"vouched": row.issuer is not None}
    if step != "enrolment":
        return vouched
    return {
        **vouched,
        "begun": second_factors.get_enrolment(uow, row.person_id) or account_login.get_enrolment(uow, token, browser),
    }


def _is_signed_in(uow: UnitOfWork, token: str, browser: str) -> bool:
    try:
        sessions.get_person(uow, token, browser)
    except Refused:
        return False
    return True
