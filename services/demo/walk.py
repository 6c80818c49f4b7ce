"""``make demo``: lead one application with two items through every step, by the API, and check the result."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from services.app import server
from services.app.container import Container, locked_container
from services.app.evidence import sources_of
from services.app.server import Addresses
from services.demo import organisation, proof
from services.demo.people import People, StepFailed
from services.demo.proof import Check
from services.demo.recordings import Recordings, yesterday
from services.demo.steps import ITEMS, Case
from services.evidence import package
from services.evidence.announcement import announce
from services.evidence.package import Made
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError
from services.vault.labels import label_key
from services.verifier.examination import examine
from services.verifier.layout import file_name
from services.verifier.report import SOUND
from services.verifier.titles import TITLES

DATA = "data"  # the folder of the demonstration's own data

# Whatever database, stores and keys the environment names: the demonstration uses its own, but for the stores where it
# is to show that they do.
OWN = dict.fromkeys(("database_url", "keys_dir", "zeebe_address"))
OWN_STORES = dict.fromkeys(("store.folder", "store.endpoint", "replica.folder", "replica.endpoint"))


@dataclass
class Walk:
    """The running demonstration: its container, its output, and the checks so far."""

    container: Container
    console: Console
    results: Path
    steps: list[tuple[str, str, str]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    package: Made | None = None

    def report(self, step: str, who: str, what: str) -> None:
        """Print one line of the commentary."""
        self.steps.append((step, who, what))
        line = Table.grid(padding=(0, 2, 0, 0))
        clock = self.container.clock.now().astimezone(self.container.settings.zone_info)
        line.add_row(
            Text(clock.strftime("%m-%d %H:%M"), style="dim"),
            Text.assemble((step, "bold"), f" · {who} · {what}", overflow="fold"),
        )
        self.console.print(line)

    def issued(self, case: Case) -> list[proof.Issued]:
        return proof.issued_copies(self.container, case.application_id, self.container.settings.data_dir / "recordings")


async def demonstrate(data: Path, console: Console, *, own_store: bool = True) -> int:
    """Run the whole demonstration in ``data``; return 0 only if every check holds.

    Without ``own_store`` the footage lies in the store of the settings, and stays there.
    """
    started = datetime.now(UTC)
    configure_logs("error", "console")
    try:
        settings = begin(data, own_store=own_store)
        console.print("[bold]Footage Desk · 录像调取台[/]: one application, from the form to the archive.")
        console.print("Every decision is signed with the password over the form's hash.\n")
        async with running(settings) as (container, addresses):
            accounts = await anyio.to_thread.run_sync(_prepare, container)
            async with People(addresses.portal or "", accounts) as people:
                walk = Walk(container, console, data)
                case = Case(people, walk.report)
                await _run_steps(walk, case)
    except (StepFailed, Fatal, Retryable, SettingsError) as error:
        console.print(Text.assemble(("The demonstration stopped: ", "red"), str(error)))
        return 1
    return _print_checks(walk, case, datetime.now(UTC) - started)


def begin(data: Path, *, own_store: bool = True, **chosen: Any) -> Settings:
    """Remove the data of an earlier demonstration, and return the settings of a new one. Raises Fatal."""
    _clear(data)
    return Settings.load(
        **organisation.settings(),
        **chosen,
        **OWN,
        **(OWN_STORES if own_store else {}),
        data_dir=data / DATA,
        portal={"port": 0},
        engine={"port": 0},
        health={"port": 0},
        workers={"poll_seconds": 2},
    )


def _clear(data: Path) -> None:
    """Remove the data of an earlier demonstration; raises Fatal for a folder with anything else."""
    if data.exists() and any(data.iterdir()) and not (data / DATA).is_dir():
        raise Fatal(f"the folder {data} has other files, which would be deleted: name another folder with --data.")
    shutil.rmtree(data, ignore_errors=True)


@asynccontextmanager
async def running(
    settings: Settings, before: Callable[[Container], object] = lambda _container: None
) -> AsyncIterator[tuple[Container, Addresses]]:
    """Run all of it for the block; ``before`` is done with the container before anything runs."""
    with locked_container(settings) as container:
        await anyio.to_thread.run_sync(before, container)
        started: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()

        async def ready(addresses: Addresses) -> None:
            started.set_result(addresses)

        running = asyncio.create_task(server.run(container, server.all_roles(), ready))
        try:
            first: set[asyncio.Future[Any]] = {running, started}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            yield container, started.result()
        finally:
            running.cancel()
            await asyncio.wait({running})


def _prepare(container: Container) -> dict[str, str]:
    """Write the organisation, and draw what its first recorder has of yesterday; return passwords by login."""
    recordings = Recordings(container.settings.data_dir)
    accounts = organisation.prepare(container, recordings)
    recordings.record_evening(yesterday(container.clock.now()), [channel for channel, *_ in ITEMS])
    return {account.login: account.password for account in accounts}


async def _run_steps(walk: Walk, case: Case) -> None:
    await case.apply(yesterday(walk.container.clock.now()))
    await case.approve()
    await case.release()
    await _retrieve(walk, case)
    hand_over = await case.accept()
    await case.view(hand_over)
    copies = walk.issued(case)
    walk.checks += await anyio.to_thread.run_sync(proof.while_out, walk.container, copies)
    _save_copies(walk, copies)
    await _wait_for_reminder(walk, case, hand_over)
    await case.give_back(hand_over)
    closed = await case.close()
    walk.checks += await anyio.to_thread.run_sync(proof.after_return, walk.container, copies)
    ended = closed["stateDetail"]
    walk.checks.append(Check(case.number, "the case ended in the archive", ended == "footage-re-archived", ended))
    await _save_documents(walk, case, closed)
    await anyio.to_thread.run_sync(_save_package, walk, case)


async def _retrieve(walk: Walk, case: Case) -> None:
    """Show each item's progress until all have their outcome."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24))
    with Progress(*columns, console=walk.console, transient=True) as progress:
        bars = [
            progress.add_task(f"item {n}: fetch, clip, hash, encrypt, store", total=1) for n, _ in enumerate(ITEMS, 1)
        ]

        def watch(items: Sequence[dict[str, Any]]) -> None:
            for bar, item in zip(bars, items, strict=True):
                progress.update(bar, completed=1 if item["outcome"] else 0)

        await case.retrieved(watch)


async def _wait_for_reminder(walk: Walk, case: Case, hand_over: dict[str, Any]) -> None:
    administrator = await case.people("luoxin")
    offset = timedelta(days=hand_over["useDays"] - 3, minutes=1)
    await administrator.post("/api/demo/clock", {"seconds": int(offset.total_seconds())})
    walk.report("时钟 clock", "罗欣", f"the clock of the demo is turned {offset.days} days ahead")
    await case.reminded(hand_over)


async def _save_documents(walk: Walk, case: Case, closed: dict[str, Any]) -> None:
    documents = walk.results / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    reader = await case.people("wulei")
    for document in closed["documents"]:
        content = await reader.get(f"/api/documents/{document['number']}")
        path = documents / document["number"].replace("/", "-")
        path.with_suffix(".json").write_text(_pretty(content), encoding="utf-8")
        path.with_suffix(".pdf").write_bytes(await reader.get_bytes(f"/api/documents/{document['number']}/pdf"))


def _save_copies(walk: Walk, copies: list[proof.Issued]) -> None:
    """Write the sealed copies and their labels into the results folder."""
    folder = walk.results / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    for number, copy in enumerate(copies, 1):
        for key, name in ((copy.sealed.key, "age"), (label_key(copy.sealed.key), "label.json")):
            with (folder / f"item-{number}.{name}").open("wb") as file:
                file.writelines(walk.container.store.get(copy.sealed.bucket, key))


def _save_package(walk: Walk, case: Case) -> None:
    """Make the evidence package, and check it as a stranger would who knows the root's fingerprint."""
    target = walk.results / f"{file_name(case.number)}.zip"
    walk.package = made = package.make(sources_of(walk.container), case.number, target)
    report = examine(target, [made.fingerprints["root"]])
    walk.checks += [
        Check(case.number, TITLES[line.check][1], False, f"{line.of} {line.found}") for line in report.failed
    ]
    size = f"{len(report.lines)} checks, {made.size / 1e6:.1f} MB"
    walk.checks.append(Check(case.number, "the evidence package is sound", report.exit_code == SOUND, size))


def _pretty(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _print_checks(walk: Walk, case: Case, took: timedelta) -> int:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("what was checked", no_wrap=True)
    table.add_column("")
    table.add_column("found", overflow="fold")
    subject = ""
    subjects = list(dict.fromkeys(check.subject for check in walk.checks))
    for check in sorted(walk.checks, key=lambda check: subjects.index(check.subject)):
        if check.subject != subject:
            subject = check.subject
            table.add_row(Text(subject, style="bold"))
        table.add_row(
            Text(f"  {check.what}"), Text("holds", "green") if check.held else Text("FAILS", "red"), Text(check.found)
        )
    walk.console.print(table)
    if walk.package is not None:
        walk.console.print("")
        announce(walk.package, lambda line: walk.console.print(line, soft_wrap=True, markup=False))
    held = bool(walk.checks) and all(check.held for check in walk.checks)
    walk.console.print(f"{case.number}: {len(walk.steps)} steps, {len(walk.checks)} checks, {took.seconds} s.")
    walk.console.print(f"Sealed copies and labels are in {walk.results}/copies.", soft_wrap=True)
    walk.console.print(f"The documents, as PDF/A and as data, are in {walk.results}/documents.", soft_wrap=True)
    walk.console.print("[green]Everything holds.[/]" if held else "[red]Something does not hold.[/]")
    return 0 if held else 1
