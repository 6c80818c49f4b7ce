"""The demo's cases are killed while they are made, and go on at the next start: none twice, none left half-way."""

import re
import signal
from pathlib import Path

import demo_server
import httpx
import pytest
from prefork import ForkedProcess
from sqlalchemy import select

from services.app.container import open_container
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.reviews import Decision
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.cases import states

pytestmark = pytest.mark.slow

# One after the other, in one installation; the last start is let alone.
KILLED = (
    ("after", "/api/applications"),
    ("before", "/decide"),
    ("after", "/decide"),
    ("after", "/accept"),
    ("after", "/return"),
    ("after", "/withdraw"),
)


async def test_killed_while_it_makes_its_cases_the_demo_goes_on_with_them(tmp_path: Path) -> None:
    for when, act in KILLED:
        one = ForkedProcess(demo_server.serve, tmp_path, when, act, log=tmp_path / "log")
        assert await one.announced() == "", (when, act)
        assert await one.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()[-3000:]
    last = ForkedProcess(demo_server.serve, tmp_path, "", "", log=tmp_path / "log")
    address = await last.announced()
    assert address, (tmp_path / "log").read_text()[-3000:]
    async with httpx.AsyncClient(base_url=address, cookies={"footage_desk_language": "en"}, timeout=30) as browser:
        door = (await browser.get("/login")).text
    last.terminate()
    assert await last.wait() == 0

    printed = (tmp_path / "printed").read_text()
    assert "leading 4 cases to every stage" in printed
    assert "go on with the cases: 0 are there, 4 are left" in printed
    assert "go on with the cases: 1 are there, 3 are left" in printed
    assert "4 cases are there" in printed
    assert "stopped half-way" not in printed
    assert re.search(r"chenjing +陈静 +1 × 补正 correction", printed)
    assert re.search(r"22:46:10 to 22:47:00: Workshop A\n", printed)
    # The same on the page on which one signs in.
    assert re.search(r"<code>chenjing</code>.*Waiting: 1 × to be corrected<", door)
    assert "22:47:00" in door
    assert "Workshop A" in door
    assert _found(tmp_path) == {
        "SC-2026-0105": ("closed", "footage-re-archived"),
        "AB-2026-0103": ("closed", "withdrawn"),
        "SC-2026-0116": ("correction", None),
        "SC-2026-0118": ("draft", None),
    }


def _found(folder: Path) -> dict[str | None, tuple[str, str | None]]:
    """Every case by its incident number, which none shares, with its state; each was decided and lent once."""
    container = open_container(demo_server.settings(folder))

    def read(uow: UnitOfWork) -> dict[str | None, tuple[str, str | None]]:
        applications = uow.session.scalars(select(Application)).all()
        assert len(applications) == len({one.incident_reference for one in applications})
        decided = uow.session.execute(select(Decision.application_id, Decision.review_id)).all()
        assert len(decided) == len(set(decided))
        assert len(uow.session.scalars(select(HandOver)).all()) == 1
        found = states.states_of(uow, applications)
        return {one.incident_reference: (found[one.id].code, found[one.id].detail) for one in applications}

    try:
        return container.database.read_now(Actor("system", "test"), read)
    finally:
        container.database.close()
