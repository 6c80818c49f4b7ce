"""The storage office: what waits, what is fetched and sealed as it happens, and how the recorders do (R30 to R34)."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.listing import Listing
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.cameras import clocks
from services.domain.cases import storage_office
from services.domain.cases.api.storage import measure_now
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.forms import Typed
from services.web.visitor import Visiting, Visitor

router = APIRouter()

FEW = 5  # recorders and items of the quarantine; each has a list of its own
MOST_RELEASES = 50  # the inbox has them all


@router.get("/storage")
async def read_office(visitor: Visiting, database: GivenDatabase) -> Response:
    """Return everything at a glance; recorders and quarantine have lists of their own."""
    return await _page(visitor, database)


@router.get("/storage/work")
async def read_work(visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what is on its way, alone: the page asks for it every two seconds."""
    work, figures = await database.read(visitor.actor, storage_office.list_work)
    if not visitor.is_htmx:
        return visitor.redirect("/storage")
    return visitor.part("cases/_storage_work.html", work=work, figures=figures)


@router.post("/storage/recorders/{recorder_id}/measure")
async def measure(
    recorder_id: str, visitor: Visiting, database: GivenDatabase, recorders: GivenRecorders, typed: Typed
) -> Response:
    """Ask a recorder now for its clock and its oldest frames."""
    try:
        recorder = await measure_now(recorder_id, visitor.actor, database, recorders)
    except Refused as refusal:
        if refusal.status in {403, 404}:
            raise
        return await _page(visitor, database, refusal)
    back = "/storage/recorders" if typed.text("listed") else "/storage"
    return visitor.redirect(back, _measured(recorder.name, recorder.clock_offset_ms))


@router.post("/storage/recorders/{recorder_id}/clock")
async def compare_clock(recorder_id: str, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Return what the clock in a picture shows, against true time."""
    within = typed.text("within", "2")

    def act(uow: UnitOfWork) -> tuple[str, int | None]:
        row = clocks.get_for_comparison(uow, recorder_id)
        true = clocks.parse_shown_time(typed.text("true"), row.zone, uow.now)
        shown = clocks.parse_shown_time(typed.text("shown"), row.zone, true)
        seconds = int(within) if within.isascii() and within.isdecimal() and len(within) < 4 else 0
        recorder = clocks.record_comparison(uow, recorder_id, shown, true, timedelta(seconds=seconds))
        return recorder.name, recorder.clock_offset_ms

    try:
        compared = await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status in {403, 404}:
            raise
        return await _page(visitor, database, refusal)
    return visitor.redirect("/storage/recorders" if typed.text("listed") else "/storage", _measured(*compared))


def _measured(name: str, offset_ms: int | None) -> Message:
    """Return what the measurement found."""
    if offset_ms is None:
        return Message("“{name}” was measured: it does not report its time.", name=name)
    if offset_ms == 0:
        return Message("“{name}” was measured: the clock is correct.", name=name)
    seconds = f"{abs(offset_ms) / 1000:.1f}"
    if offset_ms > 0:
        return Message("“{name}” was measured: the clock is {seconds} s fast.", name=name, seconds=seconds)
    return Message("“{name}” was measured: the clock is {seconds} s slow.", name=name, seconds=seconds)


async def _page(visitor: Visitor, database: Database, refusal: Refused | None = None) -> Response:
    few = FEW + 1
    parts = {"releases": MOST_RELEASES + 1, "recorders": few}
    office = await database.read(visitor.actor, storage_office.get_office, Listing(limit=few), **parts)
    return visitor.page(
        "cases/storage_office.html",
        refusal.status if refusal else 200,
        office=office,
        releases=office.releases[:MOST_RELEASES],
        more_releases=len(office.releases) > MOST_RELEASES,
        recorders=office.recorders[:FEW],
        more_recorders=len(office.recorders) > FEW,
        preserved=office.preserved[:FEW],
        work=office.work,
        figures=office.figures,
        refusal=refusal,
    )
