"""Show the overview of the administration."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.agreements import queries as agreement_queries
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras import service as camera_service
from services.domain.deployments import versions
from services.domain.notifications import delivery_queries
from services.domain.rules import service as rule_service
from services.domain.working_calendar import queries as calendar_queries
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting

router = APIRouter()


@dataclass(frozen=True)
class Overview:
    """The counts of the overview. ``failing``: recorders whose last probe failed.

    ``undelivered``: notices that could not be sent; counted for administrators only. ``years_missing``: those that
    lack a working calendar, where one is used. ``unrecorded``: versions of models whose jobs are refused.
    """

    recorders: int
    failing: int
    cameras: int
    changed: int
    unsigned: int
    undelivered: int
    use_period: bool
    years_missing: tuple[int, ...]
    unrecorded: int


@router.get("/admin")
async def show_overview(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show what to administer and what needs action. Security's head and supervisors may read."""
    overview = await database.read(visitor.actor, _overview)
    return visitor.page("app/administration.html", overview=overview)


def _overview(uow: UnitOfWork) -> Overview:
    administrators.require_reader(uow)
    recorders, failing = camera_recorders.count_recorders(uow)
    coverage = calendar_queries.read_coverage(uow)
    return Overview(
        recorders=recorders,
        failing=failing,
        cameras=camera_service.count_cameras(uow),
        changed=sum(rule.change is not None for rule in rule_service.list_rules(uow)),
        unsigned=agreement_queries.count_unsigned(uow),
        undelivered=delivery_queries.count_by_state(uow)["failed"] if administrators.is_administrator(uow) else 0,
        use_period=uow.rules.max_use_days is not None,
        years_missing=coverage.missing if coverage.used else (),
        unrecorded=versions.count_unrecorded(uow),
    )
