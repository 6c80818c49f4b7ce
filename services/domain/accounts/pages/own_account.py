"""Serve the account's page, and those of password, second factor and agreement."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import absences, own_account, passkeys, second_factors, sessions
from services.domain.accounts.api.session import write_session
from services.domain.accounts.pages.browser_names import browser_name
from services.domain.accounts.pages.login import require_same
from services.domain.accounts.passwords import MIN_LENGTH
from services.domain.agreements import service as agreement_service
from services.domain.agreements import texts
from services.domain.agreements.schemas import AgreementBody
from services.domain.notifications.deliveries import MAIL, channels_in_use
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web import cookies, days, qr
from services.web import language as languages
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/account")


class SignedAgreement(AgreementBody):
    """The agreement's form, with a box to confirm that it was read."""

    read: str = ""


@dataclass(frozen=True)
class Session:
    """An open session for display."""

    row: LoginSession
    browser: str
    current: bool


@router.get("")
async def read_account(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the account."""
    return await _page(visitor, database)


@router.post("/language")
async def change_language(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Set the language of pages and notices, for account and browser."""
    language = languages.known_or_default(typed.text("language"))
    await database.run(visitor.actor, own_account.change_language, language)
    answer = visitor.redirect("/account", Message("The language was changed."))
    cookies.write_language(visitor.request, answer, language)
    return answer


@router.post("/mails")
async def choose_mails(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Choose one mail a day about open work, or one for each notice."""
    await database.run(visitor.actor, own_account.choose_digest, typed.text("mails") == "daily")
    return visitor.redirect("/account", Message("Saved."))


@router.get("/password")
async def show_password(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the page that changes the password."""
    return await _password(visitor, database)


@router.post("/password")
async def change_password(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change the password; other sessions end."""
    new = typed.text("newPassword")
    try:
        require_same(new, typed.text("repeat"))
        session = await own_account.change_password(
            database, visitor.actor, _token(visitor), typed.text("password"), new, code=typed.text("code") or None
        )
    except Refused as refusal:
        return await _password(visitor, database, typed, refusal)
    answer = visitor.redirect("/account", Message("The password was changed, and all other sessions were ended."))
    write_session(visitor.request, answer, session)
    return answer


@router.get("/second-factor")
async def read_second_factor(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the page of the second factor."""
    return await _second_factor(visitor, database)


@router.post("/second-factor")
async def begin_second_factor(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Begin to enrol the second factor and show the QR code's page."""
    try:
        await database.run(
            visitor.actor, own_account.begin_second_factor, typed.text("password"), typed.text("code") or None
        )
    except Refused as refusal:
        return await _second_factor(visitor, database, typed, refusal)
    return visitor.redirect("/account/second-factor/set-up")


@router.get("/second-factor/set-up")
async def show_enrolment(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the QR code's page."""
    return await _enrolment_page(visitor, database)


@router.get("/second-factor/qr.svg")
async def qr_code(visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the QR code while the enrolment waits for its first code."""
    enrolment = await database.read(visitor.actor, second_factors.get_enrolment, visitor.person_id)
    if enrolment is None:
        raise NotFound(Message("QR code"), "")
    return qr.image(enrolment.address)


@router.post("/second-factor/set-up")
async def confirm_second_factor(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Enrol the second factor and show the recovery codes once."""
    try:
        codes = await database.run(
            visitor.actor, own_account.confirm_second_factor, _token(visitor), typed.text("code")
        )
    except Refused as refusal:
        return await _enrolment_page(visitor, database, refusal)
    return _codes(visitor, codes)


@router.post("/second-factor/remove")
async def remove_second_factor(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Remove the second factor."""
    try:
        await database.run(visitor.actor, own_account.end_second_factor, typed.text("password"), typed.text("code"))
    except Refused as refusal:
        return await _second_factor(visitor, database, typed, refusal)
    return visitor.redirect("/account", Message("The second factor was removed."))


@router.post("/second-factor/recovery-codes")
async def renew_recovery_codes(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Replace the recovery codes and show them once."""
    try:
        codes = await database.run(
            visitor.actor, own_account.renew_recovery_codes, typed.text("password"), typed.text("code")
        )
    except Refused as refusal:
        return await _second_factor(visitor, database, typed, refusal)
    return _codes(visitor, codes)


@router.post("/sessions/end-others")
async def end_other_sessions(visitor: Visiting, database: GivenDatabase) -> Response:
    """End all sessions but this one."""
    await database.run(visitor.actor, own_account.end_other_sessions, _token(visitor))
    return visitor.redirect("/account", Message("All other sessions were ended."))


@router.post("/sessions/{session_id}/end")
async def end_session(session_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """End one session."""
    await database.run(visitor.actor, sessions.end, session_id)
    return visitor.redirect("/account", Message("The session was ended."))


@router.post("/absences")
async def add_absence(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add an absence; others stand in meanwhile."""
    try:
        since, until = days.span(typed.text("since"), typed.text("until"), visitor.zone)
        await database.run(visitor.actor, absences.add, visitor.person_id, since=since, until=until)
    except Refused as refusal:
        return await _page(visitor, database, typed, refusal)
    return visitor.redirect("/account", Message("The absence was added."))


@router.post("/absences/{absence_id}/confirm")
async def confirm_absence(absence_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Confirm an absence that somebody else entered."""
    try:
        await database.run(visitor.actor, absences.confirm, absence_id)
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, None, refusal)
    return visitor.redirect("/account", Message("The absence was confirmed."))


@router.post("/absences/{absence_id}/end")
async def end_absence(absence_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """End an absence."""
    try:
        await database.run(visitor.actor, absences.end, absence_id)
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, None, refusal)
    return visitor.redirect("/account", Message("The absence was ended."))


@router.get("/agreement")
async def read_agreement(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the confidentiality agreement, to read and to sign."""
    return await _agreement(visitor, database)


@router.post("/agreement")
async def sign_agreement(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Sign the agreement for a year."""
    try:
        _require_read(typed)
        body = typed.body(SignedAgreement)
        await database.run(visitor.actor, agreement_service.sign, body.version, body.proof())
    except Refused as refusal:
        return await _agreement(visitor, database, typed, refusal)
    return visitor.redirect("/account", Message("The confidentiality agreement was signed."))


def _require_read(typed: TypedForm) -> None:
    if typed.text("read") != "true":
        raise Refused(
            "not-read",
            "Read the agreement and tick that you have read it.",
            status=422,
            field="read",
        )


def _token(visitor: Visitor) -> str:
    return cookies.read(visitor.request, cookies.SESSION) or ""


async def _page(
    visitor: Visitor, database: Database, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    facts = await database.read(visitor.actor, _facts, _token(visitor), visitor.language)
    status = refusal.status if refusal else 200
    return visitor.page("accounts/own_account.html", status=status, refusal=refusal, typed=typed, **facts)


def _facts(uow: UnitOfWork, token: str, language: languages.Language) -> dict[str, Any]:
    person = uow.session.get_one(Person, uow.actor.id)
    previous, current = sessions.get_previous(uow, token), sessions.get(uow, token)
    valid = access_queries.get_valid_agreement(uow, person.id)
    return {
        "person": person,
        "mailed": MAIL in channels_in_use(uow),
        "posts": [(post, post.department) for post in access_queries.list_posts(uow, person.id)],
        "previous_session": previous,
        "previous_browser": browser_name(previous.browser, language) if previous else "",
        "sessions": [
            Session(row, browser_name(row.browser, language), row is current) for row in sessions.list_own(uow)
        ],
        "second_factor": second_factors.get_state(uow, person.id),
        "passkeys": passkeys.list_passkeys(uow, person.id),
        "absences": absences.list_absences(uow, person.id),
        "agreement": valid,
        "renewable": valid is not None and agreement_service.is_renewable(uow, valid),
        "agreement_text": texts.get_current_text(uow),
        "real_now": uow.real_now,
    }


async def _password(
    visitor: Visitor, database: Database, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    state = await database.read(visitor.actor, second_factors.get_state, visitor.person_id)
    return visitor.page(
        "accounts/password.html",
        status=refusal.status if refusal else 200,
        shortest=MIN_LENGTH,
        enrolled=state.enrolled_at is not None,
        refusal=refusal,
        typed=typed,
    )


async def _second_factor(
    visitor: Visitor, database: Database, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    state = await database.read(visitor.actor, second_factors.get_state, visitor.person_id)
    status = refusal.status if refusal else 200
    return visitor.page("accounts/second_factor.html", status=status, state=state, refusal=refusal, typed=typed)


async def _enrolment_page(visitor: Visitor, database: Database, refusal: Refused | None = None) -> Response:
    enrolment = await database.read(visitor.actor, second_factors.get_enrolment, visitor.person_id)
    if enrolment is None:
        return visitor.redirect("/account/second-factor")
    status, headers = refusal.status if refusal else 200, {"Cache-Control": "no-store"}
    return visitor.page("accounts/set_up.html", status=status, headers=headers, enrolment=enrolment, refusal=refusal)


def _codes(visitor: Visitor, codes: list[str]) -> Response:
    return visitor.page("accounts/recovery_codes.html", headers={"Cache-Control": "no-store"}, codes=codes)


async def _agreement(
    visitor: Visitor, database: Database, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        signed = agreement_service.list_own(uow)
        valid = access_queries.get_valid_agreement(uow, uow.actor.id)
        return {
            "text": texts.get_current_text(uow),
            "valid": valid,
            "renewable": valid is not None and agreement_service.is_renewable(uow, valid),
            "signed": signed,
            "document_numbers": agreement_service.get_document_numbers(uow, signed),
        }

    facts = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("accounts/agreement.html", status=status, refusal=refusal, typed=typed, **facts)
