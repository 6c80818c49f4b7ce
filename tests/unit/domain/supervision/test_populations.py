"""The cases that a sample was drawn from, as a file: from it alone anybody draws the same sample (R63)."""

import json
import re
import runpy
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from portal_client import Portal
from review_desk import NOON, ReviewDesk
from supervision_desk import GROUP, Supervised
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision import service
from services.runtime.rules import Rules

DOCS = Path(__file__).parents[4] / "docs" / "matters.md"
REFUSED = ("drafter", "head", "keeper", "reviewer", "operator", "inspector", "admin")


@pytest.fixture
async def supervised(tmp_path: Path) -> AsyncIterator[tuple[Supervised, Portal]]:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/books.db", Rules(max_use_days=30, inspection_period="month"))
    made = Supervised(desk)
    made.prepare()
    made.appointed()
    desk.run(_happen)
    async with Portal(desk) as portal:
        yield made, portal
    desk.close()


def _happen(uow: UnitOfWork) -> None:
    """One case has to be inspected, for two reasons."""
    uow.session.add(Violation(application_id="case-7", kind="breach", opened_at=NOON, facts={}, accused=[]))
    lost = HandOver(application_id="case-7", custodian_id="keeper", use_days=9, offered_at=NOON, take_up_until=NOON)
    lost.lost_at = NOON
    uow.session.add(lost)


def address_of(inspection_id: str, form: str = "json") -> str:
    return f"/api/inspections/{inspection_id}/population?form={form}"


def reproduce(*words: object) -> Result:
    return CliRunner().invoke(cli_main.app, ["inspection", "reproduce", *map(str, words)])


def events(made: Supervised) -> list[AuditEvent]:
    return list(made.desk.all(AuditEvent, action="inspection-population-read"))


@pytest.mark.requirement("R63")
async def test_from_the_file_anybody_draws_the_same_sample_without_the_database(
    supervised: tuple[Supervised, Portal],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, portal = supervised
    inspection_id = made.drawn()
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "nothing"))
    reader = await portal.signed_in("security-head")
    shown = (await reader.get(f"/supervision/inspections/{inspection_id}")).text
    files: dict[str, Path] = {}
    for form in ("json", "csv"):
        assert f"/api/inspections/{inspection_id}/population{'' if form == 'json' else '?form=csv'}" in shown
        answer = await reader.get(address_of(inspection_id, form))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        files[form] = tmp_path / f"cases.{form}"
        files[form].write_bytes(answer.content)
    told = json.loads(files["json"].read_text())
    inspection = made.inspection(inspection_id)
    assert (told["sha256"], told["seed"]) == (inspection.population_sha256, inspection.seed)
    assert [one["number"] for one in told["cases"] if one["sampled"]] == [
        one.number for one in made.cases(inspection_id)
    ]
    assert {tuple(one["because"]) for one in told["cases"]} == {(), ("lost", "violation")}
    assert [(event.actor_id, json.loads(event.entry)["detail"]["form"]) for event in events(made)] == [
        ("security-head", "json"),
        ("security-head", "csv"),
    ]

    for words in ((files["json"],), (files["csv"], "--seed", told["seed"])):
        found = reproduce("--population", *words)
        assert found.exit_code == 0, found.output
        assert told["sha256"] in found.output
        assert found.output.endswith("equal\n")
    # and by the lines that the documentation gives, without this product
    [script] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "by_hand.py").write_text(script)
    monkeypatch.setattr(sys, "argv", ["by_hand.py", str(files["json"])])
    capsys.readouterr()
    runpy.run_path(str(tmp_path / "by_hand.py"))
    assert capsys.readouterr().out == f"{inspection.sampled} of {inspection.population} cases, equal\n"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.requirement("R63")
async def test_a_file_in_which_a_case_was_changed_or_chosen_is_found_out(
    supervised: tuple[Supervised, Portal], tmp_path: Path
) -> None:
    made, portal = supervised
    inspection_id = made.drawn()
    reader = await portal.signed_in("supervisor")
    told = (await reader.get(address_of(inspection_id))).json()
    table = (await reader.get(address_of(inspection_id, "csv"))).content.decode()
    chosen = next(place for place, one in enumerate(told["cases"]) if one["sampled"] and not one["because"])
    spared = next(place for place, one in enumerate(told["cases"]) if not one["sampled"])

    def changed(place: int, **named: Any) -> dict[str, Any]:
        cases = [{**one, **named} if at == place else one for at, one in enumerate(told["cases"])]
        return {**told, "cases": cases}

    for wrong, said in (
        (changed(chosen, sampled=False), "belongs to it and is not in it"),
        (changed(spared, sampled=True), "is in it and does not belong to it"),
        (changed(spared, because=["lost"]), "population: its digest is"),
        ({**told, "cases": told["cases"][1:]}, "population: its digest is"),
        ({**told, "seed": "AAAA"}, "seed: the checkpoint in the file does not give AAAA"),
        ({**told, "checkpoint": None}, "seed: the file has no checkpoint"),
        ({**told, "cases": [*told["cases"], told["cases"][0]]}, "a number twice"),
    ):
        (tmp_path / "cases.json").write_text(json.dumps(wrong))
        found = reproduce("--population", tmp_path / "cases.json")
        assert (found.exit_code, said in found.output) == (1, True), found.output
    (tmp_path / "cases.json").write_text(json.dumps(told))
    assert "the file has" in reproduce("--population", tmp_path / "cases.json", "--seed", "AAAA").output

    for text, said in (
        (table.replace(",no\r\n", ",yes\r\n", 1), "does not belong to it"),
        (table.replace("because", "reason"), "its first line is not number,because,sampled"),
        (table.replace(",no\r\n", ",perhaps\r\n", 1), "is not a number, its reasons and yes or no"),
        (table.replace("violation", "luck"), "has a reason that is none: luck"),
    ):
        (tmp_path / "cases.csv").write_text(text, newline="")
        found = reproduce("--population", tmp_path / "cases.csv", "--seed", told["seed"])
        assert (found.exit_code, said in found.output) == (1, True), found.output
    assert "has no seed" in reproduce("--population", tmp_path / "cases.csv").output
    assert "is not in base64" in reproduce("--population", tmp_path / "cases.csv", "--seed", "?").output
    assert "cannot be used" in reproduce("--population", tmp_path / "absent.json").output
    assert "and not of JC-1" in reproduce("JC-1", "--population", tmp_path / "cases.json").output
    assert "name the number" in reproduce().output


@pytest.mark.requirement("R61", refuses=True)
async def test_nobody_else_gets_it_and_nobody_whom_a_case_concerns(supervised: tuple[Supervised, Portal]) -> None:
    made, portal = supervised
    inspection_id = made.opened()
    supervisor = await portal.signed_in("supervisor")
    assert (await supervisor.get(address_of(inspection_id))).json()["code"] == "not-drawn"
    made.desk.run(service.draw, inspection_id, 1)
    for form in ("json", "csv"):
        for by in REFUSED:
            answer = await (await portal.signed_in(by)).get(address_of(inspection_id, form))
            assert (answer.status_code, answer.json()["code"]) == (403, "supervision-readers-only"), by

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, "case-9").subject_ids = ["of-legal"]

    made.desk.run(concern)
    concerned = await portal.signed_in("of-legal")
    assert (await concerned.get(address_of(inspection_id))).json()["code"] == "population-hidden"
    assert "/population" not in (await concerned.get(f"/supervision/inspections/{inspection_id}")).text
    assert (await supervisor.get(address_of("none"))).status_code == 404
    assert events(made) == []
    for by in sorted({*GROUP, "manager", "security-head"} - {"of-legal"}):
        assert (await (await portal.signed_in(by)).get(address_of(inspection_id))).status_code == 200, by
    assert len(events(made)) == len(GROUP) + 1
