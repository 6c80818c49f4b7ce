"""A walk: what is chosen happens in the engine, a step back undoes it, and timers fire in their order."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edited_models import Model
from played_case import PlayedCase, shipped, workers
from policy_edits import BREAKING

from services.designers.play import view, walk
from services.designers.play.models import Beginning, load
from services.designers.play.walk import next_due
from services.designers.policy_check.case import Case
from services.runtime.errors import Refused
from services.runtime.places import BPMN


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BPMN, tmp_path / "models"))


def test_a_whole_case_is_walked_to_its_end() -> None:
    case = PlayedCase()

    case.until("receipt").answer("receipt", "accepted", dueAt="@+P10D")
    case.answer("copy-returned")
    case.until("return-inspection").answer("return-inspection")
    case.until("re-archive").answer("re-archive")

    assert case.walk.case.has_ended
    assert case.choices() == []
    passed = {element for _, element in case.walk.passed()}
    assert {"Phase_Approval", "Phase_Retrieval", "Phase_Custody", "Phase_Return"} <= passed
    said = [step.said.en for step in case.walk.steps]
    assert said[0] == "The application is submitted"
    assert "preliminary review: approved" in said
    assert [step.findings or step.broken for step in case.walk.steps if step.findings or step.broken] == []


def _same(one: Case, other: Case) -> bool:
    return one.state is other.state and (one.now, one.register) == (other.now, other.register)


def test_a_step_back_leaves_the_case_as_it_was_and_another_answer_goes_another_way() -> None:
    case = PlayedCase().until("preliminary")
    before = case.walk.case
    case.answer("preliminary", "rejected")
    assert "security-review" not in case.about

    assert case.walk.back()

    assert _same(case.walk.case, before)
    case.answer("preliminary", "approved")
    assert "security-review" in case.about
    case.walk.back_to(0)
    assert [case.about, len(case.walk.steps), case.walk.back()] == [["open-case"], 1, False]


@pytest.mark.parametrize(
    ("about", "values", "sentence"),
    [
        ("open-case", {"duplicate": "maybe"}, "duplicate has to be one of: true, false."),
        ("open-case", {"correctionPeriod": "a week"}, "correctionPeriod has to be a duration such as P7D or PT8H."),
        ("open-case", {"itemIds": "item-1"}, "itemIds has to be a list of texts, with commas between."),
        ("open-case", {"invented": 1}, "invented is no longer among the variables that this gives"),
        ("security-review", {"cameraClass": "secret"}, "cameraClass has to be one of: ordinary, sensitive."),
        ("security-review", {"securityFindings": 1.5}, "securityFindings has to be a whole number."),
        ("security-review", {"securityFindings": True}, "securityFindings has to be a whole number."),
        ("security-review", {"securityFindings": 10**400}, "securityFindings has to be a whole number."),
        ("security", {"usePeriodDays": 366}, "usePeriodDays has to be between 1 and 365."),
        ("retrieve-footage", {"coverage": 0}, "coverage has to be between 0.001 and 1."),
        ("receipt", {"dueAt": "@+forever"}, "dueAt has to be a moment such as"),
        ("receipt", {"dueAt": "2026-03-19T08:00:00"}, "dueAt has to be a moment such as"),
    ],
)
def test_a_value_outside_of_the_type_is_refused_and_nothing_happens(
    about: str, values: dict[str, Any], sentence: str
) -> None:
    case = PlayedCase().until(about)
    steps = len(case.walk.steps)

    with pytest.raises(Refused) as refused:
        case.answer(about, **values)

    assert refused.value.en.startswith(sentence)
    assert len(case.walk.steps) == steps


def test_a_mark_that_was_set_cannot_be_lowered_by_who_signs_after() -> None:
    case = PlayedCase().until("security")
    case.answer("security", "approved", sensitiveEvent=True)
    case.until("security-signature")

    with pytest.raises(Refused, match="sensitiveEvent has to be one of: true"):
        case.answer("security-signature", "signed", sensitiveEvent=False)


def test_the_clock_turns_by_an_amount_and_each_timer_on_the_way_fires_at_its_time() -> None:
    case = PlayedCase().until("preliminary")
    begun = case.walk.case.now

    case.walk.turn(begun + timedelta(days=2))

    assert "remind-reviewer" in case.about
    assert "escalate-review" in case.about
    assert case.walk.case.now == begun + timedelta(days=2)
    [*stops] = case.walk.steps[-1].calls
    assert sum(call["ms"] for call in stops) == timedelta(days=2) // timedelta(milliseconds=1)
    assert stops[0]["ms"] == timedelta(hours=9) // timedelta(milliseconds=1)
    assert stops[0]["then"] == ["job remind-reviewer starts"]
    case.walk.back()
    assert (case.walk.case.now, "remind-reviewer" in case.about) == (begun, False)


def test_the_clock_turns_to_the_next_timer_and_never_back() -> None:
    case = PlayedCase().until("preliminary")
    due = next_due(case.walk.case)
    assert due is not None
    assert view.dues(shipped(), case.walk.case)[0].name.en == "Review reminder due"

    case.walk.turn(due)

    assert (case.walk.case.now, case.walk.steps[-1].said.en) == (due, "Time passes: Review reminder due")
    with pytest.raises(Refused, match="only be turned forward"):
        case.walk.turn(due)


def test_a_timer_that_never_stops_does_not_stop_the_page(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_FIRINGS", 20)
    model = Model(models, "review.bpmn")
    model.timer("Event_ReviewReminderDue", '="R/PT1S"')
    model.save()
    case = PlayedCase(load(models, workers(), items=1)).until("preliminary")

    step = case.walk.turn(case.walk.case.now + timedelta(days=300))

    assert step.said.en == "The clock is turned; 20 timers fired: turn it again to continue"
    assert case.walk.case.now < case.walk.steps[-2].at + timedelta(hours=1)


def test_an_error_of_the_worker_is_an_answer() -> None:
    case = PlayedCase().until("retrieve-footage")

    case.answer("retrieve-footage", "error-FOOTAGE_MISSING")

    assert case.walk.steps[-1].said.en == "Retrieve footage (item-1) ends with FOOTAGE_MISSING"
    assert "retrieve-footage" not in case.about


def test_a_step_that_breaks_a_rule_of_the_policy_says_so(models: Path) -> None:
    next(edit for edit in BREAKING if edit.name == "the_department_is_skipped").apply(models)
    case = PlayedCase(load(models, workers(), items=1))

    case.until("notify-storage")

    steps = [step for step in case.walk.steps if "department-first" in {rule.id for rule in step.broken}]
    assert "job file-application starts" in [name for call in steps[0].calls for name in call["then"]]


def test_a_choice_that_leads_into_an_incident_is_told(models: Path) -> None:
    model = Model(models)
    model.condition("Flow_DepartmentApproved", "=nobodyKnows > 1")
    model.save()
    case = PlayedCase(load(models, workers(), items=1)).until("preliminary")

    step = case.answer("preliminary", "approved")

    assert [finding.kind for finding in step.findings] == ["incident"]
    assert any(place.is_stuck for place in view.positions(case.walk.models, case.walk.case))


def test_where_the_case_stands_names_phases_and_called_processes() -> None:
    case = PlayedCase().until("preliminary")

    positions = view.positions(shipped(), case.walk.case)

    told = {place.element_id: ([p.en for p in place.phases], [w.en for w in place.waits]) for place in positions}
    assert told["Call_DepartmentDecides"] == (
        ["Video retrieval", "Before hand-over", "Approval"],
        ["waits for the process Review"],
    )
    assert told["Task_AwaitDecision"] == (["Review"], ["waits for the message review-decided"])
    counts = view.counts(shipped(), positions)
    assert counts["video-retrieval:Phase_Approval"] >= 1
    assert counts["review:review"] == 1
    marks = view.walk_marks(case.walk, positions, "video-retrieval", "en")
    assert (marks["Phase_Approval"].kind, marks["Call_DepartmentDecides"].kind) == ("inside", "here")
    assert marks["Flow_ApplicationComplete"].kind == "passed"


def test_the_variables_that_a_step_changed_are_marked() -> None:
    case = PlayedCase().until("preliminary-review")

    case.answer("preliminary-review")

    [scope, *_] = view.scopes(shipped(), case.walk.steps[-1])
    assert scope.name.en == "Video retrieval"
    marked = {one.name: one.is_new for one in scope.variables}
    assert (marked["applicationComplete"], marked["applicationNumber"]) == (True, False)


def test_a_case_may_begin_with_a_process_of_its_own(models: Path) -> None:
    for name in (
        "video-retrieval.bpmn",
        "matter.bpmn",
        "problem-report.bpmn",
        "violation.bpmn",
        "urgent-retrieval.bpmn",
        "work-order.bpmn",
        "inspection.bpmn",
    ):
        (models / name).unlink()
    (models / "policy-rules.yaml").write_text("rules: []\n", encoding="utf-8")

    loaded = load(models, workers(), items=1)
    case = PlayedCase(loaded)

    assert loaded.beginning == Beginning("create", "review")
    assert case.walk.steps[0].calls[0]["do"] == "create"
    assert case.about == ["open-review"]
