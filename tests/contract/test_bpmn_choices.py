"""The questions of the models: exactly one answer for each value that can come, none for a value that is missing."""

from itertools import product
from typing import Any

import bpmn_models as bpmn
import pytest
from bpmn_contract import STAGES

from services.domain.process.messages import LOAN_OUTCOMES
from services.engine.feel import compile_expression, compile_unary_tests, to_json

ROOT = bpmn.process("video-retrieval")
TABLES = {
    decision.get("id"): decision
    for decision in bpmn.find(bpmn.tree(bpmn.MODELS / "classification.dmn"), "dmn:decision")
}

Values = dict[str, Any]


def shares(*coverages: float) -> Values:
    return {"retrieved": [{"itemId": str(number), "coverage": share} for number, share in enumerate(coverages)]}


def sources(element_id: str) -> list[str]:
    """What leads to an element, through a join what leads to that."""
    found = bpmn.find(ROOT, f'.//bpmn:sequenceFlow[@targetRef="{element_id}"]/@sourceRef')
    if len(found) == 1 and bpmn.find(ROOT, f'.//bpmn:exclusiveGateway[@id="{found[0]}" and not(@name)]'):
        return sources(found[0])
    return list(found)


def stage_before(gateway: Any) -> str | None:
    """The stage of the review whose answer a gateway reads, itself or from the end of the phase before it.

    Behind a join it is that of the way drawn first: ``test_ways_that_join_give_the_same_answers``.
    """
    source = sources(gateway.get("id"))[0]
    call = bpmn.find(ROOT, f'.//bpmn:callActivity[@id="{source}" or ancestor::bpmn:subProcess[@id="{source}"]]')
    return bpmn.mapping(call[-1], "input")["stage"].strip('="') if call else None


OUTCOMES = {
    "approvalOutcome": ("approved", "returned", "rejected"),
    "correctionOutcome": ("corrected", "expired"),
    "retrievalOutcome": ("ready", "returned", "unavailable"),
    "preparationOutcome": ("ready", "rejected", "expired", "unavailable", "withdrawn"),
    "custodyOutcome": ("returned", "not-taken", *LOAN_OUTCOMES),
    "loanOutcome": LOAN_OUTCOMES,
}


def possible(gateway: Any) -> dict[str, list[Values]]:
    """What can arrive at a gateway, by the flow that must then be taken."""
    flows = {
        flow.get("id"): bpmn.find(flow, "bpmn:conditionExpression/text()") for flow in bpmn.outgoing(ROOT, gateway)
    }
    text = " ".join(condition for conditions in flows.values() for condition in conditions)
    if "retrieved" in text:
        return {
            "Flow_AllRetrieved": [shares(1), shares(1, 1)],
            "Flow_SomeRetrieved": [shares(1, 0), shares(0.4), shares(0.4, 0, 1), shares(0.01, 0)],
            "Flow_NothingRetrieved": [shares(0), shares(0, 0)],
        }
    for name, values in (*OUTCOMES.items(), ("decision", tuple(sorted(STAGES[stage_before(gateway) or "receipt"][0])))):
        if name in text:
            return {flow: [{name: v} for v in values if f'"{v}"' in condition[0]] for flow, condition in flows.items()}
    positive = next(condition[0] for condition in flows.values() if "not(" not in condition[0]).removeprefix("=")
    return {flow: [{positive: "not(" not in condition[0]}] for flow, condition in flows.items()}


def taken(gateway: Any, values: Values) -> list[str]:
    """The flows whose condition is true; a condition that is null is an incident and takes none."""
    answers = {
        flow.get("id"): to_json(
            compile_expression(bpmn.find(flow, "bpmn:conditionExpression/text()")[0].removeprefix("=")).evaluate(values)
        )
        for flow in bpmn.outgoing(ROOT, gateway)
    }
    return [flow for flow, answer in answers.items() if answer is True]


every_question = pytest.mark.parametrize("gateway", bpmn.splits(ROOT), ids=lambda gateway: gateway.get("id"))


@every_question
def test_no_question_has_a_default_answer(gateway: Any) -> None:
    assert gateway.get("default") is None
    assert all(bpmn.find(flow, "bpmn:conditionExpression") for flow in bpmn.outgoing(ROOT, gateway))


@every_question
def test_each_value_that_can_come_has_one_answer(gateway: Any) -> None:
    for flow, cases in possible(gateway).items():
        assert cases, f"nothing leads to {flow}"
        for values in cases:
            assert taken(gateway, values) == [flow], values


@every_question
def test_a_missing_value_is_never_taken_for_an_answer(gateway: Any) -> None:
    assert taken(gateway, {}) == []
    assert taken(gateway, {"decision": None}) == []
    assert taken(gateway, dict.fromkeys(OUTCOMES)) == taken(gateway, dict.fromkeys(OUTCOMES, "unknown")) == []


def test_the_answer_of_a_gateway_is_one_that_its_review_can_give() -> None:
    for gateway in bpmn.splits(ROOT):
        texts = bpmn.find(
            ROOT, f'.//bpmn:sequenceFlow[@sourceRef="{gateway.get("id")}"]/bpmn:conditionExpression/text()'
        )
        if "=decision" in texts[0]:
            stage = stage_before(gateway)
            assert stage
            assert {text.split('"')[1] for text in texts} == STAGES[stage][0], gateway.get("id")


def test_ways_that_join_give_the_same_answers() -> None:
    (gateway,) = bpmn.find(ROOT, './/bpmn:exclusiveGateway[@id="Gateway_DepartmentDecision"]')
    calls = [bpmn.find(ROOT, f'.//bpmn:callActivity[@id="{source}"]')[0] for source in sources(gateway.get("id"))]
    stages = [bpmn.mapping(call, "input")["stage"].strip('="') for call in calls]
    assert stages == ["preliminary", "credentials"]
    assert STAGES["preliminary"][0] == STAGES["credentials"][0]


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name not in ("approvalOutcome", "loanOutcome")])
def test_a_phase_ends_with_the_outcomes_that_are_asked_for_after_it(outcome: str) -> None:
    set_by_ends = [
        bpmn.mapping(end, "output")[outcome].strip('="')
        for end in bpmn.elements(ROOT, "endEvent", "boundaryEvent")
        if outcome in bpmn.mapping(end, "output")
    ]
    assert set(set_by_ends) == set(OUTCOMES[outcome])


def test_the_last_decision_of_the_approval_is_its_outcome() -> None:
    (phase,) = bpmn.find(ROOT, './/bpmn:subProcess[@id="Phase_Approval"]')
    outcome = compile_expression(bpmn.mapping(phase, "output")["approvalOutcome"].removeprefix("="))
    decisions = set().union(
        *(STAGES[stage][0] for stage in ("preliminary", "credentials", "security", "security-signature", "management"))
    )
    said = {decision: to_json(outcome.evaluate({"decision": decision})) for decision in decisions}
    assert said == {**{name: name for name in OUTCOMES["approvalOutcome"]}, "signed": "approved", "refused": "rejected"}


def test_each_approval_is_a_round_of_its_own() -> None:
    (phase,) = bpmn.find(ROOT, './/bpmn:subProcess[@id="Phase_Approval"]')
    count = compile_expression(bpmn.mapping(phase, "output")["round"].removeprefix("="))
    assert [to_json(count.evaluate(values)) for values in ({}, {"round": 1}, {"round": 2})] == [1, 2, 3]


# ------------------------------------------------------------------------------------------------- classification


def matching(decision: str, values: Values) -> list[Values]:
    """The outputs of every rule of a table that matches."""
    table = bpmn.find(TABLES[decision], "dmn:decisionTable")[0]
    inputs = bpmn.find(table, "dmn:input/dmn:inputExpression/dmn:text/text()")
    outputs = bpmn.find(table, "dmn:output/@name")
    found = []
    for rule in bpmn.find(table, "dmn:rule"):
        cells = [cell.text or "" for cell in bpmn.find(rule, "dmn:inputEntry/dmn:text")]
        if all(
            compile_unary_tests(cell).matches(values[name], values) for cell, name in zip(cells, inputs, strict=True)
        ):
            entries = bpmn.find(rule, "dmn:outputEntry/dmn:text/text()")
            results = [to_json(compile_expression(entry).evaluate(values)) for entry in entries]
            found.append(dict(zip(outputs, results, strict=True)))
    return found


def classify(values: Values) -> Values | None:
    importance = matching("importance", values)
    found = matching("classification", {**values, "importance": importance[0]["importance"] if importance else None})
    assert len(found) <= 1, "a UNIQUE table has two answers"
    return found[0] if found else None


QUESTIONS = ("importantInformation", "sensitiveEvent", "highImpact")
EVERYTHING = [
    dict(zip((*QUESTIONS, "cameraClass", "wayOfUse", "securityInvolved", "managementInvolved"), values, strict=True))
    for values in product(
        *[(False, True)] * 3, ("ordinary", "sensitive"), ("on-site", "view", "download"), (False, True), (False, True)
    )
]


@pytest.mark.requirement("R14", "R26", "R50", "R56")
@pytest.mark.parametrize("values", EVERYTHING, ids=lambda values: "-".join(str(value) for value in values.values()))
def test_the_class_of_an_application(values: Values) -> None:
    important = any(values[question] for question in QUESTIONS) or values["cameraClass"] == "sensitive"
    needed = important or values["securityInvolved"]
    decider = "management-other" if values["managementInvolved"] else "management"
    assert classify(values) == {
        "importance": "important" if important else "ordinary",
        "managementNeeded": needed,
        "decidedBy": decider if needed else "none",
        "secondPerson": important,
        "backupNeeded": important,
        "maxUseDays": 15 if important else 30,
    }


@pytest.mark.parametrize("missing", EVERYTHING[0])
def test_a_missing_input_never_makes_an_ordinary_application(missing: str) -> None:
    """On a cluster `true` holds for every input where another test follows it, null too; `false,true` does not."""
    assert classify({**EVERYTHING[0], missing: None}) is None
