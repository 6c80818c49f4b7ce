"""A job of one's own behind a review does no harm, also where nobody has answered and the case stops later."""

from pathlib import Path

import pytest
from edited_models import Model, task
from other_processes import INSPECTION, MATTER, PROBLEM, URGENT, VIOLATION, WORK_ORDER, alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import Report
from services.runtime.jobs.worker import discover


def _told(tmp_path: Path, process: str, flow: str) -> tuple[Path, Model]:
    folder = alone(tmp_path / "models", process)
    model = Model(folder, f"{process}.bpmn")
    model.insert(flow, task("Task_TellOfAnswer", "tell-of-answer"), "Flow_ToldOfAnswer")
    return folder, model


def _faults(report: Report) -> list[tuple[str, str]]:
    return [(verdict.rule, verdict.why[1]) for verdict in report.broken + report.undecided]


@pytest.mark.parametrize(
    ("process", "flow"),
    [
        (PROBLEM, "Flow_ProblemAnswered"),
        (WORK_ORDER, "Flow_Verified"),
        (URGENT, "Flow_UrgentAnswered"),
        (VIOLATION, "Flow_ViolationDecided"),
        (INSPECTION, "Flow_CaseAnswered"),
        (INSPECTION, "Flow_ReportAnswered"),
        (MATTER, "Flow_StageDecided"),
    ],
)
def test_somebody_may_be_told_behind_a_review(process: str, flow: str, tmp_path: Path) -> None:
    folder, model = _told(tmp_path, process, flow)
    model.save()

    report = check(folder, discover())

    assert _faults(report) == []
    assert report.unseen == ()


@pytest.mark.requirement("R44")
def test_a_problem_that_nobody_has_answered_lifts_no_freeze_behind_the_job(tmp_path: Path) -> None:
    folder, model = _told(tmp_path, PROBLEM, "Flow_ProblemAnswered")
    model.condition("Flow_ProblemExplained", '=decision = null or decision = "unfounded" or decision = "explained"')
    model.save()

    report = check(folder, discover())

    assert "problem-without-an-answer-stops" in {verdict.rule for verdict in report.broken}


def test_an_answer_that_no_way_is_for_is_still_told_behind_the_job(tmp_path: Path) -> None:
    folder, model = _told(tmp_path, PROBLEM, "Flow_ProblemAnswered")
    model.condition("Flow_CopiesUnfit", '=decision = "replace"')
    model.save()

    report = check(folder, discover())

    assert "incident" in {verdict.rule for verdict in report.broken}
