"""The demo year with cases that are led through the real process, and its rows compared with theirs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo_year
import pytest
from prefork import ForkedProcess
from row_shapes import TABLES, differences, shapes_of
from sqlalchemy import ColumnElement, select

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo import plots
from services.domain.cases import states
from services.domain.wiring import open_database
from services.runtime.clock import TurnedClock
from services.runtime.rules import Rules

pytestmark = pytest.mark.slow

ARCHIVED = "footage-re-archived"
ACTOR = Actor("system", "test")
DECIDED = ("preliminary", "security", "security-signature", "storage-release", "return-inspection")
# Rows alone have no files in the stores: documents are not filed, masters have no label, copies are gone.
DIFFERENT = {
    *("documents:application-form.filed_at", "documents:retrieval-record.filed_at"),
    *("copies.discarded_at", "copies.discarded_because", "masters.label_version"),
    # a task of the portal fills these in later, or never for what was not returned for correction
    *("applications.visits_added_at", "applications.correction_seconds"),
    # the demo's people give no reasons where none is needed; what came by a request has its id
    *(f"decisions:{stage}.{name}" for stage in DECIDED for name in ("reason", "opinion")),
    *(
        f"outbox:{name}.request_id"
        for name in ("application-submitted", "application-withdrawn", "review-decided", "copy-returned")
    ),
    # a process that looks into the register first needs no message
    *(f"outbox:{name}.published_at" for name in ("copy-returned", "application-withdrawn")),
    # what a refused case has left is discarded once nobody can appeal any more: those of the year are older
    "applications.discard_after",
}
# No engine has run a case of the year: its rows name no version of a model.
NAMES = ("process_version", "process_definition_key")
OF_AN_ENGINE = {
    *(f"applications.{name}" for name in ("process_id", "model_sha256", *NAMES)),
    *(
        f"process_steps:Task_{element}.{name}"
        for element in (
            *("OpenCase", "PreserveFootage", "PreliminaryReview", "SecurityReview", "OpenReview", "FileApplication"),
            *("NotifyStorage", "RetrieveFootage", "EncryptCopy", "HandOver", "InspectReturn", "ReArchive"),
            "ReleasePreservation",
        )
        for name in NAMES
    ),
}
# Papers that are written with their files.
NOT_MADE = {
    "custody_entries:inspected",
    *(f"documents:{kind}" for kind in ("custody-log", "hand-over-receipt", "label", "return-inspection")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a year that the command has made, with four cases that were led."""
    place = tmp_path_factory.mktemp("led")
    made = ForkedProcess(demo_year.run_command, place, log=place / "log")
    told = asyncio.run(made.announced())
    assert told == "0", (place / "printed").read_text() + (place / "log").read_text()[-3000:]
    return place


@pytest.fixture
def year(folder: Path) -> Iterator[Database]:
    data = folder / "year" / "data"
    clock = TurnedClock(data / "clock.json")
    database = open_database(f"sqlite:///{data / 'database.sqlite3'}", clock, Rules(max_use_days=30))
    yield database
    database.close()


def test_the_year_ends_with_cases_at_the_stages_to_which_they_were_led(folder: Path, year: Database) -> None:
    def found(uow: UnitOfWork) -> dict[str | None, str]:
        led = select(Application).where(Application.process_definition_key.is_not(None))
        rows = uow.session.scalars(led).all()
        known = states.states_of(uow, rows)
        return {row.incident_reference: known[row.id].detail or known[row.id].code for row in rows}

    release, security = demo_year.CHAPTERS[1].plots
    assert year.read_now(ACTOR, found) == {
        demo_year.ARCHIVED.reference: ARCHIVED,
        demo_year.LENT.reference: "in-use",
        demo_year.REJECTED.reference: "rejected",
        demo_year.WITHDRAWN.reference: "withdrawn",
        release.reference: "storage-release",
        security.reference: "security",
    }
    assert "the audit trail is sound" in (folder / "printed").read_text()


@pytest.mark.parametrize(("closed_as", "kinds"), [(ARCHIVED, len(TABLES) + 1), ("rejected", 10), ("withdrawn", 8)])
def test_rows_of_the_year_look_like_those_of_a_real_case(year: Database, closed_as: str, kinds: int) -> None:
    led = Application.process_definition_key.is_not(None)
    real = year.read_now(ACTOR, shapes_of, closed_as, led)
    recalled = select(Matter.application_id).where(Matter.kind == plots.RECALL)  # whose return nobody attests
    made = year.read_now(ACTOR, shapes_of, closed_as, ~led & Application.id.not_in(recalled))

    assert set(differences(real, made)) - DIFFERENT - OF_AN_ENGINE == set()
    assert real.keys() - made.keys() == (NOT_MADE if closed_as == ARCHIVED else set())
    assert len(real.keys() & made.keys()) >= kinds


def test_what_is_asked_in_rows_has_the_facts_of_a_real_matter(year: Database) -> None:
    led = Application.process_definition_key.is_not(None)

    def names(uow: UnitOfWork, which: ColumnElement[bool]) -> list[Any]:
        query = select(Matter.facts).join(Application, Application.id == Matter.application_id)
        facts = uow.session.scalars(query.where(Matter.kind == plots.EXTENSION, which)).all()
        parts = {(tuple(one), tuple(one["asked"]), tuple(one["before"])) for one in facts}
        return [tuple(map(sorted, part)) for part in parts]

    assert year.read_now(ACTOR, names, led) == year.read_now(ACTOR, names, ~led) != []
