"""The rules of urgent retrievals: the shipped model keeps them, and edits that break them are found by a rule each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from edited_models import Model
from other_processes import URGENT, alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import BROKEN, Report
from services.runtime.jobs.worker import discover


def _checked(tmp_path: Path, edit: Callable[[Model], None] = lambda _: None) -> Report:
    folder = alone(tmp_path / "models", URGENT)
    model = Model(folder, f"{URGENT}.bpmn")
    edit(model)
    model.save()
    return check(folder, discover())


def _skips_the_second_person(model: Model) -> None:
    model.retarget("Flow_UrgentCalled", "Task_PreserveAtOnce")


def _asks_another_stage(model: Model) -> None:
    for one in model.one("Call_UrgentRelease").iter("{http://camunda.org/schema/zeebe/1.0}input"):
        if one.get("target") == "stage":
            one.set("source", '="extension"')


def _takes_a_no_for_a_yes(model: Model) -> None:
    model.condition("Flow_UrgentReleased", '=decision = "approved" or decision = "rejected"')
    model.condition("Flow_UrgentNotReleased", "=false")


def _takes_silence_for_a_yes(model: Model) -> None:
    model.condition("Flow_UrgentReleased", '=decision = "approved" or decision = null')


def _preserves_after_the_view(model: Model) -> None:
    model.retarget("Flow_UrgentReleased", "Task_GrantEmergencyView")
    model.retarget("Flow_EmergencyViewOpen", "Task_PreserveAtOnce")
    model.retarget("Flow_PreservedAtOnce", "Gateway_AwaitApproval")


def _ends_it_a_week_later(model: Model) -> None:
    model.one("Timer_ApprovalLate")[0].text = '=date and time(viewUntil) + duration("P7D")'


@pytest.mark.requirement("R2")
def test_the_shipped_model_keeps_each_of_them(tmp_path: Path) -> None:
    report = _checked(tmp_path)

    assert report.exit_code == 0, [(one.rule, one.why) for one in report.verdicts if one.result != "holds"]
    [part] = report.parts
    assert part.is_complete
    assert len([one for one in report.verdicts if one.process == URGENT]) == len(part.tried) == 19
    assert report.unseen == ()


@pytest.mark.requirement("R2", "R24", "R41", refuses=True)
@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (_skips_the_second_person, "urgent-released-before-shown"),
        (_asks_another_stage, "urgent-released-before-shown"),
        (_takes_a_no_for_a_yes, "urgent-not-released-shows-nothing"),
        (_takes_silence_for_a_yes, "urgent-without-an-answer-stops"),
        (_preserves_after_the_view, "urgent-preserved-before-shown"),
        (partial(Model.remove, identity="Event_ApprovalLate", bridge=False), "urgent-view-ends-in-time"),
        (_ends_it_a_week_later, "urgent-view-ends-in-time"),
        (partial(Model.retarget, flow="Flow_ViewEnds", target="Event_Ratified"), "urgent-view-ends"),
        (
            partial(Model.retarget, flow="Flow_NotRatified", target="Event_Ratified"),
            "urgent-not-ratified-is-a-violation",
        ),
        (
            partial(Model.retarget, flow="Flow_Late", target="Task_OpenUrgentViolation"),
            "urgent-violation-after-the-end",
        ),
        (partial(Model.retarget, flow="Flow_CallMoot", target="Event_CallClosedAsMoot"), "moot-call-gets-closed"),
    ],
)
def test_an_edit_that_breaks_the_policy_is_found_by_a_rule_that_says_why(
    edit: Callable[[Model], None], rule: str, tmp_path: Path
) -> None:
    report = _checked(tmp_path, edit)

    [found, *_] = [one for one in report.verdicts if one.rule == rule and one.result == BROKEN]
    assert found.zh
    assert found.en
    assert found.counterexample is not None
    assert found.counterexample.steps
