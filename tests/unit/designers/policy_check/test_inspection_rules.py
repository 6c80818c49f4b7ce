"""The rules about inspections: the shipped model keeps them, and edits that break them are found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from edited_models import Model
from other_processes import alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import ExitCode
from services.runtime.jobs.worker import discover


def _reported_without_an_answer(model: Model) -> None:
    model.condition("Flow_CaseInspected", "=true")


def _closed_before_the_corrections(model: Model) -> None:
    model.retarget("Flow_ToCorrections", "Task_CloseInspection")


def _signed_without_a_report(model: Model) -> None:
    model.retarget("Flow_AllInspected", "Call_SignReport")


@pytest.mark.requirement("R63", "R64")
@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (None, None),
        (_reported_without_an_answer, "report-after-the-inspection"),
        (_closed_before_the_corrections, "corrections-before-the-end"),
        (_signed_without_a_report, "report-before-the-signatures"),
    ],
)
def test_an_edit_of_the_inspection_is_judged(
    tmp_path: Path, edit: Callable[[Model], None] | None, rule: str | None
) -> None:
    folder = alone(tmp_path / "models", "inspection")
    if edit is not None:
        model = Model(folder, "inspection.bpmn")
        edit(model)
        model.save()

    report = check(folder, discover())

    assert {verdict.rule for verdict in report.broken} >= ({rule} if rule else set())
    assert (report.exit_code == ExitCode.CLEAN) is (edit is None)
