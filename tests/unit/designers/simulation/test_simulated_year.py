"""A simulated year: the same again for a seed, and what absences, retention, timers and edits do to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edited_models import change_stage
from simulated_year import (
    CASES,
    HOUR,
    INTERPRETING,
    deciding,
    demo,
    edited,
    keeping,
    read,
    shipped,
    simulate,
    stage_of,
    with_absences,
    with_one_more_review,
)

from services.designers.simulation import heat_map, run, sentences
from services.designers.simulation.draws import Spread
from services.designers.simulation.models import CannotEnd, Models
from services.designers.simulation.result import Result
from services.engine.processing import command_processor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def before() -> Result:
    return simulate()


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return read(with_one_more_review(tmp_path_factory.mktemp("after") / "models"))


def figures(result: Result) -> dict[str, Any]:
    return {name: value for name, value in result.as_json().items() if name != "cases_per_cpu_second"}


def fired(result: Result) -> dict[str, int]:
    return {count.element: count.count for count in result.timers}


def ended_at(result: Result) -> dict[str, int]:
    return {count.element: count.count for count in result.ends}


def test_a_seed_gives_the_same_year_again_and_another_one_another(before: Result) -> None:
    assert figures(simulate()) == figures(before)
    assert figures(simulate(seed=2)) != figures(before)


def test_every_case_of_the_shipped_models_ends(before: Result) -> None:
    assert before.ended == CASES == sum(ended_at(before).values())
    assert list(sentences.warnings(before)) == []
    assert before.cases_per_cpu_second > 0


def test_it_says_in_a_sentence_where_the_time_goes_and_how_much_is_lost(before: Result) -> None:
    zh, en = sentences.where_the_time_goes(before)
    most = max(before.stages, key=lambda stage: stage.share)
    assert f"“{most.zh}”" in zh
    assert most.en in en
    zh, en = sentences.what_is_lost(before)
    assert f"{before.recordings.all} 段录像中有 {before.recordings.lost} 段" in zh
    assert f"{before.recordings.lost} of {before.recordings.all} recordings" in en


def test_one_more_review_lengthens_the_cases_and_the_sentence_says_so(before: Result, after: Models) -> None:
    longer = simulate(after)
    assert stage_of(longer, INTERPRETING).visits > 0
    assert longer.mean_days > before.mean_days
    zh, en = sentences.difference(before, longer)
    assert "改动之后每案平均多用" in zh
    assert "days longer" in en
    assert f"stage {INTERPRETING}" in [stage.name for stage, _, _ in sentences.changes_by_stage(before, longer)]


def test_the_same_cases_come_to_both_and_what_lies_before_the_edit_is_the_same(after: Models) -> None:
    once = replace(demo(), applicants=replace(demo().applicants, corrects=0.0))
    was, is_now = (stage_of(simulate(models, once), "preliminary") for models in (shipped(), after))
    assert replace(was, share=0) == replace(is_now, share=0)


def test_models_beside_themselves_change_nothing(before: Result) -> None:
    zh, en = sentences.difference(before, before)
    assert "平均用时不变" in zh
    assert "as long as before" in en


def test_absences_lengthen() -> None:
    away = simulate(profile=with_absences(40, 8))
    there = simulate(profile=with_absences(0, 1))
    assert away.mean_days > there.mean_days + 1


def test_people_do_one_thing_at_a_time_so_that_others_wait(before: Result) -> None:
    slow = simulate(profile=deciding("security-signature", work=Spread((600 * HOUR,))))
    assert stage_of(slow, "security-signature").waited > 24 > stage_of(before, "security-signature").waited


@pytest.mark.requirement("R31")
def test_a_shorter_retention_loses_more_and_what_is_preserved_is_not_lost() -> None:
    long, short = simulate(profile=keeping(30, "never")), simulate(profile=keeping(2, "never"))
    assert short.recordings.lost > long.recordings.lost
    preserved = simulate(profile=keeping(2, "always"))
    assert preserved.recordings.preserved == preserved.recordings.all
    assert preserved.recordings.lost == 0
    at_risk = simulate(profile=keeping(2, "at-risk"))
    assert at_risk.recordings.lost == 0
    assert simulate(profile=keeping(300, "at-risk")).recordings.preserved == 0


def test_a_model_that_no_longer_preserves_loses_recordings(tmp_path: Path) -> None:
    model = edited(tmp_path / "models")
    model.remove("Task_PreserveFootage")
    model.save()
    without = simulate(read(tmp_path / "models"), keeping(2, "always"))
    assert without.recordings.preserved == 0
    assert without.recordings.lost > 0


def test_timers_remind_escalate_and_expire() -> None:
    late = deciding("preliminary", response=Spread((60 * HOUR,)), outcomes={"returned": 1.0})
    never = replace(late, applicants=replace(demo().applicants, corrects=0.0, withdraws=0.0))
    result = simulate(profile=never)
    assert ended_at(result) == {"Event_ApplicationExpired": CASES}
    assert fired(result)["Event_CorrectionPeriodOver"] == CASES
    assert fired(result)["Event_ReviewReminderDue"] > fired(result)["Event_ReviewLimitReached"] > 0


def test_after_the_limit_substitutes_decide_as_well() -> None:
    """Nobody of the first group is there the whole year; the escalation asks those who stand in."""
    reviewers = {"security-reviewer-1": 1.0, "security-reviewer-2": 1.0}
    away = replace(demo(), absences=replace(demo().absences, per_year=reviewers, others=0.0, days=Spread((900.0,))))
    result = simulate(profile=away)
    assert result.ended == CASES


def test_copies_that_come_back_late_are_reminded_of_and_suspended() -> None:
    late = replace(demo(), applicants=replace(demo().applicants, returned=Spread((3.0,)), loses=0.0, extends=0.0))
    result = simulate(profile=late)
    assert fired(result)["Event_DueDateReached"] == fired(result)["Event_GraceOver"] > 0
    assert fired(result)["Event_ReminderDue"] > fired(result)["Event_DueDateReached"]


def test_a_stage_that_nobody_may_decide_is_a_warning(tmp_path: Path) -> None:
    folder = with_one_more_review(tmp_path / "models")
    change_stage(folder, INTERPRETING, candidates=[{"posts": ["deputy"], "departments": "legal"}])
    result = simulate(read(folder), cases=3)
    # a reminder a day for nobody is not simulated for years
    assert fired(result)["Event_ReviewReminderDue"] < 3 * 2 * run.MOST_SILENT
    assert result.undecidable[0].en == "interpreter's review"
    assert result.ended < 3
    warnings = [en for _, en in sentences.warnings(result)]
    assert any(en.startswith("Nobody may decide interpreter's review") for en in warnings)
    assert any("still at 审核" in en or "still at Call_Interprets" in en for en in warnings)


def test_an_incident_of_the_model_is_reported_with_its_element(tmp_path: Path) -> None:
    model = edited(tmp_path / "models")
    model.condition("Flow_FirstIssue", "=nothingHasThis")
    model.save()
    result = simulate(read(tmp_path / "models"), cases=3)
    assert result.ended == 0
    assert result.stops[0].element == "Gateway_Reissue"
    assert "none of them has ended" in sentences.where_the_time_goes(result)[1]


def test_a_loop_without_a_wait_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_processor, "MAX_STEPS", 500)
    model = edited(tmp_path / "models")
    model.retarget("Flow_FirstIssue", "Gateway_Reissue")
    model.save()
    with pytest.raises(CannotEnd, match="endless loop"):
        simulate(read(tmp_path / "models"), cases=1)


def test_a_loop_of_jobs_is_a_sentence_that_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_STEPS", 100)
    model = edited(tmp_path / "models")
    model.retarget("Flow_CaseOpened", "Task_OpenCase")
    model.save()
    with pytest.raises(CannotEnd, match="stands at Open case") as raised:
        simulate(read(tmp_path / "models"), cases=1)
    assert "停在“登记案件”" in raised.value.sentence[0]


def test_each_phase_is_drawn_with_the_time_of_its_elements() -> None:
    ran = run.run(shipped(), demo(), cases=5, seed=1)
    drawn = dict(heat_map.draw(shipped(), ran.tally, "en"))
    assert {"video-retrieval", "Phase_Approval", "review"} <= drawn.keys()
    assert "on average" in drawn["Phase_Approval"]
    assert "平均" in dict(heat_map.draw(shipped(), ran.tally, "zh"))["Phase_Approval"]
