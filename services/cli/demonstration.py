"""``footage-desk demo``, and what ``run --demo`` does besides ``run``."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.app.container import Container
from services.app.server import Addresses
from services.cli.context import console, error_console
from services.database.unit_of_work import Actor
from services.demo import organisation, recordings, situations, steps
from services.demo.organisation import Account, demo_id
from services.demo.people import StepFailed
from services.demo.recordings import Footage, Recordings
from services.demo.situations import Chapter, Progress, Stage
from services.demo.year import laying
from services.domain.cases import waiting
from services.runtime.settings import Settings, variable
from services.runtime.threads import run_in_thread

DEMO = Actor("system", "demo")


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        data: Annotated[
            Path | None,
            typer.Option(
                help="The folder for everything that is written; its content is deleted first. By default var/demo, "
                "or var/demo-year."
            ),
        ] = None,
        store: Annotated[
            bool,
            typer.Option(
                "--store",
                help="Keep the footage in the store and the replica of the settings, not in folders of its own.",
            ),
        ] = False,
        year: Annotated[
            bool,
            typer.Option(
                "--year",
                help="Lay out a year of applications instead, and lead some 50 cases with footage to every stage.",
            ),
        ] = False,
        cases: Annotated[
            int, typer.Option(min=200, help="How many applications of the year have ended; with --year.")
        ] = laying.CASES,
    ) -> None:
        """Lead one application through every step without a person, and check the result.

        Exits with 0 if all is well.
        """
        from services.demo import walk  # noqa: PLC0415 - run --demo does not need it

        if year:
            from services.demo.year import command  # noqa: PLC0415 - as above

            made = command.demonstrate(data or Path("var/demo-year"), console, cases=cases, own_store=not store)
        else:
            made = walk.demonstrate(data or Path("var/demo"), console, own_store=not store)
        raise typer.Exit(asyncio.run(made))


class Demonstration:
    """What ``run --demo`` prepares, makes and prints."""

    def __init__(self, container: Container, recordings: Recordings, chapters: Sequence[Chapter]) -> None:
        """Use ``chapters``: the cases that are made; none for a demo without."""
        self._container = container
        self._recordings = recordings
        self._chapters = chapters
        self._accounts: list[Account] = []
        self._progress: Progress | None = None

    def prepare(self) -> None:
        """Write the demo organisation, and draw the recordings that it needs before its cases are made."""
        console.print("Preparing the demo organisation, and drawing what its cameras recorded …", style="dim")
        container, now = self._container, self._container.clock.now()
        self._accounts = organisation.prepare(container, self._recordings)
        if self._chapters:
            self._progress = Progress.read(container.settings.data_dir)
            if self._progress is None and not container.database.read_now(DEMO, situations.list_known):
                self._progress = Progress.begin(container.settings.data_dir, now)
                self._recordings.record_oldest(now)
        if self._left:
            # What the first cases and a first look ask for; the rest when the clock has been turned.
            self._recordings.record_evening(recordings.yesterday(now), ("cam1", "cam2"))
        else:
            self._record_latest()

    def print_accounts(self) -> None:
        """Print who can sign in."""
        console.print("\nAccounts of the demo organisation", style="bold")
        console.print(_accounts(self._accounts))

    async def make_cases(self, addresses: Addresses) -> None:
        """Make the cases that are not there, and print where to begin.

        If a step fails, say why and let the demo run on without the rest.
        """
        container = self._container
        if self._progress is not None and self._left:
            begun = len(self._progress.finished)
            console.print(
                f"The demo's people go on with the cases: {begun} are there, {self._left} are left.\n"
                if begun or container.database.read_now(DEMO, situations.list_known)
                else f"The demo's people are leading {self._left} cases to every stage; it takes about two minutes.\n",
                soft_wrap=True,
            )
            passwords = {account.login: account.password for account in self._accounts}
            known = partial(container.database.read, DEMO, situations.list_known)
            stage = Stage(addresses.portal or "", passwords, container.clock.now, known, self._recordings)
            try:
                await situations.lay_out(stage, self._progress, self._chapters)
            except StepFailed as error:
                error_console.print(f"The cases stopped half-way: {error}")
            await run_in_thread(self._record_latest)
            console.print(
                f"{len(self._progress.finished)} cases are there; the clock of the demo is turned "
                f"{situations.AHEAD.days} days ahead.",
                soft_wrap=True,
            )
        await self._print_first_screen()

    @property
    def _left(self) -> int:
        return 0 if self._progress is None else self._progress.left(self._chapters)

    def _record_latest(self) -> None:
        """Draw yesterday's evening of every camera and what there is of today, for people to ask for."""
        now = self._container.clock.now()
        footage = self._recordings.record_evening(recordings.yesterday(now))
        self._show(footage + self._recordings.record_recent(now))

    def _show(self, footage: Sequence[Footage]) -> None:
        self._container.demo_footage[:] = recordings.grouped(footage)

    async def _print_first_screen(self) -> None:
        work = await self._container.database.read(DEMO, waiting.count_work)
        if work:
            console.print("\nWhere to begin: who has work waiting", style="bold")
            console.print(_work(self._accounts, work))
        console.print("\nFootage to ask for; the clock in the picture shows when it is from", style="bold")
        for held in self._container.demo_footage:
            start, end = held.start.astimezone(recordings.ZONE), held.end.astimezone(recordings.ZONE)
            console.print(f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S}: {held.cameras_en}")
        console.print()


def of(container: Container, *, cases: bool) -> Demonstration:
    """Return the demonstration of an installation, with its cases or without."""
    return Demonstration(container, Recordings(container.settings.data_dir), situations.CHAPTERS if cases else ())


def can_lay_out(settings: Settings) -> bool:
    """Return whether the demo's cases can be made, and say why not: they need an engine whose clock we turn."""
    if settings.embedded:
        return True
    error_console.print(
        f"The demo's cases are not made: they need days of the process to pass, and the engine at "
        f"{settings.zeebe_address} has a clock of its own, which this program does not turn. Unset "
        f"{variable('zeebe_address')} for --cases; without them the demo runs on.",
        soft_wrap=True,
    )
    return False


def _accounts(accounts: list[Account]) -> Table:
    """Return a table of the accounts that fits into 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("account", "password", "name", "department", "what for"):
        table.add_column(heading, no_wrap=True)
    for account in accounts:
        table.add_row(account.login, account.password, account.name, account.department_zh, account.does)
    return table


def _work(accounts: Sequence[Account], work: Mapping[str, Counter[str]]) -> Table:
    """Return a table of who has something to do, the most first; it fits into 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("account", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what waits", overflow="fold")
    busy = [(account, work[demo_id(account.login)]) for account in accounts if demo_id(account.login) in work]
    for account, counts in sorted(busy, key=lambda one: -one[1].total()):
        waits = ", ".join(f"{number} × {steps.WORK.get(code, code)}" for code, number in counts.most_common())
        table.add_row(account.login, account.name, waits)
    return table
