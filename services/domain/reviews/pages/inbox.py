"""The inbox: what I may decide or confirm, whose footage is overwritten first comes first; and what a conflict bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from services.database.keyset import LONGEST_PLACE, Page
from services.database.listing import Listing
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications.pages import about
from services.domain.cases import consent_queries, package_queries
from services.domain.cases import inbox as case_inbox
from services.domain.cases.schemas.consents import WaitingConsent
from services.domain.cases.schemas.lists import WaitingPackage
from services.domain.reviews import assignment, tasks
from services.domain.reviews.schemas import BarredReview, InboxQuestion, ReassignmentsBody, ReviewsBody, WaitingReview
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused
from services.runtime.labels import word
from services.runtime.translations import Joined, Message
from services.web import lists
from services.web.csv import Cell
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter()

PER_PAGE, BARRED = 50, 20
NAMED = 20  # numbers in the sentence on what was done


class ListQuestion(InboxQuestion):
    """``barred`` is the place of the page of what a conflict bars; ``decisions``: without receipts, and these."""

    model_config = ConfigDict(extra="ignore")  # pages that were left open ask by their number

    barred: Annotated[str, Field(max_length=LONGEST_PLACE)] = ""
    decisions: bool = False

    @property
    def narrowed(self) -> bool:
        return bool(self.stage or self.search or self.place or self.decisions)


@dataclass(frozen=True)
class Inbox:
    """``consents`` and ``packages`` are those that wait for the reader (R17, R67)."""

    found: Page[WaitingReview]
    barred: Page[BarredReview]
    consents: list[WaitingConsent]
    packages: list[WaitingPackage]


@router.get("/inbox")
async def read_inbox(asked: Annotated[ListQuestion, Query()], visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what waits for my decision; htmx asks for the list alone."""
    return await _page(visitor, database, asked)


@router.post("/inbox/claim")
async def claim_several(
    asked: Annotated[ListQuestion, Query()], visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Claim the reviews that are ticked; those that are refused are named with the reason."""
    return await _try_each(visitor, database, asked, typed, tasks.claim)


@router.post("/inbox/unclaim")
async def unclaim_several(
    asked: Annotated[ListQuestion, Query()], visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Put the reviews back that are ticked; those that are refused are named with the reason."""
    return await _try_each(visitor, database, asked, typed, tasks.unclaim)


@router.get("/inbox/claimed")
async def read_claimed(asked: Annotated[ListQuestion, Query()], visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the claimed reviews that the head or the deputy of a department may give to somebody else."""
    return await _claimed_page(visitor, database, asked)


@router.post("/inbox/reassign")
async def reassign_several(
    asked: Annotated[ListQuestion, Query()], visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Give the claimed reviews that are ticked to one person; those that are refused are named with the reason."""
    if not typed.all("reviewIds"):
        return await _claimed_page(visitor, database, asked, refusal=_nothing_chosen())
    body = typed.body(ReassignmentsBody)
    act = partial(assignment.reassign, person_id=body.person_id)
    tried = await assignment.try_each(database, visitor.actor, act, body.review_ids)
    if any(one.refusal is not None for one in tried):
        return await _claimed_page(visitor, database, asked, tried=tried)
    said = Message("Reassigned: {numbers}. The person has been notified.", numbers=_numbers(tried))
    query = urlencode(_parameters(asked))
    return visitor.redirect(f"/inbox/claimed?{query}" if query else "/inbox/claimed", said)


async def _claimed_page(
    visitor: Visitor,
    database: Database,
    asked: ListQuestion,
    *,
    refusal: Refused | None = None,
    tried: Sequence[assignment.Tried] = (),
) -> Response:
    listing = replace(asked.listing(), limit=PER_PAGE)
    found = await database.read(visitor.actor, case_inbox.read_claimed, listing)
    people = {one.id: one.label for line in found.lines for one in line.reassign_to}
    return visitor.page(
        "reviews/claimed.html",
        _status(refusal, tried),
        asked=asked,
        found=found,
        people=sorted(people.items(), key=lambda one: (one[1], one[0])),
        query=urlencode(_parameters(asked)),
        refusal=refusal,
        tried=tried,
    )


def _nothing_chosen() -> Refused:
    return Refused("nothing-chosen", "Select at least one review.", status=422)


def _numbers(tried: Sequence[assignment.Tried]) -> Joined:
    return Joined(", ", [one.number or "—" for one in tried[:NAMED]])


def _status(refusal: Refused | None, tried: Sequence[assignment.Tried]) -> int:
    if refusal is not None:
        return refusal.status
    return 409 if tried and all(one.refusal is not None for one in tried) else 200


async def _try_each(visitor: Visitor, database: Database, asked: ListQuestion, typed: TypedForm, act: Any) -> Response:
    if not typed.all("reviewIds"):
        return await _page(visitor, database, asked, refusal=_nothing_chosen())
    tried = await assignment.try_each(database, visitor.actor, act, typed.body(ReviewsBody).review_ids)
    if any(one.refusal is not None for one in tried):
        return await _page(visitor, database, asked, tried=tried)
    text = _("Claimed: {numbers}.") if act is tasks.claim else _("Unclaimed: {numbers}.")
    query = urlencode(_parameters(asked))
    return visitor.redirect(f"/inbox?{query}" if query else "/inbox", Message(text, numbers=_numbers(tried)))


async def _page(
    visitor: Visitor,
    database: Database,
    asked: ListQuestion,
    *,
    refusal: Refused | None = None,
    tried: Sequence[assignment.Tried] = (),
) -> Response:
    inbox = await database.read(visitor.actor, _read, asked)
    context: dict[str, Any] = {
        "asked": asked,
        "inbox": inbox,
        "stages": list(STAGES),
        "query": urlencode(_parameters(asked)),
        "refusal": refusal,
        "tried": tried,
    }
    if visitor.is_htmx:
        return visitor.part("reviews/_list.html", **context)
    return visitor.page("reviews/list.html", _status(refusal, tried), **context)


@router.get("/inbox.csv")
async def inbox_as_csv(asked: Annotated[ListQuestion, Query()], visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the same list, all pages of it, as CSV."""
    listing = replace(asked.listing(), limit=lists.MOST_ROWS + 1, place="")
    found = await database.read(
        visitor.actor,
        partial(case_inbox.read_waiting, listing=listing, stage=asked.stage or "", receipts=not asked.decisions),
    )
    header = [
        visitor.translated(title)
        for title in (
            _("Number"),
            _("Stage"),
            _("Department"),
            _("Purpose"),
            _("Items"),
            _("At risk of overwrite from"),
            _("Decide by"),
            _("Claimed by"),
        )
    ] + about.header(visitor)
    return lists.csv_answer(
        visitor, visitor.translated(_("Inbox")), header, (_row(visitor, line) for line in found.lines)
    )


def _(message: str) -> str:
    """Marks a text for translation."""
    return message


def _read(uow: UnitOfWork, asked: ListQuestion) -> Inbox:
    listing = replace(asked.listing(), limit=PER_PAGE)
    return Inbox(
        case_inbox.read_waiting(uow, listing, stage=asked.stage or "", receipts=not asked.decisions),
        Page([]) if asked.decisions else case_inbox.read_barred(uow, Listing(limit=BARRED, place=asked.barred)),
        consent_queries.list_waiting(uow),
        package_queries.list_waiting(uow),
    )


def _parameters(asked: ListQuestion) -> Mapping[str, str]:
    """Return what the reader has chosen, without the places."""
    chosen = {"stage": asked.stage or "", "search": asked.search, "sort": asked.sort}
    if asked.descending:
        chosen["descending"] = "true"
    if asked.decisions:
        chosen["decisions"] = "true"
    return {name: value for name, value in chosen.items() if value and value != "overwrite"}


def _row(visitor: Visitor, line: WaitingReview) -> list[Cell]:
    return [
        line.number,
        word(visitor.language, line.stage),
        line.department_zh if visitor.language == "zh" else line.department_en,
        word(visitor.language, line.purpose_category),
        line.items,
        lists.written(visitor, line.overwrite_at),
        lists.written(visitor, line.due_at),
        line.claimed_by,
        *(about.cells(visitor, line.about) if line.about else ()),
    ]
