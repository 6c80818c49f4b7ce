"""Parts of the models drawn anew, waits put in between, and processes added, by somebody who had not seen the rules."""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, declare_worker, gateway, task, timer_event

REDRAWN, REDRAWN_BESIDE = Edits(), Edits()
_MATTER, _VIOLATION, _PROBLEM = "matter.bpmn", "violation.bpmn", "problem-report.bpmn"
_INSPECTION, _WORK_ORDER, _URGENT = "inspection.bpmn", "work-order.bpmn", "urgent-retrieval.bpmn"


def _wait(folder: Path, file: str, flow: str, duration: str) -> None:
    """Put a wait for a time on a flow."""
    model = Model(folder, file)
    model.insert(flow, timer_event("Event_Later", duration), "Flow_Later")
    model.save()


# -- waits that nobody asked for ---------------------------------------------------------------------------------------


@REDRAWN.breaks("approved-goes-on-at-once")
def what_is_approved_cools_off_for_a_week(folder: Path) -> None:
    _wait(folder, "video-retrieval.bpmn", "Flow_RetrievalBegins", "P7D")


@REDRAWN.breaks("loss-is-recorded-at-once")
def a_loss_is_recorded_a_month_later(folder: Path) -> None:
    _wait(folder, "video-retrieval.bpmn", "Flow_LoanLost", "P30D")


@REDRAWN_BESIDE.breaks("security-is-asked-at-once")
def security_hears_of_a_problem_a_month_later(folder: Path) -> None:
    _wait(folder, _PROBLEM, "Flow_LoanFrozen", "P30D")


@REDRAWN_BESIDE.breaks("a-breach-is-recorded-at-once")
def a_breach_is_recorded_in_the_next_quarter(folder: Path) -> None:
    _wait(folder, _PROBLEM, "Flow_BreachFound", "P90D")


@REDRAWN_BESIDE.breaks("urgent-view-ends-when-refused")
def what_was_refused_is_shown_for_another_week(folder: Path) -> None:
    _wait(folder, _URGENT, "Flow_Refused", "P7D")


@REDRAWN_BESIDE.breaks("urgent-not-ratified-is-recorded-at-once")
def a_view_without_approval_is_recorded_in_the_next_quarter(folder: Path) -> None:
    _wait(folder, _URGENT, "Flow_NotRatified", "P90D")


@REDRAWN_BESIDE.breaks("evidence-is-held-at-once")
def what_is_to_be_referred_waits_for_a_year(folder: Path) -> None:
    _wait(folder, _VIOLATION, "Flow_ReferralDecided", "P365D")


@REDRAWN_BESIDE.breaks("suspended-within-an-hour")
def access_is_suspended_a_month_later(folder: Path) -> None:
    _wait(folder, _VIOLATION, "Flow_ViolationRated", "P30D")


@REDRAWN_BESIDE.breaks("corrections-within-a-day")
def findings_are_put_right_in_the_next_quarter(folder: Path) -> None:
    _wait(folder, _INSPECTION, "Flow_ToCorrections", "P90D")


@REDRAWN_BESIDE.breaks("reply-period-is-kept")
def every_reply_is_awaited_for_ten_days(folder: Path) -> None:
    """The register may give more."""
    model = Model(folder, _VIOLATION)
    model.timer("Event_ReplyPeriodOver", "P10D")
    model.save()


# -- what stops the process before something comes that has to ---------------------------------------------------------


@REDRAWN_BESIDE.breaks("suspended-at-once")
def access_is_suspended_after_the_reply(folder: Path) -> None:
    """The time for the reply comes with the suspension, so the wait before it stops."""
    model = Model(folder, _VIOLATION)
    model.retarget("Flow_ViolationRated", "Task_AwaitReply")
    model.remove_flow("Flow_ViolationServed")
    model.retarget("Flow_Heard", "Task_SuspendForViolation")
    model.flow("Flow_ServedLate", "Task_SuspendForViolation", "Call_DecideViolation")
    model.save()


@REDRAWN_BESIDE.breaks("upheld-gets-a-sanction")
def what_legal_declines_has_no_sanction(folder: Path) -> None:
    """Whether there is to be a referral comes with the sanction, so the question behind it stops."""
    model = Model(folder, _VIOLATION)
    model.retarget("Flow_LegalDeclined", "Gateway_ReferralNeeded")
    model.save()


@REDRAWN_BESIDE.breaks("suspended-at-once")
def only_one_row_of_severities_may_fit(folder: Path) -> None:
    table = Table(folder, "violation-severity.dmn")
    table.hit_policy("Table_Severity", "UNIQUE")
    table.save()


# -- drawn anew --------------------------------------------------------------------------------------------------------


def _event(identity: str, definition: str) -> str:
    return f'<bpmn:intermediateCatchEvent id="{identity}" name="已到">{definition}</bpmn:intermediateCatchEvent>'


def _message(identity: str, message: str) -> str:
    return f'<bpmn:messageEventDefinition id="{identity}_m" messageRef="{message}" />'


def _added_process(folder: Path, name: str, message: str) -> Model:
    """Return a process of its own that a message begins: ``Event_Asked`` of this name, and nothing else."""
    (folder / f"{name}.bpmn").write_text(
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
        ' xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"'
        ' xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Added" targetNamespace="urn:added">'
        f'<bpmn:process id="{name}" name="另一流程" isExecutable="true">'
        f'<bpmn:startEvent id="Event_Asked" name="已提出">{_message("Event_Asked", "Message_Asked")}</bpmn:startEvent>'
        f'</bpmn:process><bpmn:message id="Message_Asked" name="{message}" />'
        f'<bpmndi:BPMNDiagram id="Diagram_Added"><bpmndi:BPMNPlane id="Plane_Added" bpmnElement="{name}" />'
        "</bpmndi:BPMNDiagram></bpmn:definitions>",
        encoding="utf-8",
    )
    return Model(folder, f"{name}.bpmn")


def the_freeze_ends_after_a_day_in_another_process(folder: Path) -> None:
    """The message that begins a problem report begins this beside it."""
    model = _added_process(folder, "lift-soon", "problem-reported")
    model.add("lift-soon", timer_event("Event_DayOver", "P1D"))
    model.add("lift-soon", task("Task_LiftSoon", "lift-freeze"))
    model.end("lift-soon", "Event_LiftedSoon")
    model.flow("Flow_Asked", "Event_Asked", "Event_DayOver")
    model.flow("Flow_DayOver", "Event_DayOver", "Task_LiftSoon")
    model.flow("Flow_LiftedSoon", "Task_LiftSoon", "Event_LiftedSoon")
    model.save()


@REDRAWN_BESIDE.breaks("matter-signed-after-the-review")
def everybody_is_asked_about_a_matter_at_once(folder: Path) -> None:
    """Reviews of one element are open side by side, and the path names the right one of them."""
    model = Model(folder, _MATTER)
    model.loop_is_parallel("Phase_DecideMatter")
    model.save()


@REDRAWN_BESIDE.breaks("heard-before-decided")
def the_reply_is_awaited_by_an_event_gateway_without_a_look(folder: Path) -> None:
    model = Model(folder, _VIOLATION)
    for gone in ("Task_AwaitReply", "Task_ExpireReply"):
        model.remove(gone, bridge=False)
    over = (
        '<bpmn:timerEventDefinition id="Event_Over_t"><bpmn:timeDuration xsi:type="bpmn:tFormalExpression">'
        "=replyPeriod</bpmn:timeDuration></bpmn:timerEventDefinition>"
    )
    model.add("violation", gateway("Gateway_ReplyOrOver", "eventBased"))
    model.add("violation", _event("Event_Replied", _message("Event_Replied", "Message_ViolationReplied")))
    model.add("violation", _event("Event_Over", over))
    model.flow("Flow_Served", "Task_SuspendForViolation", "Gateway_ReplyOrOver")
    for event in ("Event_Replied", "Event_Over"):
        model.flow(f"Flow_To{event}", "Gateway_ReplyOrOver", event)
        model.flow(f"Flow_{event}", event, "Gateway_Heard")
    model.save()


@REDRAWN_BESIDE.breaks("work-order-reminded-daily")
def a_work_order_is_waited_for_week_by_week_in_silence(folder: Path) -> None:
    model = Model(folder, _WORK_ORDER)
    for reminder in ("Event_WorkOrderReminderDue", "Event_WorkOrderOverdue"):
        model.remove_branch(reminder)
    model.remove("Task_AwaitDone", bridge=False)
    model.add("work-order", gateway("Gateway_DoneOrWeek", "eventBased"))
    model.add("work-order", _event("Event_Done", _message("Event_Done", "Message_WorkOrderDone")))
    model.add("work-order", timer_event("Event_Week", "P7D"))
    model.flow("Flow_Wait", "Gateway_Attempt", "Gateway_DoneOrWeek")
    model.flow("Flow_ToDone", "Gateway_DoneOrWeek", "Event_Done")
    model.flow("Flow_ToWeek", "Gateway_DoneOrWeek", "Event_Week")
    model.flow("Flow_Week", "Event_Week", "Gateway_Attempt")
    model.flow("Flow_Done", "Event_Done", "Gateway_ToVerify")
    model.save()


@REDRAWN_BESIDE.breaks("work-order-verified-before-closed")
def a_mapping_drops_that_somebody_has_to_verify(folder: Path) -> None:
    """With any output, what no output names is dropped; what is not to be verified is the default."""
    model = Model(folder, _WORK_ORDER)
    for kept in ("attempt", "dueAt", "firstReminderAt"):
        model.mapping("Task_StartWorkOrder", "output", kept, f"={kept}")
    model.default("Flow_NotToVerify")
    model.save()


@REDRAWN.breaks("overdue-becomes-violation")
def a_changed_period_sets_no_new_timers(folder: Path) -> None:
    """An event subprocess in the use period stands in place of the event on its boundary."""
    model = Model(folder)
    model.remove("Task_ResumeAccess", bridge=False)
    model.remove("Event_UsePeriodChanged", bridge=False)
    model.add(
        "Phase_UsePeriod",
        '<bpmn:subProcess id="Phase_Changed" name="使用期限变更" triggeredByEvent="true">'
        '<bpmn:startEvent id="Event_Changed" name="期限已变更" isInterrupting="false">'
        f"{_message('Event_Changed', 'Message_UsePeriodChanged')}</bpmn:startEvent></bpmn:subProcess>",
    )
    model.add("Phase_Changed", task("Task_Resume", "resume-access"))
    model.end("Phase_Changed", "Event_Resumed")
    model.flow("Flow_Changed", "Event_Changed", "Task_Resume")
    model.flow("Flow_Resumed", "Task_Resume", "Event_Resumed")
    model.save()


@REDRAWN.breaks("correction-starts-anew")
def what_storage_returned_is_not_decided_anew(folder: Path) -> None:
    model = Model(folder)
    model.add("Phase_BeforeHandOver", gateway("Gateway_WhoReturned"))
    model.retarget("Flow_Corrected", "Gateway_WhoReturned")
    model.flow("Flow_ByStorage", "Gateway_WhoReturned", "Gateway_ToRetrieval", '=retrievalOutcome = "returned"')
    model.flow("Flow_ByOthers", "Gateway_WhoReturned", "Gateway_NextRound")
    model.one("Gateway_WhoReturned").set("default", "Flow_ByOthers")
    model.save()


@REDRAWN.breaks("release-first")
def a_machine_releases_instead_of_the_storage_office(folder: Path) -> None:
    declare_worker(folder, "check-release", {"decision": ["approved", "returned"]})
    model = Model(folder)
    output = '<zeebe:output source="=decision" target="decision" />'
    model.insert("Flow_StorageNotified", task("Task_CheckRelease", "check-release", output), "Flow_ReleaseChecked")
    model.remove("Call_StorageReleases")
    model.save()


@REDRAWN.breaks("duplicate-is-an-error")
def a_second_start_goes_on_as_the_first(folder: Path) -> None:
    """As a template that is applied anew leaves it."""
    model = Model(folder)
    model.mapping("Task_OpenCase", "input", "duplicateIsError", None)
    model.save()


# -- reviews that do not say what they are about, or are called elsewhere ----------------------------------------------


def _says_nothing_of(folder: Path, file: str, call: str, variable: str) -> None:
    model = Model(folder, file)
    model.mapping(call, "input", variable, None)
    model.save()


@REDRAWN.breaks("asked-about-the-copies")
def a_receipt_is_asked_for_that_nobody_can_sign(folder: Path) -> None:
    _says_nothing_of(folder, "video-retrieval.bpmn", "Call_CustodianAccepts", "handOverId")


@REDRAWN_BESIDE.breaks("asked-about-the-matter")
def a_matter_is_decided_like_its_application(folder: Path) -> None:
    _says_nothing_of(folder, _MATTER, "Call_MatterReview", "matterId")


@REDRAWN_BESIDE.breaks("asked-about-the-inspection")
def a_report_is_signed_that_nobody_names(folder: Path) -> None:
    _says_nothing_of(folder, _INSPECTION, "Call_SignReport", "inspectionId")


@REDRAWN_BESIDE.breaks("asked-about-the-work-order")
def work_is_verified_that_nobody_names(folder: Path) -> None:
    _says_nothing_of(folder, _WORK_ORDER, "Call_Verification", "workOrderId")


def _called_without_timers(folder: Path, file: str, call: str) -> None:
    """Let a copy of the review be called that reminds nobody and does not escalate."""
    text = (folder / "review.bpmn").read_text(encoding="utf-8")
    (folder / "quick-review.bpmn").write_text(text.replace('"review"', '"quick-review"'), encoding="utf-8")
    model = Model(folder, "quick-review.bpmn")
    for timer in ("Event_ReviewReminderDue", "Event_ReviewLimitReached"):
        model.remove_branch(timer)
    model.save()
    model = Model(folder, file)
    [called] = model.one(call).iter("{*}calledElement")
    called.set("processId", "quick-review")
    model.save()


@REDRAWN_BESIDE.breaks("others-are-reminded")
def legal_is_not_reminded_of_a_sanction(folder: Path) -> None:
    _called_without_timers(folder, _VIOLATION, "Call_LegalApproves")


@REDRAWN_BESIDE.breaks("other-reviews-escalate")
def nobody_stands_in_for_those_who_inspect(folder: Path) -> None:
    _called_without_timers(folder, _INSPECTION, "Call_InspectCase")


# -- what does no harm -------------------------------------------------------------------------------------------------


@REDRAWN.does_no_harm
def long_loans_are_told_to_the_department(folder: Path) -> None:
    """A gateway compares with more days than some classes allow."""
    declare_worker(folder, "notify-department", {})
    model = Model(folder)
    model.insert("Flow_Encrypted", gateway("Gateway_Told"), "Flow_Ready")
    model.insert("Flow_Encrypted", gateway("Gateway_Long"), "Flow_Short", "=usePeriodDays <= 20")
    scope = model.one("Gateway_Long").getparent().get("id")
    model.add(scope, task("Task_NotifyDepartment", "notify-department"))
    model.flow("Flow_Long", "Gateway_Long", "Task_NotifyDepartment", "=usePeriodDays > 20")
    model.flow("Flow_Told", "Task_NotifyDepartment", "Gateway_Told")
    model.save()


@REDRAWN.does_no_harm
def a_withdrawal_is_an_event_subprocess(folder: Path) -> None:
    """It stands in the phase, instead of on its boundary, and ends what is under way there."""
    model = Model(folder)
    model.remove("Event_ApplicationTakenBack", bridge=False)
    model.add(
        "Phase_BeforeHandOver",
        '<bpmn:subProcess id="Phase_Withdrawal" name="申请撤回" triggeredByEvent="true">'
        '<bpmn:startEvent id="Event_Withdrawn" name="申请被撤回">'
        f"{_message('Event_Withdrawn', 'Message_ApplicationWithdrawn')}</bpmn:startEvent></bpmn:subProcess>",
    )
    output = '<zeebe:output source="=&#34;withdrawn&#34;" target="preparationOutcome" />'
    model.end("Phase_Withdrawal", "Event_WithdrawalDone", outputs=output)
    model.flow("Flow_Withdrawn", "Event_Withdrawn", "Event_WithdrawalDone")
    model.condition(
        "Flow_NothingToHandOver",
        '=list contains(["rejected", "expired", "unavailable", "withdrawn"], preparationOutcome)',
    )
    model.save()
