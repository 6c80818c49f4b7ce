"""``bench portal``: the portal's pages with a year of cases; the peer is a bare page of the same framework.

Both are served by one process, apart from the one that asks. Pages are asked for one by one, to count the processor's
time and the statements of each, and then all together at a fixed rate: a page that takes long does not slow the next
ones down, they queue.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from services.app.container import use_models
from services.bench import portal_server
from services.bench.figures import Peer, report, timed_sync
from services.bench.memory import processor_seconds
from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.demo.recordings import Recordings
from services.demo.year import laying
from services.demo.year.fill import ACTOR, PLACES, ZONE, Size, fill
from services.domain.accounts import sessions
from services.domain.audit import checkpoints
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.vault.keys.log_key import LogKey
from services.web import cookies

BROWSER = "footage-desk bench"
REVIEWER, LEGAL = demo_id("wulei"), demo_id("yangfan")
# The lists of who keeps and who supervises.
LISTS = {
    demo_id("heping"): {
        "audit": "/supervision/audit",
        "coverage": "/supervision",
        "inspections": "/supervision/inspections",
        "statistics": "/supervision/statistics",
        "posts": "/posts",
        "footage-viewers": "/supervision/footage-viewers",
    },
    demo_id("zhujun"): {
        "work-orders": "/work-orders",
        "sites": "/storage/sites",
        "devices": "/storage/devices",
        "media": "/storage/media",
        "disposals": "/storage/disposals",
        "reconciliations": "/storage/reconciliations",
    },
}
RULES = Rules(max_use_days=30, zone=ZONE)
MONTHLY = replace(RULES, inspection_period="month")  # as the demo year is inspected
ALONE = 40  # times that each page is asked for by itself
WARM_UP = 3
TIMEOUT_SECONDS = 600.0
_PEER = "a page of 20 KB by FastAPI, without a database, in the same process at the same rate"


@dataclass(frozen=True)
class Page:
    """An address, and the cookie of the person who asks."""

    name: str
    address: str
    cookie: str


@dataclass(frozen=True)
class Load:
    """So many requests a second, for so many seconds."""

    rate: float
    seconds: float


@dataclass(frozen=True)
class Served:
    """What was measured at the rate: milliseconds of each request by page, and how many were not answered with 200."""

    milliseconds: Mapping[str, Sequence[float]]
    errors: int

    @property
    def all(self) -> list[float]:
        return [each for milliseconds in self.milliseconds.values() for each in milliseconds]


def measure(url: str, folder: Path, *, size: Size, load: Load, runs: int, year: bool = False) -> dict[str, Any]:
    """Fill the empty database at ``url``, and measure its portal ``runs`` times. Raises Fatal.

    ``year``: fill it with the demo year, whose registers are filled as well.
    """
    filled = timed_sync(lambda: _fill(url, folder, size, year=year))
    with _server(url) as (pid, portal, bare):
        pages = _pages(url, year=year)
        figures = asyncio.run(_all_alone(pid, portal, bare, pages))
        mixed, peers = asyncio.run(_mixed(portal, bare, pages, load, runs))
    ours, theirs = [each for served in mixed for each in served.all], [each for served in peers for each in served.all]
    return report(
        "portal",
        [statistics.median(served.all) / 1000 for served in mixed],
        Peer(_PEER, [statistics.median(served.all) / 1000 for served in peers]),
        of_peer={"milliseconds_p95": percentile(theirs, 95)},
        database=url.partition(":")[0].partition("+")[0],
        cases=size.cases,
        open=size.open,
        people=size.people,
        cameras=size.cameras,
        demo_year=year,
        fill_seconds=filled,
        requests_per_second=load.rate,
        milliseconds_p50=percentile(ours, 50),
        milliseconds_p95=percentile(ours, 95),
        milliseconds_longest=max(ours),
        errors=sum(served.errors for served in mixed),
        pages={
            name: {
                **of_page,
                "milliseconds_p95": round(percentile([m for s in mixed for m in s.milliseconds[name]], 95), 1),
            }
            for name, of_page in figures.items()
        },
    )


def percentile(values: Sequence[float], of: int) -> float:
    """Return the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * of // 100) - 1)]


def _fill(url: str, folder: Path, size: Size, *, year: bool) -> None:
    use_models(None)
    database = open_database(url, SystemClock(), RULES)
    try:
        database_schema.migrate(database.engine)
        key = LogKey(Ed25519PrivateKey.generate())
        if year:
            place = laying.Place(lambda clock: open_database(url, clock, MONTHLY), Recordings(folder), None, key)
            laying.lay_out(place, database.clock.now(), size.cases, opened=size.open)
            return
        fill(database, folder / "recordings", size)
        database.run_now(ACTOR, checkpoints.sign, key.known, key.sign)  # else each count reads the whole trail
    finally:
        database.close()


def _pages(url: str, *, year: bool) -> list[Page]:
    """Open the sessions of a reviewer and of a custodian, and name their pages."""
    database = open_database(url, SystemClock(), RULES)
    try:
        return database.run_now(ACTOR, _open_pages, year=year)
    finally:
        database.close()


def _open_pages(uow: UnitOfWork, *, year: bool) -> list[Page]:
    def cookie(person_id: str) -> str:
        person = uow.session.get_one(Person, person_id)
        return f"{cookies.SESSION}={sessions.create(uow, person, BROWSER, '127.0.0.1', None).token}"

    reviewer = cookie(REVIEWER)
    held = select(HandOver).where(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
    loan = uow.session.scalars(held.order_by(HandOver.id).limit(1)).one()
    of_loan = uow.session.get_one(Application, loan.application_id)
    custodian = cookie(loan.custodian_id)
    return [
        Page("overview", "/", reviewer),
        Page("inbox", "/inbox", reviewer),
        Page("register", f"/register?text={PLACES[1]}&state=closed", reviewer),
        Page("register-number", f"/register?text={of_loan.number}", reviewer),
        Page("case", f"/cases/{loan.application_id}", reviewer),
        Page("custody", f"/hand-overs/{loan.id}", custodian),
        Page("matters", "/matters", reviewer),
        Page("packages", "/packages", reviewer),
        Page("holds", "/holds", reviewer),
        Page("due-dates", "/due-dates?whose=seen", reviewer),
        Page("notices", "/notices", reviewer),
        Page("violations", "/matters?kind=violation&state=open", cookie(LEGAL)),
        Page("own-matters", "/matters?mine=true", custodian),
        *(
            Page(name, address, cookie(person))
            for person, lists in (LISTS if year else {}).items()
            for name, address in lists.items()
        ),
    ]


@contextmanager
def _server(url: str) -> Iterator[tuple[int, str, str]]:
    """Start the server; yields its process and the addresses of the portal and of the bare page."""
    command = [sys.executable, "-m", portal_server.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            if process.stdin is None or process.stdout is None:
                raise Fatal("the portal that was to be measured has no pipes.")
            process.stdin.write(json.dumps(url))
            process.stdin.close()
            line = process.stdout.readline()
            if not line:
                raise Fatal("the portal that was to be measured did not start: what it said stands above.")
            portal, bare = json.loads(line)
            yield process.pid, portal, bare
        finally:
            process.terminate()


def _client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=200)
    return httpx.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS, headers={"user-agent": BROWSER})


async def _all_alone(pid: int, portal: str, bare: str, pages: Sequence[Page]) -> dict[str, dict[str, Any]]:
    async with _client() as client:
        return {page.name: await _alone(client, pid, portal, bare, page) for page in pages}


async def _mixed(
    portal: str, bare: str, pages: Sequence[Page], load: Load, runs: int
) -> tuple[list[Served], list[Served]]:
    mixed, peers = [], []
    async with _client() as client:
        for _ in range(runs):
            peers.append(await _at_rate(client, bare, [Page("bare", "/", "")], load))
            mixed.append(await _at_rate(client, portal, pages, load))
    return mixed, peers


async def _alone(client: httpx.AsyncClient, pid: int, portal: str, bare: str, page: Page) -> dict[str, Any]:
    """Ask for one page again and again."""
    for _ in range(WARM_UP):
        answer = await _get(client, portal, page)
        if answer.status_code != 200:
            raise Fatal(f"the page {page.address} was answered with {answer.status_code}: {answer.text[:300]}")
    before = (await client.get(f"{bare}/statements")).json()
    await _get(client, portal, page)
    told = (await client.get(f"{bare}/statements")).json() - before
    milliseconds, spent = [], processor_seconds(pid)
    for _ in range(ALONE):
        begun = time.perf_counter()
        await _get(client, portal, page)
        milliseconds.append((time.perf_counter() - begun) * 1000)
    return {
        "statements": told,
        "kilobytes": round(len(answer.content) / 1000, 1),
        "milliseconds": round(statistics.median(milliseconds), 1),
        "processor_milliseconds": round((processor_seconds(pid) - spent) / ALONE * 1000, 1),
    }


async def _at_rate(client: httpx.AsyncClient, base: str, pages: Sequence[Page], load: Load) -> Served:
    """Ask at the rate whatever the answers do; a request's time begins when it was due."""
    loop, count = asyncio.get_running_loop(), round(load.rate * load.seconds)
    milliseconds: dict[str, list[float]] = {page.name: [] for page in pages}
    errors, begun = 0, loop.time()

    async def ask(page: Page, due: float) -> None:
        nonlocal errors
        try:
            answer = await _get(client, base, page)
            errors += answer.status_code != 200
        except httpx.HTTPError:
            errors += 1
        milliseconds[page.name].append((loop.time() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = begun + number / load.rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            group.create_task(ask(pages[number % len(pages)], due))
    return Served(milliseconds, errors)


async def _get(client: httpx.AsyncClient, base: str, page: Page) -> httpx.Response:
    return await client.get(f"{base}{page.address}", headers={"cookie": page.cookie} if page.cookie else {})
