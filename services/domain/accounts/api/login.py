"""Signing in, step by step: the password, a one-time code, and what has to be put right before the first page."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.database.unit_of_work import Actor, Database
from services.domain.accounts import login as account_login
from services.domain.accounts.api.session import Me, client_of, read_me
from services.domain.accounts.sessions import IssuedSession
from services.web import cookies
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Token, browser_of, csrf_token
from services.web.schemas import Answer, Body, Code, Line

router = APIRouter(prefix="/api/login", tags=["session"])

Password = Annotated[str, Field(min_length=1, max_length=1000)]


class Credentials(Body):
    login: Line
    password: Password


class CodeBody(Body):
    """The six digits of the authenticator, or a recovery code where the step takes one."""

    code: Code


class NewPassword(Body):
    new_password: Password


class Step(Answer):
    """Half signed in: the step that is left, and the CSRF token for it. Nothing else is answered until it is taken."""

    step: Literal["code", "password", "enrolment"]
    csrf_token: str


class FactorEnrolmentAnswer(Answer):
    """What an authenticator app takes: the ``otpauth://`` address as a QR code, or the secret typed by hand."""

    secret: str
    address: str


class EnrolledAnswer(Answer):
    """The recovery codes are told this once; each opens one sign-in."""

    recovery_codes: list[str]
    me: Me


@dataclass(frozen=True)
class PendingLogin:
    """A session that waits for a step, and where its next token goes."""

    token: str
    browser: str
    request: Request
    response: Response


def pending_login(token: Token, request: Request, response: Response) -> PendingLogin:
    return PendingLogin(token, browser_of(request), request, response)


GivenPendingLogin = Annotated[PendingLogin, Depends(pending_login)]
STEPS: dict[int | str, dict[str, Any]] = {202: {"model": Step, "description": "Half signed in: a step is left"}}


@router.post("", responses={**problems(401, 429), **STEPS})
async def log_in(credentials: Credentials, request: Request, response: Response, database: GivenDatabase) -> Me | Step:
    """Sign in. Sets the session cookie; 202 where a step is left."""
    signed_in = await account_login.log_in(database, credentials.login, credentials.password, client_of(request))
    return await _answer(request, response, database, signed_in)


@router.post("/code", responses={**problems(401, 403, 429), **STEPS})
async def submit_code(body: CodeBody, waiting: GivenPendingLogin, database: GivenDatabase) -> Me | Step:
    """The second step. The session goes on under another token."""
    signed_in = await account_login.submit_code(database, waiting.token, waiting.browser, body.code)
    return await _answer(waiting.request, waiting.response, database, signed_in)


@router.post("/password", responses={**problems(401, 403), **STEPS})
async def choose_password(body: NewPassword, waiting: GivenPendingLogin, database: GivenDatabase) -> Me | Step:
    """Replace the password that an administrator gave."""
    signed_in = await account_login.choose_password(database, waiting.token, waiting.browser, body.new_password)
    return await _answer(waiting.request, waiting.response, database, signed_in)


@router.post("/enrolment", responses=problems(401, 403))
async def begin_enrolment(waiting: GivenPendingLogin, database: GivenDatabase) -> FactorEnrolmentAnswer:
    """What is to be scanned, where the person's post must have a second factor."""
    begun = await database.run(account_login.ACTOR, account_login.get_enrolment, waiting.token, waiting.browser)
    return FactorEnrolmentAnswer.model_validate(begun)


@router.post("/enrolment/confirm", responses=problems(401, 403, 409))
async def confirm_enrolment(body: CodeBody, waiting: GivenPendingLogin, database: GivenDatabase) -> EnrolledAnswer:
    """The app's first code sets the second factor up and ends the sign-in."""
    enrolled = await database.run(
        account_login.ACTOR, account_login.confirm_enrolment, waiting.token, waiting.browser, body.code
    )
    told = await _answer(waiting.request, waiting.response, database, enrolled.signed_in)
    assert isinstance(told, Me)  # noqa: S101  it is the last step
    return EnrolledAnswer(recovery_codes=enrolled.recovery_codes, me=told)


async def _answer(request: Request, response: Response, database: Database, signed_in: IssuedSession) -> Me | Step:
    cookies.write(request, response, cookies.SESSION, signed_in.token)
    if signed_in.pending_step is None:
        return await database.run(Actor("person", signed_in.person_id), read_me, signed_in.token)
    response.status_code = 202
    return Step.model_validate({"step": signed_in.pending_step, "csrf_token": csrf_token(signed_in.token)})
