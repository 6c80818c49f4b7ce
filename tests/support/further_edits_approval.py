"""Edits of the approval, of the classes and of the review stages, by somebody who had not seen the rules."""

from pathlib import Path

from edit_lists import Edits
from edited_models import Model, Table, change_stage, check_again, gateway, review, stage, task

APPROVAL = Edits()


# -- the decisions and their order -------------------------------------------------------------------------------------


@APPROVAL.breaks("department-first")
def what_the_department_returns_goes_on_to_security(folder: Path) -> None:
    model = Model(folder)
    model.remove("Event_DepartmentReturned", bridge=False)
    model.condition("Flow_DepartmentApproved", '=decision != "rejected"')
    model.save()


@APPROVAL.breaks("department-first")
def the_preservation_ends_the_approval(folder: Path) -> None:
    """The automatic check has set decision = approved; where the preservation ends first, nobody decides."""
    model = Model(folder)
    model.terminates("Event_FootagePreserved")
    model.save()


@APPROVAL.breaks("signature-after-review")
def the_head_signs_before_the_clerk_reviews(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_SecurityChecked", "Call_HeadOfSecuritySigns")
    model.retarget("Flow_Signed", "Call_SecurityDecides")
    model.retarget("Flow_SecurityApproved", "Task_ClassifyApplication")
    model.save()


@APPROVAL.breaks("management-where-important")
def the_class_is_found_before_the_signature(folder: Path) -> None:
    """The head raises the importance when signing, and the class has been found without it."""
    model = Model(folder)
    model.retarget("Flow_SecurityApproved", "Task_ClassifyApplication")
    model.retarget("Flow_Classified", "Call_HeadOfSecuritySigns")
    model.retarget("Flow_Signed", "Gateway_ManagementNeeded")
    model.save()


@APPROVAL.breaks("management-where-important")
def what_the_head_raises_is_kept_under_another_name(folder: Path) -> None:
    """The table goes on reading what Security said."""
    model = Model(folder)
    model.mapping("Call_HeadOfSecuritySigns", "output", "highImpact", None)
    model.mapping("Call_HeadOfSecuritySigns", "output", "raisedImpact", "=highImpact")
    model.save()


@APPROVAL.breaks("management-where-important")
def other_managers_are_not_asked(folder: Path) -> None:
    """Where management is drafter or subject, decidedBy is management-other and the default flow is taken."""
    model = Model(folder)
    model.condition("Flow_ManagementNeeded", '=decidedBy = "management"')
    model.default("Flow_ManagementNotNeeded")
    model.save()


@APPROVAL.breaks("management-where-important")
def the_silence_of_management_is_consent(folder: Path) -> None:
    model = Model(folder)
    model.timer_boundary("Event_ManagementSilent", "Call_ManagementDecides", "timeDuration", "P2D")
    model.flow("Flow_ManagementSilent", "Event_ManagementSilent", "Gateway_ApprovalReached")
    model.save()


@APPROVAL.breaks("no-retrieval-after-no")
def the_class_of_the_round_before_approves(folder: Path) -> None:
    """Ordinary in the first round: what the department rejects in the second one is approved by that."""
    model = Model(folder)
    decided = 'if decision = "signed" then "approved" else if decision = "refused" then "rejected" else decision'
    model.mapping(
        "Phase_Approval", "output", "approvalOutcome", f'=if managementNeeded = false then "approved" else {decided}'
    )
    model.save()


@APPROVAL.breaks("department-first")
def the_department_decides_in_the_first_round_alone(folder: Path) -> None:
    """What the drafter corrects after a return by Security is never shown to the department."""
    model = Model(folder)
    model.insert("Flow_ApplicationComplete", gateway("Gateway_FirstRound"), "Flow_FirstRound", "=round = null")
    model.flow("Flow_LaterRound", "Gateway_FirstRound", "Task_SecurityReview", "=round != null")
    model.save()


@APPROVAL.breaks("no-retrieval-after-return")
def what_a_second_head_of_the_department_returns_goes_on(folder: Path) -> None:
    model = Model(folder)
    model.insert("Flow_DepartmentApproved", review("Call_SecondHead", "preliminary"), "Flow_SecondDecided")
    answer = gateway("Gateway_SecondHead")
    model.insert("Flow_SecondDecided", answer, "Flow_SecondApproved", '=decision != "rejected"')
    model.flow("Flow_SecondRejected", "Gateway_SecondHead", "Event_DepartmentRejected", '=decision = "rejected"')
    model.save()


@APPROVAL.breaks("incomplete-goes-back")
def materials_that_are_checked_again_may_be_incomplete(folder: Path) -> None:
    model = Model(folder)
    check_again(model, "Flow_DepartmentApproved")
    model.save()


@APPROVAL.breaks("correction-starts-anew")
def what_storage_returned_goes_back_to_storage(folder: Path) -> None:
    """The drafter names another camera, and nobody decides on it."""
    model = Model(folder)
    model.insert(
        "Flow_Corrected",
        gateway("Gateway_ReturnedByStorage"),
        "Flow_ApprovalAgain",
        '=not(retrievalOutcome = "returned")',
    )
    model.flow("Flow_StorageAgain", "Gateway_ReturnedByStorage", "Phase_Retrieval", '=retrievalOutcome = "returned"')
    model.save()


@APPROVAL.breaks("management-where-important")
def a_job_of_ones_own_lowers_the_class(folder: Path) -> None:
    """It says whether the press is interested, and so overwrites what Security and its head answered."""
    model = Model(folder)
    pressed = '<zeebe:output source="=pressInterest = true" target="highImpact" />'
    model.insert("Flow_Signed", task("Task_PressInterest", "check-press-interest", pressed), "Flow_PressChecked")
    model.save()


@APPROVAL.breaks("management-where-important")
def from_the_third_submission_the_head_is_enough(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_ManagementNeeded", "=managementNeeded and (round = null or round < 2)")
    model.condition("Flow_ManagementNotNeeded", "=not(managementNeeded) or (round != null and round >= 2)")
    model.save()


@APPROVAL.breaks("management-where-important")
def what_could_not_be_preserved_needs_no_management(folder: Path) -> None:
    model = Model(folder)
    is_kept = "(if itemsNotPreserved = null then true else itemsNotPreserved = 0)"
    model.condition("Flow_ManagementNeeded", f"=managementNeeded and {is_kept}")
    model.condition("Flow_ManagementNotNeeded", f"=not(managementNeeded) or not{is_kept}")
    model.save()


# -- the decision table ------------------------------------------------------------------------------------------------


@APPROVAL.breaks("management-where-important")
def what_is_seen_on_site_is_never_important(folder: Path) -> None:
    table = Table(folder)
    for row in range(1, 6):
        table.cell(f"Table_Classification_Rule_{row}_In_2", '"view", "download"')
    out = ["importance", "false", '"none"', "false", "false", "30"]
    table.add_rule("Table_Classification", 6, ["", '"on-site"', "", ""], out)
    table.save()


@APPROVAL.breaks("management-where-important")
def the_ordinary_row_is_the_first(folder: Path) -> None:
    """Its camera cell is emptied, and the first row that fits is taken: a sensitive camera is ordinary."""
    table = Table(folder)
    table.cell("Table_Importance_Rule_5_In_4", "")
    table.move_to_top("Table_Importance_Rule_5")
    table.save()


@APPROVAL.breaks("management-where-important")
def viewing_needs_no_management(folder: Path) -> None:
    table = Table(folder)
    table.hit_policy("Table_Classification", "FIRST")
    table.add_rule(
        "Table_Classification", 6, ["", '"view"', "", ""], ["importance", "false", '"none"', "true", "true", "15"]
    )
    table.move_to_top("Table_Classification_Rule_6")
    table.save()


# -- the review stages and the called review ---------------------------------------------------------------------------


@APPROVAL.breaks("department-answers")
def the_department_is_not_asked_whether_it_is_complete(folder: Path) -> None:
    questions = [asked for asked in stage(folder, "preliminary")["questions"] if asked["code"] != "content-complete"]
    change_stage(folder, "preliminary", questions=questions)


@APPROVAL.breaks("security-answers")
def the_applicants_head_stands_in_for_security(folder: Path) -> None:
    candidates = stage(folder, "security")["candidates"]
    change_stage(folder, "security", candidates=[*candidates, {"posts": ["head", "deputy"], "departments": "own"}])


@APPROVAL.breaks("storage-answers")
def storage_releases_another_camera_than_the_approved(folder: Path) -> None:
    questions = stage(folder, "storage-release")["questions"]
    for question in questions:
        if question["code"] in ("camera-confirmed", "span-right"):
            question["yesToApprove"] = False
    change_stage(folder, "storage-release", questions=questions)


@APPROVAL.breaks("department-first")
def a_review_over_its_limit_is_approved(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    model.interrupts("Event_ReviewLimitReached", interrupting=True)
    model.mapping("Event_ReviewEscalated", "output", "decision", '="approved"')
    model.save()


@APPROVAL.breaks("reviews-escalate")
def storage_and_inspectors_have_no_substitutes(folder: Path) -> None:
    model = Model(folder, "review.bpmn")
    of_approval = 'list contains(["preliminary", "security", "security-signature", "management"], stage)'
    model.insert("Flow_ReviewLimitReached", gateway("Gateway_Widen"), "Flow_Widen", f"={of_approval}")
    model.end("review", "Event_NotWidened")
    model.flow("Flow_NotWidened", "Gateway_Widen", "Event_NotWidened", f"=not({of_approval})")
    model.save()
