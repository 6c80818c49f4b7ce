"""Harmless edits, by somebody who had not seen the rules."""

import hashlib
import re
from pathlib import Path

from edit_lists import Edits
from edited_models import (
    BPMN,
    DC,
    DI,
    NS,
    Model,
    Table,
    add_stage,
    change_stage,
    check_again,
    declare_worker,
    gateway,
    review,
    stage,
    task,
    timer_event,
)
from lxml import etree
from modeler import DECLARED

UNHARMED = Edits()

_ANSWERS = ("approved", "returned", "rejected")


# -- drawn anew --------------------------------------------------------------------------------------------------------


@UNHARMED.does_no_harm
def every_element_has_a_generated_id(folder: Path) -> None:
    for name in ("video-retrieval.bpmn", "review.bpmn"):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        elements = re.findall(r' id="((?:Task|Gateway|Event|Flow|Phase|Call|Message|Error)_\w+?)"', text)
        for old in {element for element in elements if not element.endswith("_di")}:
            new = old.split("_")[0] + "_" + hashlib.sha256(old.encode()).hexdigest()[:7]
            text = re.sub(rf"\b{old}\b", new, text)
        path.write_text(text, encoding="utf-8")


@UNHARMED.does_no_harm
def tasks_have_other_names_and_places(folder: Path) -> None:
    model = Model(folder)
    for element in list(model.root.iter(f"{BPMN}serviceTask"))[::3]:
        element.set("name", element.get("name") + "（新）")
    for place in model.root.iter(f"{DC}Bounds", f"{DI}waypoint"):
        place.set("x", f"{float(place.get('x')) + 40:g}")
    model.save()


@UNHARMED.does_no_harm
def joining_gateways_are_left_out(folder: Path) -> None:
    model = Model(folder)
    model.remove("Gateway_ApprovalReached")
    model.remove("Gateway_NothingHandedOver")
    model.save()


@UNHARMED.does_no_harm
def conditions_are_written_otherwise(folder: Path) -> None:
    model = Model(folder)
    model.condition("Flow_AllRetrieved", "=count(retrieved[coverage < 1]) = 0")
    model.condition("Flow_SomeRetrieved", "=count(retrieved[coverage > 0]) > 0 and count(retrieved[coverage < 1]) > 0")
    model.condition("Flow_NothingRetrieved", "=count(retrieved[coverage > 0]) = 0")
    model.condition("Flow_ManagementNeeded", "=managementNeeded = true")
    model.condition("Flow_ManagementNotNeeded", "=managementNeeded = false")
    model.condition("Flow_BackupNotNeeded", "=backupNeeded = false")
    model.condition("Flow_DepartmentReturned", '=list contains(["returned"], decision)')
    model.save()


@UNHARMED.does_no_harm
def every_no_of_the_approval_has_one_end(folder: Path) -> None:
    """The outcome comes from the decision, by the output of the phase, and not from its ends."""
    model = Model(folder)
    said = ("DepartmentReturned", "DepartmentRejected", "SecurityReturned", "SecurityRejected")
    for name in (*said, "SignatureRefused", "ManagementRejected"):
        model.retarget(f"Flow_{name}", "Event_IncompleteReturned")
        model.remove(f"Event_{name}", bridge=False)
    model.save()


@UNHARMED.does_no_harm
def missing_and_unreadable_items_have_one_end(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_ItemUnreadable", "Event_ItemMissing")
    model.remove("Event_ItemUnreadable", bridge=False)
    model.save()


def _call_the_return(folder: Path, passes: str) -> Model:
    """Make the phase of the return a process that it calls, with these attributes for what is passed on."""
    model = Model(folder)
    phase = model.one("Phase_Return")
    [diagram] = model.root.xpath('//bpmndi:BPMNDiagram[*/@bpmnElement="Phase_Return"]', namespaces=NS)
    diagram[0].set("bpmnElement", "return-handling")
    called = etree.fromstring(
        f'<bpmn:definitions {DECLARED} xmlns:modeler="http://camunda.org/schema/modeler/1.0" id="Definitions_Return"'
        ' targetNamespace="http://footage-desk.example/bpmn" modeler:executionPlatform="Camunda Cloud"'
        ' modeler:executionPlatformVersion="8.6.0">'
        '<bpmn:process id="return-handling" name="归还检查" isExecutable="true" /></bpmn:definitions>'
    )
    called[0].extend([part for part in phase if part.get("id")])
    called.append(diagram)
    etree.ElementTree(called).write(folder / "return-handling.bpmn", encoding="UTF-8", xml_declaration=True)
    # what is left of the phase, its name and its flows, becomes the call
    phase.tag = f"{BPMN}callActivity"
    model.extensions("Phase_Return").append(
        model.make(f'<zeebe:calledElement processId="return-handling" {passes} bindingType="deployment" />')
    )
    return model


@UNHARMED.does_no_harm
def the_return_is_a_process_of_its_own(folder: Path) -> None:
    model = _call_the_return(folder, 'propagateAllChildVariables="false" propagateAllParentVariables="false"')
    for given, value in (("applicationId", "=applicationId"), ("handOverId", "=handOverId"), ("decision", "=null")):
        model.mapping("Phase_Return", "input", given, value)
    model.mapping("Phase_Return", "output", "decision", "=decision")
    model.save()


@UNHARMED.does_no_harm
def the_return_is_called_with_all_variables_both_ways(folder: Path) -> None:
    """So the Modeler draws a call of which nobody says anything else."""
    _call_the_return(folder, "").save()


@UNHARMED.does_no_harm
def a_correction_is_awaited_at_an_event_based_gateway(folder: Path) -> None:
    model = Model(folder)
    model.add("Phase_Correction", gateway("Gateway_CorrectionOrTime", "eventBased"))
    model.add(
        "Phase_Correction",
        '<bpmn:intermediateCatchEvent id="Event_CorrectionCame" name="补正已收到">'
        '<bpmn:messageEventDefinition id="Catch_CorrectionCame" messageRef="Message_ApplicationCorrected" />'
        "</bpmn:intermediateCatchEvent>",
    )
    model.add("Phase_Correction", timer_event("Event_CorrectionTimeOver", "=correctionPeriod"))
    model.retarget("Flow_CorrectionBegins", "Gateway_CorrectionOrTime")
    model.flow("Flow_AwaitCorrection", "Gateway_CorrectionOrTime", "Event_CorrectionCame")
    model.flow("Flow_AwaitCorrectionTime", "Gateway_CorrectionOrTime", "Event_CorrectionTimeOver")
    model.resource("Flow_CorrectionReceived", "Event_CorrectionCame")
    model.resource("Flow_CorrectionPeriodOver", "Event_CorrectionTimeOver")
    model.remove("Task_AwaitCorrection", bridge=False)
    model.save()


# -- something more, or sooner -----------------------------------------------------------------------------------------


def _add_review(model: Model, call: str, stage_code: str, came_by: str) -> None:
    """Put a review of Legal or of another office on a flow to the signature, with its three answers drawn."""
    decision = f"Gateway_{call}"
    model.insert(came_by, review(f"Call_{call}", stage_code), f"Flow_{call}Decided")
    model.insert(f"Flow_{call}Decided", gateway(decision), f"Flow_{call}Approved", '=decision = "approved"')
    for answer in _ANSWERS[1:]:
        model.end("Phase_Approval", f"Event_{call}_{answer}", terminates=True)
        model.flow(f"Flow_{call}_{answer}", decision, f"Event_{call}_{answer}", f'=decision = "{answer}"')


@UNHARMED.does_no_harm
def legal_reviews_after_security(folder: Path) -> None:
    add_stage(folder, "legal-opinion", "法务审核", "legal review", _ANSWERS)
    model = Model(folder)
    _add_review(model, "Legal", "legal-opinion", "Flow_SecurityApproved")
    model.save()


@UNHARMED.does_no_harm
def a_second_head_of_the_department_decides(folder: Path) -> None:
    """Both are asked as the stage of the preliminary review, and both can send back."""
    model = Model(folder)
    _add_review(model, "SecondHead", "preliminary", "Flow_DepartmentApproved")
    model.save()


@UNHARMED.does_no_harm
def materials_are_checked_again_after_the_department(folder: Path) -> None:
    model = Model(folder)
    check_again(model, "Flow_DepartmentApproved")
    complete = "=applicationComplete = true"
    model.insert("Flow_CheckedAgain", gateway("Gateway_StillComplete"), "Flow_StillComplete", complete)
    model.end("Phase_Approval", "Event_NowIncomplete", terminates=True)
    model.flow("Flow_NowIncomplete", "Gateway_StillComplete", "Event_NowIncomplete", "=applicationComplete = false")
    model.save()


@UNHARMED.does_no_harm
def sensitive_cameras_need_one_more_review(folder: Path) -> None:
    add_stage(folder, "sensitive-cameras", "隐私审核", "privacy review", _ANSWERS, department="administration")
    model = Model(folder)
    model.insert(
        "Flow_SecurityApproved",
        gateway("Gateway_SensitiveCamera"),
        "Flow_NotSensitive",
        '=cameraClass = "ordinary"',
    )
    model.flow("Flow_Sensitive", "Gateway_SensitiveCamera", "Call_HeadOfSecuritySigns", '=cameraClass = "sensitive"')
    _add_review(model, "Privacy", "sensitive-cameras", "Flow_Sensitive")
    model.save()


@UNHARMED.does_no_harm
def a_job_of_ones_own_asks_the_works_council(folder: Path) -> None:
    declare_worker(folder, "check-works-council", {"worksCouncil": ["agreed", "objects"]})
    outputs = (
        '<zeebe:output source="=worksCouncil" target="worksCouncil" /><zeebe:output source="'
        '=if worksCouncil = &#34;agreed&#34; then &#34;approved&#34; else &#34;returned&#34;" target="decision" />'
    )
    model = Model(folder)
    model.insert(
        "Flow_DepartmentApproved", task("Task_WorksCouncil", "check-works-council", outputs), "Flow_CouncilChecked"
    )
    model.insert(
        "Flow_CouncilChecked", gateway("Gateway_WorksCouncil"), "Flow_CouncilAgrees", '=worksCouncil = "agreed"'
    )
    model.end("Phase_Approval", "Event_CouncilObjects", terminates=True)
    model.flow("Flow_CouncilObjects", "Gateway_WorksCouncil", "Event_CouncilObjects", '=worksCouncil = "objects"')
    model.save()


@UNHARMED.does_no_harm
def stages_ask_more_and_sooner(folder: Path) -> None:
    change_stage(folder, "preliminary", limit="PT8H")
    change_stage(folder, "storage-release", limit="PT4H")
    change_stage(folder, "return-inspection", signature="password+totp")
    change_stage(folder, "receipt", signature="password+totp")
    question = {"code": "recipients-closed", "zh": "接收人是否均已列明？", "en": "Are all recipients named?"}
    change_stage(folder, "security", questions=[*stage(folder, "security")["questions"], question])


@UNHARMED.does_no_harm
def custodians_are_reminded_twice_a_day(folder: Path) -> None:
    model = Model(folder)
    start = 'string(date and time(dueAt) - duration(reminderLead) - duration("P2D"))'
    model.timer("Event_ReminderDue", f'="R/" + {start} + "/PT12H"')
    model.save()


@UNHARMED.does_no_harm
def legal_is_told_beside_storage(folder: Path) -> None:
    declare_worker(folder, "notify-legal", {})
    model = Model(folder)
    model.insert("Flow_ApplicationFiled", gateway("Gateway_NotifyAll", "parallel"), "Flow_ToStorageNotice")
    model.add("Phase_Retrieval", task("Task_NotifyLegal", "notify-legal"))
    model.end("Phase_Retrieval", "Event_LegalNotified")
    model.flow("Flow_ToLegalNotice", "Gateway_NotifyAll", "Task_NotifyLegal")
    model.flow("Flow_LegalNotified", "Task_NotifyLegal", "Event_LegalNotified")
    model.save()


# -- another order -----------------------------------------------------------------------------------------------------


@UNHARMED.does_no_harm
def copies_are_encrypted_before_the_backup(folder: Path) -> None:
    model = Model(folder)
    model.retarget("Flow_ToBackupQuestion", "Task_EncryptCopy")
    model.retarget("Flow_Encrypted", "Gateway_BackupNeeded")
    model.retarget("Flow_ToEncryption", "Event_CopiesReady")
    model.save()


@UNHARMED.does_no_harm
def backup_and_encryption_run_side_by_side(folder: Path) -> None:
    model = Model(folder)
    model.insert("Flow_ToBackupQuestion", gateway("Gateway_ForkCare", "parallel"), "Flow_ForkBackup")
    model.insert("Flow_Encrypted", gateway("Gateway_JoinCare", "parallel"), "Flow_CareDone")
    model.flow("Flow_ForkEncryption", "Gateway_ForkCare", "Task_EncryptCopy")
    model.retarget("Flow_ToEncryption", "Gateway_JoinCare")
    model.save()


@UNHARMED.does_no_harm
def copies_are_encrypted_one_by_one(folder: Path) -> None:
    model = Model(folder)
    model.one("Task_EncryptCopy").find(f"{BPMN}multiInstanceLoopCharacteristics").set("isSequential", "true")
    model.save()


# -- the decision table ------------------------------------------------------------------------------------------------


@UNHARMED.does_no_harm
def ordinary_downloads_go_to_management(folder: Path) -> None:
    table = Table(folder)
    table.cell("Table_Classification_Rule_5_In_2", '"view", "on-site"')
    for number, involved, decider in ((6, "false", '"management"'), (7, "true", '"management-other"')):
        table.add_rule(
            "Table_Classification",
            number,
            ['"ordinary"', '"download"', "false", involved],
            ["importance", "true", decider, "true", "true", "7"],
        )
    table.save()


@UNHARMED.does_no_harm
def ordinary_footage_is_backed_up_too(folder: Path) -> None:
    """No walk passes by the backup any more, because no row of the table says so."""
    table = Table(folder)
    for number in (3, 4, 5):
        table.cell(f"Table_Classification_Rule_{number}_Out_5", "true")
        table.cell(f"Table_Classification_Rule_{number}_Out_6", "14")
    table.save()


@UNHARMED.does_no_harm
def all_rows_that_say_important_count(folder: Path) -> None:
    table = Table(folder)
    table.hit_policy("Table_Importance", "ANY")
    table.save()


@UNHARMED.does_no_harm
def security_is_checked_again_before_the_signature(folder: Path) -> None:
    """The register says the same of the camera and of who is involved, so that both checks agree."""
    model = Model(folder)
    model.insert("Flow_SecurityApproved", task("Task_CheckAgain", "security-review"), "Flow_CheckedAgain")
    model.save()


# -- return ------------------------------------------------------------------------------------------------------------


@UNHARMED.does_no_harm
def a_second_person_inspects_what_is_in_order(folder: Path) -> None:
    """Who finds a discrepancy then has it archived as one."""
    add_stage(folder, "return-recheck", "归还复检", "second return inspection", ("in-order", "discrepancy"))
    change_stage(folder, "return-recheck", phase="return")
    model = Model(folder)
    model.insert("Flow_InspectionDecided", gateway("Gateway_InOrder"), "Flow_Discrepancy", '=decision = "discrepancy"')
    model.add(model.one("Call_InspectorDecides").getparent().get("id"), review("Call_Recheck", "return-recheck"))
    model.mapping("Call_Recheck", "input", "handOverId", "=handOverId")
    model.flow("Flow_InOrder", "Gateway_InOrder", "Call_Recheck", '=decision = "in-order"')
    model.flow("Flow_Rechecked", "Call_Recheck", "Task_ReArchive")
    model.save()
