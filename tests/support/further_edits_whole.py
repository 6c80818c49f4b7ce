"""Edits of every model, table and stage, by somebody who had not seen the rules."""

import json
from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, change_stage, declare_worker, gateway, review, task
from lxml import etree

WHOLE, AROUND = Edits(), Edits()
_ROUTES, _SEVERITY = "matter-route.dmn", "violation-severity.dmn"
_MATTER, _VIOLATION, _URGENT, _PROBLEM = "matter.bpmn", "violation.bpmn", "urgent-retrieval.bpmn", "problem-report.bpmn"
_INSPECTION, _WORK_ORDER, _MAINTENANCE, _REVIEW = (
    "inspection.bpmn",
    "work-order.bpmn",
    "maintenance.bpmn",
    "review.bpmn",
)


# -- the case of an application ----------------------------------------------------------------------------------------


@WHOLE.breaks("backup-first")
def important_footage_that_is_only_viewed_has_no_backup(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_BackupNeeded", '=backupNeeded and wayOfUse = "download"')
    model.condition("Flow_BackupNotNeeded", '=not(backupNeeded and wayOfUse = "download")')
    model.save()


@WHOLE.breaks("backup-first")
def footage_with_gaps_has_no_backup(folder: Path) -> None:
    model = Model(folder)
    model.loop("Task_BackUpFootage", inputCollection="=retrieved[coverage >= 1].itemId")
    model.save()


@WHOLE.breaks("withdrawn-means-stop")
def a_withdrawn_application_is_released_and_goes_on(folder: Path) -> None:
    model = Model(folder)
    model.interrupts("Event_ApplicationTakenBack", interrupting=False)
    model.save()


@WHOLE.breaks("reminded-before-due")
def reminders_begin_on_the_due_date(folder: Path) -> None:
    model = Model(folder)
    model.timer("Event_ReminderDue", '="R/" + dueAt + "/P1D"')
    model.save()


@WHOLE.breaks("withdrawal-is-awaited")
def the_application_can_be_withdrawn_in_approval_only(folder: Path) -> None:
    """Somebody hangs the event on the phase where most withdrawals come."""
    model = Model(folder)
    model.remove_flow("Flow_TakenBack")
    model.move("Event_ApplicationTakenBack", "Phase_BeforeHandOver")
    model.one("Event_ApplicationTakenBack").set("attachedToRef", "Phase_Approval")
    output = '<zeebe:output source="=&#34;withdrawn&#34;" target="preparationOutcome" />'
    model.end("Phase_BeforeHandOver", "Event_TakenBackInApproval", outputs=output)
    model.flow("Flow_TakenBackInApproval", "Event_ApplicationTakenBack", "Event_TakenBackInApproval")
    model.condition(
        "Flow_NothingToHandOver",
        '=list contains(["rejected", "expired", "unavailable", "withdrawn"], preparationOutcome)',
    )
    model.save()


@WHOLE.breaks("inspected-before-archive")
def recalled_copies_are_archived_unseen(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_CopiesBack", '=custodyOutcome = "returned"')
    model.insert(
        "Flow_CopyLost",
        task("Task_ArchiveRecalled", "re-archive"),
        "Flow_RecalledArchived",
    )
    model.retarget("Flow_RecalledArchived", "Event_FootageReArchived")
    model.mapping("Task_ArchiveRecalled", "input", "decision", '="in-order"')
    model.condition("Flow_CopyLost", '=custodyOutcome = "recalled"')
    model.flow("Flow_LostNow", "Gateway_CustodyOutcome", "Event_CopyLost", '=custodyOutcome = "lost"')
    model.save()


@WHOLE.breaks("partial-accepted")
def a_few_seconds_are_enough_of_a_camera(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=every r in retrieved satisfies r.coverage > 0")
    model.condition(
        "Flow_SomeRetrieved",
        "=(some r in retrieved satisfies r.coverage > 0) and (some r in retrieved satisfies r.coverage <= 0)",
    )
    model.save()


@WHOLE.breaks("filed-first")
def filing_and_release_are_side_by_side(folder: Path) -> None:
    model = Model(folder)
    model.add("Phase_Retrieval", gateway("Gateway_AtOnce", "parallel"))
    model.add("Phase_Retrieval", gateway("Gateway_BothDone", "parallel"))
    model.retarget("Flow_RetrievalBegins", "Gateway_AtOnce")
    model.flow("Flow_ToFiling", "Gateway_AtOnce", "Task_FileApplication")
    model.flow("Flow_ReleasedAtOnce", "Gateway_AtOnce", "Call_StorageReleases")
    model.retarget("Flow_StorageNotified", "Gateway_BothDone")
    model.retarget("Flow_ReleaseDecided", "Gateway_BothDone")
    model.flow("Flow_BothDone", "Gateway_BothDone", "Gateway_StorageRelease")
    model.save()


@WHOLE.breaks("key")
def the_return_is_awaited_by_the_application(folder: Path) -> None:
    model = Model(folder)
    model.key("Message_CopyReturned", "=applicationId")
    model.save()


@WHOLE.breaks("other-managers-decide")
def management_decides_its_own_important_case(folder: Path) -> None:
    """Two rows that differ in one cell are merged, and the wrong result is kept."""
    table = Table(folder)
    table.cell("Table_Classification_Rule_1_In_4", "false,true")
    table.remove_rule("Table_Classification_Rule_2")
    table.save()


@WHOLE.breaks("return-ends-the-use")
def a_closed_loan_goes_on(folder: Path) -> None:
    model = Model(folder)
    model.interrupts("Event_LoanClosed", interrupting=False)
    model.save()


# -- reviews -----------------------------------------------------------------------------------------------------------


@WHOLE.breaks("no-review-after-no")
def a_late_rejection_counts_as_an_approval(folder: Path) -> None:
    model = Model(folder, _REVIEW)
    model.mapping("Task_AwaitDecision", "output", "decision", '=if decision = "rejected" then "approved" else decision')
    model.save()


@WHOLE.breaks("unchecked-timer")
def the_limit_ends_the_review(folder: Path) -> None:
    """Nobody has answered in time: after the escalation the review is over."""
    model = Model(folder, _REVIEW)
    model.interrupts("Event_ReviewLimitReached", interrupting=True)
    model.save()


@AROUND.breaks("management-writes-an-opinion")
def management_decides_without_an_opinion(folder: Path) -> None:
    change_stage(folder, "management", opinionNeeded=None)


@AROUND.breaks("second-person-releases-urgently")
def a_password_is_enough_in_urgent_cases(folder: Path) -> None:
    change_stage(folder, "urgent-release", signature="password")


# -- matters -----------------------------------------------------------------------------------------------------------


@AROUND.breaks("not-applied-after-a-no")
def the_first_approval_decides_a_matter(folder: Path) -> None:
    model = Model(folder, _MATTER)
    agreed = 'list contains(["approved", "signed", "accepted"], decisions[1])'
    model.condition("Flow_MatterAgreed", f"={agreed}")
    model.condition("Flow_MatterDeclined", f"=not({agreed})")
    model.save()


@AROUND.breaks("matter-decided-by-management")
def ordinary_disclosures_come_first_in_the_table(folder: Path) -> None:
    table = Table(folder, _ROUTES)
    table.cell("Table_Route_Entry_11_2", "-")
    table.move_to_top("Table_Route_Rule_11")
    table.save()


# -- violations --------------------------------------------------------------------------------------------------------


@AROUND.breaks("management-does-not-judge-itself")
def leaks_go_to_management_whoever_leaked(folder: Path) -> None:
    table = Table(folder, _SEVERITY)
    table.move_to_top("Table_Severity_Rule_2")
    table.save()


@AROUND.breaks("reply-period-is-kept")
def an_hour_is_enough_for_a_reply(folder: Path) -> None:
    model = Model(folder, _VIOLATION)
    model.timer("Event_ReplyPeriodOver", "PT1H")
    model.save()


@AROUND.breaks("legal-before-the-sanction")
def sanctions_are_recorded_before_legal_is_asked(folder: Path) -> None:
    model = Model(folder, _VIOLATION)
    model.retarget("Flow_ViolationUpheld", "Task_RecordSanction")
    model.retarget("Flow_SanctionRecorded", "Gateway_LegalNeeded")
    model.retarget("Flow_SanctionReady", "Gateway_ReferralNeeded")
    model.save()


@AROUND.breaks("referral-before-compensation")
def only_who_is_suspended_is_referred(folder: Path) -> None:
    model = Model(folder, _VIOLATION)
    model.condition("Flow_ReferralNeeded", "=referral = true and suspendPerson = true")
    model.condition("Flow_ReferralNotNeeded", "=referral = false or suspendPerson = false")
    model.save()


# -- urgent calls and problems -----------------------------------------------------------------------------------------


@AROUND.breaks("key")
def a_refused_application_does_not_end_the_view(folder: Path) -> None:
    model = Model(folder, _URGENT)
    model.key("Message_ApplicationRefused", "=matterId")
    model.save()


@AROUND.breaks("urgent-released-before-shown")
def the_view_opens_before_anybody_releases_it(folder: Path) -> None:
    model = Model(folder, _URGENT)
    model.retarget("Flow_UrgentCalled", "Task_PreserveAtOnce")
    model.retarget("Flow_EmergencyViewOpen", "Call_UrgentRelease")
    model.retarget("Flow_UrgentReleased", "Gateway_AwaitApproval")
    model.save()


@AROUND.breaks("wrong-copies-are-recalled")
def a_wrong_copy_is_used_on(folder: Path) -> None:
    model = Model(folder, _PROBLEM)
    model.condition("Flow_ProblemExplained", '=list contains(["unfounded", "explained", "replace"], decision)')
    model.condition("Flow_CopiesUnfit", '=decision = "recall"')
    model.save()


# -- supervision and maintenance ---------------------------------------------------------------------------------------


@AROUND.breaks("other-sampled-cases-are-inspected")
def only_the_first_case_of_the_sample_is_inspected(folder: Path) -> None:
    model = Model(folder, _INSPECTION)
    model.loop("Phase_InspectCases", inputCollection="=[sampledCases[1]]")
    model.save()


@AROUND.breaks("work-order-verified-before-closed")
def work_that_is_to_be_done_again_is_closed(folder: Path) -> None:
    model = Model(folder, _WORK_ORDER)
    model.retarget("Flow_Again", "Gateway_Closes")
    model.remove("Task_ReopenWorkOrder", bridge=False)
    model.save()


@AROUND.breaks("work-order-escalated-by-its-new-date")
def work_that_is_done_again_keeps_its_old_date(folder: Path) -> None:
    model = Model(folder, _WORK_ORDER)
    model.mapping("Task_ReopenWorkOrder", "output", "dueAt", None)
    model.mapping("Task_ReopenWorkOrder", "output", "firstReminderAt", None)
    model.save()


@AROUND.breaks("work-order-escalated-weekly")
def overdue_work_is_escalated_every_ten_weeks(folder: Path) -> None:
    """Daily reminders go on beside it."""
    model = Model(folder, _WORK_ORDER)
    model.timer("Event_WorkOrderOverdue", '="R/" + dueAt + "/P70D"')
    model.save()


@AROUND.breaks("failed-reverify-footage-is-a-work-order")
def nobody_hears_of_footage_that_was_not_verified(folder: Path) -> None:
    model = Model(folder, _MAINTENANCE)
    model.retarget("Flow_ReverifyFootageFailed", "Gateway_ReverifyFootageOver")
    model.remove("Task_ReverifyFootageDefect", bridge=False)
    model.save()


# -- what does no harm -------------------------------------------------------------------------------------------------


@WHOLE.does_no_harm
def every_element_of_the_case_is_called_otherwise(folder: Path) -> None:
    path = folder / "video-retrieval.bpmn"
    text = path.read_text(encoding="utf-8")
    model = Model(folder)
    names = {one.get("id") for one in model.root.iter() if isinstance(one.tag, str) and one.get("id")}
    kinds = ("Task_", "Gateway_", "Event_", "Phase_", "Call_", "Flow_", "Timer_", "Catch_", "Message_", "Error_")
    for number, name in enumerate(sorted(names, key=len, reverse=True)):
        if name.startswith(kinds):
            text = text.replace(f'"{name}"', f'"{name.split("_")[0]}_X{number}"')
            text = text.replace(f">{name}<", f">{name.split('_')[0]}_X{number}<")
            text = text.replace(f'"{name}_di"', f'"{name.split("_")[0]}_X{number}_di"')
    path.write_text(text, encoding="utf-8")


@WHOLE.does_no_harm
def the_pictures_are_drawn_wider(folder: Path) -> None:
    for name in ("video-retrieval.bpmn", _VIOLATION, _WORK_ORDER):
        model = Model(folder, name)
        for drawn in model.root.iter():
            if isinstance(drawn.tag, str) and drawn.get("x") is not None:
                drawn.set("x", f"{float(drawn.get('x')) + 40:g}")
        model.save()


@WHOLE.does_no_harm
def an_interpreter_reviews_before_security(folder: Path) -> None:
    path = folder / "review-stages.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["duties"]["interpreter"] = {"zh": "翻译审核人", "en": "the interpreter"}
    stages = {}
    for code, one in content["stages"].items():
        if code == "security":
            stages["interpreter"] = {
                "zh": "翻译审核",
                "en": "interpreter's review",
                "phase": "approval",
                "duty": "interpreter",
                "candidates": [{"posts": ["head", "deputy"], "departments": "administration"}],
                "limit": "PT8H",
                "signature": "password",
                "outcomes": ["approved", "returned"],
                "reasonFor": ["returned"],
                "questions": [{"code": "readable", "zh": "译文是否准确？", "en": "Is the translation right?"}],
            }
        stages[code] = one
    content["stages"] = stages
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    model = Model(folder)
    model.insert("Flow_DepartmentApproved", review("Call_InterpreterDecides", "interpreter"), "Flow_Interpreted")
    model.insert("Flow_Interpreted", gateway("Gateway_Interpreted"), "Flow_Readable", '=decision = "approved"')
    model.end("Phase_Approval", "Event_TranslationReturned", terminates=True)
    model.flow("Flow_Unreadable", "Gateway_Interpreted", "Event_TranslationReturned", '=decision = "returned"')
    model.save()


@WHOLE.does_no_harm
def our_own_worker_tells_the_press_office(folder: Path) -> None:
    declare_worker(folder, "tell-press-office", {})
    for name, flow in (("video-retrieval.bpmn", "Flow_ApplicationFiled"), (_VIOLATION, "Flow_SanctionRecorded")):
        model = Model(folder, name)
        model.insert(flow, task("Task_TellPressOffice", "tell-press-office"), "Flow_PressOfficeTold")
        model.save()


@WHOLE.does_no_harm
def gateways_ask_the_other_way_round(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_ManagementNotNeeded", "=managementNeeded != true")
    model.condition("Flow_BackupNotNeeded", "=backupNeeded != true")
    model.condition("Flow_OwnApplication", "=onBehalf = false")
    model.condition("Flow_SignatureRefused", '=decision != "signed" and decision != null')
    model.save()
    model = Model(folder, _VIOLATION)
    model.condition("Flow_LegalNotNeeded", "=not(legalNeeded)")
    model.condition("Flow_NoLossCaused", "=not(loss)")
    model.save()
    model = Model(folder, _WORK_ORDER)
    model.condition("Flow_NotToVerify", "=not(verified)")
    model.save()


@WHOLE.does_no_harm
def names_are_long(folder: Path) -> None:
    for path in folder.glob("*.bpmn"):
        model = Model(folder, path.name)
        for one in model.root.iter():
            if isinstance(one.tag, str) and one.tag.endswith(("Task", "callActivity")) and one.get("name"):
                one.set("name", f"{one.get('name')}（依据视频录像调取制度规范第三章的规定办理，须留存记录）")
        model.save()


@WHOLE.does_no_harm
def the_drafter_is_reminded_of_a_correction(folder: Path) -> None:
    declare_worker(folder, "remind-drafter", {})
    model = Model(folder)
    model.timer_boundary("Event_CorrectionReminder", "Task_AwaitCorrection", "timeDuration", "P3D", interrupting=False)
    model.add("Phase_Correction", task("Task_RemindDrafter", "remind-drafter"))
    model.end("Phase_Correction", "Event_DrafterReminded")
    model.flow("Flow_CorrectionReminder", "Event_CorrectionReminder", "Task_RemindDrafter")
    model.flow("Flow_DrafterReminded", "Task_RemindDrafter", "Event_DrafterReminded")
    model.save()


@AROUND.does_no_harm
def agreement_is_said_in_other_words(folder: Path) -> None:
    model = Model(folder, _MATTER)
    model.condition(
        "Flow_MatterAgreed",
        "=count(decisions) = count(route) and count(route) >= 1 and (every d in decisions satisfies"
        ' d = "approved" or d = "signed" or d = "accepted")',
    )
    model.save()
    model = Model(folder, _PROBLEM)
    model.condition("Flow_ProblemExplained", '=list contains(["unfounded", "explained"], decision)')
    model.condition("Flow_CopiesUnfit", '=list contains(["recall", "replace"], decision)')
    model.save()


@AROUND.does_no_harm
def rows_that_give_the_same_change_places(folder: Path) -> None:
    """Days late and repeats make a violation moderate, and the same stage decides it."""
    table = Table(folder, _SEVERITY)
    for row in (14, 13, *range(10, 0, -1)):
        table.move_to_top(f"Table_Severity_Rule_{row}")
    table.save()


@WHOLE.does_no_harm
def copies_are_prepared_in_a_called_process(folder: Path) -> None:
    """The backup and the copies of an application stand in a file of their own."""
    model = Model(folder)
    scope = "Phase_Retrieval"
    call = (
        '<bpmn:callActivity id="Call_PrepareCopies" name="备妥副本"><bpmn:extensionElements>'
        '<zeebe:calledElement processId="prepare-copies" propagateAllChildVariables="false"'
        ' propagateAllParentVariables="false" bindingType="deployment" /><zeebe:ioMapping>'
        '<zeebe:input source="=applicationId" target="applicationId" />'
        '<zeebe:input source="=retrieved" target="retrieved" />'
        '<zeebe:input source="=backupNeeded" target="backupNeeded" />'
        "</zeebe:ioMapping></bpmn:extensionElements></bpmn:callActivity>"
    )
    model.add(scope, call)
    model.retarget("Flow_ToBackupQuestion", "Call_PrepareCopies")
    model.resource("Flow_Encrypted", "Call_PrepareCopies")
    moved = ("Gateway_BackupNeeded", "Task_BackUpFootage", "Gateway_BackupDone", "Task_EncryptCopy")
    parts = [model.one(one) for one in moved]
    for one in moved:
        model.remove(one, bridge=False)
    model.save()
    own = Model(folder, _MAINTENANCE)
    own.path = folder / "prepare-copies.bpmn"
    process = next(one for one in own.root if one.tag.endswith("}process"))
    for child in list(process):
        if not child.tag.endswith("extensionElements"):
            process.remove(child)
    process.set("id", "prepare-copies")
    process.set("name", "备妥副本")
    own.root.set("id", "Definitions_PrepareCopies")
    for one in list(own.root):
        if one.tag.endswith("}error"):
            own.root.remove(one)
    plane = own.root.find(".//{*}BPMNPlane")
    plane.set("bpmnElement", "prepare-copies")
    for drawn in list(plane):
        plane.remove(drawn)
    own.add("prepare-copies", '<bpmn:startEvent id="Event_PrepareCopies" name="可以备妥" />')
    for part in parts:
        own.add("prepare-copies", etree.tostring(part, encoding="unicode"))
    own.add("prepare-copies", '<bpmn:endEvent id="Event_CopiesMade" name="副本已备妥" />')
    own.flow("Flow_PrepareCopies", "Event_PrepareCopies", "Gateway_BackupNeeded")
    own.flow("Flow_BackupNeeded", "Gateway_BackupNeeded", "Task_BackUpFootage", "=backupNeeded")
    own.flow("Flow_BackupNotNeeded", "Gateway_BackupNeeded", "Gateway_BackupDone", "=not(backupNeeded)")
    own.flow("Flow_BackedUp", "Task_BackUpFootage", "Gateway_BackupDone")
    own.flow("Flow_ToEncryption", "Gateway_BackupDone", "Task_EncryptCopy")
    own.flow("Flow_CopiesMade", "Task_EncryptCopy", "Event_CopiesMade")
    own.save()
