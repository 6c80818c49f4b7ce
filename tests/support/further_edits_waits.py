"""Edits that let a case lie about, mix up what a worker is told of, or the words of answers and checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edit_lists import Edits
from edited_models import Model, task, timer_event

WAITS = Edits()


def _wait(folder: Path, flow: str, length: str, name: str = "video-retrieval.bpmn") -> None:
    """Let a time pass on a flow."""
    model = Model(folder, name)
    model.insert(flow, timer_event("Event_TimePassed", length), "Flow_TimePassed")
    model.save()


def _change(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


# -- nothing is asked and nothing done ---------------------------------------------------------------------------------


@WAITS.breaks("opened-at-once")
def an_application_waits_three_days_for_its_case(folder: Path) -> None:
    _wait(folder, "Flow_CaseSubmitted", "P3D")


@WAITS.breaks("preserved-at-once")
def the_drafter_has_two_days_to_think(folder: Path) -> None:
    """A recorder overwrites meanwhile what is asked for."""
    _wait(folder, "Flow_ApprovalBegins", "P2D")


@WAITS.breaks("preserved-at-once")
def preservation_begins_three_days_later_beside_the_reviews(folder: Path) -> None:
    _wait(folder, "Flow_ToPreservation", "P3D")


@WAITS.breaks("checked-in-time")
def a_corrected_form_is_looked_at_after_a_month(folder: Path) -> None:
    _wait(folder, "Flow_Corrected", "P30D")


@WAITS.breaks("handed-on-in-time")
def security_is_asked_a_week_after_the_department(folder: Path) -> None:
    _wait(folder, "Flow_DepartmentApproved", "P7D")


@WAITS.breaks("handed-on-in-time")
def each_review_is_opened_two_days_later(folder: Path) -> None:
    _wait(folder, "Flow_ReviewBegins", "P2D", "review.bpmn")


@WAITS.breaks("storage-is-asked-in-time")
def the_storage_office_is_told_and_asked_five_days_later(folder: Path) -> None:
    _wait(folder, "Flow_StorageNotified", "P5D")


@WAITS.breaks("retrieved-in-time")
def released_footage_is_retrieved_a_month_later(folder: Path) -> None:
    _wait(folder, "Flow_Released", "P30D")


@WAITS.breaks("offered-in-time")
def finished_copies_are_offered_a_month_later(folder: Path) -> None:
    _wait(folder, "Flow_CustodyBegins", "P30D")


@WAITS.breaks("replaced-in-time")
def wrong_footage_is_replaced_two_months_later(folder: Path) -> None:
    _wait(folder, "Flow_CopiesReplaced", "P60D")


@WAITS.breaks("inspected-in-time")
def what_came_back_is_inspected_two_months_later(folder: Path) -> None:
    _wait(folder, "Flow_ReturnBegins", "P60D")


@WAITS.breaks("archived-in-time")
def inspected_copies_can_be_opened_for_three_months(folder: Path) -> None:
    _wait(folder, "Flow_InspectionDecided", "P90D")


@WAITS.breaks("archived-in-time")
def what_was_provided_is_archived_three_months_later(folder: Path) -> None:
    _wait(folder, "Flow_LoanProvided", "P90D")


@WAITS.breaks("closed-in-time")
def a_rejected_case_keeps_its_quarantine_for_a_year(folder: Path) -> None:
    _wait(folder, "Flow_ToRelease", "P365D")


@WAITS.breaks("released-means-over")
def the_quarantine_is_discarded_while_the_drafter_corrects_the_form(folder: Path) -> None:
    model = Model(folder)
    model.insert("Flow_ReleaseReturned", task("Task_DiscardMeanwhile", "release-preservation"), "Flow_Discarded")
    model.mapping("Task_DiscardMeanwhile", "input", "closingOutcome", '="returned"')
    model.save()


# -- told of another thing ---------------------------------------------------------------------------------------------


@WAITS.breaks("of-another")
def the_inspector_is_told_of_the_hand_over_as_the_application(folder: Path) -> None:
    model = Model(folder)
    model.mapping("Call_InspectorDecides", "input", "applicationId", "=handOverId")
    model.save()


@WAITS.breaks("of-another")
def access_to_the_application_instead_of_the_hand_over_is_suspended(folder: Path) -> None:
    """The worker finds no such hand-over, and the access goes on."""
    model = Model(folder)
    model.mapping("Task_SuspendAccess", "input", "handOverId", "=applicationId")
    model.save()


@WAITS.breaks("of-another")
def a_reminder_is_told_of_no_review(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    model.mapping("Task_RemindReviewer", "input", "reviewId", "=applicationId")
    model.save()


@WAITS.breaks("of-another")
def the_inspector_of_a_replacement_is_told_of_the_first_copies(folder: Path) -> None:
    model = Model(folder)
    for name in ("handOverId", "takeUpPeriod", "gracePeriod", "reminderLead"):
        model.mapping("Task_HandOver", "output", name, f"={name}")
    first = "=if firstHandOverId = null then handOverId else firstHandOverId"
    model.mapping("Task_HandOver", "output", "firstHandOverId", first)
    model.mapping("Call_InspectorDecides", "input", "handOverId", "=firstHandOverId")
    model.save()


# -- words and checks that have changed places -------------------------------------------------------------------------


@WAITS.breaks("stages")
def the_buttons_to_approve_and_to_reject_change_places(folder: Path) -> None:
    def swap(content: dict[str, Any]) -> None:
        one, other = content["outcomes"]["approved"], content["outcomes"]["rejected"]
        for key in ("zh", "en", "act"):
            one[key], other[key] = other[key], one[key]

    _change(folder, "review-stages.json", swap)


@WAITS.breaks("group-inspects")
def the_hashes_of_a_return_are_answered_by_its_date(folder: Path) -> None:
    def copy(content: dict[str, Any]) -> None:
        [question] = [one for one in content["return"]["questions"] if one["code"] == "return-3"]
        question["system"] = "returned-in-time"

    _change(folder, "checklists.json", copy)


# -- what may wait -----------------------------------------------------------------------------------------------------


@WAITS.does_no_harm
def a_few_hours_between_steps(folder: Path) -> None:
    """A night before Security is asked, some minutes before the department is, and a day before the case ends."""
    for flow, length in (
        ("Flow_ToPreliminaryReview", "PT10M"),
        ("Flow_DepartmentApproved", "PT12H"),
        ("Flow_ReturnInOrder", "P1D"),
    ):
        model = Model(folder)
        model.insert(flow, timer_event(f"Event_Before{flow[5:]}", length), f"{flow}Then")
        model.save()


@WAITS.does_no_harm
def answers_and_checks_are_reworded(folder: Path) -> None:
    def reword(content: dict[str, Any]) -> None:
        content["outcomes"]["approved"] |= {"zh": "准予", "act": {"zh": "准予并签字", "en": "Agree and sign"}}
        content["stages"]["preliminary"]["questions"][0]["zh"] = "申请事由是否合理、充分？"

    _change(folder, "review-stages.json", reword)
