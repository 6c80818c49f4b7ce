"""``footage-desk bench …``: each measures one part on this machine, and prints one JSON object."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.backup.database_export import check_empty
from services.bench import clip, engine, relay, submissions, trail
from services.bench import seal as sealing
from services.bench import verify as verifying
from services.bench.figures import size_of
from services.database.unit_of_work import connect
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings

Folder = Annotated[
    Path | None, typer.Option(help="Write below this folder, on the disk to be measured; a temporary one without.")
]
Database = Annotated[str | None, typer.Option(help="An empty database, which is filled; SQLite in the folder without.")]
Size = Annotated[str, typer.Option(help="How much footage: 256MiB, 1GiB.")]
Megabits = Annotated[float, typer.Option(min=0.1, help="The camera's bit rate per second.")]
AtOnce = Annotated[int, typer.Option(min=1, help="How many are done at the same time.")]
Tls = Annotated[bool, typer.Option("--tls", help="The recorder and the S3 server that is started speak TLS.")]
Runs = Annotated[int, typer.Option(min=1, help="How often; the median counts.")]


class Target(StrEnum):
    """Where to: a folder, an S3 server that is started for it, or the store of the settings."""

    folder = "folder"
    s3 = "s3"
    settings = "settings"


Into = Annotated[Target, typer.Option(help="A folder, an S3 server that is started, or the store of the settings.")]
_SEALING = {
    "seal": "Seal footage as retrieve-footage does; the peer is the pipeline that a user would type for the same work.",
    "issue": "Issue a copy of a master, cut at both ends, as encrypt-copy does; the peer is the pipeline for it.",
}


def commands(
    settings: Callable[[], Settings], sentences: Callable[[], AbstractContextManager[None]], say: Callable[[str], None]
) -> typer.Typer:
    """The commands; ``say`` prints the result."""
    app = typer.Typer(help="Measure a part beside a peer that does the bare work.", no_args_is_help=True)

    def tell(result: dict[str, Any]) -> None:
        say(json.dumps(result, indent=1))

    def sealing_of(what: str) -> Callable[..., None]:
        def measure(  # noqa: PLR0917 - each is an option of the command line
            size: Size = "256MiB",
            store: Into = Target.folder,
            tls: Tls = False,
            megabits: Megabits = 8,
            at_once: AtOnce = 1,
            folder: Folder = None,
            runs: Runs = 3,
        ) -> None:
            with sentences(), _folder(folder) as place:
                known = settings().store_place if store is Target.settings else None
                tell(
                    sealing.measure(
                        place,
                        what=what,
                        size=size_of(size),
                        megabits=megabits,
                        at_once=at_once,
                        runs=runs,
                        store=store,
                        tls=tls,
                        settings=known,
                    )
                )

        return measure

    for what, words in _SEALING.items():
        app.command(what, help=words)(sealing_of(what))

    @app.command("clip")
    def cut(size: Size = "256MiB", megabits: Megabits = 8, folder: Folder = None, runs: Runs = 3) -> None:
        """Cut fragmented MP4 in the clip process alone; the peer is ffmpeg on the same bytes."""
        with sentences(), _folder(folder) as place:
            tell(asyncio.run(clip.measure(place, size=size_of(size), megabits=megabits, runs=runs)))

    @app.command("verify")
    def verify(size: Size = "1GiB", folder: Folder = None, runs: Runs = 3) -> None:
        """Check an evidence package with so much footage; the peer is sha256sum on the same file."""
        with sentences(), _folder(folder) as place:
            tell(verifying.measure(place, size=size_of(size), runs=runs))

    @app.command("register")
    def register(
        applications: Annotated[int, typer.Option(min=1, help="How many in a row.")] = 100,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Draft and submit applications; the peer commits single rows."""
        with sentences(), _folder(folder) as place:
            tell(submissions.measure(_database(database_url, place), place, applications=applications, runs=runs))

    @app.command("relay")
    def publish(
        messages: Annotated[int, typer.Option(min=1, help="How many are due at once.")] = 500,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Take messages from the outbox to the embedded engine; the peer publishes without any book."""
        with sentences(), _folder(folder) as place:
            url = _database(database_url, place)
            tell(asyncio.run(relay.measure(url, place, messages=messages, runs=runs)))

    @app.command("audit")
    def append(
        events: Annotated[int, typer.Option(min=2, help="How many the trail has that is recomputed.")] = 100_000,
        appends: Annotated[int, typer.Option(min=100, help="How many are appended in each run.")] = 2000,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Append to the audit trail, prove events, recompute it; the peer is a hash chain with a signature a row."""
        with sentences(), _folder(folder) as place:
            tell(trail.measure(_database(database_url, place), events=events, appends=appends, runs=runs))

    @app.command("engine")
    def serve(  # noqa: PLR0917 - each is an option of the command line
        instances: Annotated[int, typer.Option(min=10, help="How many in each run.")] = 1000,
        opened: Annotated[int, typer.Option("--open", min=0, help="How many others are open.")] = 10_000,
        ended: Annotated[int, typer.Option(min=0, help="Of how many others there are records.")] = 100_000,
        zeebe: Annotated[str | None, typer.Option(help="A broker's address, which is the peer; no TLS.")] = None,
        folder: Folder = None,
        runs: Runs = 3,
    ) -> None:
        """Take instances through the embedded engine over gRPC; the peer commits rows, or is a Zeebe broker."""
        with sentences(), _folder(folder) as place:
            tell(engine.measure(place, instances=instances, opened=opened, ended=ended, runs=runs, zeebe=zeebe))

    return app


@contextmanager
def _folder(under: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards; what is logged meanwhile would be measured too."""
    configure_logs("warning")
    with tempfile.TemporaryDirectory(prefix="footage-desk-bench-", dir=under) as folder:
        yield Path(folder)


def _database(url: str | None, folder: Path) -> str:
    """Raises Fatal for books that somebody uses."""
    if url is None:
        return f"sqlite:///{folder / 'register.db'}"
    engine = connect(url)
    try:
        check_empty(engine)
    finally:
        engine.dispose()
    return url
