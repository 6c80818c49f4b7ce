"""The confidentiality agreement: who has signed, its texts, and issuing a new version (R59)."""

from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.portal.api.agreement_administration import IssueBody, signers_csv
from services.portal.api.dependencies import Books
from services.portal.pages import lists
from services.portal.pages.forms import Typed, TypedForm
from services.portal.pages.visitor import Visiting, Visitor
from services.register import agreement_list, agreement_texts
from services.register.agreement_list import STATES, Signer
from services.register.agreement_texts import Text
from services.register.unit import Register, Unit
from services.runtime.errors import Refused

router = APIRouter(prefix="/admin/agreements")


class Wanted(lists.Wanted):
    SORTS: ClassVar = get_args(agreement_list.Sort)
    FALLING: ClassVar = frozenset({"version", "signed"})

    state: lists.Text = ""


@router.get("")
async def list_signers(visitor: Visiting, books: Books, wanted: Annotated[Wanted, Query()]) -> Response:
    """Who has signed which version when, and who has not; ``form=csv`` answers with all that match."""
    state = wanted.state if wanted.state in STATES else ""

    def read(unit: Unit) -> tuple[list[Signer], Text]:
        found = agreement_list.signers(unit, wanted.listing(visitor.language), state=state)
        return found, agreement_texts.present_text(unit)

    signers, present = await books.run(visitor.actor, read)
    if wanted.as_csv:
        return signers_csv(signers)
    return visitor.page("admin/agreements.html", present=present, states=STATES, **wanted.shown(signers))


@router.get("/texts")
async def list_texts(visitor: Visiting, books: Books) -> Response:
    """All versions of the text, the newest first."""
    return visitor.page("admin/agreement_texts.html", texts=await books.run(visitor.actor, agreement_texts.texts))


@router.get("/issue")
async def new_text(visitor: Visiting, books: Books) -> Response:
    """The form of a new version, begun from the present text."""
    return await _form(visitor, books)


@router.post("/issue")
async def issue_text(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Issue it: everybody has to sign it from now on."""
    try:
        body = typed.body(IssueBody)
        await books.run(visitor.actor, agreement_texts.issue, body.version, body.text_zh, body.text_en, body.reason)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _form(visitor, books, refusal, typed)
    return visitor.go(
        "/admin/agreements",
        f"{body.version} 版已发布，所有人须重新签订。",
        f"Version {body.version} is issued: everybody has to sign it.",
    )


async def _form(
    visitor: Visitor, books: Register, refusal: Refused | None = None, typed: TypedForm | None = None
) -> Response:
    present = await books.run(visitor.actor, agreement_texts.to_issue)
    return visitor.page(
        "admin/agreement_issue.html",
        refusal.status if refusal else 200,
        present=present,
        refusal=refusal,
        typed=typed,
    )
