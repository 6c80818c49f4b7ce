"""The register's history as an event log: whole, in pages, and without anybody's name unless a reason says so."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from event_logs import read_ocel, read_xes
from filled_year import NAME, filled_year
from simulated_year import simulate
from sqlalchemy import func, select
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.year.fill import Size, fill
from services.designers.simulation import history
from services.domain.cases.event_log import export as event_log
from services.domain.cases.event_log import submitted_cases
from services.runtime.places import BPMN

ACTOR = Actor("system", "test")
SIZE = Size(cases=60, open=28, people=45, cameras=4)
REASON = "audit of the security office"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def filled(folder: Path) -> Iterator[Database]:
    with filled_year(folder, SIZE) as database:
        yield database


@pytest.fixture
def export(filled: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Export":
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", f"sqlite:///{folder / NAME}")
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    return Export(tmp_path)


class Export:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *options: str) -> Result:
        return CliRunner().invoke(cli_main.app, ["events", "export", "--to", str(self.folder / name), *options])

    def read(self, name: str, *options: str) -> dict[str, list[dict[str, object]]]:
        ended = self(name, *options)
        assert ended.exit_code == 0, ended.output
        return read_ocel(self.folder / name)


def events_of_trail(filled: Database) -> list[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.action == "events-exported").order_by(AuditEvent.seq)
    return filled.read_now(ACTOR, lambda uow: list(uow.session.scalars(query)))


def everybody(uow: UnitOfWork) -> list[str]:
    return [word for person in uow.session.scalars(select(Person)) for word in (person.id, person.login, person.name)]


def test_both_formats_have_every_case_that_was_submitted(filled: Database, export: Export) -> None:
    log = export.read("log.json")
    assert export("log.xes", "--format=xes").exit_code == 0
    traces = read_xes(export.folder / "log.xes")
    submitted = select(func.count()).select_from(Application).where(Application.submitted_at.is_not(None))
    cases = filled.read_now(ACTOR, lambda uow: uow.session.scalar(submitted))
    assert cases == len(traces) == sum(thing["type"] == "case" for thing in log["objects"])
    assert sum(map(len, traces)) == len(log["events"])
    of_cases = select(func.count()).select_from(Decision).where(Decision.matter_id.is_(None))
    decided = filled.read_now(ACTOR, lambda uow: uow.session.scalar(of_cases))
    done = [
        event for trace in traces for event in trace if "outcome" in event and event["concept:name"] != "case closed"
    ]
    assert len(done) == decided


@pytest.mark.requirement("R52")
def test_people_are_codes_that_another_export_does_not_share(filled: Database, export: Export) -> None:
    first, second = export.read("one.json"), export.read("two.json")
    words = filled.read_now(ACTOR, everybody)
    text = (export.folder / "one.json").read_text(encoding="utf-8")
    assert [word for word in words if word in text] == []
    people = [{str(thing["id"]) for thing in log["objects"] if thing["type"] == "person"} for log in (first, second)]
    assert len(people[0]) == len(people[1]) > 3
    assert people[0].isdisjoint(people[1])
    # who decides several cases is one person in all of them
    by = [
        related["objectId"]
        for event in first["events"]
        if event["type"] == "security review"
        for related in event["relationships"]  # type: ignore[attr-defined]
        if related["qualifier"] == "by"
    ]
    assert len(set(by)) == 1 < len(by)


@pytest.mark.requirement("R52", refuses=True)
def test_names_need_a_reason_which_the_trail_keeps(filled: Database, export: Export) -> None:
    before = len(events_of_trail(filled))
    assert export("names.json", "--names", " ").exit_code == 2
    assert not (export.folder / "names.json").exists()
    assert len(events_of_trail(filled)) == before
    named = export.read("names.json", "--names", REASON)
    assert any(one["name"] == "name" for thing in named["objects"] for one in thing["attributes"])  # type: ignore[attr-defined]
    assert export("names.xes", "--names", REASON, "--format=xes").exit_code == 0
    names = {event.get("org:resource") for trace in read_xes(export.folder / "names.xes") for event in trace}
    assert "吴磊" in names
    kept = json.loads(events_of_trail(filled)[-1].entry)["detail"]
    assert (kept["names"], kept["reason"], kept["format"]) == (True, REASON, "xes")


@pytest.mark.requirement("R52", verb="recorded")
def test_each_export_is_in_the_trail_and_its_file_is_for_its_owner(filled: Database, export: Export) -> None:
    log = export.read("mine.json", "--until=2100-01-01")
    kept = json.loads(events_of_trail(filled)[-1].entry)
    assert kept["actor"] == {"id": "events", "kind": "system"}
    assert kept["detail"]["events"] == len(log["events"])
    assert kept["detail"]["until"].startswith("2099-12-31T16:00")
    assert kept["detail"]["names"] is False
    assert (export.folder / "mine.json").stat().st_mode & 0o077 == 0
    count = len(events_of_trail(filled))
    again = export("mine.json")
    assert again.exit_code == 1
    assert "it exists" in again.stderr
    assert len(events_of_trail(filled)) == count


def test_a_time_without_cases_leaves_no_file(export: Export) -> None:
    ended = export("none.json", "--since=2099-01-01")
    assert ended.exit_code == 1
    assert "it has no case of this time" in ended.stderr
    assert list(export.folder.glob("*none*")) == []


def test_pages_of_any_size_give_the_same(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export.read("whole.json")
    monkeypatch.setattr(submitted_cases, "CASES_AT_ONCE", 7)
    paged = export.read("paged.json")
    assert [event["type"] for event in paged["events"]] == [event["type"] for event in whole["events"]]
    assert len(paged["objects"]) == len(whole["objects"])


def test_a_year_is_simulated_as_the_last_one_was(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitted_cases, "CASES_AT_ONCE", 25)
    count = select(func.count()).select_from(AuditEvent)
    before = filled.read_now(ACTOR, lambda uow: uow.session.scalar(count))
    profile = filled.read_now(ACTOR, history.read, BPMN)
    assert filled.read_now(ACTOR, lambda uow: uow.session.scalar(count)) == before
    assert 40 < profile.cases <= SIZE.cases
    assert set(profile.stages["security"].outcomes) == {"approved", "rejected"}
    assert profile.jobs["retrieve-footage"].at(0.5) == 120
    assert {camera.retention_days for camera in profile.footage.cameras.choices} <= {15, 16, 17, 18}
    words = filled.read_now(ACTOR, everybody)
    assert [word for word in words if word in repr(profile.directory)] == []
    result = simulate(profile=profile, cases=8)
    assert result.ended == 8
    assert result.source == "history"


@pytest.mark.both_databases
def test_log_and_history_are_read_from_both_databases(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted_cases, "CASES_AT_ONCE", 10)
    fill(database, tmp_path / "recordings", Size(cases=30, open=6, people=45, cameras=4))
    profile = database.read_now(ACTOR, history.read, BPMN)
    assert profile.cases >= history.LEAST_CASES
    with (tmp_path / "log.json").open("wb") as file:
        written = database.read_now(ACTOR, event_log.export, file, event_log.Format.OCEL)
    assert written.cases == sum(thing["type"] == "case" for thing in read_ocel(tmp_path / "log.json")["objects"])
    with (tmp_path / "log.xes").open("wb") as file:
        assert database.read_now(ACTOR, event_log.export, file, event_log.Format.XES) == written
