"""Accept signatures in API bodies: password and code, or a passkey (R25).

A call with ``prepare`` does nothing and answers 202 with the statement, its words and the options of
``navigator.credentials.get``. The same call with the passkey's answer acts.
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
from services.web.dependencies import given
from services.web.errors import answer, delayed, problems
from services.web.schemas import Answer, Body, Code, Identifier

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Base64url = Annotated[str, Field(min_length=1, max_length=8192, pattern="^[A-Za-z0-9_-]+$")]


class PasskeySignature(Body):
    """The browser's answer to the prepared options, with their ``pending``."""

    pending: Identifier
    credential_id: Base64url
    authenticator_data: Base64url
    client_data_json: Annotated[Base64url, Field(alias="clientDataJSON")]
    signature: Base64url


class Signing(Body):
    """A passkey's signature, or the password with a code where required.

    With ``prepare`` nothing is signed: the answer is what a passkey is to sign.
    """

    password: Secret | None = None
    code: Code | None = None
    passkey: PasskeySignature | None = None
    prepare: bool = False

    def proof(self) -> Proof:
        """Return the proof. Refused where nothing was given."""
        return self._proof("")

    def _proof(self, form_sha256: str) -> Proof:
        if self.prepare:
            return Proof(form_sha256, preparing=new_id())
        if self.passkey is not None:
            fields = self.passkey.model_dump(by_alias=True)
            return Proof(form_sha256, passkey=Assertion(fields.pop("pending"), fields))
        if self.password is None:
            raise Refused(
                "missing",
                "Enter your password, or sign with a passkey.",
                status=422,
                field="password",
            )
        return Proof(form_sha256, self.password.get_secret_value(), self.code)


class FormSigning(Signing):
    """A signature over the hash of the form that was read."""

    form_sha256: Sha256

    def proof(self) -> Proof:
        """Return the proof with the form's hash."""
        return self._proof(self.form_sha256)


class WordsAnswer(Answer):
    """One line of the statement: name and value."""

    name_zh: str
    name_en: str
    zh: str
    en: str


class PreparedAnswer(Answer):
    """The statement to sign.

    ``statement`` is canonical JSON and ``sha256`` its hash, which is the passkey's challenge. ``options`` are for
    ``navigator.credentials.get``; ``pending`` comes back with its answer, within five minutes.
    """

    pending: str
    words: list[WordsAnswer]
    statement: str
    sha256: str
    options: dict[str, Any]


def signed(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route whose act is signed."""
    prepared = {"model": PreparedAnswer, "description": "Nothing was done: this is what a passkey is to sign"}
    return {202: prepared, **problems(*statuses)}


def install(app: FastAPI) -> None:
    """Answer prepared acts of API and pages with their statements."""
    app.add_exception_handler(Prepared, _prepared)


async def _prepared(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Prepared)  # noqa: S101  registered for this class alone
    database: Database = given(request, "database")
    try:
        relying_party = require_relying_party(given(request, "settings"))
        prepared = await database.run(Actor("person", error.person_id), _store, error, relying_party)
    except Refused as refusal:
        return answer(refusal.code, refusal.message, refusal.status, refusal.field)
    except Retryable as away:
        return delayed(away)
    return JSONResponse(prepared.model_dump(by_alias=True), 202)


def _store(uow: UnitOfWork, prepared: Prepared, relying_party: RelyingParty) -> PreparedAnswer:
    person_passkeys = passkeys.list_passkeys(uow, prepared.person_id, relying_party)
    if not person_passkeys:
        raise Refused(
            "no-passkey",
            "You have no passkey for this site: add one in your account, or sign with your password.",
            field="passkey",
        )
    request = challenges.store(uow, prepared, relying_party, [passkey.credential_id for passkey in person_passkeys])
    return PreparedAnswer(
        pending=request.pending,
        words=[WordsAnswer.model_validate(line) for line in statements.describe(uow, prepared.statement)],
        statement=request.statement,
        sha256=request.sha256,
        options=request.options,
    )
