"""Edits of what stands beside the case of an application, by somebody who had not seen the rules.

Matters and their routes, problem reports, violations, inspections, work orders, maintenance, urgent views, and the
review stages that they ask.
"""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, change_stage, declare_worker, gateway, task, timer_start

BESIDE = Edits()
_ROUTES, _SEVERITY = "matter-route.dmn", "violation-severity.dmn"


def _cell(folder: Path, table: str, identity: str, text: str) -> None:
    opened = Table(folder, table)
    opened.cell(identity, text)
    opened.save()


# -- matters -----------------------------------------------------------------------------------------------------------


@BESIDE.breaks("matter-decided-by-management")
def the_row_of_ordinary_extensions_takes_the_important_ones(folder: Path) -> None:
    table = Table(folder, _ROUTES)
    table.cell("Table_Route_Entry_2_2", "-")
    table.move_to_top("Table_Route_Rule_2")
    table.save()


@BESIDE.breaks("purpose-change-decided-like-an-application")
def a_change_of_purpose_is_a_matter_of_security_alone(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_6", '["security", "security-signature"]')


@BESIDE.breaks("new-custodian-accepts")
def custody_passes_on_without_the_new_custodian(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_7", '["security-signature"]')


@BESIDE.breaks("recalled-with-signature")
def a_recall_is_reviewed_and_not_signed(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_8", '["security"]')


@BESIDE.breaks("appeal-not-to-those-who-decided")
def an_appeal_goes_to_those_who_decided(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_12", '["violation-security"]')


@BESIDE.breaks("disposed-of-by-two-offices")
def the_storage_office_disposes_alone(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_14", '["disposal"]')


@BESIDE.breaks("disposal-confirmed-after-the-check")
def a_disposal_is_confirmed_before_it_is_checked(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_14", '["disposal-confirm", "disposal"]')


@BESIDE.breaks("matter-signed-after-the-review")
def a_disclosure_is_signed_before_it_is_reviewed(folder: Path) -> None:
    _cell(folder, _ROUTES, "Table_Route_Result_11", '["security-signature", "legal", "security"]')


@BESIDE.breaks("checked-before-anybody-is-asked")
def what_is_not_refused_is_allowed_where_it_is_drawn_last(folder: Path) -> None:
    """Both flows are true of what is not allowed: as it is drawn here the other one is taken."""
    model = Model(folder, "matter.bpmn")
    model.condition("Flow_MatterAllowed", "=allowed != null")
    model.save()


# -- violations --------------------------------------------------------------------------------------------------------


@BESIDE.breaks("severe-is-rated-severe")
def the_mildest_row_of_severities_stands_first(folder: Path) -> None:
    table = Table(folder, _SEVERITY)
    table.move_to_top("Table_Severity_Rule_16")
    table.save()


@BESIDE.breaks("moderate-is-not-rated-minor")
def only_three_hundred_days_late_are_grave(folder: Path) -> None:
    table = Table(folder, _SEVERITY)
    table.cell("Table_Severity_Entry_11_3", "> 300")
    table.cell("Table_Severity_Entry_12_3", "> 300")
    table.save()


@BESIDE.breaks("security-does-not-judge-itself")
def security_decides_about_its_own_losses(folder: Path) -> None:
    _cell(folder, _SEVERITY, "Table_Severity_Result_9_2", '"violation-security"')


@BESIDE.breaks("management-does-not-judge-itself")
def management_decides_about_its_own_leaks(folder: Path) -> None:
    _cell(folder, _SEVERITY, "Table_Severity_Result_1_2", '"violation-management"')


@BESIDE.breaks("grave-suspends-the-person")
def whoever_has_leaked_keeps_all_other_copies(folder: Path) -> None:
    _cell(folder, _SEVERITY, "Table_Severity_Result_2_3", "false")


@BESIDE.breaks("grave-asks-for-a-referral")
def nobody_asks_for_the_referral_of_a_leak(folder: Path) -> None:
    _cell(folder, _SEVERITY, "Table_Severity_Result_2_4", "false")


@BESIDE.breaks("decided-by-whom-the-table-names")
def security_decides_whatever_the_table_says(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.mapping("Call_DecideViolation", "input", "stage", '="violation-security"')
    model.save()


@BESIDE.breaks("referral-is-reminded")
def the_referral_is_reminded_of_once(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.timer("Event_ReferralReminderDue", '="R1/P7D"')
    model.save()


@BESIDE.breaks("settlement-is-reminded")
def the_settlement_is_reminded_of_each_year(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.timer("Event_SettlementReminderDue", '="R/P1Y"')
    model.save()


# -- inspections -------------------------------------------------------------------------------------------------------


@BESIDE.breaks("every-case-is-answered")
def an_inspection_ends_with_the_first_case(folder: Path) -> None:
    model = Model(folder, "inspection.bpmn")
    [loop] = model.one("Phase_InspectCases").iter("{*}multiInstanceLoopCharacteristics")
    loop.append(model.make("<bpmn:completionCondition>=numberOfCompletedInstances >= 1</bpmn:completionCondition>"))
    model.save()


@BESIDE.breaks("first-sampled-case-is-inspected")
def a_single_case_is_not_worth_an_inspection(folder: Path) -> None:
    model = Model(folder, "inspection.bpmn")
    model.condition("Flow_HasCases", "=not(duplicate) and count(sampledCases) > 1")
    model.condition("Flow_NoCases", "=not(duplicate) and count(sampledCases) <= 1")
    model.save()


@BESIDE.breaks("other-sampled-cases-are-inspected")
def only_the_first_case_is_inspected(folder: Path) -> None:
    model = Model(folder, "inspection.bpmn")
    model.loop("Phase_InspectCases", inputCollection="=[sampledCases[1]]")
    model.save()


# -- work orders, maintenance, urgent views ----------------------------------------------------------------------------


@BESIDE.breaks("work-order-escalated-weekly")
def a_work_order_is_escalated_each_year(folder: Path) -> None:
    model = Model(folder, "work-order.bpmn")
    model.timer("Event_WorkOrderOverdue", '="R/" + dueAt + "/P1Y"')
    model.save()


@BESIDE.breaks("work-order-reminded-daily")
def a_work_order_is_reminded_of_three_times(folder: Path) -> None:
    model = Model(folder, "work-order.bpmn")
    model.timer("Event_WorkOrderReminderDue", '="R3/" + firstReminderAt + "/P1D"')
    model.save()


@BESIDE.breaks("work-order-verified-before-closed")
def an_answer_of_any_kind_closes_the_work_order(folder: Path) -> None:
    """As it is drawn here the flow that has it done again is taken where both are true."""
    model = Model(folder, "work-order.bpmn")
    model.condition("Flow_Accepted", "=decision != null")
    model.save()


@BESIDE.breaks("maintenance-every-day")
def the_maintenance_begins_on_mondays(folder: Path) -> None:
    model = Model(folder, "maintenance.bpmn")
    model.timer("Event_DayBegins", "0 0 2 * * MON")
    model.save()


@BESIDE.breaks("urgent-refusal-is-awaited")
def a_refused_application_keeps_its_urgent_view(folder: Path) -> None:
    model = Model(folder, "urgent-retrieval.bpmn")
    model.remove_branch("Event_ApplicationRefused")
    model.save()


# -- the review stages -------------------------------------------------------------------------------------------------


@BESIDE.breaks("second-person-releases-urgently")
def any_head_releases_urgently(folder: Path) -> None:
    groups = [{"posts": ["head"], "departments": "any"}, {"posts": ["security-reviewer"], "departments": "any"}]
    change_stage(folder, "urgent-release", candidates=groups)


@BESIDE.breaks("security-answers-problems")
def a_problem_is_answered_without_its_question(folder: Path) -> None:
    question = {
        "code": "retrieve-anew",
        "zh": "是否需重新调取？",
        "en": "Is it retrieved again?",
        "yesToApprove": False,
    }
    change_stage(folder, "problem", questions=[question])


@BESIDE.breaks("group-inspects")
def the_head_of_security_inspects(folder: Path) -> None:
    change_stage(folder, "supervision", candidates=[{"posts": ["head"], "departments": "security"}])


@BESIDE.breaks("head-of-security-confirms-disposals")
def the_storage_office_confirms_its_own_list(folder: Path) -> None:
    change_stage(folder, "disposal-confirm", candidates=[{"posts": ["storage-operator"], "departments": "storage"}])


# -- harmless ----------------------------------------------------------------------------------------------------------


@BESIDE.does_no_harm
def management_decides_more_matters_and_violations_are_graver(folder: Path) -> None:
    table = Table(folder, _ROUTES)
    table.cell("Table_Route_Result_2", '["extension", "management"]')
    table.cell("Table_Route_Result_8", '["recall", "management"]')
    table.save()
    table = Table(folder, _SEVERITY)
    table.cell("Table_Severity_Entry_11_3", "> 14")
    table.cell("Table_Severity_Entry_12_3", "> 14")
    table.save()


@BESIDE.does_no_harm
def the_parts_of_the_day_come_one_after_another_and_its_timer_has_another_id(folder: Path) -> None:
    model = Model(folder, "maintenance.bpmn")
    for flow in ("Flow_ToReconcile", "Flow_ToOpenDueWorkOrders", "Flow_ToListDisposals", "Flow_Maintained"):
        model.remove_flow(flow)
    model.retarget("Flow_ToReverifyFootage", "Task_ReverifyFootage")
    model.retarget("Flow_ReverifyFootageOver", "Task_Reconcile")
    model.retarget("Flow_ReconcileOver", "Task_OpenDueWorkOrders")
    model.retarget("Flow_OpenDueWorkOrdersOver", "Task_ListDisposals")
    model.retarget("Flow_ListDisposalsOver", "Event_Maintained")
    model.retarget("Flow_DayBegins", "Task_ReverifyFootage")
    model.remove_flow("Flow_ToReverifyFootage")
    model.remove("Gateway_Maintain", bridge=False)
    model.remove("Gateway_Maintained", bridge=False)
    model.timer("Event_DayBegins", "0 0 2,14 * * *")
    model.save()
    text = model.path.read_text(encoding="utf-8")
    model.path.write_text(text.replace('Event_DayBegins"', 'StartEvent_1"'), encoding="utf-8")


@BESIDE.does_no_harm
def every_work_order_is_verified_and_reminded_twice_a_day(folder: Path) -> None:
    model = Model(folder, "work-order.bpmn")
    model.retarget("Flow_WorkOrderDone", "Call_Verification")
    model.remove_flow("Flow_ToVerify")
    model.remove_flow("Flow_NotToVerify")
    model.remove("Gateway_ToVerify", bridge=False)
    model.timer("Event_WorkOrderReminderDue", '="R/" + firstReminderAt + "/PT12H"')
    model.insert("Flow_Closes", gateway("Gateway_Again"), "Flow_ClosesAgain")
    model.save()


# -- what is handed to workers, and when -------------------------------------------------------------------------------


def _mapping(folder: Path, process: str, element: str, target: str, source: str) -> None:
    model = Model(folder, f"{process}.bpmn")
    model.mapping(element, "input", target, source)
    model.save()


@BESIDE.breaks("refused-report-is-closed-as-refused")
def a_refused_report_is_closed_as_signed(folder: Path) -> None:
    _mapping(folder, "inspection", "Task_CloseInspection", "closedAs", '="signed"')


@BESIDE.breaks("signed-report-is-closed-as-signed")
def a_signed_report_is_closed_as_refused(folder: Path) -> None:
    _mapping(folder, "inspection", "Task_CloseInspection", "closedAs", '="refused"')


@BESIDE.breaks("inspected-cases-are-not-closed-as-none")
def an_inspection_with_cases_is_closed_as_one_without(folder: Path) -> None:
    _mapping(folder, "inspection", "Task_CloseInspection", "closedAs", '="no-cases"')


@BESIDE.breaks("decided-violation-is-closed-as-handled")
def a_violation_that_was_upheld_is_closed_as_moot(folder: Path) -> None:
    _mapping(folder, "violation", "Task_CloseViolation", "closedAs", '="moot"')


@BESIDE.breaks("a-breach-is-entered-as-a-breach")
def a_breach_is_entered_as_overdue(folder: Path) -> None:
    _mapping(folder, "problem-report", "Task_OpenBreachViolation", "violationKind", '="overdue"')


@BESIDE.breaks("failed-reconcile-is-a-work-order")
def a_failed_reconciliation_is_entered_as_another_part(folder: Path) -> None:
    _mapping(folder, "maintenance", "Task_ReconcileDefect", "defect", '="reverify-footage"')


@BESIDE.breaks("suspended-at-once")
def access_is_suspended_after_the_reply(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.retarget("Flow_ViolationRated", "Task_AwaitReply")
    model.remove_flow("Flow_ViolationServed")
    model.retarget("Flow_Heard", "Task_SuspendForViolation")
    model.flow("Flow_ServedLate", "Task_SuspendForViolation", "Call_DecideViolation")
    model.timer("Event_ReplyPeriodOver", "P7D")
    model.save()


@BESIDE.breaks("reviews-escalate")
def a_review_is_opened_to_substitutes_after_a_minute(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    model.timer("Event_ReviewLimitReached", "PT1M")
    model.save()


# -- violations: who decides, what is held, who is reminded ------------------------------------------------------------


def _minor_violations_go_to(folder: Path, target: str) -> None:
    model = Model(folder, "violation.bpmn")
    model.insert("Flow_Heard", gateway("Gateway_Minor"), "Flow_NotMinor", '=severity != "minor"')
    model.flow("Flow_Minor", "Gateway_Minor", target, '=severity = "minor"')
    model.save()


@BESIDE.breaks("cleared-only-when-unfounded")
def minor_violations_are_cleared_and_nobody_decides(folder: Path) -> None:
    _minor_violations_go_to(folder, "Task_ClearViolation")


@BESIDE.breaks("closed-only-when-sanctioned")
def minor_violations_are_closed_as_handled_and_nobody_decides(folder: Path) -> None:
    _minor_violations_go_to(folder, "Task_CloseViolation")


@BESIDE.breaks("referral-holds-the-evidence")
def evidence_is_held_of_severe_violations_alone(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.insert("Flow_EvidenceHeld", gateway("Gateway_HoldOver"), "Flow_HoldOver")
    model.insert("Flow_ReferralDecided", gateway("Gateway_HoldNeeded"), "Flow_HoldNeeded", '=severity = "severe"')
    model.flow("Flow_NoHold", "Gateway_HoldNeeded", "Gateway_HoldOver", '=severity != "severe"')
    model.save()


@BESIDE.breaks("settlement-is-reminded-beside-a-referral")
def nobody_is_reminded_of_the_loss_beside_a_referral(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.insert("Flow_ReceiptRecorded", gateway("Gateway_Lost"), "Flow_NotLost", "=loss = false")
    await_loss = '<bpmn:receiveTask id="Task_AwaitLossToo" name="等待赔偿" messageRef="Message_LossSettled" />'
    model.add("violation", await_loss)
    model.flow("Flow_Lost", "Gateway_Lost", "Task_AwaitLossToo", "=loss = true")
    model.flow("Flow_LossOver", "Task_AwaitLossToo", "Gateway_Referred")
    model.save()


@BESIDE.breaks("violation-without-an-answer-stops")
def a_referral_without_an_answer_counts_as_declined(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.condition("Flow_ReferralDeclined", '=decision != "approved"')
    model.save()


@BESIDE.does_no_harm
def there_are_ten_days_at_least_to_reply(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.timer("Event_ReplyPeriodOver", '=if duration(replyPeriod) < duration("P10D") then "P10D" else replyPeriod')
    model.save()


@BESIDE.does_no_harm
def nothing_is_put_right_where_nothing_was_found(folder: Path) -> None:
    model = Model(folder, "inspection.bpmn")
    model.loop("Phase_InspectCases", outputCollection="caseResults", outputElement="=decision")
    model.insert("Flow_Corrected", gateway("Gateway_ToClose"), "Flow_ToClose")
    found = '=some r in caseResults satisfies r = "found"'
    model.insert("Flow_ToCorrections", gateway("Gateway_AnyFinding"), "Flow_Correct", found)
    nothing = '=every r in caseResults satisfies r = "inspected"'
    model.flow("Flow_NothingFound", "Gateway_AnyFinding", "Gateway_ToClose", nothing)
    model.save()


# -- what begins by itself ---------------------------------------------------------------------------------------------


@BESIDE.breaks("missing")
def a_review_is_opened_each_night(folder: Path) -> None:
    """The review is called by all others; what its own timer begins is about nothing."""
    model = Model(folder, "review.bpmn")
    model.add("review", timer_start("Event_Nightly", "R/P1D"))
    model.flow("Flow_Nightly", "Event_Nightly", "Task_OpenReview")
    model.save()


_DIGEST = (
    '<bpmn:process id="digest" name="周报" isExecutable="true"><bpmn:extensionElements>'
    '<zeebe:versionTag value="2026-01" /></bpmn:extensionElements>'
    '<bpmn:startEvent id="Event_DigestAsked" name="周报已要求" /></bpmn:process>'
)


@BESIDE.does_no_harm
def a_digest_is_written_each_week_and_when_the_maintenance_calls_for_it(folder: Path) -> None:
    """A process of one's own, which begins by a call and by a timer, and does nothing but write."""
    declare_worker(folder, "write-digest", {}, inputs=())
    model = Model(folder, "maintenance.bpmn")
    model.root.insert(1, model.make(_DIGEST))
    model.add("digest", timer_start("Event_Weekly", "0 0 6 * * MON"))
    model.add("digest", task("Task_WriteDigest", "write-digest"))
    model.end("digest", "Event_DigestWritten")
    model.flow("Flow_DigestAsked", "Event_DigestAsked", "Task_WriteDigest")
    model.flow("Flow_Weekly", "Event_Weekly", "Task_WriteDigest")
    model.flow("Flow_DigestWritten", "Task_WriteDigest", "Event_DigestWritten")
    call = '<zeebe:calledElement processId="digest" propagateAllChildVariables="false" bindingType="deployment" />'
    model.insert(
        "Flow_ListDisposalsOver",
        f'<bpmn:callActivity id="Call_Digest" name="周报"><bpmn:extensionElements>{call}</bpmn:extensionElements>'
        "</bpmn:callActivity>",
        "Flow_DigestCalled",
    )
    model.save()
