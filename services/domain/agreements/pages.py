"""Serve the pages of the confidentiality agreement: signers, texts, issuing (R59)."""

from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.agreements import queries, texts
from services.domain.agreements.api.administration import COLUMNS, IssueBody, csv_rows
from services.domain.agreements.queries import STATES, Signer
from services.domain.agreements.texts import VersionText
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/agreements")


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(queries.Sort)
    FALLING: ClassVar = frozenset({"version", "signed"})

    state: SearchText = ""


@router.get("")
async def list_signers(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    """Show who has signed which version; ``form=csv`` exports all matches."""
    state = query.state if query.state in STATES else ""

    def read(uow: UnitOfWork) -> tuple[list[Signer], VersionText]:
        listing = query.listing(visitor.language)
        return queries.list_signers(uow, listing, state=state), texts.get_current_text(uow)

    signers, current_text = await database.read(visitor.actor, read)
    if query.as_csv:
        return lists.csv_answer(visitor, "agreements", COLUMNS, csv_rows(signers))
    return visitor.page("agreements/agreements.html", current_text=current_text, states=STATES, **query.shown(signers))


@router.get("/texts")
async def list_texts(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show all versions of the text, newest first."""
    return visitor.page("agreements/agreement_texts.html", texts=await database.read(visitor.actor, texts.list_texts))


@router.get("/issue")
async def new_text(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form of a new version, filled with the current text."""
    return await _form(visitor, database)


@router.post("/issue")
async def issue_text(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Issue a version, which everybody has to sign from now on."""
    try:
        body = typed.body(IssueBody)
        issued = await database.run(visitor.actor, texts.issue_version, **body.model_dump())
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _form(visitor, database, refusal, typed)
    return visitor.redirect(
        "/admin/agreements",
        Message(
            "Version {version} was issued: everyone has to sign it within {days} days.",
            version=issued.version,
            days=issued.grace_days,
        ),
    )


async def _form(
    visitor: Visitor, database: Database, refusal: Refused | None = None, typed: TypedForm | None = None
) -> Response:
    current_text, usual = await database.read(
        visitor.actor, lambda uow: (texts.get_text_to_revise(uow), uow.rules.agreement_grace.days)
    )
    return visitor.page(
        "agreements/agreement_issue.html",
        refusal.status if refusal else 200,
        current_text=current_text,
        grace_days=usual,
        shortest=texts.SHORTEST_NOTICE_DAYS,
        refusal=refusal,
        typed=typed,
    )
