"""How the API takes a signature: the password again and a code, or a passkey, which is first shown what it signs (R25).

Every act that is signed is prepared by the same call with ``prepare``: it answers 202 with the statement, its words and
the options for ``navigator.credentials.get``, and does nothing. The call with the passkey's answer does it.
"""

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field, SecretStr

from services.database.base import new_id
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import passkeys
from services.domain.accounts.signatures import challenges, statements
from services.domain.accounts.signatures.challenges import Prepared, RelyingParty, require_relying_party
from services.domain.accounts.signatures.given import Assertion, Proof
from services.runtime.errors import Refused, Retryable
from services.runtime.translations import Message
from services.web.dependencies import given
from services.web.errors import answer, problems
from services.web.schemas import Answer, Body, Code, Identifier

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Base64url = Annotated[str, Field(min_length=1, max_length=8192, pattern="^[A-Za-z0-9_-]+$")]


class PasskeySignature(Body):
    """The browser's answer to the options that ``prepare`` gave; ``pending`` came with them."""

    pending: Identifier
    credential_id: Base64url
    authenticator_data: Base64url
    client_data_json: Annotated[Base64url, Field(alias="clientDataJSON")]
    signature: Base64url


class Signing(Body):
    """The signature: a passkey's, or the password again with the authenticator's code where it is wanted.

    With ``prepare`` nothing is signed: the answer is what a passkey is to sign.
    """

    password: Secret | None = None
    code: Code | None = None
    passkey: PasskeySignature | None = None
    prepare: bool = False

    def proof(self) -> Proof:
        """What the register takes. Refused where nothing was given to sign with."""
        return self._proof("")

    def _proof(self, form_sha256: str) -> Proof:
        if self.prepare:
            return Proof(form_sha256, preparing=new_id())
        if self.passkey is not None:
            told = self.passkey.model_dump(by_alias=True)
            return Proof(form_sha256, passkey=Assertion(told.pop("pending"), told))
        if self.password is None:
            raise Refused(
                "missing",
                "Give your password, or sign with a passkey.",
                status=422,
                field="password",
            )
        return Proof(form_sha256, self.password.get_secret_value(), self.code)


class FormSigning(Signing):
    """A signature over the hash of the form that was read."""

    form_sha256: Sha256

    def proof(self) -> Proof:
        """As of every signature, with the form's hash."""
        return self._proof(self.form_sha256)


class WordsAnswer(Answer):
    """One line of what is signed: what it is, and what is said of it."""

    name_zh: str
    name_en: str
    zh: str
    en: str


class PreparedAnswer(Answer):
    """What is to be signed. ``statement`` is canonical JSON and ``sha256`` its hash, which is the passkey's challenge.

    ``options`` are for ``navigator.credentials.get``; ``pending`` goes back with its answer, within five minutes.
    """

    pending: str
    words: list[WordsAnswer]
    statement: str
    sha256: str
    options: dict[str, Any]


def signed(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route whose act is signed."""
    prepared = {"model": PreparedAnswer, "description": "Nothing was done: this is what a passkey is to sign"}
    return {202: prepared, **problems(*statuses)}


def install(app: FastAPI) -> None:
    """Answer acts that were to be prepared, of the API and of the pages alike."""
    app.add_exception_handler(Prepared, _prepared)


async def _prepared(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Prepared)  # noqa: S101  registered for this class alone
    database: Database = given(request, "database")
    try:
        place = require_relying_party(given(request, "settings"))
        told = await database.run(Actor("person", error.person_id), _keep, error, place)
    except Refused as refusal:
        return answer(refusal.code, refusal.message, refusal.status, refusal.field)
    except Retryable:
        return answer("try-again", Message("A part of the system is away: try again in a while."), 503)
    return JSONResponse(told.model_dump(by_alias=True), 202)


def _keep(uow: UnitOfWork, prepared: Prepared, place: RelyingParty) -> PreparedAnswer:
    own = passkeys.list_passkeys(uow, prepared.person_id, place)
    if not own:
        raise Refused(
            "no-passkey",
            "You have no passkey here: add one in your account, or sign with your password.",
            field="passkey",
        )
    asked = challenges.store(uow, prepared, place, [one.credential_id for one in own])
    return PreparedAnswer(
        pending=asked.pending,
        words=[WordsAnswer.model_validate(line) for line in statements.of(uow, prepared.statement)],
        statement=asked.statement,
        sha256=asked.sha256,
        options=asked.options,
    )
