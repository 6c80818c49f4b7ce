"""The entrance of the administrator's desk, and its pages."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from services.portal.api.dependencies import Books
from services.portal.pages.admin import agreements, cameras, doctor, recorders, rules
from services.portal.pages.visitor import Visiting
from services.register import administration, agreement_list, camera_book, delivery_views, recorder_book, rule_changes
from services.register.unit import Unit

router = APIRouter()
for pages in (rules, recorders, cameras, agreements, doctor):
    router.include_router(pages.router)


@dataclass(frozen=True)
class Overview:
    """What the entrance counts. ``wrong``: recorders that had something wrong when they were tested last.

    ``undelivered``: notices that did not leave the portal; for administrators alone.
    """

    recorders: int
    wrong: int
    cameras: int
    changed: int
    unsigned: int
    undelivered: int
    use_period: bool


@router.get("/admin")
async def entrance(visitor: Visiting, books: Books) -> Response:
    """What there is to administer, and where something is to be done. Security's head and supervisors may read."""
    told = await books.run(visitor.actor, _overview)
    return visitor.page("admin/entrance.html", told=told)


def _overview(unit: Unit) -> Overview:
    administration.require_reader(unit)
    known = recorder_book.recorders(unit)
    return Overview(
        recorders=len(known),
        wrong=sum(line.row.last_error is not None for line in known),
        cameras=len(camera_book.cameras(unit)),
        changed=sum(standing.change is not None for standing in rule_changes.standings(unit)),
        unsigned=sum(signer.state != "valid" for signer in agreement_list.signers(unit)),
        undelivered=delivery_views.totals(unit)["failed"] if administration.administers(unit) else 0,
        use_period=unit.rules.max_use_days is not None,
    )
