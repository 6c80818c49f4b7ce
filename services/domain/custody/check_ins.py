"""Confirmations of safe keeping that the level of a case asks of its custodian: without one it closes (R47, R56).

The custodian confirms by the entry ``checked`` of the custody log; taking the copies over counts too. What is viewed on
site alone stays with the office that keeps it, and needs none.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import ways
from services.domain.custody import on_site
from services.domain.handling import cases as handling_of_cases

CONFIRMS = ("received", "checked")


def list_due(uow: UnitOfWork, loans: Sequence[tuple[Application, HandOver]]) -> dict[str, datetime]:
    """Map the loans that need confirmations, by id, to the moment until which their copies open without a further one.

    One statement at the most, and none where no level asks for any.
    """
    every = {
        hand_over.id: (hand_over.accepted_at, timedelta(days=days))
        for application, hand_over in loans
        if (days := handling_of_cases.kept(application).check_in_days) is not None
        and hand_over.accepted_at is not None
        and on_site.way_of(application, hand_over) != ways.ON_SITE
    }
    if not every:
        return {}
    query = (
        select(CustodyEntry.hand_over_id, func.max(CustodyEntry.at).label("at"))
        .where(CustodyEntry.hand_over_id.in_(every), CustodyEntry.event.in_(CONFIRMS))
        .group_by(CustodyEntry.hand_over_id)
    )
    confirmed = {row.hand_over_id: row.at for row in uow.session.execute(query)}
    return {key: confirmed.get(key, accepted_at) + period for key, (accepted_at, period) in every.items()}


def is_overdue(uow: UnitOfWork, application: Application, hand_over: HandOver) -> bool:
    """Return whether the copies are closed until their custodian confirms that they are kept safe."""
    until = list_due(uow, [(application, hand_over)]).get(hand_over.id)
    return until is not None and uow.now >= until
