"""Evaluate deployed decisions for business rule tasks and for clients."""

from dataclasses import dataclass
from typing import Any

from services.engine.errors import ErrorType, Failure, Rejection, RejectionType
from services.engine.model.bpmn import Binding, CallTarget
from services.engine.processing.decision_engine import DecisionResult, evaluate_decision
from services.engine.processing.execution import ElementContext, Execution
from services.engine.state.decisions import DecisionVersion, RequirementsVersion


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation, with the versions of all decisions of the file."""

    key: int
    decision: DecisionVersion
    requirements: RequirementsVersion
    versions: dict[str, DecisionVersion]
    result: DecisionResult


def evaluate_called(
    execution: Execution, context: ElementContext, called: CallTarget, decision_id: str, variables: dict[str, Any]
) -> Any:
    """Return the output for a business rule task; raises Failure."""
    decision = _find_version(execution, context, called, decision_id)
    if decision is None:
        raise Failure(
            ErrorType.CALLED_DECISION,
            f"Expected to evaluate decision '{decision_id}' (binding {called.binding}), but there is none.",
        )
    evaluation = _evaluate(execution, decision, variables, process_instance_key=context.process_instance.key)
    if evaluation.result.failure_message:
        raise Failure(ErrorType.DECISION_EVALUATION, evaluation.result.failure_message)
    return evaluation.result.output


def evaluate_for_client(execution: Execution, key: int, decision_id: str, variables: dict[str, Any]) -> Evaluation:
    """Evaluate the latest version of an id, else by key.

    Raises Rejection; a failed evaluation is part of the result.
    """
    if key < 0 and not decision_id:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT, "Expected either a decision id or a valid decision key, but none provided"
        )
    decision = execution.store.decisions.latest(decision_id) if decision_id else execution.store.decisions.by_key(key)
    if decision is None:
        target = f"id '{decision_id}'" if decision_id else f"key '{key}'"
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected to evaluate decision '{decision_id or key}', but no decision found for {target}",
        )
    return _evaluate(execution, decision, variables, process_instance_key=-1)


def _find_version(
    execution: Execution, context: ElementContext, called: CallTarget, decision_id: str
) -> DecisionVersion | None:
    decisions = execution.store.decisions
    match called.binding:
        case Binding.LATEST:
            return decisions.latest(decision_id)
        case Binding.DEPLOYMENT:
            own = execution.store.process_definitions.get(context.process_instance.process_definition_key)
            return decisions.deployed_with(decision_id, own.deployment_key) if own is not None else None
        case Binding.VERSION_TAG:
            return decisions.latest_with_tag(decision_id, called.version_tag or "")


def _evaluate(
    execution: Execution, decision: DecisionVersion, variables: dict[str, Any], process_instance_key: int
) -> Evaluation:
    requirements, model = execution.models.decisions(decision.decision_requirements_key)
    result = evaluate_decision(model, decision.decision_id, variables, execution.now)
    versions = {d.decision_id: d for d in execution.store.decisions.in_requirements(requirements.key)}
    key = execution.store.next_key()
    value = {
        "decisionId": decision.decision_id,
        "decisionKey": decision.key,
        "decisionVersion": decision.version,
        "decisionOutput": result.output,
        "processInstanceKey": process_instance_key,
        "evaluationFailureMessage": result.failure_message,
        "failedDecisionId": result.failed_decision_id,
        "evaluatedDecisions": [
            {"decisionId": d.id, "decisionOutput": d.output, "matchedRules": [r.index for r in d.matched_rules]}
            for d in result.evaluated
        ],
    }
    execution.record(key, "DECISION_EVALUATION", "FAILED" if result.failure_message else "EVALUATED", value)
    return Evaluation(key, decision, requirements, versions, result)
