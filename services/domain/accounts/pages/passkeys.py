"""My passkeys on a page of their own. What the browser makes is sent by its script to the API."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.tables.passkeys import Passkey
from services.database.unit_of_work import Unit
from services.domain.accounts import passkeys, second_factors
from services.domain.accounts.api.passkeys import Name
from services.domain.accounts.second_factors import State
from services.domain.accounts.signatures.challenges import place_of
from services.runtime.errors import NotFound, Refused
from services.web.dependencies import Books, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/account/passkeys")


@router.get("")
async def read_passkeys(visitor: Visiting, books: Books, settings: GivenSettings) -> Response:
    """The passkeys that sign for me, and the form to add one."""
    return await _page(visitor, books, settings)


@router.post("/{passkey_id}/rename")
async def rename(
    passkey_id: str, visitor: Visiting, *, typed: Typed, books: Books, settings: GivenSettings
) -> Response:
    """Call one something else."""
    try:
        await books.run(visitor.actor, passkeys.rename, passkey_id, typed.body(Name).name)
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, books, settings, typed=typed, refusal=refusal)
    return visitor.go("/account/passkeys", "已改名。", "The passkey has another name.")


@router.post("/{passkey_id}/remove")
async def remove(passkey_id: str, visitor: Visiting, books: Books) -> Response:
    """Have one sign nothing any more."""
    await books.run(visitor.actor, passkeys.remove, passkey_id)
    return visitor.go(
        "/account/passkeys", "通行密钥已移除，不能再用于签字。", "The passkey is removed: it signs no more."
    )


async def _page(
    visitor: Visitor,
    books: Books,
    settings: GivenSettings,
    *,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    def read(unit: Unit) -> tuple[list[Passkey], State]:
        return passkeys.of(unit, unit.actor.id), second_factors.state(unit, unit.actor.id)

    own, state = await books.run(visitor.actor, read)
    return visitor.page(
        "accounts/passkeys.html",
        refusal.status if refusal else 200,
        passkeys=own,
        state=state,
        place=place_of(settings),
        port=settings.portal_port,
        typed=typed,
        refusal=refusal,
    )
