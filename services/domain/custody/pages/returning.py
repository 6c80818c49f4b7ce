"""The return: to whom, and the attestation for each download and medium (R38, T2, T12)."""

from fastapi import APIRouter, Response

from services.domain.custody import queries, returns
from services.domain.custody.api.returns import ReturnBody
from services.domain.custody.pages.loan_view import clarify
from services.domain.custody.returns import AttestedFate
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()


@router.get("/hand-overs/{hand_over_id}/return")
async def ask_return(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the form of the return."""
    return await _page(visitor, database, hand_over_id)


@router.post("/hand-overs/{hand_over_id}/return")
async def return_copies(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Return the copies, with an attestation and a signature; access ends with it."""
    try:
        body = typed.body(ReturnBody, noOtherCopies=typed.text("noOtherCopies") == "true")
        await database.run(
            visitor.actor,
            returns.return_copies,
            hand_over_id,
            return_to=body.return_to,
            fates=[AttestedFate(download.download_id, download.fate, download.note) for download in body.downloads],
            no_other_copies=body.no_other_copies,
            proof=body.proof(),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, hand_over_id, typed, refusal)
    view, in_place_of = await database.read(visitor.actor, queries.get_returnable, hand_over_id)
    return visitor.redirect(
        f"/hand-overs/{hand_over_id}" if in_place_of is None else f"/cases/{view.application_id}",
        Message("Returned: access has ended, and you will be notified of the inspection result."),
    )


async def _page(
    visitor: Visitor,
    database: GivenDatabase,
    hand_over_id: str,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    view, in_place_of = await database.read(visitor.actor, queries.get_returnable, hand_over_id)
    return visitor.page(
        "custody/return.html",
        refusal.status if refusal else 200,
        view=view,
        in_place_of=in_place_of,
        copies={copy.id: copy for copy in view.copies},
        held=view.state in queries.HELD,
        typed=typed,
        refusal=clarify(refusal) if refusal else None,
    )
