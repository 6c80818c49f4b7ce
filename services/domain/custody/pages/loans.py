"""My hand-overs: what I hold and what is asked of me; accept, decline, report a loss, the custody log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications.schemas import CaseAbout
from services.domain.cases import footage as case_footage
from services.domain.custody import grants, hand_overs, holder_entries, queries, recipient_access, suspensions
from services.domain.custody.pages.loan_view import clarify, copy_times, remarks
from services.domain.custody.queries import HELD
from services.domain.custody.schemas import (
    Acceptance,
    EntryBody,
    HandOverView,
    LoanSort,
    LogSort,
    Loss,
    RecipientBody,
    Refusal,
    ShownLoan,
)
from services.domain.matters import queries as matter_queries
from services.domain.matters.schemas import MatterLine
from services.domain.work_orders import queries as work_order_queries
from services.domain.work_orders.schemas import WorkOrderLine
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import word
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter()


class ListQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(LoanSort)
    FALLING: ClassVar = frozenset({"number"})

    state: SearchText = ""


class LogQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(LogSort)
    LENGTH: ClassVar = 200


GivenListQuery = Annotated[ListQuery, Query()]
GivenLogQuery = Annotated[LogQuery, Query()]


def _(message: str) -> str:
    """Marks a label for translation."""
    return message


LIST_COLUMNS = (
    _("Application"),
    _("Status"),
    _("Purpose"),
    _("Offered"),
    _("Accepted"),
    _("Due"),
    _("Returned"),
    _("Copies"),
    _("Downloads"),
)
LOG_COLUMNS = (
    _("No."),
    _("Time"),
    _("Event"),
    _("By"),
    _("Copy"),
    _("Remarks"),
    _("Hash of the previous entry"),
    _("Hash of this entry"),
)
LIST_NAME, LOG_NAME = _("In my custody"), _("Custody log")


@router.get("/hand-overs")
async def my_hand_overs(visitor: Visiting, database: GivenDatabase, wanted: GivenListQuery) -> Response:
    """Return what I am custodian of, the most urgent first, and what I may view as a named recipient."""
    listing = wanted.listing(visitor.language)
    found, abouts, shown = await database.read(visitor.actor, _read_mine, listing, state=wanted.state)
    return visitor.page("custody/list.html", abouts=abouts, shown=shown, **wanted.shown_page(found))


def _read_mine(
    uow: UnitOfWork, listing: Listing, *, state: str
) -> tuple[Page[HandOverView], Mapping[str, CaseAbout], list[ShownLoan]]:
    """Return a page of loans with what their cases are about, and what the person may view as a named recipient."""
    found = queries.read_mine(uow, listing, state=state)
    abouts = case_footage.list_abouts(uow, {view.application_id for view in found.lines})
    return found, abouts, queries.list_shown(uow)


@router.get("/hand-overs.csv")
async def my_hand_overs_as_csv(visitor: Visiting, database: GivenDatabase, wanted: GivenListQuery) -> Response:
    """Return the same list as a table for a spreadsheet."""
    found = await database.read(visitor.actor, queries.read_mine, wanted.whole(visitor.language), state=wanted.state)
    rows = [
        (
            view.number,
            word(visitor.language, view.state),
            view.purpose,
            *(
                moment.isoformat(timespec="seconds") if moment else None
                for moment in (
                    view.offered_at,
                    view.accepted_at,
                    view.due_at,
                    view.returned_at,
                )
            ),
            len(view.copies),
            len(view.downloads),
        )
        for view in found.lines
    ]
    return lists.csv_answer(
        visitor, visitor.translated(LIST_NAME), [visitor.translated(column) for column in LIST_COLUMNS], rows
    )


@router.get("/hand-overs/{hand_over_id}")
async def read_hand_over(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return one hand-over of mine, with what can be done with it now."""
    return await _Loan(visitor, database, hand_over_id).page()


@router.post("/hand-overs/{hand_over_id}/accept")
async def accept(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Take the copies, with conditions read and a signature (R45, R46, R59)."""

    def act(uow: UnitOfWork) -> None:
        body = typed.body(Acceptance)
        version, proof = body.conditions_version, body.proof()
        hand_overs.accept(uow, hand_over_id, conditions_version=version, proof=proof)

    loan = _Loan(visitor, database, hand_over_id)
    return await loan.act(act, Message("Accepted: the use period starts now."), typed, form="accept")


@router.post("/hand-overs/{hand_over_id}/decline")
async def decline(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Do not take the copies."""

    def act(uow: UnitOfWork) -> None:
        body = typed.body(Refusal)
        hand_overs.decline(uow, hand_over_id, reason=body.reason, proof=body.proof())

    loan = _Loan(visitor, database, hand_over_id)
    done = Message("Declined: the copies will not be handed over.")
    return await loan.act(act, done, typed, form="decline")


@router.post("/hand-overs/{hand_over_id}/viewing")
async def allow_viewing(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Let a named recipient view the copies under the own name (R57)."""

    def act(uow: UnitOfWork) -> None:
        recipient_access.allow(uow, hand_over_id, typed.body(RecipientBody).person_id)

    loan = _Loan(visitor, database, hand_over_id)
    done = Message("Allowed: the person was notified, and each viewing is logged under the person's own name.")
    return await loan.act(act, done, section="#viewers")


@router.post("/hand-overs/{hand_over_id}/viewing/end")
async def end_viewing(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """End at once what a named recipient may view."""

    def act(uow: UnitOfWork) -> None:
        recipient_access.withdraw(uow, hand_over_id, typed.body(RecipientBody).person_id)

    loan = _Loan(visitor, database, hand_over_id)
    return await loan.act(act, Message("Ended: the person can no longer view."), section="#viewers")


@router.get("/hand-overs/{hand_over_id}/report-loss")
async def ask_loss(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what a report does, and its form."""
    view = await database.read(visitor.actor, queries.get_mine, hand_over_id)
    return visitor.page("custody/loss.html", view=view, held=view.state in HELD)


@router.post("/hand-overs/{hand_over_id}/report-loss")
async def report_loss(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Report a loss (R48). Access stops at once; damage and leaks are reported as problems."""
    try:
        body = typed.body(Loss)
        await database.run(
            visitor.actor, hand_overs.report_loss, hand_over_id, kind=body.kind, what_happened=body.what_happened
        )
    except NotFound:
        raise
    except Refused as refusal:
        view = await database.read(visitor.actor, queries.get_mine, hand_over_id)
        return visitor.page(
            "custody/loss.html",
            refusal.status,
            view=view,
            held=view.state in HELD,
            typed=typed,
            refusal=clarify(refusal),
        )
    return visitor.redirect(
        f"/hand-overs/{hand_over_id}",
        Message("Reported: access has ended, and Security will contact you."),
    )


@router.post("/hand-overs/{hand_over_id}/custody-log")
async def write_entry(hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Write into the custody log what was done with the copies or media (R47)."""

    def act(uow: UnitOfWork) -> None:
        body = typed.body(EntryBody)
        holder_entries.write(uow, hand_over_id, body.event, text=body.text, place=body.place, person_id=body.person_id)

    loan = _Loan(visitor, database, hand_over_id)
    return await loan.act(act, Message("Entered in the custody log."), typed, form="entry", section="#entries")


@router.get("/hand-overs/{hand_over_id}/custody-log")
async def read_log(
    hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, wanted: GivenLogQuery
) -> Response:
    """Return the custody log, to read and to print (R47)."""
    page = await database.read(visitor.actor, queries.get_log, hand_over_id, wanted.listing(visitor.language))
    return visitor.page("custody/log.html", log=page.view, hand_over_id=hand_over_id, **wanted.shown_page(page.found))


@router.get("/hand-overs/{hand_over_id}/custody-log.csv")
async def read_log_as_csv(
    hand_over_id: Identifier, visitor: Visiting, database: GivenDatabase, wanted: GivenLogQuery
) -> Response:
    """Return the custody log for a spreadsheet, with the chain of its hashes."""
    page = await database.read(visitor.actor, queries.get_log, hand_over_id, wanted.whole(visitor.language))
    log = page.view
    rows = [
        (
            entry.seq,
            entry.at.isoformat(timespec="seconds"),
            word(visitor.language, f"custody-{entry.event}"),
            log.names.get(entry.person_id or "", ""),
            entry.copy_id,
            remarks(entry.detail),
            entry.previous_sha256,
            entry.sha256,
        )
        for entry in log.entries
    ]
    name = f"{visitor.translated(LOG_NAME)} {log.number}"
    return lists.csv_answer(visitor, name, [visitor.translated(column) for column in LOG_COLUMNS], rows)


def _read(uow: UnitOfWork, hand_over_id: str) -> tuple[HandOverView, list[MatterLine], list[WorkOrderLine]]:
    """Return the loan, what is asked about it, which the custodian waits for, and the check-ins of it."""
    view = queries.get_mine(uow, hand_over_id)
    check_ins = work_order_queries.list_of_subject(uow, "loan", hand_over_id)
    return view, matter_queries.list_of_case(uow, view.application_id), check_ins


@dataclass(frozen=True)
class _Loan:
    """A hand-over of the visitor, as its page shows it and acts on it."""

    visitor: Visitor
    database: Database
    id: str

    async def act(
        self,
        act: Callable[[UnitOfWork], None],
        done: Message,
        typed: TypedForm | None = None,
        *,
        form: str = "",
        section: str = "",
    ) -> Response:
        """Act and return to ``section`` of the page; a refusal shows it again with what was typed in ``form``."""
        try:
            await self.database.run(self.visitor.actor, act)
        except NotFound:
            raise
        except Refused as refusal:
            return await self.page(typed=typed, refusal=refusal, form=form)
        return self.visitor.redirect(f"/hand-overs/{self.id}{section}", done)

    async def page(self, *, typed: TypedForm | None = None, refusal: Refused | None = None, form: str = "") -> Response:
        view, matters, work_orders = await self.database.read(self.visitor.actor, _read, self.id)
        cause = suspensions.first_cause(suspension.cause for suspension in view.suspensions)
        return self.visitor.page(
            "custody/hand_over.html",
            refusal.status if refusal else 200,
            view=view,
            matters=matters,
            work_orders=work_orders,
            held=view.state in HELD,
            recalled=any(suspension.cause == suspensions.RECALLED for suspension in view.suspensions),
            stopped=grants.SUSPENDED[cause][1] if cause not in (None, suspensions.USE_PERIOD_OVER) else None,
            times_of={copy.id: copy_times(copy) for copy in view.copies},
            typed=typed,
            refusal=clarify(refusal) if refusal else None,
            act=form,
        )
