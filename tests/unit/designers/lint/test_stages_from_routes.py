"""Lint reads the routes of reviews: the stages that a decision table lists, and the gateway behind the answers."""

from pathlib import Path

import pytest
from edited_models import Model, Table
from other_processes import MATTER, PROBLEM, URGENT, VIOLATION, add_to_shipped, make_folder, workers_beside

from services.app.container import check_models
from services.designers.lint import check as lint_check
from services.designers.lint.findings import Finding, Level
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover

WORKERS = workers_beside()
APPLY, REFUSE = "F_Gateway_All_Task_Apply", "F_Gateway_All_Task_Refuse"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "models", MATTER, VIOLATION)


def find(folder: Path) -> list[Finding]:
    """Return what lint finds, but not that this folder lacks the case of an application."""
    found = lint_check.find(folder, WORKERS, templates=False)
    return [one for one in found if one.rule not in ("required-step", "uncalled-stage")]


def _rules(folder: Path, level: Level = Level.ERROR) -> set[tuple[str, str]]:
    return {(one.rule, one.element) for one in find(folder) if one.level is level}


def _conditions(folder: Path, apply: str, refuse: str | None = None) -> None:
    model = Model(folder, "matter.bpmn")
    model.condition(APPLY, apply)
    if refuse is not None:
        model.condition(REFUSE, refuse)
    model.save()


def _cell(folder: Path, table: str, cell: str, text: str) -> None:
    changed = Table(folder, table)
    changed.cell(cell, text)
    changed.save()


@pytest.mark.requirement("R2")
def test_other_processes_beside_the_case_of_an_application_are_welcome(tmp_path: Path) -> None:
    folder = add_to_shipped(tmp_path / "models", MATTER, PROBLEM, VIOLATION, URGENT)

    found = lint_check.find(folder, discover(), templates=False)
    assert [one for one in found if one.level is Level.ERROR] == []
    check_models(folder)


@pytest.mark.requirement("R2", "R27")
def test_what_another_process_asks_is_not_asked_of_an_application(tmp_path: Path) -> None:
    folder = add_to_shipped(tmp_path / "models", MATTER)
    _cell(folder, "matter-route.dmn", "Table_Route_Result_3", '["management"]')
    model = Model(folder, "matter.bpmn")
    model.mapping("Call_MatterReview", "input", "stage", '="management"')
    model.save()
    main = Model(folder)
    main.remove("Call_ManagementDecides")
    main.save()

    found = lint_check.find(folder, discover(), templates=False)

    assert "No model calls the stage management" in " ".join(
        one.text.en for one in found if one.rule == "required-step"
    )


def test_the_routes_of_the_test_models_are_clean(models: Path) -> None:
    assert [one for one in find(models) if one.level is Level.ERROR] == []


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(
    ("cell", "rule", "sentence"),
    [
        ('["extention"]', "stage", "is extension meant?"),
        ('["extension", "board"]', "stage", "review-stages.json has no stage board"),
        ("[]", "empty-route", "By this row nobody is asked"),
        ('"extension"', "route", "Write a list of codes"),
        ("concatenate(a, b)", "route", "Write a list of codes"),
    ],
)
def test_p12_each_row_of_a_route_names_stages_that_there_are(models: Path, cell: str, rule: str, sentence: str) -> None:
    _cell(models, "matter-route.dmn", "Table_Route_Rule_3_Out_1", cell)

    found = [one for one in find(models) if one.rule == rule]

    assert [(one.file, one.element, one.level) for one in found] == [
        ("matter-route.dmn", "Table_Route_Rule_3", Level.ERROR)
    ]
    assert sentence in found[0].text.en
    assert found[0].line


@pytest.mark.requirement("R2")
def test_p12_a_single_stage_of_a_table_with_several_columns_is_read_too(models: Path) -> None:
    _cell(models, "violation-severity.dmn", "Table_Severity_Rule_1_Out_2", '"violation-manager"')

    assert ("stage", "Table_Severity_Rule_1") in _rules(models)


def test_the_gateway_behind_a_single_stage_is_held_against_what_each_can_answer(models: Path) -> None:
    model = Model(models, "violation.bpmn")
    model.condition("F_Gateway_Upheld_Task_Clear", '=decision = "unfound"')
    model.save()

    assert ("no-way-out", "Gateway_Upheld") in _rules(models)


@pytest.mark.requirement("R2", "R50")
@pytest.mark.parametrize(
    "condition",
    [
        '=every d in decisions satisfies list contains(["approved", "signed", "accepted"], d)',
        "=count(decisions) = count(route) and not(some d in decisions satisfies list contains"
        '(["rejected", "refused", "declined"], d))',
    ],
)
def test_p1_an_approval_that_an_empty_route_gives_is_an_error(models: Path, condition: str) -> None:
    _conditions(models, condition)

    assert ("vacuous-approval", APPLY) in _rules(models)
    said = next(one for one in find(models) if one.rule == "vacuous-approval")
    assert "count(route) > 0" in said.text.en
    assert "count(route) > 0" in said.text.zh


@pytest.mark.requirement("R2", "R50")
@pytest.mark.parametrize(
    "condition",
    [
        "=count(route) > 0 and count(decisions) = count(route)",
        '=count(route) > 0 and (some d in decisions satisfies list contains(["approved", "signed", "accepted"], d))',
        '=count(route) > 0 and (every d in decisions satisfies list contains(["approved", "signed", "accepted"], d))',
    ],
)
def test_p2_an_approval_that_not_all_have_given_is_an_error(models: Path, condition: str) -> None:
    _conditions(models, condition)

    assert ("incomplete-approval", APPLY) in _rules(models)


def test_an_answer_that_no_flow_is_for_is_an_error(models: Path) -> None:
    model = Model(models, "matter.bpmn")
    model.condition(REFUSE, '=some d in decisions satisfies d = "rejected"')
    model.save()

    assert ("no-way-out", "Gateway_All") in _rules(models)


@pytest.mark.requirement("R2")
def test_p3_a_quantifier_without_brackets_is_an_error_that_says_so(models: Path) -> None:
    _conditions(models, '=count(route) > 0 and every d in decisions satisfies d = "approved"')

    found = [one for one in find(models) if one.rule == "quantifier-brackets"]

    assert [one.element for one in found] == [APPLY]
    assert "put the quantifier in brackets" in found[0].text.en


@pytest.mark.requirement("R2")
def test_p4_a_job_that_is_come_back_to_and_drops_what_it_gives_is_advised_against(models: Path) -> None:
    model = Model(models, "violation.bpmn")
    model.mapping("Task_Suspend", "output", "kind", "=kind")
    model.mapping("Task_Suspend", "output", "securityInvolved", "=securityInvolved")
    model.retarget("F_Task_Clear_Event_Cleared", "Task_Suspend")
    model.remove("Event_Cleared", bridge=False)
    model.save()

    found = [one for one in find(models) if one.rule == "dropped-output"]

    assert [(one.element, one.level) for one in found] == [("Task_Suspend", Level.ADVICE)]
    assert "replyPeriod" in found[0].text.en


def test_a_parallel_loop_over_a_route_with_one_variable_is_an_error(models: Path) -> None:
    model = Model(models, "matter.bpmn")
    model.mapping("Phase_Decide", "input", "decision", None)
    model.loop_is_parallel("Phase_Decide")
    model.save()

    assert ("reviews-at-once", "Call_Review") in _rules(models)


def test_a_review_that_says_no_stage_is_still_refused_at_the_start(tmp_path: Path) -> None:
    folder = add_to_shipped(tmp_path / "models", MATTER)
    model = Model(folder, "matter.bpmn")
    model.mapping("Call_MatterReview", "input", "stage", "=")
    model.save()

    with pytest.raises(Fatal, match="could not use the models"):
        check_models(folder)
