"""The overview: each person's own part of what waits, is about to be overwritten, is lent and is overdue."""

from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.cases import consent_queries, inbox, outside, own_applications, package_queries, queries
from services.domain.cases import register as case_register
from services.domain.cases.schemas.lists import OverviewView
from services.domain.custody import queries as custody_queries
from services.domain.matters.violations import queries as violation_queries
from services.domain.supervision import queries as supervision_queries
from services.domain.work_orders import queries as work_order_queries
from services.web import menu

FEW, MOST_COUNTED = 5, 100


def get_overview(uow: UnitOfWork, posts: frozenset[str]) -> OverviewView:
    """Return the actor's overview; an administrator's has no case in it."""
    if "administrator" in posts:
        return OverviewView()
    waiting, waiting_count, more = inbox.read_first(uow, FEW, MOST_COUNTED)
    consents, packages = consent_queries.list_waiting(uow), package_queries.list_waiting(uow)
    work_orders, work_orders_count = work_order_queries.list_waiting(uow, FEW)
    supervises = bool(posts & menu.WATCHES)
    own, own_count = own_applications.read_unfinished(uow, FEW)
    totals = case_register.count_all(uow) if supervises else None
    held = custody_queries.open_loans(uow)
    return OverviewView(
        waiting=waiting,
        consents=consents[:FEW],
        packages=packages[:FEW],
        unanswered=violation_queries.list_unanswered(uow),
        to_record=violation_queries.list_to_record(uow, FEW),
        supervision=supervision_queries.read_own_duties(uow),
        waiting_count=waiting_count + len(consents) + len(packages),
        more_waiting=more,
        work_orders=work_orders,
        work_orders_count=work_orders_count,
        own=queries.list_summaries(uow, own),
        own_count=own_count,
        held=held[:FEW],
        held_count=len(held),
        overdue_count=sum(loan.state == "overdue" for loan in held),
        at_risk=case_register.read_next_overwritten(uow, Listing(limit=FEW)).lines if supervises else [],
        copies_out=case_register.read_copies_out(uow, Listing(limit=FEW)).lines if supervises else [],
        copies_out_count=totals.copies_out if totals else 0,
        copies_overdue_count=totals.copies_overdue if totals else 0,
        outside=outside.list_nearest(uow, FEW),
        troubles=case_register.list_troubles(uow, FEW) if supervises else [],
        states=totals.states if totals else None,
        agreed=_has_agreed(uow, str(uow.actor.id)),
    )


def _has_agreed(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person has a valid agreement; the directory, which is loaded, knows it of who has a post."""
    if person_id in access_queries.load_directory(uow).agreed:
        return True
    return access_queries.get_valid_agreement(uow, person_id) is not None
