"""The rules of the daily maintenance, which a timer begins: kept by the shipped model, and broken by edits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from edited_models import Model
from other_processes import alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import BROKEN, Report
from services.runtime.jobs.worker import discover

MAINTENANCE = "maintenance"


def _checked(tmp_path: Path, edit: Callable[[Model], None] = lambda _: None) -> Report:
    folder = alone(tmp_path / "models", MAINTENANCE)
    (folder / "review.bpmn").unlink()  # nothing of it is reviewed
    model = Model(folder, f"{MAINTENANCE}.bpmn")
    edit(model)
    model.save()
    return check(folder, discover())


@pytest.mark.requirement("R13", "R53")
def test_a_process_that_a_timer_begins_is_walked_and_keeps_its_rules(tmp_path: Path) -> None:
    report = _checked(tmp_path)

    assert report.exit_code == 0, [(one.rule, one.why) for one in report.verdicts if one.result != "holds"]
    [part] = report.parts
    assert (part.process, part.is_complete) == (MAINTENANCE, True)
    assert len([one for one in report.verdicts if one.process == MAINTENANCE]) == len(part.tried) == 10
    assert report.unseen == ()


@pytest.mark.requirement("R53")
@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (
            partial(Model.retarget, flow="Flow_ReconcileFailed", target="Gateway_ReconcileOver"),
            "failed-reconcile-is-a-work-order",
        ),
        (
            partial(Model.retarget, flow="Flow_ToReverifyFootage", target="Gateway_ReverifyFootageOver"),
            "maintenance-verifies",
        ),
        (
            partial(Model.retarget, flow="Flow_ToListDisposals", target="Gateway_ListDisposalsOver"),
            "maintenance-lists-disposals",
        ),
    ],
)
def test_an_edit_that_leaves_a_part_of_the_day_out_is_found(
    edit: Callable[[Model], None], rule: str, tmp_path: Path
) -> None:
    report = _checked(tmp_path, edit)

    [found, *_] = [one for one in report.verdicts if one.rule == rule and one.result == BROKEN]
    assert found.counterexample is not None
    assert found.counterexample.steps[0].en == "the timer Event_DayBegins starts it"
    assert found.counterexample.scenario["steps"][1]["do"] == "advanceClock"
