"""Evaluates decisions, and tells everything that EvaluateDecision answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.engine.feel import Expression, FeelEvaluationError, to_json
from services.engine.model.decisions import (
    BoxedContext,
    BoxedInvocation,
    BoxedList,
    BoxedRelation,
    Decision,
    DecisionRequirements,
    DecisionTable,
    Knowledge,
    Logic,
)
from services.engine.processing.decision_logic import (
    EvaluatedInput,
    Failure,
    LogicEvaluation,
    MatchedRule,
    Now,
    Trace,
    typed,
)

_TYPES: tuple[tuple[type, str], ...] = (
    (DecisionTable, "DECISION_TABLE"),
    (Expression, "LITERAL_EXPRESSION"),
    (BoxedContext, "CONTEXT"),
    (BoxedInvocation, "INVOCATION"),
    (BoxedList, "LIST"),
    (BoxedRelation, "RELATION"),
)


@dataclass(frozen=True, slots=True)
class EvaluatedDecision:
    """`type` is one of Zeebe's decision types, such as DECISION_TABLE; `output` is None where the decision failed.

    A business knowledge model that was called is told in the same way, under its own id.
    """

    id: str
    name: str
    type: str
    output: Any
    inputs: tuple[EvaluatedInput, ...] = ()
    matched_rules: tuple[MatchedRule, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """`evaluated` lists required decisions before those that need them; the last two are empty where all went well."""

    output: Any
    evaluated: tuple[EvaluatedDecision, ...]
    failed_decision_id: str = ""
    failure_message: str = ""


def evaluate_decision(
    requirements: DecisionRequirements, decision_id: str, variables: Mapping[str, object], now: Now
) -> DecisionResult:
    """Evaluates a decision of the file after those it requires. Raises LookupError where the file has no such id."""
    if decision_id not in requirements.decisions:
        raise LookupError(f"The decision requirements '{requirements.id}' have no decision '{decision_id}'.")
    evaluation = _Evaluation(requirements, variables, now)
    try:
        output = evaluation.decide(requirements.decisions[decision_id])
    except (Failure, FeelEvaluationError) as failure:
        message = f"Expected to evaluate decision '{decision_id}', but {failure}"
        return DecisionResult(None, tuple(evaluation.evaluated), evaluation.failed_decision_id, message)
    return DecisionResult(to_json(output), tuple(evaluation.evaluated))


class _Evaluation:
    """One evaluation with all required decisions, each of which sees the start variables and what it requires."""

    def __init__(self, requirements: DecisionRequirements, variables: Mapping[str, object], now: Now) -> None:
        self._requirements = requirements
        self._variables = variables
        self._logic = LogicEvaluation(requirements.knowledge, now, self._note_knowledge)
        self.evaluated: list[EvaluatedDecision] = []
        self.failed_decision_id = ""

    def decide(self, decision: Decision) -> object:
        required = [self._requirements.decisions[identity] for identity in decision.required]
        results = {one.result_name: self.decide(one) for one in required}
        variables = {**self._variables, **results}
        variables.update(self._logic.functions(decision.knowledge, variables))
        trace = Trace([], [])
        try:
            output = typed(self._logic.value(decision.logic, variables, trace), decision.result_type)
            told = _told(decision, decision.logic, output, trace)
        except (Failure, FeelEvaluationError):
            self.failed_decision_id = decision.id
            self.evaluated.append(_told(decision, decision.logic, None, trace))
            raise
        self.evaluated.append(told)
        return output

    def _note_knowledge(self, model: Knowledge, output: object, trace: Trace) -> None:
        if model.function.body is not None:
            self.evaluated.append(_told(model, model.function.body, output, trace))


def _told(one: Decision | Knowledge, logic: Logic, output: object, trace: Trace) -> EvaluatedDecision:
    kind = next((name for kind, name in _TYPES if isinstance(logic, kind)), "UNKNOWN")
    return EvaluatedDecision(one.id, one.name, kind, to_json(output), tuple(trace.inputs), tuple(trace.matched))
