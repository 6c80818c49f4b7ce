"""Edits of the models as designers make them: some break the policy, each by the rule that it names, some do not."""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, add_stage, change_stage, review, task

_NOT_IMPORTANT = '=not(managementNeeded and importance = "important")'


_EDITS = Edits()
BREAKING, HARMLESS = _EDITS.breaking, _EDITS.harmless
_breaks, _harmless = _EDITS.breaks, _EDITS.does_no_harm


# -- the first ten -----------------------------------------------------------------------------------------------------


@_breaks("department-first")
def the_department_is_skipped(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_ApplicationComplete", "Task_SecurityReview")
    model.save()


@_breaks("credentials-of-outsiders")
def the_credentials_of_outsiders_are_not_checked(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_OnBehalf", "Gateway_FirstDecided")
    model.save()


@_breaks("sign-off-first")
def a_refused_signature_goes_on(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_SignatureRefused", "Task_ClassifyApplication")
    model.remove("Event_SignatureRefused", bridge=False)
    model.save()


@_breaks("sign-off-first")
def silence_is_consent(folder: Path) -> None:
    model = Model(folder)
    model.timer_boundary("Event_SignatureLate", "Call_HeadOfSecuritySigns", "timeDuration", "P3D")
    model.flow("Flow_SignatureLate", "Event_SignatureLate", "Task_ClassifyApplication")
    model.save()


@_breaks("management-where-important")
def management_only_if_important(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_ManagementNeeded", '=managementNeeded and importance = "important"')
    model.condition("Flow_ManagementNotNeeded", _NOT_IMPORTANT)
    model.save()


@_breaks("management-where-important")
def a_sensitive_camera_is_ordinary(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Importance_Rule_4_Out_1", '"ordinary"')
    table.save()


@_breaks("sign-off-first")
def what_is_corrected_goes_to_retrieval(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_Corrected", "Phase_Retrieval")
    model.save()


@_breaks("preservation-released")
def what_is_rejected_is_not_released(folder: Path) -> None:
    model = Model(folder)
    model.remove("Task_ReleasePreservation")
    model.save()


@_breaks("access-ends-when-due")
def access_is_suspended_a_month_late(folder: Path) -> None:
    model = Model(folder)
    model.timer("Event_DueDateReached", '=date and time(dueAt) + duration("P30D")')
    model.save()


@_breaks("every-copy-ends")
def a_loss_is_no_violation(folder: Path) -> None:
    model = Model(folder)
    model.remove("Task_OpenLossViolation")
    model.save()


@_breaks("inspected-after-return")
def what_is_not_taken_goes_to_the_inspection(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Event_TakeUpMissed", "output", "custodyOutcome", '="returned"')
    model.save()


# -- what a walk over flows alone does not see -------------------------------------------------------------------------


@_breaks("key")
def a_withdrawal_is_awaited_by_another_key(folder: Path) -> None:
    model = Model(folder)
    model.key("Message_ApplicationWithdrawn", '=applicationId + ":1"')
    model.save()


@_breaks("key")
def the_second_correction_is_awaited_by_the_key_of_the_first(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Phase_Approval", "output", "round", "=if round = null then 1 else round")
    model.save()


@_breaks("withdrawal-is-awaited")
def an_application_cannot_be_withdrawn(folder: Path) -> None:
    model = Model(folder)
    model.remove("Event_ApplicationTakenBack", bridge=False)
    model.save()


@_breaks("changed-period-is-awaited")
def the_use_period_cannot_be_changed(folder: Path) -> None:
    model = Model(folder)
    model.remove_flow("Flow_AccessResumed")
    model.remove("Task_ResumeAccess", bridge=False)
    model.remove("Event_UsePeriodChanged", bridge=False)
    model.save()


@_breaks("reminded-daily")
def three_reminders_instead_of_daily_ones(folder: Path) -> None:
    model = Model(folder)
    model.timer("Event_ReminderDue", '="R3/" + string(date and time(dueAt) - duration(reminderLead)) + "/P1D"')
    model.save()


@_breaks("reviews-are-reminded-daily")
def reviewers_are_reminded_weekly(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    model.timer("Event_ReviewReminderDue", '="R/" + firstReviewReminderAt + "/P7D"')
    model.save()


@_breaks("overdue-becomes-violation")
def the_grace_is_a_month_longer(folder: Path) -> None:
    model = Model(folder)
    model.timer("Event_GraceOver", '=date and time(dueAt) + duration(gracePeriod) + duration("P30D")')
    model.save()


@_breaks("backup-first")
def what_is_partial_is_not_backed_up(folder: Path) -> None:
    model = Model(folder)
    model.loop("Task_BackUpFootage", inputCollection="=retrieved[coverage >= 1].itemId")
    model.save()


@_breaks("partial-accepted")
def one_whole_item_is_enough(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=some r in retrieved satisfies r.coverage >= 1")
    model.condition(
        "Flow_SomeRetrieved",
        "=(some r in retrieved satisfies r.coverage > 0) and (every r in retrieved satisfies r.coverage < 1)",
    )
    model.save()


@_breaks("second-person-is-asked-for")
def one_person_releases_what_is_important(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Classification_Rule_1_Out_4", "false")
    table.save()


@_breaks("important-use-is-short")
def what_is_important_is_used_for_a_quarter(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Classification_Rule_1_Out_6", "90")
    table.save()


@_breaks("other-managers-decide")
def management_decides_on_itself(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Classification_Rule_2_Out_3", '"management"')
    table.save()


@_breaks("backup-is-asked-for")
def the_form_is_filed_without_a_backup(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Task_FileApplication", "input", "backupNeeded", "=false")
    model.save()


@_breaks("archived-as-inspected")
def a_discrepancy_is_archived_as_in_order(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Task_ReArchive", "input", "decision", '="in-order"')
    model.save()


@_breaks("storage-is-notified")
def the_storage_office_is_not_told(folder: Path) -> None:
    model = Model(folder)
    model.remove("Task_NotifyStorage")
    model.save()


@_breaks("incident")
def unreadable_footage_is_not_caught(folder: Path) -> None:
    model = Model(folder)
    model.remove_branch("Event_FootageUnreadable")
    model.save()


@_breaks("unchecked-timer")
def the_correction_expires_without_a_look_into_the_register(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_CorrectionPeriodOver", "Event_CorrectionMissed")
    model.remove_flow("Flow_ExpiryChecked")
    model.remove_flow("Flow_CorrectedMeanwhile")
    model.remove_flow("Flow_NotCorrected")
    for element in ("Task_ExpireApplication", "Gateway_CorrectedMeanwhile", "Event_CorrectionFound"):
        model.remove(element, bridge=False)
    model.save()


@_breaks("violation-is-recorded")
def a_return_ends_the_overdue_violation(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Phase_UsePeriod", "output", "custodyOutcome", '="returned"')
    model.terminates("Event_CustodyEnded")
    model.save()


@_breaks("management-writes-an-opinion")
def management_writes_no_opinion(folder: Path) -> None:
    change_stage(folder, "management", opinionNeeded=None)


@_breaks("head-of-security-signs")
def the_head_signs_with_a_password_alone(folder: Path) -> None:
    change_stage(folder, "security-signature", signature="password")


@_breaks("others-inspect")
def the_using_department_inspects_itself(folder: Path) -> None:
    change_stage(folder, "return-inspection", candidates=[{"posts": ["head"], "departments": "own"}])


@_breaks("security-answers")
def security_is_not_asked_whether_it_is_necessary(folder: Path) -> None:
    change_stage(
        folder,
        "security",
        questions=[{"code": "rules-met", "zh": "是否符合相关规定？", "en": "Does it meet the rules?"}],
    )


@_breaks("no-review-left-open")
def a_legal_review_ends_the_phase_and_leaves_the_other_open(folder: Path) -> None:
    add_stage(folder, "legal-opinion", "法务审核", "legal review", ("approved", "rejected"))
    model = Model(folder)
    model.add("Phase_Approval", '<bpmn:parallelGateway id="Gateway_LegalToo" />')
    model.retarget("Flow_DepartmentApproved", "Gateway_LegalToo")
    model.flow("Flow_ToSecurityToo", "Gateway_LegalToo", "Task_SecurityReview")
    model.add("Phase_Approval", review("Call_LegalDecides", "legal-opinion", "legalDecision"))
    model.flow("Flow_ToLegal", "Gateway_LegalToo", "Call_LegalDecides")
    model.add("Phase_Approval", '<bpmn:exclusiveGateway id="Gateway_Legal" name="法务意见？" />')
    model.flow("Flow_LegalDecided", "Call_LegalDecides", "Gateway_Legal")
    model.end("Phase_Approval", "Event_LegalApproved")
    model.end("Phase_Approval", "Event_LegalRejected", terminates=True)
    model.flow("Flow_LegalApproved", "Gateway_Legal", "Event_LegalApproved", '=legalDecision = "approved"')
    model.flow("Flow_LegalRejected", "Gateway_Legal", "Event_LegalRejected", '=legalDecision = "rejected"')
    # what the department said is the outcome of the phase then, and the case goes on to its end without a release
    model.mapping("Phase_Approval", "output", "approvalOutcome", "=decision")
    model.retarget("Flow_NothingToHandOver", "Gateway_ClosedAs")
    model.condition("Flow_ApplicationRejected", '=approvalOutcome = "rejected" or legalDecision = "rejected"')
    model.condition("Flow_ApplicationApproved", '=approvalOutcome = "signed" and legalDecision = "approved"')
    model.save()


# -- by somebody who had not seen the rules ----------------------------------------------------------------------------


@_breaks("management-where-important")
def a_short_use_needs_no_management(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_ManagementNeeded", "=managementNeeded and usePeriodDays >= 5")
    model.condition("Flow_ManagementNotNeeded", "=not(managementNeeded) or usePeriodDays < 5")
    model.save()


@_breaks("partial-accepted")
def nine_tenths_are_the_whole(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=every r in retrieved satisfies r.coverage >= 0.9")
    model.condition(
        "Flow_SomeRetrieved",
        "=(some r in retrieved satisfies r.coverage > 0) and (some r in retrieved satisfies r.coverage < 0.9)",
    )
    model.save()


@_breaks("department-answers")
def the_department_cannot_raise_the_class(folder: Path) -> None:
    change_stage(folder, "preliminary", mayRaise=None)


# -- harmless ----------------------------------------------------------------------------------------------------------


@_harmless
def elements_are_renamed(folder: Path) -> None:
    model = Model(folder)
    text = model.path.read_text(encoding="utf-8")
    for old, new in (
        ("Call_SecurityDecides", "Call_ProtectionOfficeDecides"),
        ("Gateway_SecurityDecision", "Gateway_WhatProtectionSays"),
        ("Call_HeadOfSecuritySigns", "Call_ChiefSigns"),
        ("安全审核", "保卫处审核"),
    ):
        text = text.replace(old, new)
    model.path.write_text(text, encoding="utf-8")


@_harmless
def an_interpreter_reviews_before_security(folder: Path) -> None:
    add_stage(folder, "interpreting", "翻译审核", "interpreter's review")
    model = Model(folder)
    model.insert("Flow_DepartmentApproved", review("Call_InterpreterDecides", "interpreting"), "Flow_Interpreted")
    model.insert(
        "Flow_Interpreted",
        '<bpmn:exclusiveGateway id="Gateway_Interpretable" name="能否翻译？" />',
        "Flow_Interpretable",
    )
    model.remove_flow("Flow_Interpretable")
    model.flow("Flow_Interpretable", "Gateway_Interpretable", "Task_SecurityReview", '=decision = "approved"')
    model.end("Phase_Approval", "Event_InterpreterReturned", terminates=True)
    model.flow("Flow_NotInterpretable", "Gateway_Interpretable", "Event_InterpreterReturned", '=decision = "returned"')
    model.save()


@_harmless
def two_more_reviews_are_joined(folder: Path) -> None:
    add_stage(folder, "legal-opinion", "法务审核", "legal review")
    add_stage(folder, "interpreting", "翻译审核", "interpreter's review")
    model = Model(folder)
    model.add("Phase_Approval", '<bpmn:parallelGateway id="Gateway_Both" />')
    model.retarget("Flow_DepartmentApproved", "Gateway_Both")
    model.add("Phase_Approval", review("Call_LegalDecides", "legal-opinion", "legalDecision"))
    model.add("Phase_Approval", review("Call_InterpreterDecides", "interpreting", "interpreterDecision"))
    model.add("Phase_Approval", '<bpmn:parallelGateway id="Gateway_BothDone" />')
    model.add("Phase_Approval", '<bpmn:exclusiveGateway id="Gateway_BothAgree" name="均同意？" />')
    model.add(
        "Phase_Approval",
        '<bpmn:intermediateThrowEvent id="Event_OneSaysBack" name="要求退回"><bpmn:extensionElements><zeebe:ioMapping>'
        '<zeebe:output source="=&#34;returned&#34;" target="decision" /></zeebe:ioMapping></bpmn:extensionElements>'
        "</bpmn:intermediateThrowEvent>",
    )
    model.end("Phase_Approval", "Event_OneReturned", terminates=True)
    model.flow("Flow_Both1", "Gateway_Both", "Call_LegalDecides")
    model.flow("Flow_Both2", "Gateway_Both", "Call_InterpreterDecides")
    model.flow("Flow_Both3", "Call_LegalDecides", "Gateway_BothDone")
    model.flow("Flow_Both4", "Call_InterpreterDecides", "Gateway_BothDone")
    model.flow("Flow_Both5", "Gateway_BothDone", "Gateway_BothAgree")
    model.flow(
        "Flow_Both6",
        "Gateway_BothAgree",
        "Task_SecurityReview",
        '=legalDecision = "approved" and interpreterDecision = "approved"',
    )
    model.flow(
        "Flow_Both7",
        "Gateway_BothAgree",
        "Event_OneSaysBack",
        '=legalDecision = "returned" or interpreterDecision = "returned"',
    )
    model.flow("Flow_Both8", "Event_OneSaysBack", "Event_OneReturned")
    model.save()


@_harmless
def there_is_one_more_reminder(folder: Path) -> None:
    model = Model(folder)
    model.timer_boundary(
        "Event_DayAfter", "Task_AwaitReturn", "timeDate", '=date and time(dueAt) + duration("P1D")', interrupting=False
    )
    model.add("Phase_UsePeriod", task("Task_RemindAgain", "remind-return"))
    model.end("Phase_UsePeriod", "Event_RemindedAgain")
    model.flow("Flow_Again1", "Event_DayAfter", "Task_RemindAgain")
    model.flow("Flow_Again2", "Task_RemindAgain", "Event_RemindedAgain")
    model.save()


@_harmless
def a_worker_of_ones_own_counts(folder: Path) -> None:
    model = Model(folder)
    model.insert("Flow_ApplicationFiled", task("Task_CountStatistics", "count-statistics"), "Flow_Counted")
    model.save()


@_harmless
def a_signal_tells_of_the_approval(folder: Path) -> None:
    model = Model(folder)
    model.root.insert(1, model.make('<bpmn:signal id="Signal_Approved" name="application-approved" />'))
    model.insert(
        "Flow_Approved",
        '<bpmn:intermediateThrowEvent id="Event_TellApproved" name="通告批准">'
        '<bpmn:signalEventDefinition id="Throw_Approved" signalRef="Signal_Approved" /></bpmn:intermediateThrowEvent>',
        "Flow_Told",
    )
    model.save()


@_harmless
def an_inclusive_gateway_tells_the_board(folder: Path) -> None:
    model = Model(folder)
    model.add("Phase_Retrieval", '<bpmn:inclusiveGateway id="Gateway_WhomToTell" name="通知谁？" />')
    model.retarget("Flow_ApplicationFiled", "Gateway_WhomToTell")
    model.add("Phase_Retrieval", task("Task_InformBoard", "inform-board"))
    model.add("Phase_Retrieval", '<bpmn:inclusiveGateway id="Gateway_Told" />')
    model.retarget("Flow_StorageNotified", "Gateway_Told")
    model.flow("Flow_Tell1", "Gateway_WhomToTell", "Task_NotifyStorage", "=true")
    model.flow("Flow_Tell2", "Gateway_WhomToTell", "Task_InformBoard", "=managementNeeded")
    model.flow("Flow_Tell3", "Task_InformBoard", "Gateway_Told")
    model.flow("Flow_Tell4", "Gateway_Told", "Call_StorageReleases")
    model.save()


@_harmless
def management_decides_on_everything(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Classification_Rule_5_Out_2", "true")
    table.cell("Table_Classification_Rule_5_Out_3", '"management"')
    table.save()


@_harmless
def reviewers_are_reminded_twice_a_day(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    model.timer("Event_ReviewReminderDue", '="R/" + firstReviewReminderAt + "/PT12H"')
    model.save()


@_harmless
def items_are_retrieved_one_by_one(folder: Path) -> None:
    model = Model(folder)
    [loop] = model.one("Phase_RetrieveItem").findall(
        "{http://www.omg.org/spec/BPMN/20100524/MODEL}multiInstanceLoopCharacteristics"
    )
    loop.set("isSequential", "true")
    model.save()


@_harmless
def every_use_is_shorter(folder: Path) -> None:
    table = Table(folder)
    for row, days in enumerate((7, 7, 14, 14, 14), 1):
        table.cell(f"Table_Classification_Rule_{row}_Out_6", str(days))
    table.save()
