"""Serve matters as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from services.database.listing import Listing
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.accounts.signatures.http import signed
from services.domain.custody import queries as custody_queries
from services.domain.custody.schemas import HandOverView, Loss
from services.domain.matters import problems as problem_reports
from services.domain.matters import queries, service, urgents
from services.domain.matters.kinds.urgent import UrgentBody
from services.domain.matters.schemas import (
    MatterBody,
    MattersAnswer,
    MattersQuestion,
    MatterView,
    OffersAnswer,
    ReferralBody,
    ReplyBody,
    SettlementBody,
    ViolationBody,
)
from services.domain.matters.violations import acts as violation_acts
from services.domain.matters.violations import by_number
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["matters"])


@router.get("/matters", responses=problems(401, 422))
async def list_matters(
    actor: Acting, database: GivenDatabase, asked: Annotated[MattersQuestion, Query()]
) -> MattersAnswer:
    """List the matters that you may see, the newest first."""
    listing = Listing(sort="opened", descending=True, limit=asked.limit, place=asked.place)
    page = await database.read(actor, queries.read, listing, state=asked.state, kind=asked.kind, mine=asked.mine)
    return MattersAnswer(matters=page.lines, next=page.next, previous=page.previous)


@router.post("/matters", status_code=201, responses=signed(401, 403, 404, 409, 422))
async def open_matter(actor: Acting, body: MatterBody, database: GivenDatabase) -> MatterView:
    """Ask for a matter about a case, such as an extension."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, service.open_matter(uow, body.kind, body.application_id, body.asked, body.given()))

    return await database.run(actor, run)


@router.post("/applications/{application_id}/urgent", status_code=201, responses=signed(401, 403, 404, 409, 422))
async def call_urgently(
    application_id: Identifier, body: UrgentBody, actor: Acting, database: GivenDatabase
) -> MatterView:
    """Call the footage of an application before its approval; an own draft is submitted in the same act."""

    def run(uow: UnitOfWork) -> MatterView:
        asked = {"ground": body.ground, "reason": body.reason}
        return _view(uow, urgents.call(uow, application_id, asked, body.proof()))

    return await database.run(actor, run)


@router.get("/matters/{matter_id}", responses=problems(401, 404))
async def read_matter(matter_id: Identifier, actor: Acting, database: GivenDatabase) -> MatterView:
    """Return one matter; reading it is an event."""
    return await database.read(actor, queries.get, matter_id)


@router.post("/matters/{matter_id}/withdraw", responses=problems(401, 403, 404, 409))
async def withdraw_matter(matter_id: Identifier, actor: Acting, database: GivenDatabase) -> MatterView:
    """Withdraw what was asked about a loan, before it is decided."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, service.withdraw(uow, matter_id))

    return await database.run(actor, run)


@router.post("/matters/{matter_id}/reply", responses=problems(401, 403, 404, 409, 422))
async def reply_to_violation(
    matter_id: Identifier, actor: Acting, body: ReplyBody, database: GivenDatabase
) -> MatterView:
    """Reply to a violation, once, while the time for it runs; the decision is signed over the reply too."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, violation_acts.reply(uow, matter_id, body.text))

    return await database.run(actor, run)


@router.post("/matters/{matter_id}/referral", responses=problems(401, 403, 404, 409, 422))
async def record_referral(
    matter_id: Identifier, actor: Acting, body: ReferralBody, database: GivenDatabase
) -> MatterView:
    """Record that the evidence of a violation was handed to the authority, and write its sheet."""

    def run(uow: UnitOfWork) -> MatterView:
        matter = violation_acts.record_referral(
            uow,
            matter_id,
            authority=body.authority,
            handed_at=body.handed_at,
            receipt=body.receipt,
            package_sha256=body.package_sha256,
            unknown_package_because=body.unknown_package_because,
        )
        return _view(uow, matter)

    return await database.run(actor, run)


@router.post("/matters/{matter_id}/settlement", responses=problems(401, 403, 404, 409, 422))
async def settle_violation(
    matter_id: Identifier, actor: Acting, body: SettlementBody, database: GivenDatabase
) -> MatterView:
    """Record that the loss of a violation is made good."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, violation_acts.settle(uow, matter_id, account=body.account, amount=body.amount))

    return await database.run(actor, run)


@router.post("/violations", status_code=201, responses=problems(401, 403, 409, 422))
async def record_violation(actor: Acting, body: ViolationBody, database: GivenDatabase) -> MatterView:
    """Record a violation of a case that you may not see, by the number of the case or of one of its documents."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, by_number.record(uow, body.number, body.asked()))

    return await database.run(actor, run)


@router.post("/violations/{violation_id}/start", status_code=201, responses=problems(401, 403, 404, 409))
async def start_violation(violation_id: Identifier, actor: Acting, database: GivenDatabase) -> MatterView:
    """Start the handling of an open violation that an older release has recorded."""

    def run(uow: UnitOfWork) -> MatterView:
        return _view(uow, violation_acts.start(uow, violation_id))

    return await database.run(actor, run)


def _view(uow: UnitOfWork, matter: Matter) -> MatterView:
    uow.session.flush()
    return queries.get(uow, matter.id)


@router.get("/cases/{application_id}/matters/offers", responses=problems(401, 404))
async def list_offers(application_id: Identifier, actor: Acting, database: GivenDatabase) -> OffersAnswer:
    """List the kinds of matters that you may ask for in the case now."""

    def run(uow: UnitOfWork) -> OffersAnswer:
        application = visibility.get_visible(uow, application_id)
        loan = select(HandOver).where(HandOver.application_id == application_id, HandOver.issue == application.issue)
        return OffersAnswer(offers=queries.list_offers(uow, application, uow.session.scalar(loan)))

    return await database.read(actor, run)


@router.post("/hand-overs/{hand_over_id}/report-loss", responses=problems(*USUAL), tags=["custody"])
async def report_loss(hand_over_id: Identifier, body: Loss, actor: Acting, database: GivenDatabase) -> HandOverView:
    """Report a loss (R48): access stops at once. Damage and a leak become a problem report, which Security answers."""
    await database.run(
        actor,
        problem_reports.report_loss,
        hand_over_id,
        kind_of_loss=body.kind,
        what_happened=body.what_happened,
    )
    return await database.read(actor, custody_queries.get_mine, hand_over_id)
