"""Edits of the retrieval, of custody and of the return, by somebody who had not seen the rules."""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, declare_worker, gateway, task, timer_event, timer_start

CUSTODY = Edits()


# -- retrieval ---------------------------------------------------------------------------------------------------------


@CUSTODY.breaks("filed-first")
def the_form_is_filed_after_the_retrieval(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_RetrievalBegins", "Task_NotifyStorage")
    model.retarget("Flow_ItemsRetrieved", "Task_FileApplication")
    model.retarget("Flow_ApplicationFiled", "Gateway_Coverage")
    model.save()


@CUSTODY.breaks("storage-hears-at-once")
def storage_is_told_three_days_later(folder: Path) -> None:
    model = Model(folder)
    model.insert("Flow_ApplicationFiled", timer_event("Event_NoticesCollected", "P3D"), "Flow_NoticesCollected")
    model.save()


@CUSTODY.breaks("partial-accepted")
def the_first_item_speaks_for_all(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=retrieved[1].coverage >= 1")
    model.condition("Flow_SomeRetrieved", "=retrieved[1].coverage > 0 and retrieved[1].coverage < 1")
    model.condition("Flow_NothingRetrieved", "=retrieved[1].coverage <= 0")
    model.save()


@CUSTODY.breaks("partial-accepted")
def nine_tenths_of_all_items_together_are_the_whole(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=mean(retrieved.coverage) >= 0.9")
    model.condition(
        "Flow_SomeRetrieved", "=(some r in retrieved satisfies r.coverage > 0) and mean(retrieved.coverage) < 0.9"
    )
    model.save()


@CUSTODY.breaks("partial-accepted")
def an_item_inherits_the_coverage_of_another(folder: Path) -> None:
    """Without its own coverage = 0 a missing item finds the 1 of its sibling in the scope of the case."""
    model = Model(folder)
    model.mapping("Phase_RetrieveItem", "input", "coverage", None)
    model.save()


@CUSTODY.breaks("partial-accepted")
def what_is_unreadable_counts_as_whole(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Event_ItemUnreadable", "output", "coverage", "=1")
    model.save()


@CUSTODY.breaks("backup-first")
def the_backup_is_made_beside_the_hand_over(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_ToBackupQuestion", "Task_EncryptCopy")
    model.remove_flow("Flow_ToEncryption")
    for moved in ("Gateway_BackupNeeded", "Task_BackUpFootage", "Gateway_BackupDone"):
        model.move(moved, "Phase_Custody")
    for moved in ("Flow_BackupNeeded", "Flow_BackupNotNeeded", "Flow_BackedUp"):
        model.move(moved, "Phase_Custody")
    model.insert("Flow_CustodyBegins", gateway("Gateway_BackUpMeanwhile", "parallel"), "Flow_ToHandOver")
    model.flow("Flow_ToBackup", "Gateway_BackUpMeanwhile", "Gateway_BackupNeeded")
    model.end("Phase_Custody", "Event_BackupEnded")
    model.flow("Flow_BackupEnded", "Gateway_BackupDone", "Event_BackupEnded")
    model.save()


@CUSTODY.breaks("backup-first")
def a_job_of_ones_own_beside_the_retrieval_says_whether_there_is_a_backup(folder: Path) -> None:
    """What it says is read by the other branch alone."""
    declare_worker(folder, "look-for-space", {"space": ["little", "enough"]})
    says = '<zeebe:output source="=if space = &quot;little&quot; then false else backupNeeded" target="backupNeeded" />'
    model = Model(folder)
    model.insert("Flow_Released", gateway("Gateway_LookMeanwhile", "parallel"), "Flow_ToItems")
    model.add("Phase_Retrieval", task("Task_LookForSpace", "look-for-space", says))
    model.flow("Flow_ToSpace", "Gateway_LookMeanwhile", "Task_LookForSpace")
    model.end("Phase_Retrieval", "Event_SpaceKnown")
    model.flow("Flow_SpaceKnown", "Task_LookForSpace", "Event_SpaceKnown")
    model.save()


@CUSTODY.breaks("withdrawn-means-stop")
def the_retrieval_goes_on_after_a_withdrawal(folder: Path) -> None:
    model = Model(folder)
    model.interrupts("Event_ApplicationTakenBack", interrupting=False)
    model.save()


@CUSTODY.breaks("preservation-released")
def what_is_unavailable_is_not_released(folder: Path) -> None:
    """Partial footage that Security refuses stays in quarantine."""
    model = Model(folder)
    model.retarget("Flow_FootageUnavailable", "Event_CopiesPrepared")
    model.mapping("Event_CopiesPrepared", "output", "preparationOutcome", "=retrievalOutcome")
    model.remove("Event_FootageLacking", bridge=False)
    model.condition("Flow_NothingToHandOver", '=preparationOutcome = "rejected" or preparationOutcome = "expired"')
    model.flow(
        "Flow_NotReleased",
        "Gateway_PreparationOutcome",
        "Event_FootageUnavailable",
        '=preparationOutcome = "unavailable"',
    )
    model.save()


@CUSTODY.breaks("encrypted-first")
def the_first_item_alone_is_encrypted(folder: Path) -> None:
    model = Model(folder)
    model.loop("Task_EncryptCopy", inputCollection="=sublist(retrieved[coverage > 0].itemId, 1, 1)")
    model.save()


# -- custody -----------------------------------------------------------------------------------------------------------


@CUSTODY.breaks("access-ends-when-due")
def the_use_period_is_two_weeks_longer_than_granted(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Call_CustodianAccepts", "output", "dueAt", '=string(date and time(dueAt) + duration("P14D"))')
    model.save()


@CUSTODY.breaks("accepted-first")
def who_does_not_answer_has_accepted(folder: Path) -> None:
    """The use begins without a receipt, with a due date made here."""
    model = Model(folder)
    model.mapping("Task_ExpireOffer", "output", "acceptedMeanwhile", "=acceptedMeanwhile")
    due = '=if acceptedMeanwhile then dueAt else string(now() + duration("P15D"))'
    model.mapping("Task_ExpireOffer", "output", "dueAt", due)
    model.retarget("Flow_NotAccepted", "Gateway_EnterUse")
    model.remove("Event_TakeUpMissed", bridge=False)
    model.save()


@CUSTODY.breaks("return-is-awaited")
def the_due_date_ends_the_waiting_for_the_return(folder: Path) -> None:
    """The inspection begins while the custodian still holds the copies."""
    model = Model(folder)
    model.interrupts("Event_DueDateReached", interrupting=True)
    model.save()


@CUSTODY.is_refused_by("engine")
def a_reminder_ends_the_waiting_for_the_return(folder: Path) -> None:
    """The engine does not deploy a cycle that interrupts."""
    model = Model(folder)
    model.interrupts("Event_ReminderDue", interrupting=True)
    model.save()


@CUSTODY.breaks("suspended-when-due")
def access_is_suspended_an_hour_early(folder: Path) -> None:
    """The worker finds that the date is not reached and does nothing, and the timer does not come again."""
    model = Model(folder)
    model.timer("Event_DueDateReached", '=date and time(dueAt) - duration("PT1H")')
    model.save()


@CUSTODY.breaks("return-ends-the-use")
def an_extension_begins_a_second_use_beside_the_first(folder: Path) -> None:
    """The return ends one of the two; the timers of the other go on."""
    model = Model(folder)
    model.interrupts("Event_UsePeriodChanged", interrupting=False)
    model.save()


@CUSTODY.breaks("key")
def a_return_is_awaited_by_another_key(folder: Path) -> None:
    model = Model(folder)
    model.key("Message_CopyReturned", "=applicationId")
    model.save()


@CUSTODY.breaks("loss-is-recorded")
def a_loss_is_recorded_as_overdue(folder: Path) -> None:
    """The worker finds nothing overdue, and the case ends as lost without a violation."""
    model = Model(folder)
    model.mapping("Task_OpenLossViolation", "input", "violationKind", '="overdue"')
    model.save()


@CUSTODY.breaks("every-copy-ends")
def a_case_of_sixty_days_is_closed(folder: Path) -> None:
    """Everything is cancelled while the custodian holds the copies: nothing waits for the return."""
    model = Model(folder)
    model.add(
        "video-retrieval",
        '<bpmn:subProcess id="Phase_CloseOldCase" name="清理旧案" triggeredByEvent="true">'
        '<bpmn:startEvent id="Event_CaseTooOld" name="案件已满60天"><bpmn:timerEventDefinition id="Timer_CaseTooOld">'
        '<bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P60D</bpmn:timeDuration>'
        "</bpmn:timerEventDefinition></bpmn:startEvent></bpmn:subProcess>",
    )
    expired = '<zeebe:output source="=&#34;expired&#34;" target="applicationOutcome" />'
    model.end("Phase_CloseOldCase", "Event_OldCaseClosed", outputs=expired)
    model.flow("Flow_CloseOldCase", "Event_CaseTooOld", "Event_OldCaseClosed")
    model.save()


# -- return ------------------------------------------------------------------------------------------------------------


@CUSTODY.breaks("checked-before-inspection")
def the_inspector_decides_before_the_hashes_are_compared(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_ReturnBegins", "Call_InspectorDecides")
    model.retarget("Flow_InspectionDecided", "Task_InspectReturn")
    model.retarget("Flow_ReturnChecked", "Task_ReArchive")
    model.save()


# -- another issue -----------------------------------------------------------------------------------------------------


@CUSTODY.breaks("handed-over-after-retrieval")
def copies_that_were_replaced_are_handed_over_again(folder: Path) -> None:
    """Nothing is retrieved in their place."""
    model = Model(folder)
    model.retarget("Flow_CopiesReplaced", "Phase_Custody")
    model.save()


@CUSTODY.breaks("handed-over-after-retrieval")
def another_issue_goes_by_the_retrieval(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_Reissue", "Event_CopiesPrepared")
    model.save()


@CUSTODY.breaks("not-taken-only-when-offered")
def copies_to_be_replaced_end_the_case_as_not_taken_up(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_CopiesReplaced", "Task_ReleaseNotTakenUp")
    model.save()


# -- what comes too early, or for too long -----------------------------------------------------------------------------


@CUSTODY.breaks("shown-only-when-urgent")
def security_looks_at_the_footage_before_it_decides(folder: Path) -> None:
    """Before there is an approved form; nothing ends the view."""
    model = Model(folder)
    model.insert("Flow_SecurityChecked", task("Task_Preview", "grant-emergency-view"), "Flow_Previewed")
    model.mapping("Task_Preview", "input", "matterId", "=applicationId")
    model.save()


@CUSTODY.breaks("handed-over-as-decided")
def everybody_has_the_copies_for_the_longest_time(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Task_HandOver", "input", "usePeriodDays", "=maxUseDays")
    model.save()


# -- what begins by itself ---------------------------------------------------------------------------------------------


@CUSTODY.breaks("missing")
def each_night_what_was_preserved_is_released(folder: Path) -> None:
    """No application stands behind what a timer begins: the register has nothing to release."""
    model = Model(folder)
    model.add("video-retrieval", timer_start("Event_Nightly", "0 0 3 * * *"))
    model.flow("Flow_Nightly", "Event_Nightly", "Task_ReleasePreservation")
    model.save()


@CUSTODY.breaks("missing")
def a_case_is_opened_each_week_without_an_application(folder: Path) -> None:
    model = Model(folder)
    model.add("video-retrieval", timer_start("Event_Weekly", "0 0 3 * * MON"))
    model.flow("Flow_Weekly", "Event_Weekly", "Task_OpenCase")
    model.save()
