"""The demo in one process that makes some of its cases, and may kill itself beside a planned act of the demo's people.

FOLDER/data holds the data, FOLDER/printed what the demo says. Announces its address when all cases are there.
"""

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from prefork import Announce

from services.app import doctor, server
from services.app.container import open_container
from services.app.server import Addresses
from services.cli import context, demonstration
from services.demo import organisation, plots, situations
from services.demo.people import PortalUser
from services.demo.recordings import CAMERAS, EVENING, ZONE, Footage, Recordings
from services.demo.situations import Chapter
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings


def _plot(target: str) -> plots.Plot:
    return next(one for one in (*plots.FIRST, *plots.SECOND, *plots.TODAY) if one.target == target)


CHAPTERS = (
    Chapter(timedelta(), (_plot(plots.ARCHIVED), _plot(plots.WITHDRAWN))),
    Chapter(timedelta(days=2), (_plot(plots.RETURNED), _plot(plots.DRAFT))),
)


class ShortRecordings(Recordings):
    """Only what the cases ask for."""

    def record_evening(self, day: date, keys: Iterable[str] = ()) -> list[Footage]:
        start = datetime.combine(day, EVENING, ZONE)
        return [Footage(CAMERAS["cam1"], start, start + timedelta(seconds=50))]

    def record_recent(self, now: datetime) -> list[Footage]:
        return []

    def record_oldest(self, now: datetime) -> None:
        return None


def settings(folder: Path, **workers: Any) -> Settings:
    """The demo's settings on free ports; jobs of a killed worker are soon handed out again, unless told otherwise."""
    workers = workers or {"job_timeout": timedelta(seconds=2), "poll_seconds": 1, "drain_seconds": 2}
    free = {"portal": {"port": 0}, "health": {"port": 0}}
    return Settings.load(**organisation.settings(), **free, data_dir=folder / "data", workers=workers)


def serve(announce: Announce, folder: Path, when: str, act: str) -> None:
    """Run four cases until it is ended; ``when`` (before, after) the first act whose path ends so, it is killed."""
    _kill(when, act)
    _serve(announce, folder, settings(folder), ShortRecordings, CHAPTERS)


def serve_one_of_each(announce: Announce, folder: Path) -> None:
    """Run a case for each stage until it is ended, with all that the cameras recorded."""
    _serve(announce, folder, settings(folder, drain_seconds=2), Recordings, list(_one_of_each()))


def _one_of_each() -> Iterator[Chapter]:
    seen = set[str]()
    for chapter in situations.CHAPTERS:
        chosen = [plot for plot in chapter.plots if plot.target not in seen]
        seen |= {plot.target for plot in chosen}
        first = {plot.target: plot for plot in reversed(chosen)}
        yield replace(chapter, plots=tuple(first.values()))


def _serve(
    announce: Announce, folder: Path, loaded: Settings, kind: type[Recordings], chapters: Sequence[Chapter]
) -> None:
    configure_logs("info", "json")
    context.console.file = (folder / "printed").open("a", encoding="utf-8", buffering=1)
    container = open_container(loaded)
    container.doctor = partial(doctor.examine, loaded, ())
    shown = demonstration.Demonstration(container, kind(loaded.data_dir), chapters)
    shown.prepare()

    async def ready(addresses: Addresses) -> None:
        await shown.make_cases(addresses)
        announce(addresses.portal or "")

    asyncio.run(server.run_until_signalled(container, server.all_roles(), ready))


def _kill(when: str, act: str) -> None:
    """Have the process killed beside the first act of that kind."""
    post = PortalUser.post

    async def killing(user: PortalUser, path: str, body: dict[str, Any] | None = None) -> Any:
        planned = bool(act) and path.endswith(act)
        if planned and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await post(user, path, body)
        if planned:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    PortalUser.post = killing  # type: ignore[method-assign] - in a process of its own
