"""Serve the acting person's passkeys as JSON (R25)."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account, passkeys
from services.domain.accounts.api.own_account import Confirmed
from services.domain.accounts.signatures.bodies import Base64url
from services.domain.accounts.signatures.challenges import require_relying_party
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Done, Identifier, Line, Moment

router = APIRouter(prefix="/api/account/passkeys", tags=["account"])


class PasskeyEnrolmentAnswer(Answer):
    """``options`` are for ``navigator.credentials.create``.

    ``id`` comes back with its answer, within five minutes.
    """

    id: str
    options: dict[str, Any]


class PasskeyName(Body):
    name: Line


class NewPasskey(PasskeyName):
    """The browser's new passkey, and its name."""

    id: Identifier
    credential_id: Base64url
    client_data_json: Annotated[Base64url, Field(alias="clientDataJSON")]
    attestation_object: Annotated[str, Field(min_length=1, max_length=65536, pattern="^[A-Za-z0-9_-]+$")]


class PasskeyAnswer(Answer):
    """A passkey.

    ``proved_by``: what was given to add it; ``rp_id``: the host it belongs to.
    """

    id: str
    name: str
    rp_id: str
    proved_by: str
    added_at: Moment
    last_used_at: Moment | None


@router.get("", responses=problems(401))
async def my_passkeys(actor: Acting, database: GivenDatabase) -> list[PasskeyAnswer]:
    """List my passkeys."""
    rows = await database.read(actor, lambda uow: passkeys.list_passkeys(uow, uow.actor.id))
    return [PasskeyAnswer.model_validate(row) for row in rows]


@router.post("/begin", responses=problems(*USUAL, 429))
async def begin_passkey(
    body: Confirmed, actor: Acting, database: GivenDatabase, settings: GivenSettings
) -> PasskeyEnrolmentAnswer:
    """Begin to add a passkey.

    Needs the password, and a code where a second factor is enrolled.
    """
    enrolment = await database.run(
        actor, own_account.begin_passkey, require_relying_party(settings), body.password, body.code
    )
    return PasskeyEnrolmentAnswer.model_validate(enrolment)


@router.post("", status_code=201, responses=problems(*USUAL))
async def add_passkey(body: NewPasskey, actor: Acting, database: GivenDatabase) -> PasskeyAnswer:
    """Add the passkey that the browser has created."""
    attestation = body.model_dump(by_alias=True, exclude={"id", "name"})
    return PasskeyAnswer.model_validate(
        await database.run(
            actor, lambda uow: passkeys.finish_enrolment(uow, uow.actor.id, body.id, attestation, body.name)
        )
    )


@router.post("/{passkey_id}/rename", responses=problems(*USUAL))
async def rename_passkey(
    passkey_id: Identifier, body: PasskeyName, actor: Acting, database: GivenDatabase
) -> PasskeyAnswer:
    """Rename one of my passkeys."""
    return PasskeyAnswer.model_validate(await database.run(actor, passkeys.rename, passkey_id, body.name))


@router.post("/{passkey_id}/remove", responses=problems(*USUAL))
async def remove_passkey(passkey_id: Identifier, body: Confirmed, actor: Acting, database: GivenDatabase) -> Done:
    """Remove one of my passkeys. Needs the password, and a code where a second factor is enrolled."""

    def act(uow: UnitOfWork) -> Done:
        own_account.remove_passkey(uow, passkey_id, body.password, body.code)
        return Done(at=uow.now)

    return await database.run(actor, act)
