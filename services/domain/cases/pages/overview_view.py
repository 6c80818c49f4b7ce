"""What the overview shows: each person's own part of what is waiting, running out, lent and overdue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.cases import consent_queries, inbox, queries
from services.domain.cases import register as case_register
from services.domain.cases.inbox import Waiting
from services.domain.cases.schemas import CaseSummary, OutLine, RiskLine
from services.domain.custody import queries as custody_queries
from services.domain.custody.queries import Loan
from services.web import menu

FEW = 5


@dataclass(frozen=True)
class Overview:
    """Lists are cut to a few; counts are of all. ``states`` is None for those who do not watch over the cases.

    A receipt is no decision among others: the custodian finds it under ``held``, where it is signed.
    """

    waiting: list[Waiting]
    waiting_count: int
    mine: list[CaseSummary]
    mine_count: int
    held: list[Loan]
    held_count: int
    late_count: int
    at_risk: list[RiskLine]
    out: list[OutLine]
    states: Mapping[str, int] | None
    consents: Sequence[consent_queries.Waiting] = ()
    agreed: bool = True


def overview(uow: UnitOfWork, posts: frozenset[str]) -> Overview:
    """The acting person's overview. An administrator's has no case in it."""
    if "administrator" in posts:
        return Overview([], 0, [], 0, [], 0, 0, [], [], None)
    waiting = [line for line in inbox.mine(uow) if line.review.stage != "receipt"]
    asked = consent_queries.waiting_for(uow)
    watches = bool(posts & menu.WATCHES)
    drafted = visibility.all_visible(uow, limit=50, offset=0, mine=True)
    mine = [line for line in queries.summaries(uow, drafted) if line.state != "closed"]
    held = custody_queries.open_loans(uow)
    return Overview(
        waiting=waiting[:FEW],
        waiting_count=len(waiting) + len(asked),
        mine=mine[:FEW],
        mine_count=len(mine),
        held=held[:FEW],
        held_count=len(held),
        late_count=sum(view.state == "overdue" for view in held),
        at_risk=case_register.next_overwritten(uow, Listing(limit=FEW)) if watches else [],
        out=case_register.copies_out(uow, Listing(limit=FEW)) if watches else [],
        states=case_register.count_by_state(uow) if watches else None,
        consents=asked[:FEW],
        agreed=access_queries.valid_agreement(uow, str(uow.actor.id)) is not None,
    )
