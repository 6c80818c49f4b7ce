"""Evaluate decisions with the decisions and business knowledge models that they require."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.engine.feel import Expression, FeelEvaluationError, compile_expression, to_json
from services.engine.feel.values import Function
from services.engine.model.decisions import (
    Aggregation,
    BoxedContext,
    BoxedFunction,
    BoxedInvocation,
    BoxedList,
    BoxedRelation,
    Decision,
    DecisionRequirements,
    DecisionTable,
    HitPolicy,
    Knowledge,
    Logic,
    Rule,
)

Now = Callable[[], datetime]
Row = dict[str, object]
Variables = Mapping[str, object]

_AGGREGATES = {
    Aggregation.SUM: compile_expression("sum(values)"),
    Aggregation.MIN: compile_expression("min(values)"),
    Aggregation.MAX: compile_expression("max(values)"),
}
_NAME_LENGTH = 30  # of the name of an input without a label: its expression
_EQUAL = compile_expression("first = other")
_TYPES = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "time": "time",
    "date": "date",
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
}
_TYPE_TESTS = {name: compile_expression(f"value instance of {name}") for name in _TYPES.values()}


@dataclass(frozen=True, slots=True)
class EvaluatedInput:
    """`name` is the label, else the expression; `value` is JSON-like."""

    id: str
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class EvaluatedOutput:
    id: str
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class MatchedRule:
    """`index` counts from 1."""

    id: str
    index: int
    outputs: tuple[EvaluatedOutput, ...]


class DecisionFailure(Exception):
    """Decision logic fails; the message says why."""


@dataclass(slots=True)
class Trace:
    """The inputs and matched rules of a decision table, filled during evaluation."""

    inputs: list[EvaluatedInput]
    matched: list[MatchedRule]


class LogicEvaluation:
    """Evaluates decision logic.

    Calls `on_call` for each call of a business knowledge model.
    """

    def __init__(
        self, knowledge: Mapping[str, Knowledge], now: Now, on_call: Callable[[Knowledge, object, Trace], None]
    ) -> None:
        self._knowledge = knowledge
        self._by_name = {model.name: model for model in knowledge.values()}
        self._now = now
        self._on_call = on_call

    def value(self, logic: Logic, variables: Variables, trace: Trace) -> object:  # noqa: PLR0911 - one for each kind
        """Return the FEEL value; fills `trace` for a decision table.

        Raises DecisionFailure.
        """
        match logic:
            case Expression():
                return self._expression(logic, variables)
            case DecisionTable():
                return self._table(logic, variables, trace)
            case BoxedContext():
                return self._context(logic, variables)
            case BoxedList():
                return [self._inner(item, variables) for item in logic.items]
            case BoxedRelation():
                return [{name: self._inner(cell, variables) for name, cell in row} for row in logic.rows]
            case BoxedFunction():
                return self._function(logic, variables)
            case BoxedInvocation():
                return self._invocation(logic, variables)

    def functions(self, required: Sequence[str], variables: Variables) -> dict[str, object]:
        """Return the required business knowledge models by name, as functions."""
        models = [self._knowledge[identity] for identity in required if identity in self._knowledge]
        return {model.name: self._knowledge_function(model, variables) for model in models}

    def _inner(self, logic: Logic, variables: Variables) -> object:
        return self.value(logic, variables, Trace([], []))

    def _expression(self, expression: Expression, variables: Variables) -> object:
        try:
            return expression.evaluate(variables, now=self._now)
        except FeelEvaluationError as error:
            raise DecisionFailure(f"failed to evaluate expression '{expression.text}': {error}") from error

    # boxed expressions

    def _context(self, logic: BoxedContext, variables: Variables) -> object:
        result: Row = {}
        for name, entry in logic.entries:
            result[name] = self._inner(entry, {**variables, **result})
        return result if logic.result is None else self._inner(logic.result, {**variables, **result})

    def _function(self, logic: BoxedFunction, variables: Variables) -> Function:
        def call(values: Sequence[object]) -> object:
            try:
                arguments = _arguments(logic, values)
                return None if logic.body is None else self._inner(logic.body, {**variables, **arguments})
            except DecisionFailure:
                return None

        return Function(tuple(name for name, _ in logic.params), call)

    def _invocation(self, logic: BoxedInvocation, variables: Variables) -> object:
        model = self._by_name.get(logic.knowledge)
        if model is None:
            raise DecisionFailure(f"no BKM found with name '{logic.knowledge}'")
        arguments = {name: self._inner(value, variables) for name, value in logic.bindings}
        missing = next((name for name, _ in model.function.params if name not in arguments), None)
        if missing is not None:
            raise DecisionFailure(f"no parameter found with name '{missing}'")
        return self._evaluate_knowledge(model, [arguments[name] for name, _ in model.function.params], variables)

    # business knowledge models

    def _knowledge_function(self, model: Knowledge, variables: Variables) -> Function:
        def call(values: Sequence[object]) -> object:
            try:
                return self._evaluate_knowledge(model, values, variables)
            except DecisionFailure:
                return None

        return Function(tuple(name for name, _ in model.function.params), call)

    def _evaluate_knowledge(self, model: Knowledge, values: Sequence[object], variables: Variables) -> object:
        arguments = _arguments(model.function, values)
        if model.function.body is None:
            return None
        trace = Trace([], [])
        local_variables = {**variables, **self.functions(model.required, variables), **arguments}
        result = self.value(model.function.body, local_variables, trace)
        self._on_call(model, result, trace)
        return result

    # decision tables

    def _table(self, table: DecisionTable, variables: Variables, trace: Trace) -> object:
        values = [self._expression(column.expression, variables) for column in table.inputs]
        trace.inputs.extend(
            EvaluatedInput(column.id, column.label or column.expression.text[:_NAME_LENGTH], to_json(value))
            for column, value in zip(table.inputs, values, strict=True)
        )
        rows: list[Row] = []
        for index, rule in enumerate(table.rules, 1):
            if not self._matches(rule, values, variables):
                continue
            outputs = [self._expression(entry, variables) for entry in rule.outputs]
            trace.matched.append(_matched_rule(table, rule, index, outputs))
            rows.append({column.name: value for column, value in zip(table.outputs, outputs, strict=True)})
            if table.hit_policy is HitPolicy.FIRST:
                break
        return _apply_hit_policy(table, rows) if rows else self._default_flow(table, variables)

    def _matches(self, rule: Rule, values: Sequence[object], variables: Variables) -> bool:
        try:
            return all(
                test.matches(value, variables, self._now) for test, value in zip(rule.tests, values, strict=True)
            )
        except FeelEvaluationError as error:
            raise DecisionFailure(f"failed to evaluate an input entry of rule '{rule.id}': {error}") from error

    def _default_flow(self, table: DecisionTable, variables: Variables) -> object:
        """Return the default output entries, or null without any."""
        outputs = {
            column.name: self._expression(column.default, variables)
            for column in table.outputs
            if column.default is not None
        }
        return _row_value(outputs) if outputs else None


def _arguments(function: BoxedFunction, values: Sequence[object]) -> Row:
    return {name: _check_type(value, kind) for (name, kind), value in zip(function.params, values, strict=True)}


def _matched_rule(table: DecisionTable, rule: Rule, index: int, values: Sequence[object]) -> MatchedRule:
    columns = zip(table.outputs, values, strict=True)
    return MatchedRule(
        rule.id,
        index,
        tuple(EvaluatedOutput(column.id, column.label or column.name, to_json(value)) for column, value in columns),
    )


def _row_value(row: Row) -> object:
    """Return the value of a single output, or a context of several."""
    return next(iter(row.values())) if len(row) == 1 else row


def _apply_hit_policy(table: DecisionTable, rows: list[Row]) -> object:
    """Return the result of a table with at least one matching rule."""
    match table.hit_policy:
        case HitPolicy.UNIQUE if len(rows) > 1:
            raise DecisionFailure(f"multiple values aren't allowed for UNIQUE hit policy. found: {to_json(list(rows))}")
        case HitPolicy.ANY if not all(_EQUAL.evaluate({"first": rows[0], "other": row}) for row in rows[1:]):
            raise DecisionFailure(f"different values aren't allowed for ANY hit policy. found: {to_json(list(rows))}")
        case HitPolicy.PRIORITY:
            return _row_value(_by_priority(table, rows)[0])
        case HitPolicy.OUTPUT_ORDER:
            return [_row_value(row) for row in _by_priority(table, rows)]
        case HitPolicy.RULE_ORDER:
            return [_row_value(row) for row in rows]
        case HitPolicy.COLLECT:
            return _collect(table.aggregation, [_row_value(row) for row in rows])
    return _row_value(rows[0])


def _collect(aggregation: Aggregation | None, values: list[object]) -> object:
    if aggregation is None:
        return values
    if aggregation is Aggregation.COUNT:
        return Decimal(len(values))
    for value in values:
        if not isinstance(value, Decimal):
            raise DecisionFailure(f"expected number but found '{to_json(value)}'")
    return _AGGREGATES[aggregation].evaluate({"values": values})


def _by_priority(table: DecisionTable, rows: list[Row]) -> list[Row]:
    """Sort by the outputs' value lists, first output first; unlisted values last."""

    def priority(row: Row) -> list[int]:
        places = []
        for column in table.outputs:
            text = str(row[column.name])
            places.append(column.values.index(text) if text in column.values else len(column.values))
        return places

    return sorted(rows, key=priority)


def _check_type(value: object, type_ref: str) -> object:
    """Return the value if it is null or has the declared type."""
    name = _TYPES.get(type_ref.removeprefix("feel:"))
    if name is None or value is None or _TYPE_TESTS[name].evaluate({"value": value}) is True:
        return value
    raise DecisionFailure(f"expected '{type_ref}' but found '{to_json(value)}'")


_DECISION_TYPES: tuple[tuple[type, str], ...] = (
    (DecisionTable, "DECISION_TABLE"),
    (Expression, "LITERAL_EXPRESSION"),
    (BoxedContext, "CONTEXT"),
    (BoxedInvocation, "INVOCATION"),
    (BoxedList, "LIST"),
    (BoxedRelation, "RELATION"),
)


@dataclass(frozen=True, slots=True)
class EvaluatedDecision:
    """An evaluated decision, or a called business knowledge model.

    `type` is one of Zeebe's decision types, such as DECISION_TABLE; `output` is None if the decision failed.
    """

    id: str
    name: str
    type: str
    output: Any
    inputs: tuple[EvaluatedInput, ...] = ()
    matched_rules: tuple[MatchedRule, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """`evaluated` lists required decisions first; the last two are empty on success."""

    output: Any
    evaluated: tuple[EvaluatedDecision, ...]
    failed_decision_id: str = ""
    failure_message: str = ""


def evaluate_decision(
    requirements: DecisionRequirements, decision_id: str, variables: Mapping[str, object], now: Now
) -> DecisionResult:
    """Evaluate a decision after those it requires.

    Raises LookupError if the file has no such id.
    """
    if decision_id not in requirements.decisions:
        raise LookupError(f"The decision requirements '{requirements.id}' have no decision '{decision_id}'.")
    evaluation = _Evaluation(requirements, variables, now)
    try:
        output = evaluation.decide(requirements.decisions[decision_id])
    except (DecisionFailure, FeelEvaluationError) as failure:
        message = f"Expected to evaluate decision '{decision_id}', but {failure}"
        return DecisionResult(None, tuple(evaluation.evaluated), evaluation.failed_decision_id, message)
    return DecisionResult(to_json(output), tuple(evaluation.evaluated))


class _Evaluation:
    """Evaluates a decision and those it requires.

    Each sees the start variables and the results of what it requires.
    """

    def __init__(self, requirements: DecisionRequirements, variables: Mapping[str, object], now: Now) -> None:
        self._requirements = requirements
        self._variables = variables
        self._logic = LogicEvaluation(requirements.knowledge, now, self._on_knowledge_call)
        self.evaluated: list[EvaluatedDecision] = []
        self.failed_decision_id = ""

    def decide(self, decision: Decision) -> object:
        required = [self._requirements.decisions[identity] for identity in decision.required]
        results = {decision.result_name: self.decide(decision) for decision in required}
        variables = {**self._variables, **results}
        variables.update(self._logic.functions(decision.knowledge, variables))
        trace = Trace([], [])
        try:
            output = _check_type(self._logic.value(decision.logic, variables, trace), decision.result_type)
            evaluated = _evaluated_decision(decision, decision.logic, output, trace)
        except (DecisionFailure, FeelEvaluationError):
            self.failed_decision_id = decision.id
            self.evaluated.append(_evaluated_decision(decision, decision.logic, None, trace))
            raise
        self.evaluated.append(evaluated)
        return output

    def _on_knowledge_call(self, model: Knowledge, output: object, trace: Trace) -> None:
        if model.function.body is not None:
            self.evaluated.append(_evaluated_decision(model, model.function.body, output, trace))


def _evaluated_decision(source: Decision | Knowledge, logic: Logic, output: object, trace: Trace) -> EvaluatedDecision:
    kind = next((name for kind, name in _DECISION_TYPES if isinstance(logic, kind)), "UNKNOWN")
    return EvaluatedDecision(source.id, source.name, kind, to_json(output), tuple(trace.inputs), tuple(trace.matched))
