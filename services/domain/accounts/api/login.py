"""Serve the steps of a login as JSON."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.database.unit_of_work import Actor, Database
from services.domain.accounts import login as account_login
from services.domain.accounts.api.session import Me, client_of, read_me, write_session
from services.domain.accounts.client import Client
from services.domain.accounts.sessions import IssuedSession
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Token, csrf_token
from services.web.schemas import Answer, Body, Code, Line

router = APIRouter(prefix="/api/login", tags=["session"])

Password = Annotated[str, Field(min_length=1, max_length=1000)]


class Credentials(Body):
    login: Line
    password: Password


class CodeBody(Body):
    """The authenticator's six digits, or a recovery code at login."""

    code: Code


class NewPassword(Body):
    new_password: Password


class Step(Answer):
    """The next step of an unfinished login, and its CSRF token.

    Other requests are refused until the login is complete.
    """

    step: Literal["code", "password", "enrolment"]
    csrf_token: str


class FactorEnrolmentAnswer(Answer):
    """What an authenticator app needs.

    The ``otpauth://`` address for a QR code, or the secret to type.
    """

    secret: str
    address: str


class EnrolledAnswer(Answer):
    """The recovery codes, shown once; each works for one login."""

    recovery_codes: list[str]
    me: Me


@dataclass(frozen=True)
class PendingLogin:
    """A session that waits for a step.

    ``response`` gets the cookie of its next token.
    """

    token: str
    client: Client
    request: Request
    response: Response


async def pending_login(token: Token, request: Request, response: Response) -> PendingLogin:
    return PendingLogin(token, client_of(request), request, response)


GivenPendingLogin = Annotated[PendingLogin, Depends(pending_login)]
STEPS: dict[int | str, dict[str, Any]] = {
    202: {"model": Step, "description": "The login is unfinished: a step is left"}
}


@router.post("", responses={**problems(401, 429), **STEPS})
async def log_in(credentials: Credentials, request: Request, response: Response, database: GivenDatabase) -> Me | Step:
    """Log in and set the cookie; 202 where a step is left."""
    session = await account_login.log_in(database, credentials.login, credentials.password, client_of(request))
    return await _answer(request, response, database, session)


@router.post("/code", responses={**problems(401, 403, 429), **STEPS})
async def submit_code(body: CodeBody, pending: GivenPendingLogin, database: GivenDatabase) -> Me | Step:
    """Check the one-time code. The session gets another token."""
    session = await account_login.submit_code(database, pending.token, pending.client, body.code)
    return await _answer(pending.request, pending.response, database, session)


@router.post("/password", responses={**problems(401, 403), **STEPS})
async def choose_password(body: NewPassword, pending: GivenPendingLogin, database: GivenDatabase) -> Me | Step:
    """Replace the password that an administrator gave."""
    session = await account_login.choose_password(database, pending.token, pending.client, body.new_password)
    return await _answer(pending.request, pending.response, database, session)


@router.post("/enrolment", responses=problems(401, 403))
async def begin_enrolment(pending: GivenPendingLogin, database: GivenDatabase) -> FactorEnrolmentAnswer:
    """Begin the second factor that the person's post requires."""
    enrolment = await database.run(
        account_login.ACTOR, account_login.get_enrolment, pending.token, pending.client.browser
    )
    return FactorEnrolmentAnswer.model_validate(enrolment)


@router.post("/enrolment/confirm", responses=problems(401, 403, 409))
async def confirm_enrolment(body: CodeBody, pending: GivenPendingLogin, database: GivenDatabase) -> EnrolledAnswer:
    """Enrol the second factor by its first code and complete the login."""
    enrolled = await database.run(
        account_login.ACTOR, account_login.confirm_enrolment, pending.token, pending.client, body.code
    )
    me = await _answer(pending.request, pending.response, database, enrolled.session)
    assert isinstance(me, Me)  # noqa: S101  it is the last step
    return EnrolledAnswer(recovery_codes=enrolled.recovery_codes, me=me)


async def _answer(request: Request, response: Response, database: Database, session: IssuedSession) -> Me | Step:
    write_session(request, response, session)
    if session.pending_step is None:
        return await database.run(Actor("person", session.person_id), read_me, session.token)
    response.status_code = 202
    return Step.model_validate({"step": session.pending_step, "csrf_token": csrf_token(session.token)})
