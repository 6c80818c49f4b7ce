"""What careless designers draw: what will not run is an error with what to draw instead, what is harmless is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from modeler import Drawing

from services.designers.lint import check as lint_check
from services.designers.lint.findings import Finding, Level
from services.domain.stages import file as stage_file
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

WORKERS = discover()
PHASE = "Phase_Approval"
Edit = Callable[["Models"], None]


class Models:
    """A copy of the shipped models, edited in the phase of the approval."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drawing = Drawing(folder / "video-retrieval.bpmn", PHASE)

    def put(self, *xml: str) -> None:
        self.drawing.put("".join(xml))

    def flow(self, source: str, target: str, condition: str = "", name: str = "") -> None:
        body = f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{condition}</bpmn:conditionExpression>'
        flow = f"Flow_{source}_{target}"
        self.put(
            f'<bpmn:sequenceFlow id="{flow}" name="{name}" sourceRef="{source}" targetRef="{target}">'
            f"{body if condition else ''}</bpmn:sequenceFlow>"
        )
        for element, tag in ((source, "outgoing"), (target, "incoming")):
            self._refer(self.drawing.element(element), tag, flow)

    def _refer(self, element: etree._Element, tag: str, flow: str) -> None:
        new = etree.Element(f"{{http://www.omg.org/spec/BPMN/20100524/MODEL}}{tag}")
        new.text = flow
        before = ["documentation", "extensionElements", "incoming", *(["outgoing"] if tag == "outgoing" else [])]
        place = [n for n, child in enumerate(element) if etree.QName(child).localname in before]
        element.insert(place[-1] + 1 if place else 0, new)

    def turn(self, flow: str, target: str) -> None:
        """Drag the end of a flow to another element."""
        self.drawing.turn(flow, target)
        self._refer(self.drawing.element(target), "incoming", flow)

    def drop(self, flow: str, xml: str) -> None:
        """Drop a new element on a flow."""
        target = self.drawing.element(flow).get("targetRef")
        self.put(xml)
        name = etree.fromstring(f"<x {DECLARED}>{xml}</x>")[0].get("id")
        self.turn(flow, name)
        self.flow(name, target)

    def change(self, old: str, new: str, file: str = "video-retrieval.bpmn") -> None:
        self.drawing.save()
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.drawing = Drawing(self.folder / "video-retrieval.bpmn", PHASE)

    def stage(self, code: str, zh: str, **more: object) -> None:
        path = self.folder / stage_file.NAME
        content = json.loads(path.read_text(encoding="utf-8"))
        content["duties"][f"{code}-duty"] = {"zh": f"{zh}人", "en": f"the {code} reviewer"}
        content["stages"][code] = {
            "zh": zh,
            "en": f"{code} review",
            "phase": "approval",
            "duty": f"{code}-duty",
            "candidates": [{"posts": ["head"], "departments": "legal"}],
            "limit": "PT8H",
            "signature": "password",
            "outcomes": ["approved", "returned"],
            **more,
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")

    def declare(self, job_type: str, **worker: object) -> None:
        declared = {job_type: {"zh": "核对译文", "en": "Check the translation.", **worker}}
        (self.folder / "workers.json").write_text(json.dumps({"workers": declared}), encoding="utf-8")

    def found(self) -> list[Finding]:
        self.drawing.save()
        return lint_check.find(self.folder, WORKERS)


DECLARED = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def review(name: str, stage: str, variable: str = "decision", more: str = "") -> str:
    return (
        f'<bpmn:callActivity id="{name}" name="{stage}"><bpmn:extensionElements>'
        '<zeebe:calledElement processId="review" propagateAllChildVariables="false"'
        ' propagateAllParentVariables="false" bindingType="deployment" />'
        '<zeebe:ioMapping><zeebe:input source="=null" target="decision" />'
        '<zeebe:input source="=applicationId" target="applicationId" />'
        f'<zeebe:input source="=&#34;{stage}&#34;" target="stage" />'
        f'<zeebe:output source="=decision" target="{variable}" /></zeebe:ioMapping>'
        f"</bpmn:extensionElements>{more}</bpmn:callActivity>"
    )


def job(name: str, job_type: str, mappings: str = "") -> str:
    return (
        f'<bpmn:serviceTask id="{name}" name="任务"><bpmn:extensionElements>'
        f'<zeebe:taskDefinition type="{job_type}" /><zeebe:ioMapping>{mappings}</zeebe:ioMapping>'
        "</bpmn:extensionElements></bpmn:serviceTask>"
    ).replace("<zeebe:ioMapping></zeebe:ioMapping>", "")


def gateway(name: str, kind: str = "exclusive") -> str:
    return f'<bpmn:{kind}Gateway id="{name}" name="如何？" />'


def end(name: str, *, terminates: bool = True) -> str:
    inside = f'<bpmn:terminateEventDefinition id="{name}_t" />' if terminates else ""
    return f'<bpmn:endEvent id="{name}" name="结束">{inside}</bpmn:endEvent>'


def two_reviews(models: Models, one: str, other: str) -> None:
    """A legal and an interpreter's review side by side, joined before Security."""
    models.stage("legal-check", "法务审核")
    models.stage("interpreting", "翻译审核")
    models.put(gateway("Fork", "parallel"), gateway("Join", "parallel"))
    models.put(review("Call_Legal", "legal-check", one), review("Call_Interpreter", "interpreting", other))
    models.turn("Flow_DepartmentApproved", "Fork")
    for name in ("Call_Legal", "Call_Interpreter"):
        models.flow("Fork", name)
        models.flow(name, "Join")
    models.put(gateway("Both"), end("Returned"))
    models.flow("Join", "Both")
    models.flow("Both", "Task_SecurityReview", f'={one} = "approved" and {other} = "approved"', "是")
    models.flow("Both", "Returned", f'={one} != "approved" or {other} != "approved"', "否")


def own_review(models: Models, *answers: tuple[str, str], variable: str = "decision", default: bool = False) -> None:
    """An interpreter's review before Security, and a gateway with a flow for each condition and its target."""
    models.stage("interpreting", "翻译审核")
    models.put(review("Call_Interpreter", "interpreting", variable), gateway("Answer"), end("Returned"))
    models.turn("Flow_DepartmentApproved", "Call_Interpreter")
    models.flow("Call_Interpreter", "Answer")
    for condition, target in answers:
        models.flow("Answer", target, condition, "答复")
    if default:
        models.flow("Answer", "Returned")
        models.drawing.element("Answer").set("default", "Flow_Answer_Returned")


def _mapping(models: Models, element: str, direction: str, target: str) -> etree._Element:
    found: etree._Element = models.drawing.one(f'//bpmn:*[@id="{element}"]//zeebe:{direction}[@target="{target}"]')
    return found


APPROVED = ('=decision = "approved"', "Task_SecurityReview")
RETURNED = ('=decision = "returned"', "Returned")


# ------------------------------------------------------------------------------------------------------------- errors


def a_task_without_type_is_a_review(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:task id="New" name="翻译人员审核" />')


def a_task_without_type_is_a_review_in_english(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:task id="New" name="Interpreter approves" />')


def a_task_has_the_name_of_a_stage(models: Models) -> None:
    models.stage("legal-help", "法律援助")
    models.drop("Flow_DepartmentApproved", '<bpmn:task id="New" name="法律援助" />')


def a_manual_task(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:manualTask id="New" name="传阅" />')


def a_user_task(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:userTask id="New" name="法务会签" />')


def two_reviews_at_once_with_one_variable(models: Models) -> None:
    two_reviews(models, "decision", "decision")


def a_review_beside_another_by_a_timer(models: Models) -> None:
    models.stage("interpreting", "翻译审核")
    models.put(
        '<bpmn:boundaryEvent id="Late" name="已久" cancelActivity="false" attachedToRef="Call_SecurityDecides">'
        '<bpmn:timerEventDefinition id="Late_t"><bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P1D'
        "</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent>"
    )
    models.put(review("New", "interpreting"), end("Looked", terminates=False))
    models.flow("Late", "New")
    models.flow("New", "Looked")


def a_review_for_each_item_at_once(models: Models) -> None:
    models.stage("interpreting", "翻译审核")
    loop = (
        "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        '<zeebe:loopCharacteristics inputCollection="=itemIds" inputElement="itemId" />'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
    )
    models.drop("Flow_DepartmentApproved", review("New", "interpreting", "itemDecision", loop))


def a_stage_is_misspelt(models: Models) -> None:
    _mapping(models, "Call_SecurityDecides", "input", "stage").set("source", '="securty"')


def an_outcome_has_no_way(models: Models) -> None:
    own_review(models, APPROVED, ('=decision = "rejected"', "Returned"))


def an_outcome_is_misspelt(models: Models) -> None:
    own_review(models, ('=decision = "aproved"', "Task_SecurityReview"), RETURNED)


def a_new_outcome_is_forgotten_in_the_model(models: Models) -> None:
    own_review(models, APPROVED, RETURNED)
    models.stage("interpreting", "翻译审核", outcomes=["approved", "returned", "rejected"])


def the_answer_is_not_taken_over(models: Models) -> None:
    own_review(models, APPROVED, RETURNED)
    mapping = _mapping(models, "Call_Interpreter", "output", "decision")
    mapping.getparent().remove(mapping)


def an_earlier_answer_may_count(models: Models) -> None:
    own_review(models, APPROVED, RETURNED)
    mapping = _mapping(models, "Call_Interpreter", "input", "decision")
    mapping.getparent().remove(mapping)


def a_flow_has_no_condition(models: Models) -> None:
    own_review(models, APPROVED)
    models.flow("Answer", "Returned")


def a_condition_is_no_expression(models: Models) -> None:
    own_review(models, ('=decision = "approved" and', "Task_SecurityReview"), RETURNED)


def a_job_is_deleted(models: Models) -> None:
    models.change('type="back-up-footage"', 'type="notify-storage"')


def a_flow_is_dragged_past_a_review(models: Models) -> None:
    models.turn("Flow_ApplicationComplete", "Task_SecurityReview")


def a_service_task_has_no_job_type(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:serviceTask id="New" name="统计" />')


def a_timer_leads_nowhere(models: Models) -> None:
    models.put(
        '<bpmn:boundaryEvent id="New" name="已久" attachedToRef="Call_SecurityDecides">'
        '<bpmn:timerEventDefinition id="New_t">'
        '<bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P1D</bpmn:timeDuration></bpmn:timerEventDefinition>'
        "</bpmn:boundaryEvent>"
    )


def a_phase_has_no_start(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:subProcess id="New" name="翻译" />')


def a_flow_leads_out_of_its_phase(models: Models) -> None:
    models.turn("Flow_DepartmentApproved", "Task_OpenCase")


def a_flow_leads_to_nothing(models: Models) -> None:
    models.drawing.element("Flow_DepartmentApproved").set("targetRef", "Gone")


def a_timer_is_drawn_at_an_element_of_another_phase(models: Models) -> None:
    a_timer_leads_nowhere(models)
    models.drawing.element("New").set("attachedToRef", "Task_OpenCase")


def a_declared_worker_lacks_an_input(models: Models) -> None:
    models.declare("check-translation", inputs=["applicationId", "language"])
    models.drop("Flow_DepartmentApproved", job("New", "check-translation"))


def an_output_of_a_declared_worker_is_misspelt(models: Models) -> None:
    models.declare("check-translation", inputs=["applicationId"], outputs={"translated": [True, False]})
    mapping = '<zeebe:output source="=translatd" target="isTranslated" />'
    models.drop("Flow_DepartmentApproved", job("New", "check-translation", mapping))


def a_value_of_a_declared_worker_has_no_way(models: Models) -> None:
    models.declare("check-translation", outputs={"quality": ["good", "bad", "none"]})
    models.put(job("New", "check-translation"), gateway("Answer"), end("Returned"))
    models.turn("Flow_DepartmentApproved", "New")
    models.flow("New", "Answer")
    models.flow("Answer", "Task_SecurityReview", '=quality = "good"', "好")
    models.flow("Answer", "Returned", '=quality = "bad"', "差")


def a_job_type_of_the_product_is_declared(models: Models) -> None:
    models.declare("open-review")


ERRORS: dict[Edit, tuple[str, str, str]] = {
    a_task_without_type_is_a_review: ("undefined-human-task", "New", "Draw this instead: the template 人工审核"),
    a_task_without_type_is_a_review_in_english: ("undefined-human-task", "New", "nobody is asked"),
    a_task_has_the_name_of_a_stage: ("undefined-human-task", "New", "“法律援助” is a task without a type"),
    a_manual_task: ("undefined-human-task", "New", "“传阅” is a task without a type"),
    a_user_task: ("unserved-user-task", "New", "Draw this instead: the template 人工审核"),
    two_reviews_at_once_with_one_variable: (
        "reviews-at-once",
        "Call_Interpreter",
        "“legal-check” and “interpreting” can be open at once, and both write decision: the answer that comes last "
        "counts, whatever the other one was. Draw this instead: an output of its own for each, such as =decision to "
        "interpretingDecision, and behind the join a gateway that reads both.",
    ),
    a_review_beside_another_by_a_timer: ("reviews-at-once", "New", "“安全审核” and “interpreting” can be open at once"),
    a_review_for_each_item_at_once: ("reviews-at-once", "New", "several times at once, and all of them write itemDec"),
    a_stage_is_misspelt: ("stage", "Call_SecurityDecides", "no stage securty: is security meant?"),
    an_outcome_has_no_way: ("no-way-out", "Answer", 'can end with decision = "returned", and no flow'),
    an_outcome_is_misspelt: ("no-way-out", "Answer", 'can end with decision = "approved", and no flow'),
    a_new_outcome_is_forgotten_in_the_model: ("no-way-out", "Answer", 'can end with decision = "rejected"'),
    the_answer_is_not_taken_over: ("review-outputs", "Call_Interpreter", "is not taken over"),
    an_earlier_answer_may_count: ("review-inputs", "Call_Interpreter", "has to start as =null"),
    a_flow_has_no_condition: ("engine", "Answer", "each of its flows needs a condition, or must be the default"),
    a_condition_is_no_expression: ("engine", "Flow_Answer_Task_SecurityReview", "is not valid FEEL"),
    a_job_is_deleted: ("required-step", "back-up-footage", "No model does back-up-footage"),
    a_flow_is_dragged_past_a_review: ("required-step", "Call_DepartmentDecides", "No flow leads to preliminary"),
    a_service_task_has_no_job_type: ("engine", "New", "it needs a task definition with a job type"),
    a_timer_leads_nowhere: ("engine", "New", "a boundary event needs an outgoing flow"),
    a_phase_has_no_start: ("engine", "New", "it needs a start event"),
    a_flow_leads_out_of_its_phase: ("engine", "Flow_DepartmentApproved", "a flow stays in its process or subprocess"),
    a_flow_leads_to_nothing: ("engine", "Flow_DepartmentApproved", "the flow refers to 'Gone', which does not exist"),
    a_timer_is_drawn_at_an_element_of_another_phase: ("engine", "New", "a boundary event"),
    a_declared_worker_lacks_an_input: (
        "worker-inputs",
        "New",
        "needs language, and nobody gives it. Draw this instead",
    ),
    an_output_of_a_declared_worker_is_misspelt: ("worker-outputs", "New", "no translatd (is translated meant?)"),
    a_value_of_a_declared_worker_has_no_way: ("no-way-out", "Answer", 'can end with quality = "none"'),
    a_job_type_of_the_product_is_declared: ("own-workers", "workers.open-review", "is a worker of the product"),
}


# ------------------------------------------------------------------------------------------------- harmless, or advice


def an_element_is_renamed(models: Models) -> None:
    models.change('name="部门初审"', 'name="部门领导初审"')
    models.change("Call_DepartmentDecides", "Call_LineManagerDecides")


def a_label_is_moved(models: Models) -> None:
    bounds = models.drawing.one('//bpmndi:BPMNShape[@bpmnElement="Gateway_Signature"]/bpmndi:BPMNLabel/dc:Bounds')
    bounds.set("x", str(float(bounds.get("x")) + 20))


def an_annotation_is_added(models: Models) -> None:
    models.put(
        '<bpmn:textAnnotation id="Note"><bpmn:text>须先审核</bpmn:text></bpmn:textAnnotation>'
        '<bpmn:association id="To" sourceRef="Note" targetRef="Call_SecurityDecides" />'
    )


def a_review_is_added(models: Models) -> None:
    own_review(models, APPROVED, RETURNED)


def a_review_with_a_variable_of_its_own(models: Models) -> None:
    own_review(
        models,
        ('=interpreterSays = "approved"', "Task_SecurityReview"),
        ('=interpreterSays != "approved"', "Returned"),
        variable="interpreterSays",
    )


def two_flows_for_one_answer(models: Models) -> None:
    own_review(models, ("=true", "Task_SecurityReview"), RETURNED)


def a_gateway_with_a_default(models: Models) -> None:
    own_review(models, APPROVED, default=True)


def two_reviews_at_once_with_variables_of_their_own(models: Models) -> None:
    two_reviews(models, "legalDecision", "interpreterDecision")


def two_reviews_at_once_each_in_a_subprocess(models: Models) -> None:
    models.stage("legal-check", "法务审核")
    models.stage("interpreting", "翻译审核")
    models.put(gateway("Fork", "parallel"), gateway("Join", "parallel"))
    models.turn("Flow_DepartmentApproved", "Fork")
    for name, stage in (("Legal", "legal-check"), ("Interpreter", "interpreting")):
        models.put(
            f'<bpmn:subProcess id="Sub_{name}" name="{stage}"><bpmn:extensionElements><zeebe:ioMapping>'
            '<zeebe:input source="=null" target="decision" />'
            f'<zeebe:output source="=decision" target="decision{name}" /></zeebe:ioMapping></bpmn:extensionElements>'
            f'<bpmn:startEvent id="Start_{name}"><bpmn:outgoing>F1_{name}</bpmn:outgoing></bpmn:startEvent>'
            + review(f"Call_{name}", stage).replace(
                "</bpmn:extensionElements>",
                f"</bpmn:extensionElements><bpmn:incoming>F1_{name}</bpmn:incoming>"
                f"<bpmn:outgoing>F2_{name}</bpmn:outgoing>",
            )
            + f'<bpmn:endEvent id="End_{name}"><bpmn:incoming>F2_{name}</bpmn:incoming></bpmn:endEvent>'
            f'<bpmn:sequenceFlow id="F1_{name}" sourceRef="Start_{name}" targetRef="Call_{name}" />'
            f'<bpmn:sequenceFlow id="F2_{name}" sourceRef="Call_{name}" targetRef="End_{name}" /></bpmn:subProcess>'
        )
        models.flow("Fork", f"Sub_{name}")
        models.flow(f"Sub_{name}", "Join")
    models.flow("Join", "Task_SecurityReview")


def one_review_after_the_other(models: Models) -> None:
    models.stage("interpreting", "翻译审核")
    models.drop("Flow_DepartmentApproved", review("New", "interpreting"))


def a_worker_that_nobody_declared(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", job("New", "count-statistics"))


def a_declared_worker(models: Models) -> None:
    models.declare("check-translation", inputs=["applicationId"], outputs={"quality": ["good", "bad"]}, errors=["NONE"])
    models.put(job("New", "check-translation"), gateway("Answer"), end("Returned"))
    models.turn("Flow_DepartmentApproved", "New")
    models.flow("New", "Answer")
    models.flow("Answer", "Task_SecurityReview", '=quality = "good"', "好")
    models.flow("Answer", "Returned", '=quality = "bad"', "差")


def a_declared_worker_beside_which_a_variable_is_copied(models: Models) -> None:
    models.declare("check-translation", inputs=["applicationId"], outputs={"quality": ["good", "bad"]})
    mapping = '<zeebe:output source="=applicationId" target="translatedApplicationId" />'
    models.drop("Flow_DepartmentApproved", job("New", "check-translation", mapping))


def a_user_task_that_a_declared_task_list_serves(models: Models) -> None:
    models.declare("io.camunda.zeebe:userTask")
    models.drop("Flow_DepartmentApproved", '<bpmn:userTask id="New" name="法务会签" />')


def a_user_task_that_a_message_ends(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:userTask id="New" name="法务会签" />')
    models.put(
        '<bpmn:boundaryEvent id="Withdrawn" name="已撤回" attachedToRef="New">'
        '<bpmn:messageEventDefinition id="Withdrawn_m" messageRef="Message_ApplicationWithdrawn" />'
        "</bpmn:boundaryEvent>",
        end("Over"),
    )
    models.flow("Withdrawn", "Over")


def a_task_that_only_says_something(models: Models) -> None:
    models.drop("Flow_DepartmentApproved", '<bpmn:task id="New" name="材料汇总" />')


def a_task_drawn_aside(models: Models) -> None:
    models.put(job("New", "notify-storage"))


def a_second_reminder_beside_the_review(models: Models) -> None:
    models.put(
        '<bpmn:boundaryEvent id="Late" name="已久" cancelActivity="false" attachedToRef="Call_SecurityDecides">'
        '<bpmn:timerEventDefinition id="Late_t"><bpmn:timeCycle xsi:type="bpmn:tFormalExpression">R/P1D'
        "</bpmn:timeCycle></bpmn:timerEventDefinition></bpmn:boundaryEvent>",
        job("New", "remind-reviewer"),
        end("Reminded", terminates=False),
    )
    models.flow("Late", "New")
    models.flow("New", "Reminded")


def a_signal(models: Models) -> None:
    models.drawing.tree.getroot().insert(
        1, etree.fromstring(f'<x {DECLARED}><bpmn:signal id="Signal" name="approved" /></x>')[0]
    )
    models.drop(
        "Flow_DepartmentApproved",
        '<bpmn:intermediateThrowEvent id="New" name="通告"><bpmn:signalEventDefinition id="New_s" signalRef="Signal" />'
        "</bpmn:intermediateThrowEvent>",
    )


def a_name_is_taken_away(models: Models) -> None:
    models.change('name="已签字？"', "")


def the_file_is_of_a_newer_modeler(models: Models) -> None:
    models.change('executionPlatformVersion="8.6.0"', 'executionPlatformVersion="8.8.0"')


def a_group_is_drawn_around(models: Models) -> None:
    models.put('<bpmn:group id="Group" />')


def flows_meet_without_a_gateway(models: Models) -> None:
    own_review(models, APPROVED, ('=decision = "returned"', "Event_DepartmentReturned"))


HARMLESS: dict[Edit, tuple[str, ...]] = {
    an_element_is_renamed: (),
    a_label_is_moved: (),
    an_annotation_is_added: (),
    a_review_is_added: (),
    a_review_with_a_variable_of_its_own: (),
    two_flows_for_one_answer: ("two-ways",),
    a_gateway_with_a_default: (),
    two_reviews_at_once_with_variables_of_their_own: (),
    two_reviews_at_once_each_in_a_subprocess: (),
    one_review_after_the_other: (),
    a_worker_that_nobody_declared: ("undeclared-job",),
    a_declared_worker: (),
    a_declared_worker_beside_which_a_variable_is_copied: ("worker-outputs",),
    a_user_task_that_a_declared_task_list_serves: (),
    a_user_task_that_a_message_ends: (),
    a_task_that_only_says_something: ("undefined-task",),
    a_task_drawn_aside: (),
    a_second_reminder_beside_the_review: (),
    a_signal: (),
    a_name_is_taken_away: (),
    the_file_is_of_a_newer_modeler: (),
    a_group_is_drawn_around: (),
    flows_meet_without_a_gateway: (),
}


@pytest.fixture
def models(tmp_path: Path) -> Models:
    for path in (*BPMN.glob("*.bpmn"), *BPMN.glob("*.dmn"), BPMN / stage_file.NAME):
        shutil.copy(path, tmp_path)
    return Models(tmp_path)


@pytest.mark.parametrize("edit", ERRORS, ids=lambda edit: edit.__name__)
def test_a_careless_edit_is_an_error_that_says_what_to_draw(models: Models, edit: Edit) -> None:
    edit(models)
    rule, element, sentence = ERRORS[edit]

    found = [one for one in models.found() if one.level is Level.ERROR]

    named = [one for one in found if (one.rule, one.element) == (rule, element)]
    assert named, found
    assert sentence in named[0].text.en
    assert named[0].text.zh != named[0].text.en
    assert named[0].line or rule == "required-step"


@pytest.mark.slow
@pytest.mark.parametrize("edit", HARMLESS, ids=lambda edit: edit.__name__)
def test_a_harmless_edit_is_at_most_advised_on(models: Models, edit: Edit) -> None:
    edit(models)

    found = models.found()

    assert {(one.level, one.rule) for one in found} == {(Level.ADVICE, rule) for rule in HARMLESS[edit]}
