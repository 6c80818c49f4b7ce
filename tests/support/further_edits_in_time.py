"""Edits of what stands beside the case of an application: what comes too late, in another order, or to no end."""

import json
from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, change_stage, gateway, review, stage, timer_event

IN_TIME = Edits()
_ROUTES, _SEVERITY = "matter-route.dmn", "violation-severity.dmn"


def _waits(folder: Path, process: str, flow: str, duration: str) -> None:
    """Drop an event on a flow that waits so long."""
    model = Model(folder, f"{process}.bpmn")
    model.insert(flow, timer_event("Event_LaterOn", duration), "Flow_LaterOn")
    model.save()


def _routes(folder: Path, rows: dict[int, str]) -> None:
    table = Table(folder, _ROUTES)
    for row, stages in rows.items():
        table.cell(f"Table_Route_Result_{row}", stages)
    table.save()


# -- matters: in which order, and when ---------------------------------------------------------------------------------


@IN_TIME.breaks("purpose-change-to-the-department-first")
def security_reviews_a_change_of_purpose_before_the_department(folder: Path) -> None:
    important = '["security", "preliminary", "security-signature", "management"]'
    _routes(folder, {4: important, 5: important, 6: '["security", "preliminary", "security-signature"]'})


@IN_TIME.breaks("extension-to-management-last")
def management_decides_an_extension_before_security(folder: Path) -> None:
    _routes(folder, {1: '["management", "extension"]'})


@IN_TIME.breaks("signed-after-legal")
def a_disclosure_is_signed_before_legal_reviews_it(folder: Path) -> None:
    important = '["security", "security-signature", "legal", "management"]'
    _routes(folder, {9: important, 10: important, 11: '["security", "security-signature", "legal"]'})


@IN_TIME.breaks("signed-after-legal")
def the_end_of_a_hold_is_signed_before_legal_reviews_it(folder: Path) -> None:
    _routes(folder, {16: '["security-signature", "legal"]'})


@IN_TIME.breaks("what-others-decide-goes-on")
def a_matter_is_done_a_month_after_it_was_agreed(folder: Path) -> None:
    _waits(folder, "matter", "Flow_MatterAgreed", "P30D")


@IN_TIME.breaks("what-others-decide-goes-on")
def a_refused_matter_is_closed_a_month_later(folder: Path) -> None:
    _waits(folder, "matter", "Flow_MatterNotDone", "P30D")


@IN_TIME.breaks("matter-is-taken-up-at-once")
def nobody_is_asked_about_a_matter_for_a_month(folder: Path) -> None:
    _waits(folder, "matter", "Flow_MatterRouted", "P30D")


@IN_TIME.breaks("what-others-decide-goes-on")
def three_weeks_pass_between_the_stages_of_a_matter(folder: Path) -> None:
    _waits(folder, "matter", "Flow_StageDecided", "P21D")


# -- problem reports, urgent views, work orders ------------------------------------------------------------------------


@IN_TIME.breaks("what-others-decide-goes-on")
def wrong_copies_are_recalled_a_month_later(folder: Path) -> None:
    _waits(folder, "problem-report", "Flow_CopiesUnfit", "P30D")


@IN_TIME.breaks("what-others-decide-goes-on")
def copies_that_are_in_order_stay_frozen_for_a_month(folder: Path) -> None:
    _waits(folder, "problem-report", "Flow_ProblemExplained", "P30D")


@IN_TIME.breaks("urgent-view-ends-when-approved")
def an_urgent_view_lasts_a_week_longer_than_its_approval(folder: Path) -> None:
    _waits(folder, "urgent-retrieval", "Flow_Approved", "P7D")


@IN_TIME.breaks("urgent-release-is-asked-at-once")
def an_urgent_call_waits_for_a_day(folder: Path) -> None:
    _waits(folder, "urgent-retrieval", "Flow_UrgentCalled", "P1D")


@IN_TIME.breaks("urgent-view-opens-at-once")
def an_urgent_view_opens_a_month_later(folder: Path) -> None:
    _waits(folder, "urgent-retrieval", "Flow_PreservedAtOnce", "P30D")


@IN_TIME.breaks("work-order-is-verified-soon")
def what_was_done_is_verified_a_month_later(folder: Path) -> None:
    _waits(folder, "work-order", "Flow_ToVerify", "P30D")


@IN_TIME.breaks("what-others-decide-goes-on")
def what_is_to_be_done_again_is_reopened_a_month_later(folder: Path) -> None:
    _waits(folder, "work-order", "Flow_Again", "P30D")


@IN_TIME.breaks("work-order-gets-closed")
def what_nobody_verifies_is_never_closed(folder: Path) -> None:
    model = Model(folder, "work-order.bpmn")
    model.end("work-order", "Event_JustDone")
    model.retarget("Flow_NotToVerify", "Event_JustDone")
    model.save()


@IN_TIME.breaks("work-order-can-be-cancelled")
def a_work_order_is_cancelled_only_before_it_is_done(folder: Path) -> None:
    """The event subprocess becomes an event at the waiting: nothing cancels the verification."""
    model = Model(folder, "work-order.bpmn")
    for moved in ("Task_CloseCancelledWorkOrder", "Event_CancelledClosed", "Flow_CancelledClosed"):
        model.move(moved, "work-order")
    model.remove_flow("Flow_WorkOrderCancelled")
    model.remove("Phase_Cancelled", bridge=False)
    model.add(
        "work-order",
        '<bpmn:boundaryEvent id="Event_CancelledHere" name="事务已撤销" attachedToRef="Task_AwaitDone">'
        '<bpmn:messageEventDefinition id="Event_CancelledHere_m" messageRef="Message_WorkOrderCancelled" />'
        "</bpmn:boundaryEvent>",
    )
    model.flow("Flow_CancelledHere", "Event_CancelledHere", "Task_CloseCancelledWorkOrder")
    model.save()


# -- violations and inspections ----------------------------------------------------------------------------------------


@IN_TIME.breaks("violation-is-decided-after-the-hearing")
def a_violation_is_decided_half_a_year_after_the_hearing(folder: Path) -> None:
    _waits(folder, "violation", "Flow_Heard", "P180D")


@IN_TIME.breaks("unfounded-is-cleared-at-once")
def whoever_is_cleared_waits_for_two_months(folder: Path) -> None:
    _waits(folder, "violation", "Flow_ViolationUnfounded", "P60D")


@IN_TIME.breaks("violation-goes-on")
def a_sanction_is_recorded_a_year_later(folder: Path) -> None:
    _waits(folder, "violation", "Flow_SanctionReady", "P365D")


@IN_TIME.breaks("referral-is-asked-about")
def legal_is_asked_about_a_crime_half_a_year_later(folder: Path) -> None:
    _waits(folder, "violation", "Flow_ReferralNeeded", "P180D")


@IN_TIME.breaks("what-begins-is-taken-up")
def a_violation_is_assessed_a_month_later(folder: Path) -> None:
    _waits(folder, "violation", "Flow_ViolationOpened", "P30D")


@IN_TIME.breaks("what-begins-is-taken-up")
def a_work_order_begins_two_months_later(folder: Path) -> None:
    _waits(folder, "work-order", "Flow_WorkOrderOpened", "P60D")


@IN_TIME.breaks("what-begins-is-taken-up")
def a_sample_is_drawn_half_a_year_later(folder: Path) -> None:
    _waits(folder, "inspection", "Flow_InspectionDue", "P180D")


@IN_TIME.breaks("moderate-is-not-rated-minor")
def the_third_violation_in_a_year_is_rated_by_no_known_word(folder: Path) -> None:
    table = Table(folder, _SEVERITY)
    for row in (13, 14):
        table.cell(f"Table_Severity_Result_{row}_1", '"moderat"')
    table.save()


@IN_TIME.breaks("violation-is-rated-and-given-to-somebody")
def other_violations_go_to_those_who_decide_appeals(folder: Path) -> None:
    table = Table(folder, _SEVERITY)
    table.cell("Table_Severity_Result_16_2", '"violation-appeal"')
    table.save()


@IN_TIME.breaks("sample-is-inspected-soon")
def a_sample_is_inspected_half_a_year_later(folder: Path) -> None:
    _waits(folder, "inspection", "Flow_HasCases", "P180D")


@IN_TIME.breaks("what-others-decide-goes-on")
def the_report_is_written_half_a_year_after_the_inspection(folder: Path) -> None:
    _waits(folder, "inspection", "Flow_AllInspected", "P180D")


@IN_TIME.breaks("report-is-signed-soon")
def the_report_is_signed_half_a_year_later(folder: Path) -> None:
    _waits(folder, "inspection", "Flow_Reported", "P180D")


# -- who is asked first, what is asked, and what the system checks -----------------------------------------------------


@IN_TIME.breaks("legal-reviews-sanctions")
def managers_alone_review_the_basis_of_a_fine(folder: Path) -> None:
    change_stage(folder, "legal-sanction", candidates=[{"posts": ["manager"], "departments": "any"}])


@IN_TIME.breaks("legal-decides-referrals")
def managers_alone_decide_about_a_referral(folder: Path) -> None:
    change_stage(folder, "referral", candidates=[{"posts": ["manager"], "departments": "any"}])


@IN_TIME.breaks("legal-decides-violations")
def managers_decide_before_legal_what_concerns_them(folder: Path) -> None:
    change_stage(folder, "violation-legal", candidates=stage(folder, "violation-legal")["candidates"][::-1])


@IN_TIME.breaks("legal-reviews-sanctions")
def legal_has_a_minute_to_review_a_fine(folder: Path) -> None:
    change_stage(folder, "legal-sanction", limit="PT1M")


@IN_TIME.breaks("head-of-security-recalls")
def substitutes_sign_a_recall_once_the_copies_are_open_again(folder: Path) -> None:
    change_stage(folder, "recall", limit="P3D")


@IN_TIME.breaks("security-reviews-extensions")
def an_extension_is_asked_about_otherwise(folder: Path) -> None:
    question = {"code": "fine", "zh": "是否可以？", "en": "Is it fine?"}
    change_stage(folder, "extension", instead={"extension": {"questions": [question]}})


@IN_TIME.breaks("group-inspects")
def a_question_of_the_inspection_has_the_check_of_another(folder: Path) -> None:
    path = folder / "checklists.json"
    lists = json.loads(path.read_text(encoding="utf-8"))
    lists["approval"]["questions"][1]["system"] = lists["approval"]["questions"][0]["system"]
    path.write_text(json.dumps(lists, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


# -- harmless ----------------------------------------------------------------------------------------------------------


@IN_TIME.does_no_harm
def a_sanction_is_slept_on(folder: Path) -> None:
    _waits(folder, "violation", "Flow_SanctionReady", "P1D")


@IN_TIME.does_no_harm
def an_hour_passes_before_the_verification(folder: Path) -> None:
    _waits(folder, "work-order", "Flow_WorkOrderDone", "PT1H")


@IN_TIME.does_no_harm
def administration_no_longer_substitutes_for_security(folder: Path) -> None:
    groups = stage(folder, "violation-security")["candidates"]
    others = [group for group in groups if group["departments"] != "administration"]
    change_stage(folder, "violation-security", candidates=others, limit="P5D")


@IN_TIME.does_no_harm
def legal_gives_advice_beside_the_decision(folder: Path) -> None:
    """Whatever it says: what was decided waits for it, while whoever advises is reminded."""
    path = folder / "review-stages.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["duties"]["advising"] = {"zh": "意见提供人", "en": "who gives advice"}
    advice = {"zh": "法务意见", "en": "advice of Legal", "duty": "advising"}
    content["stages"]["violation-advice"] = {**content["stages"]["legal-sanction"], **advice}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    model = Model(folder, "violation.bpmn")
    model.insert("Flow_Heard", gateway("Gateway_Advice", "parallel"), "Flow_ToDecision")
    model.add("violation", review("Call_Advice", "violation-advice", "advice"))
    model.mapping("Call_Advice", "input", "matterId", "=matterId")
    model.insert("Flow_ViolationDecided", gateway("Gateway_Advised", "parallel"), "Flow_DecidedWithAdvice")
    model.flow("Flow_ToAdvice", "Gateway_Advice", "Call_Advice")
    model.flow("Flow_Advice", "Call_Advice", "Gateway_Advised")
    model.save()
