"""Marks of importance are one to a walk only where the models, the tables and the rules cannot tell them apart."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edited_models import Model, Table

from services.designers.policy_check import rules
from services.designers.policy_check.check import prepare
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

NONE, FIRST = (False, False, False), (True, False, False)


def _alike(folder: Path) -> dict[tuple[bool, ...], tuple[bool, ...]]:
    return dict(prepare(folder, discover(), items=1).simulation.alike_marks)


def test_the_three_marks_of_the_shipped_models_are_alike_and_none_is_not() -> None:
    alike = _alike(BPMN)

    assert {of for of, stands_for in alike.items() if stands_for == NONE} == {NONE}
    assert len(set(alike.values())) == 2


def _one_mark_is_left_behind(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Call_HeadOfSecuritySigns", "output", "highImpact", None)
    model.save()


def _one_mark_is_asked_for(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_OwnApplication", "=not(highImpact)")
    model.save()


def _a_row_asks_for_one_mark(folder: Path) -> None:
    table = Table(folder)
    table.remove_rule(_row(table, "highImpact"))
    table.save()


def _row(table: Table, name: str) -> str:
    """Return the row of the table of importance that asks for this mark alone."""
    place = ["importantInformation", "sensitiveEvent", "highImpact", "cameraClass"].index(name)
    rows = table.root.xpath('//*[@id="importance"]//*[local-name()="rule"]')
    for row in rows:
        cells = row.xpath('./*[local-name()="inputEntry"]/*[local-name()="text"]/text()')
        texts = [cell.text or "" for cell in row.xpath('./*[local-name()="inputEntry"]/*[local-name()="text"]')]
        if cells == ["true"] and texts[place] == "true":
            return str(row.get("id"))
    raise LookupError(name)


def _a_rule_asks_for_one_mark(folder: Path) -> None:
    path = folder / rules.NAME
    text = path.read_text(encoding="utf-8")
    old = "      - stage security|security-signature * where highImpact = true\n"
    assert old in text
    path.write_text(text.replace(old, "", 1), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "sorts"),
    [
        (_one_mark_is_left_behind, 0),
        (_one_mark_is_asked_for, 0),
        (_a_row_asks_for_one_mark, 3),
        (_a_rule_asks_for_one_mark, 3),
    ],
)
def test_marks_that_something_tells_apart_stay_apart(edit: Callable[[Path], None], sorts: int, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BPMN, tmp_path / "models"))
    edit(folder)

    alike = _alike(folder)

    assert len(set(alike.values())) == sorts
    assert not alike or alike[FIRST] != alike[(False, False, True)]
