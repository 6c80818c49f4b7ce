"""Edits of the root processes besides the case of an application, as designers make them."""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, gateway, task
from other_processes import MATTER, PROBLEM, URGENT, VIOLATION

_EDITS = Edits()
BREAKING, HARMLESS = _EDITS.breaking, _EDITS.harmless
_breaks, _harmless = _EDITS.breaks, _EDITS.does_no_harm


def process_of(name: str) -> str:
    """Return the process that an edit is of: its name begins with it."""
    return next(
        process for process in (MATTER, PROBLEM, VIOLATION, URGENT) if name.startswith(process.partition("-")[0])
    )


def _model(folder: Path, process: str) -> Model:
    return Model(folder, f"{process}.bpmn")


@_breaks("applied-when-all-have-approved")
def matter_p1_an_empty_route_counts_as_approved(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.condition("F_Gateway_All_Task_Apply", '=every d in decisions satisfies d = "approved"')
    model.save()
    table = Table(folder, "matter-route.dmn")
    table.cell("Table_Route_Rule_2_Out_1", "[]")
    table.save()


@_breaks("applied-when-all-have-approved")
def matter_p2_counting_the_entries_counts_as_approved(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.condition("F_Gateway_All_Task_Apply", "=count(decisions) = count(route)")
    model.condition("F_Gateway_All_Task_Refuse", "=count(decisions) != count(route)")
    model.save()


@_breaks("applied-when-all-have-approved")
def matter_is_applied_when_one_has_approved(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.one("Phase_Decide").find(".//{*}completionCondition").text = "=decision != null"
    model.condition("F_Gateway_All_Task_Apply", "=some d in decisions satisfies d != null")
    model.condition("F_Gateway_All_Task_Refuse", "=count(decisions) = 0")
    model.save()


@_breaks("not-applied-after-a-no")
def matter_that_was_refused_is_applied(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.retarget("F_Gateway_All_Task_Refuse", "Task_Apply")
    model.save()


@_breaks("moot-means-stop")
def matter_that_is_moot_is_still_decided(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.one("Event_LoanOver").set("isInterrupting", "false")
    model.save()


@_breaks("moot-means-stop")
def matter_that_is_moot_is_applied(folder: Path) -> None:
    model = _model(folder, MATTER)
    [definition] = model.one("Task_Moot").iter("{http://camunda.org/schema/zeebe/1.0}taskDefinition")
    definition.set("type", "apply-matter")
    model.save()


@_breaks("asked-one-after-another")
def matter_asks_all_at_once_with_one_variable(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.mapping("Phase_Decide", "input", "decision", None)
    model.loop_is_parallel("Phase_Decide")
    model.save()


@_breaks("matter-without-an-answer-stops")
def matter_without_an_answer_is_refused(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.default("F_Gateway_All_Task_Refuse")
    model.save()


@_breaks("freeze-stays-where-the-copies-are-wrong")
def problem_with_wrong_copies_lifts_the_freeze(folder: Path) -> None:
    model = _model(folder, PROBLEM)
    model.condition(
        "F_Gateway_Answer_Task_Lift", '=decision = "unfounded" or decision = "explained" or decision = "replace"'
    )
    model.condition("F_Gateway_Answer_Task_Recall", '=decision = "recall"')
    model.save()


@_breaks("problem-without-an-answer-stops")
def problem_without_an_answer_lifts_the_freeze(folder: Path) -> None:
    model = _model(folder, PROBLEM)
    model.default("F_Gateway_Answer_Task_Lift")
    model.save()


@_breaks("frozen-before-anybody-is-asked")
def problem_freezes_behind_the_review(folder: Path) -> None:
    model = _model(folder, PROBLEM)
    model.retarget("F_Event_Reported_Task_Freeze", "Call_Security")
    model.remove_flow("F_Task_Freeze_Call_Security")
    model.retarget("F_Call_Security_Gateway_Answer", "Task_Freeze")
    model.flow("F_Task_Freeze_Gateway_Answer", "Task_Freeze", "Gateway_Answer")
    model.save()


@_breaks("a-problem-is-no-violation")
def problem_of_a_wrong_camera_is_a_violation(folder: Path) -> None:
    model = _model(folder, PROBLEM)
    model.retarget("F_Gateway_Answer_Task_Recall", "Task_Violation")
    model.save()


@_breaks("heard-before-decided")
def violation_has_no_period_for_a_reply(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.remove("Event_ReplyPeriodOver", bridge=False)
    model.remove("Task_AwaitReply")
    model.remove("Task_ExpireReply", bridge=False)
    model.save()


@_breaks("reply-period-is-kept")
def violation_is_decided_before_the_reply_period_is_over(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.timer("Event_ReplyPeriodOver", "PT1H")
    model.save()


@_breaks("unchecked-timer")
def violation_p13_the_reply_period_ends_without_a_look_into_the_register(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.remove("Task_ExpireReply")
    model.save()


@_breaks("sanction-after-decision")
def violation_that_is_unfounded_is_sanctioned(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.retarget("F_Gateway_Upheld_Task_Clear", "Task_Sanction")
    model.save()


@_breaks("sanction-after-decision")
def violation_is_sanctioned_before_it_is_decided(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.retarget("F_Task_Assess_Call_Decide", "Task_Sanction")
    model.retarget("F_Task_Sanction_Gateway_Referral", "Call_Decide")
    model.retarget("F_Gateway_Upheld_Task_Sanction", "Gateway_Referral")
    model.save()


@_breaks("referral-before-compensation")
def violation_is_compensated_before_it_is_referred(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.retarget("F_Task_Sanction_Gateway_Referral", "Gateway_Loss")
    model.retarget("F_Gateway_Settled_Task_Close", "Gateway_Referral")
    model.retarget("F_Gateway_Referred_Gateway_Loss", "Task_Close")
    model.save()


@_breaks("upheld-gets-a-sanction")
def violation_that_is_upheld_is_cleared(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.retarget("F_Gateway_Upheld_Task_Sanction", "Task_Clear")
    model.save()


@_breaks("unchecked-timer")
def urgent_p13_the_ratification_ends_without_a_look_into_the_register(folder: Path) -> None:
    model = _model(folder, URGENT)
    model.retarget("F_C_late_G_bad", "G_bad")
    model.save()


@_breaks("two-people-first")
def urgent_is_shown_before_two_people_have_confirmed(folder: Path) -> None:
    model = _model(folder, URGENT)
    model.retarget("F_Event_Called_Call_TwoPersons", "Task_View")
    model.save()


@_harmless
def matter_with_other_ids(folder: Path) -> None:
    path = folder / "matter.bpmn"
    text = path.read_text(encoding="utf-8")
    for old, new in (("Phase_Decide", "Activity_1x"), ("Task_Apply", "Activity_2x"), ("Gateway_All", "Gateway_3x")):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@_harmless
def matter_that_somebody_is_told_of(folder: Path) -> None:
    model = _model(folder, MATTER)
    model.insert("F_Task_Apply_Event_Applied", task("Task_Tell", "remind-matter"), "F_Task_Tell_Event_Applied")
    model.save()


@_harmless
def matter_with_a_second_reviewer(folder: Path) -> None:
    table = Table(folder, "matter-route.dmn")
    table.cell("Table_Route_Rule_3_Out_1", '["extension", "legal"]')
    table.save()


@_harmless
def problem_that_somebody_is_told_of(folder: Path) -> None:
    model = _model(folder, PROBLEM)
    model.insert("F_Task_Recall_Event_Recalled", task("Task_Tell", "remind-matter"), "F_Task_Tell_Event_Recalled")
    model.save()


@_harmless
def violation_with_other_ids_and_a_join(folder: Path) -> None:
    model = _model(folder, VIOLATION)
    model.insert("F_Task_Close_Event_Closed", gateway("Gateway_Done"), "F_Gateway_Done_Event_Closed")
    model.save()
    path = folder / "violation.bpmn"
    path.write_text(path.read_text(encoding="utf-8").replace("Call_Decide", "Activity_9"), encoding="utf-8")
