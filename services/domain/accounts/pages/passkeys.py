"""Serve the passkeys' page; its script sends new passkeys to the API."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.tables.passkeys import Passkey
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account, passkeys, second_factors
from services.domain.accounts.api.passkeys import PasskeyName
from services.domain.accounts.second_factors import State
from services.domain.accounts.signatures.challenges import relying_party_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/account/passkeys")


@router.get("")
async def read_passkeys(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Show the passkeys, and the form to add one."""
    return await _page(visitor, database, settings)


@router.post("/{passkey_id}/rename")
async def rename(
    passkey_id: str, visitor: Visiting, *, typed: Typed, database: GivenDatabase, settings: GivenSettings
) -> Response:
    """Rename a passkey."""
    try:
        await database.run(visitor.actor, passkeys.rename, passkey_id, typed.body(PasskeyName).name)
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, settings, typed=typed, refusal=refusal)
    return visitor.redirect("/account/passkeys", Message("The passkey was renamed."))


@router.post("/{passkey_id}/remove")
async def remove(
    passkey_id: str, visitor: Visiting, *, typed: Typed, database: GivenDatabase, settings: GivenSettings
) -> Response:
    """Remove a passkey."""
    try:
        await database.run(
            visitor.actor,
            own_account.remove_passkey,
            passkey_id,
            typed.text("password"),
            typed.text("code") or None,
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return visitor.redirect("/account/passkeys", Message("The passkey was removed and can no longer be used to sign."))


async def _page(
    visitor: Visitor,
    database: GivenDatabase,
    settings: GivenSettings,
    *,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[list[Passkey], State]:
        return passkeys.list_passkeys(uow, uow.actor.id), second_factors.get_state(uow, uow.actor.id)

    own, state = await database.read(visitor.actor, read)
    return visitor.page(
        "accounts/passkeys.html",
        refusal.status if refusal else 200,
        passkeys=own,
        state=state,
        relying_party=relying_party_of(settings),
        port=settings.portal.port,
        typed=typed,
        refusal=refusal,
    )
