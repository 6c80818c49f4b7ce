"""``footage-desk demo --year``: lay out the year, lead the cases that are under way at its end, and check it."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from services.app.container import Container
from services.backup.database_export import snapshot
from services.database.tables.inspections import GroupInspection
from services.database.tables.maintenance import MaintenanceRun
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo import organisation, walk
from services.demo.people import StepFailed, wait_for
from services.demo.proof import Check
from services.demo.recordings import Recordings
from services.demo.situations import Chapter
from services.demo.year import laying, open_cases, summary
from services.demo.year.past import PastClock
from services.domain.audit.verification import verify_trail
from services.domain.storage import findings
from services.domain.storage.maintenance import RECONCILE
from services.domain.supervision import reproduction
from services.domain.wiring import open_database
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import SettingsError

ACTOR = Actor("system", "demo")
CARE = timedelta(minutes=5)
MONTHLY = {"rules.inspection_period": "month"}


async def demonstrate(
    data: Path, console: Console, *, cases: int, own_store: bool = True, led: Sequence[Chapter] | None = None
) -> int:
    """Make the year in ``data``; return 0 only if every check holds. ``led``: the cases that are under way."""
    led = open_cases.chapters() if led is None else led
    began = datetime.now(UTC)
    configure_logs("error", "console")
    try:
        settings = walk.begin(data, own_store=own_store, **MONTHLY)
        console.print(f"[bold]Footage Desk · 录像调取台[/]: a year of {cases} applications.")
        async with walk.running(settings, partial(_lay_out, cases=cases, console=console)) as (container, addresses):
            console.print(f"The demo's people lead {open_cases.count_open(led)} cases with footage to every stage.")
            since = container.clock.now()
            await open_cases.lead(container, addresses.portal or "", led, Recordings(container.settings.data_dir))
            await wait_for(
                "the end of the night's care", partial(container.database.read, ACTOR, _is_cared_for, since), CARE
            )
            checks, counts = await anyio.to_thread.run_sync(_check, container, open_cases.count_open(led))
    except (StepFailed, Fatal, Retryable, SettingsError) as error:
        console.print(Text.assemble(("The demo year stopped: ", "red"), str(error)))
        return 1
    _print(console, checks, counts)
    console.print(f"It took {(datetime.now(UTC) - began).seconds} s. Look at it with:")
    folder = (data / walk.DATA).resolve()
    console.print(f"FOOTAGE_DESK_DATA_DIR={folder} footage-desk run --demo", soft_wrap=True, markup=False)
    return 0 if all(check.held for check in checks) else 1


def _lay_out(container: Container, *, cases: int, console: Console) -> None:
    """Lay out the year up to the present moment of the demo's clock."""
    settings, database = container.settings, container.database
    recorded = Recordings(settings.data_dir)

    def opened(clock: PastClock) -> Database:
        return open_database(settings.database_address, clock, database.rules, secrets=database.secrets)

    place = laying.Place(opened, recorded, container.store, container.log_key)
    processor = time.process_time()
    laying.lay_out(place, container.clock.now(), cases)
    spent = time.process_time() - processor
    console.print(f"{cases} cases are rows: {spent:.0f} s of the processor, {cases / spent:.0f} a second.")
    organisation.prepare(container, recorded)
    recorded.record_oldest(container.clock.now())


def _is_cared_for(uow: UnitOfWork, since: datetime) -> bool:
    """Return whether stores and register were compared since then, and no such work is going on."""
    going_on = select(MaintenanceRun.day).where(MaintenanceRun.ended_at.is_(None))
    compared = select(MaintenanceRun.day).where(MaintenanceRun.task == RECONCILE, MaintenanceRun.began_at >= since)
    return uow.session.scalar(going_on.limit(1)) is None and uow.session.scalar(compared.limit(1)) is not None


def _check(container: Container, opened: int) -> tuple[list[Check], dict[str, int]]:
    """Verify the trail, draw the inspection's sample again, and count what there is."""
    with snapshot(container.settings.database_address) as connection:
        trail = verify_trail(connection)
    differences = container.database.read_now(ACTOR, findings.count_open)
    again = container.database.read_now(ACTOR, reproduce)
    counts = container.database.read_now(ACTOR, summary.count)
    subject = "the year"
    checks = [
        Check(subject, "the audit trail is sound", not trail.faults, f"{trail.size} events"),
        Check(subject, "register, stores and engine agree", not differences, f"{differences} differences"),
        Check(subject, "the sample is drawn again", not again.differences, f"{again.number}: {again.sampled} cases"),
        Check(subject, "the cases under way are there", counts["cases open"] == opened, str(counts["cases open"])),
        *(
            Check(subject, f"there are {least} or more: {name}", counts[name] >= least, str(counts[name]))
            for name, least in summary.LEAST.items()
        ),
    ]
    return checks, counts


def reproduce(uow: UnitOfWork) -> reproduction.Reproduced:
    number = select(GroupInspection.number).where(GroupInspection.closed_at.is_not(None)).limit(1)
    return reproduction.reproduce(uow, str(uow.session.scalar(number)))


def _print(console: Console, checks: list[Check], counts: dict[str, int]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what the year leaves")
    table.add_column("how many", justify="right")
    for name, number in counts.items():
        table.add_row(name, str(number))
    console.print(table)
    for check in checks:
        mark = Text("holds", "green") if check.held else Text("FAILS", "red")
        console.print(Text.assemble(mark, f"  {check.what}: {check.found}"))
