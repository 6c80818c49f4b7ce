"""Accept signatures in API bodies: password and code, or a passkey (R25).

A call with ``prepare`` does nothing and answers 202 with the statement, its words and the options of
``navigator.credentials.get``. The same call with the passkey's answer acts.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import passkeys
from services.domain.accounts.signatures import challenges, statements
from services.domain.accounts.signatures.challenges import Prepared, RelyingParty, require_relying_party
from services.runtime.errors import Refused, Retryable
from services.web.dependencies import given
from services.web.errors import answer, delayed, problems
from services.web.schemas import Answer


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
