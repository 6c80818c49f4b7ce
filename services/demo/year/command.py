"""``footage-desk demo --year``: lay out the year, then lead the open cases through the real process, and check it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from datetime import time as Time
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
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo import organisation, plots, recordings, situations, walk
from services.demo.people import StepFailed
from services.demo.plots import Plot, Span
from services.demo.proof import Check
from services.demo.recordings import Recordings
from services.demo.situations import AHEAD, CHAPTERS, PACE_TODAY, Chapter, Progress, Stage
from services.demo.year import laying, names, summary
from services.demo.year.past import PastClock
from services.domain.audit.verification import verify_trail
from services.domain.supervision import reproduction
from services.domain.wiring import open_database
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import SettingsError

ACTOR = Actor("system", "demo")
# Cases beside those of ``run --demo``, so that about fifty are open: where they stand, in turn.
STAND = (plots.DEPARTMENT, plots.SECURITY, plots.SIGNATURE, plots.RELEASE, plots.OFFERED, plots.LENT)
FURTHER = 24
MONTHLY = {"rules.inspection_period": "month"}
DRAFTERS = ("lina", "liuyang", "zhangwei", "heping", "sunli", "chenjing")
CATEGORIES = ("operations", "accident", "other", "security-incident", "dispute")


async def demonstrate(data: Path, console: Console, *, cases: int, own_store: bool = True) -> int:
    """Make the year in ``data``; return 0 only if every check holds."""
    began = datetime.now(UTC)
    configure_logs("error", "console")
    try:
        settings = walk.begin(data, own_store=own_store, **MONTHLY)
        console.print(f"[bold]Footage Desk · 录像调取台[/]: a year of {cases} applications.")
        async with walk.running(settings, partial(_lay_out, cases=cases, console=console)) as (container, addresses):
            console.print("The demo's people lead the open cases to their stages by the real process …", style="dim")
            await _lead_open_ones(container, addresses.portal or "")
            checks, counts = await anyio.to_thread.run_sync(_check, container)
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
    recorded.record_evening(recordings.yesterday(container.clock.now()), ("cam1", "cam2"))


async def _lead_open_ones(container: Container, address: str) -> None:
    passwords = {account.login: account.password for account in organisation.accounts()}
    known = partial(container.database.read, ACTOR, situations.list_known)
    stage = Stage(address, passwords, container.clock.now, known, Recordings(container.settings.data_dir))
    progress = Progress.begin(container.settings.data_dir, container.clock.now())
    further = Chapter(AHEAD, tuple(_further()), PACE_TODAY)
    await situations.lay_out(stage, progress, (*CHAPTERS[:-1], further, CHAPTERS[-1]))


def _further() -> Iterator[Plot]:
    for place in range(FURTHER):
        reason, purpose = names.REASONS[place % len(names.REASONS)]
        number = f"{datetime.now(UTC):%m}{place + 1:02d}"
        yield Plot(
            f"NJ-{number}",
            "",
            DRAFTERS[place % len(DRAFTERS)],
            CATEGORIES[place % len(CATEGORIES)],
            reason.format(place="成品仓库北门" if place % 2 else "一号车间", number=number),
            purpose,
            (Span("cam2" if place % 2 else "cam1", Time(22, 46, 30 + place % 20), 20),),
            STAND[place % len(STAND)],
        )


def _check(container: Container) -> tuple[list[Check], dict[str, int]]:
    """Verify the trail, draw the inspection's sample again, and count what there is."""
    with snapshot(container.settings.database_address) as connection:
        trail = verify_trail(connection)
    again = container.database.read_now(ACTOR, reproduce)
    counts = container.database.read_now(ACTOR, summary.count)
    subject = "the year"
    checks = [
        Check(subject, "the audit trail is sound", not trail.faults, f"{trail.size} events"),
        Check(subject, "the sample is drawn again", not again.differences, f"{again.number}: {again.sampled} cases"),
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
