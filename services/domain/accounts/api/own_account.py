"""Serve the acting person's account as JSON."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account, second_factors
from services.domain.accounts import sessions as account_sessions
from services.domain.accounts.api.login import CodeBody, FactorEnrolmentAnswer, Password
from services.domain.accounts.api.session import Me, read_me, write_session
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting, Token
from services.web.language import KnownLanguage
from services.web.schemas import Answer, Body, Code, Done, Moment

router = APIRouter(prefix="/api/account", tags=["account"])


class PasswordChange(Body):
    """``code``: the authenticator's, where there is a second factor."""

    password: Password
    new_password: Password
    code: Code | None = None


class Language(Body):
    language: KnownLanguage


class Confirmed(Body):
    """The password, and the authenticator's code where there is a second factor."""

    password: Password
    code: Code | None = None


class SessionAnswer(Answer):
    """An open session.

    ``browser``: its user agent; ``current``: the session of this request.
    """

    id: str
    created_at: Moment
    last_seen_at: Moment
    browser: str
    address: str
    current: bool


class SecondFactorAnswer(Answer):
    """``required``: by my posts; ``recovery_codes``: how many are left."""

    enrolled_at: Moment | None
    required: bool
    recovery_codes: int


class AccountAnswer(Answer):
    previous_login_at: Moment | None
    second_factor: SecondFactorAnswer
    sessions: list[SessionAnswer]


class RecoveryCodes(Answer):
    """Recovery codes, shown once; each works for one login."""

    recovery_codes: Annotated[list[str], Field(description="ten codes in groups of four characters")]


@router.get("", responses=problems(401))
async def read_account(token: Token, actor: Acting, database: GivenDatabase) -> AccountAnswer:
    """Return my previous login, second factor and open sessions."""

    def read(uow: UnitOfWork) -> AccountAnswer:
        previous, current = account_sessions.get_previous(uow, token), account_sessions.get(uow, token)
        return AccountAnswer(
            previous_login_at=previous.created_at if previous else None,
            second_factor=SecondFactorAnswer.model_validate(second_factors.get_state(uow, uow.actor.id)),
            sessions=[_session(row, current) for row in account_sessions.list_own(uow)],
        )

    return await database.read(actor, read)


@router.post("/password", responses=problems(*USUAL, 429))
async def change_password(
    body: PasswordChange, token: Token, actor: Acting, *, request: Request, response: Response, database: GivenDatabase
) -> Me:
    """Change my password; other sessions end, this one gets another token."""
    session = await own_account.change_password(
        database, actor, token, body.password, body.new_password, code=body.code
    )
    write_session(request, response, session)
    return await database.run(actor, read_me, session.token)


@router.post("/language", responses=problems(401, 403))
async def change_language(body: Language, token: Token, actor: Acting, database: GivenDatabase) -> Me:
    """Set the language of pages and notices."""

    def act(uow: UnitOfWork) -> Me:
        own_account.change_language(uow, body.language)
        return read_me(uow, token)

    return await database.run(actor, act)


@router.post("/second-factor", responses=problems(*USUAL, 429))
async def begin_second_factor(body: Confirmed, actor: Acting, database: GivenDatabase) -> FactorEnrolmentAnswer:
    """Begin to enrol a second factor, or to replace the present one."""
    enrolment = await database.run(actor, own_account.begin_second_factor, body.password, body.code)
    return FactorEnrolmentAnswer.model_validate(enrolment)


@router.post("/second-factor/confirm", responses=problems(*USUAL))
async def confirm_second_factor(body: CodeBody, token: Token, actor: Acting, database: GivenDatabase) -> RecoveryCodes:
    """Enrol the second factor by its first code; my other sessions end."""
    codes = await database.run(actor, own_account.confirm_second_factor, token, body.code)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/second-factor/remove", responses=problems(*USUAL, 429))
async def remove_second_factor(body: Confirmed, actor: Acting, database: GivenDatabase) -> SecondFactorAnswer:
    """Remove my second factor, where my posts allow it."""

    def act(uow: UnitOfWork) -> SecondFactorAnswer:
        own_account.end_second_factor(uow, body.password, body.code)
        return SecondFactorAnswer.model_validate(second_factors.get_state(uow, uow.actor.id))

    return await database.run(actor, act)


@router.post("/recovery-codes", responses=problems(*USUAL, 429))
async def renew_recovery_codes(body: Confirmed, actor: Acting, database: GivenDatabase) -> RecoveryCodes:
    """Replace my recovery codes."""
    codes = await database.run(actor, own_account.renew_recovery_codes, body.password, body.code)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/sessions/end-others", responses=problems(401, 403))
async def end_other_sessions(token: Token, actor: Acting, database: GivenDatabase) -> Done:
    """End all my sessions but this one."""

    def act(uow: UnitOfWork) -> Done:
        own_account.end_other_sessions(uow, token)
        return Done(at=uow.now)

    return await database.run(actor, act)


@router.post("/sessions/{session_id}/end", responses=problems(401, 403, 404))
async def end_session(session_id: str, actor: Acting, database: GivenDatabase) -> Done:
    """End one of my sessions."""

    def act(uow: UnitOfWork) -> Done:
        account_sessions.end(uow, session_id)
        return Done(at=uow.now)

    return await database.run(actor, act)


def _session(row: LoginSession, current: LoginSession) -> SessionAnswer:
    return SessionAnswer(
        id=row.id or "",
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        browser=row.browser or "",
        address=row.address or "",
        current=row is current,
    )
