"""``footage-desk bench …``: measure one part on this machine, and print one JSON object."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.backup.database_export import check_empty
from services.bench import clip, engine, portal, redact, relay, submissions, trail
from services.bench import policy_check as policy_checks
from services.bench import seal as sealing
from services.bench import verify as verifying
from services.bench.figures import size_of
from services.cli.context import load_settings, reported_errors, say
from services.database.engine import connect
from services.demo.year.fill import Size as Year
from services.runtime.logs import configure_logs
from services.runtime.places import BPMN

Folder = Annotated[
    Path | None,
    typer.Option(help="Write below this folder, on the disk to be measured; by default a temporary folder."),
]
Database = Annotated[str | None, typer.Option(help="An empty database to fill; by default SQLite in the folder.")]
Size = Annotated[str, typer.Option(help="How much footage: 256MiB, 1GiB.")]
Megabits = Annotated[float, typer.Option(min=0.1, help="The camera's bit rate per second.")]
Concurrency = Annotated[int, typer.Option(min=1, help="How many run at the same time.")]
Tls = Annotated[bool, typer.Option("--tls", help="The recorder and the S3 server that is started speak TLS.")]
Runs = Annotated[int, typer.Option(min=1, help="The number of runs, of which the median is taken.")]


class Target(StrEnum):
    """The target: a folder, an S3 server started for the run, or the store of the settings."""

    folder = "folder"
    s3 = "s3"
    settings = "settings"


Into = Annotated[Target, typer.Option(help="A folder, an S3 server started for the run, or the store of the settings.")]
_SEALING = {
    "seal": "Seal footage as retrieve-footage does; the peer is a shell pipeline for the same work.",
    "issue": "Issue a copy of a master, cut at both ends, as encrypt-copy does; the peer is a shell pipeline.",
}


def add_to(app: typer.Typer) -> None:
    """Add the group ``bench``."""
    group = typer.Typer(help="Measure a part beside a peer that does the bare work.", no_args_is_help=True)
    app.add_typer(group, name="bench")

    def sealing_command(what: str) -> Callable[..., None]:
        def measure(  # noqa: PLR0917 - each is an option of the command line
            size: Size = "256MiB",
            store: Into = Target.folder,
            tls: Tls = False,
            megabits: Megabits = 8,
            concurrency: Concurrency = 1,
            folder: Folder = None,
            runs: Runs = 3,
        ) -> None:
            with reported_errors(), _folder(folder) as place:
                store_settings = load_settings().store_place if store is Target.settings else None
                _print(
                    sealing.measure(
                        place,
                        what=what,
                        size=size_of(size),
                        megabits=megabits,
                        concurrency=concurrency,
                        runs=runs,
                        store=store,
                        tls=tls,
                        settings=store_settings,
                    )
                )

        return measure

    for what, help_text in _SEALING.items():
        group.command(what, help=help_text)(sealing_command(what))

    @group.command("clip")
    def cut(size: Size = "256MiB", megabits: Megabits = 8, folder: Folder = None, runs: Runs = 3) -> None:
        """Cut fragmented MP4 in the clip process alone; the peer is ffmpeg on the same bytes."""
        with reported_errors(), _folder(folder) as place:
            _print(asyncio.run(clip.measure(place, size=size_of(size), megabits=megabits, runs=runs)))

    @group.command("redact")
    def redact_footage(  # noqa: PLR0917 - each is an option of the command line
        seconds: Annotated[int, typer.Option(min=1, help="How many seconds of footage, of 25 pictures each.")] = 20,
        width: Annotated[int, typer.Option(min=64, max=7680, help="Pixels of the picture from left to right.")] = 1920,
        height: Annotated[int, typer.Option(min=64, max=4320, help="Pixels of the picture from top to bottom.")] = 1080,
        mode: Annotated[str, typer.Option(help="blur-these, or keep-one.")] = "blur-these",
        folder: Folder = None,
        runs: Runs = 3,
    ) -> None:
        """Make a redacted copy in its confined process; the peer decodes and encodes the same pictures alone."""
        with reported_errors(), _folder(folder) as place:
            _print(
                asyncio.run(redact.measure(place, seconds=seconds, width=width, height=height, mode=mode, runs=runs))
            )

    @group.command("verify")
    def verify(size: Size = "1GiB", folder: Folder = None, runs: Runs = 3) -> None:
        """Check an evidence package with this much footage; the peer is sha256sum on the same file."""
        with reported_errors(), _folder(folder) as place:
            _print(verifying.measure(place, size=size_of(size), runs=runs))

    @group.command("database")
    def submit(
        applications: Annotated[int, typer.Option(min=1, help="The number of applications in a row.")] = 100,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Draft and submit applications; the peer commits single rows."""
        with reported_errors(), _folder(folder) as place:
            _print(submissions.measure(_database(database_url, place), place, applications=applications, runs=runs))

    @group.command("relay")
    def publish(
        messages: Annotated[int, typer.Option(min=1, help="The number of messages due at once.")] = 500,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Relay messages from the outbox to the embedded engine; the peer publishes without a database."""
        with reported_errors(), _folder(folder) as place:
            url = _database(database_url, place)
            _print(asyncio.run(relay.measure(url, place, messages=messages, runs=runs)))

    @group.command("audit")
    def append(
        events: Annotated[
            int, typer.Option(min=2, help="The number of events of the trail that is recomputed.")
        ] = 100_000,
        appends: Annotated[int, typer.Option(min=100, help="The number of events appended in each run.")] = 2000,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Append to the audit trail, prove events, recompute it; the peer is a hash chain with a signature a row."""
        with reported_errors(), _folder(folder) as place:
            _print(trail.measure(_database(database_url, place), events=events, appends=appends, runs=runs))

    @group.command("engine")
    def serve(  # noqa: PLR0917 - each is an option of the command line
        instances: Annotated[int, typer.Option(min=10, help="The number of instances in each run.")] = 1000,
        opened: Annotated[
            int, typer.Option("--open", min=0, help="The number of other instances that are open.")
        ] = 10_000,
        ended: Annotated[int, typer.Option(min=0, help="The number of ended instances with records.")] = 100_000,
        zeebe: Annotated[str | None, typer.Option(help="The address of a broker as the peer; without TLS.")] = None,
        folder: Folder = None,
        runs: Runs = 3,
    ) -> None:
        """Run instances in the embedded engine over gRPC; the peer commits rows, or is a Zeebe broker."""
        with reported_errors(), _folder(folder) as place:
            _print(engine.measure(place, instances=instances, opened=opened, ended=ended, runs=runs, zeebe=zeebe))

    @group.command("policy-check")
    def policy_check(
        items: Annotated[int, typer.Option(min=1, max=2, help="How many items an application has.")] = 2,
        runs: Runs = 3,
    ) -> None:
        """Walk the shipped models through everything that may happen, and hold the policy's rules to it."""
        with reported_errors():
            configure_logs("warning")
            _print(policy_checks.measure(BPMN, items=items, runs=runs))

    @group.command("portal")
    def pages(  # noqa: PLR0917 - each is an option of the command line
        cases: Annotated[int, typer.Option(min=20, help="The number of cases.")] = 100_000,
        opened: Annotated[int, typer.Option("--open", min=20, help="How many of them are open.")] = 1500,
        people: Annotated[int, typer.Option(min=40, help="The number of members beside the demo's people.")] = 2000,
        cameras: Annotated[int, typer.Option(min=1, help="The number of cameras.")] = 1000,
        rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 50,
        seconds: Annotated[float, typer.Option(min=0.1, help="How long each run lasts.")] = 20,
        year: Annotated[
            bool, typer.Option("--year", help="Fill in the demo year, whose registers are filled as well.")
        ] = False,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Ask for the portal's pages with a year of cases; the peer is a bare page of the same framework."""
        with reported_errors(), _folder(folder) as place:
            size = Year(cases, min(opened, cases), people, cameras)
            load = portal.Load(rate, seconds)
            _print(portal.measure(_database(database_url, place), place, size=size, load=load, runs=runs, year=year))


def _print(result: dict[str, Any]) -> None:
    say(json.dumps(result, indent=1))


@contextmanager
def _folder(under: Path | None) -> Iterator[Path]:
    """Make a temporary folder; log only warnings, because logging would be measured as well."""
    configure_logs("warning")
    if under is not None:
        under.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="footage-desk-bench-", dir=under) as folder:
        yield Path(folder)


def _database(url: str | None, folder: Path) -> str:
    """Return the database's URL; raises Fatal if it is not empty."""
    if url is None:
        return f"sqlite:///{folder / 'database.sqlite3'}"
    engine = connect(url)
    try:
        check_empty(engine)
    finally:
        engine.dispose()
    return url
