"""The rules of work orders: the shipped model keeps them, and edits that break them are found by a rule each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from edited_models import Model
from other_processes import WORK_ORDER, alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import BROKEN, Report
from services.runtime.jobs.worker import discover


def _checked(tmp_path: Path, edit: Callable[[Model], None] = lambda _: None) -> Report:
    folder = alone(tmp_path / "models", WORK_ORDER)
    model = Model(folder, f"{WORK_ORDER}.bpmn")
    edit(model)
    model.save()
    return check(folder, discover())


def _takes_a_no_for_a_yes(model: Model) -> None:
    model.condition("Flow_Accepted", '=decision = "verified" or decision = "again"')
    model.condition("Flow_Again", "=false")


def _keeps_the_old_due_date(model: Model) -> None:
    outputs = model.one("Task_ReopenWorkOrder").iter("{http://camunda.org/schema/zeebe/1.0}output")
    for output in [one for one in outputs if one.get("target") == "dueAt"]:
        output.set("target", "newDueAt")


def _closes_a_cancelled_one_as_done(model: Model) -> None:
    for one in model.one("Task_CloseCancelledWorkOrder").iter("{http://camunda.org/schema/zeebe/1.0}input"):
        one.set("source", '="done"')


def _is_escalated_by(model: Model, cycle: str) -> None:
    model.timer("Event_WorkOrderOverdue", cycle)


@pytest.mark.requirement("R64")
def test_the_shipped_model_keeps_each_of_them(tmp_path: Path) -> None:
    report = _checked(tmp_path)

    assert report.exit_code == 0, [(one.rule, one.why) for one in report.verdicts if one.result != "holds"]
    [part] = report.parts
    assert part.is_complete
    assert len([one for one in report.verdicts if one.process == WORK_ORDER]) == len(part.tried) == 17
    assert report.unseen == ()


@pytest.mark.requirement("R64")
@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (
            partial(Model.retarget, flow="Flow_ToVerify", target="Task_CloseWorkOrder"),
            "work-order-verified-before-closed",
        ),
        (_takes_a_no_for_a_yes, "work-order-again-gets-reopened"),
        (_keeps_the_old_due_date, "work-order-escalated-by-its-new-date"),
        (_closes_a_cancelled_one_as_done, "cancelled-work-order-gets-closed"),
        # the reminders go on each day beside them
        (partial(_is_escalated_by, cycle='="R/" + dueAt + "/P8D"'), "work-order-escalated-weekly"),
        (partial(_is_escalated_by, cycle='="R/" + dueAt + "/P70D"'), "work-order-escalated-weekly"),
        (partial(_is_escalated_by, cycle='="R2/" + dueAt + "/P7D"'), "work-order-escalated-weekly"),
    ],
)
def test_an_edit_that_breaks_the_policy_is_found_by_a_rule_that_says_why(
    edit: Callable[[Model], None], rule: str, tmp_path: Path
) -> None:
    report = _checked(tmp_path, edit)

    [found, *_] = [one for one in report.verdicts if one.rule == rule and one.result == BROKEN]
    assert found.zh
    assert found.counterexample is not None
