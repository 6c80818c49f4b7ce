"""``footage-desk bench …``: each measures one part on this machine, and prints one JSON object."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from services.bench import books, relay, sealing
from services.keeping.books import check_empty
from services.register.unit import connect
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings
from services.vault.stores import open_store

Folder = Annotated[
    Path | None, typer.Option(help="Write below this folder, on the disk to be measured; a temporary one without.")
]
Database = Annotated[str | None, typer.Option(help="An empty database, which is filled; SQLite in the folder without.")]
Runs = Annotated[int, typer.Option(min=1, help="How often; the median counts.")]


def commands(
    settings: Callable[[], Settings], sentences: Callable[[], AbstractContextManager[None]], say: Callable[[str], None]
) -> typer.Typer:
    """The commands; ``say`` prints the result."""
    app = typer.Typer(help="Measure a part beside a peer that does the bare work.", no_args_is_help=True)

    def tell(result: dict[str, Any]) -> None:
        say(json.dumps(result, indent=1))

    @app.command("sealing")
    def seal(  # noqa: PLR0917 - each is an option of the command line
        mebibytes: Annotated[int, typer.Option(min=1, help="How much footage is sealed at a time.")] = 256,
        megabits: Annotated[float, typer.Option(min=0.1, help="The camera's bit rate per second.")] = 8,
        at_once: Annotated[int, typer.Option(min=1, help="How many are sealed at the same time.")] = 1,
        folder: Folder = None,
        store: Annotated[bool, typer.Option("--store", help="Into the store of the settings; removed again.")] = False,
        runs: Runs = 3,
    ) -> None:
        """Seal footage as retrieve-footage does; the peer reads, hashes and writes the same bytes."""
        with sentences(), _folder(folder) as place:
            target = open_store(settings().store) if store else None
            measured = sealing.measure(
                place, mebibytes=mebibytes, megabits=megabits, at_once=at_once, runs=runs, store=target
            )
            tell(asyncio.run(measured))

    @app.command("register")
    def register(
        applications: Annotated[int, typer.Option(min=1, help="How many in a row.")] = 100,
        folder: Folder = None,
        database_url: Database = None,
        runs: Runs = 3,
    ) -> None:
        """Draft and submit applications; the peer commits single rows."""
        with sentences(), _folder(folder) as place:
            tell(books.measure(_database(database_url, place), place, applications=applications, runs=runs))

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
