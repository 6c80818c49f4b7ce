"""A demo year, small enough for a test: its rows, laid out once in a process; and the command with a few cases."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cheap_passwords import use_cheap_passwords
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from demo_server import ShortRecordings
from prefork import Announce
from quick_storage import migrated_sqlite, use_quick_storage
from rich.console import Console

from services.app.container import use_models
from services.database.unit_of_work import Database
from services.demo import plots
from services.demo.plots import Plot
from services.demo.recordings import Recordings
from services.demo.situations import Chapter, Later
from services.demo.year import command, laying, open_cases
from services.domain.wiring import open_database
from services.runtime.clock import Clock, FixedClock
from services.runtime.rules import Rules
from services.vault.keys.log_key import LogKey

NOW = datetime(2031, 6, 18, 2, 0, tzinfo=UTC)
CASES = 90
PEOPLE = 60  # each act reads who there is
NAME = "year.sqlite3"


def _plot(target: str) -> Plot:
    return next(one for one in (*plots.FIRST, *plots.SECOND, *plots.TODAY) if one.target == target)


LENT = next(plot for plot in open_cases.chapters()[0].plots if plot.target == plots.LENT and plot.head)
ARCHIVED = replace(_plot(plots.ARCHIVED), spans=LENT.spans, title="")
REJECTED, WITHDRAWN = (
    replace(_plot(target), spans=LENT.spans, title="") for target in (plots.REJECTED, plots.WITHDRAWN)
)
# Three that end, and three that do not: on loan with an extension asked for, before the release, and in Security.
CHAPTERS = (
    Chapter(timedelta(), (ARCHIVED, REJECTED, WITHDRAWN, LENT), open_cases.PACE),
    Chapter(
        timedelta(days=2),
        (_plot(plots.RELEASE), _plot(plots.SECURITY)),
        open_cases.PACE,
        (Later(LENT, plots.EXTENSION),),
    ),
)


def run_command(announce: Announce, folder: Path) -> None:
    """Run the command with these cases in ``folder``, for a process of its own; announce how it ends."""
    use_quick_storage()
    laying.MEMBERS = PEOPLE
    command.Recordings = ShortRecordings  # type: ignore[misc]
    with (folder / "printed").open("w", encoding="utf-8") as printed:
        console = Console(file=printed, width=120)
        announce(str(asyncio.run(command.demonstrate(folder / "year", console, cases=CASES, led=CHAPTERS))))


@contextmanager
def demo_year(folder: Path) -> Iterator[Database]:
    (folder / NAME).write_bytes(_laid_out())
    database = _open(folder, FixedClock(NOW))
    try:
        yield database
    finally:
        database.close()


@cache
def _laid_out() -> bytes:
    use_models(None)
    use_cheap_passwords()
    laying.MEMBERS = PEOPLE
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / NAME).write_bytes(migrated_sqlite())
        key = LogKey(Ed25519PrivateKey.generate())
        place = laying.Place(lambda clock: _open(folder, clock), Recordings(folder), None, key)
        laying.lay_out(place, NOW, CASES)
        return (folder / NAME).read_bytes()


def _open(folder: Path, clock: Clock) -> Database:
    rules = Rules(max_use_days=30, zone="Asia/Shanghai", inspection_period="month")
    return open_database(f"sqlite:///{folder / NAME}", clock, rules)
