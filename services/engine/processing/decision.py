"""Evaluates decisions, and tells everything that EvaluateDecision answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.engine.feel import Expression, FeelEvaluationError, compile_expression, to_json
from services.engine.model.dmn import Aggregation, Decision, DecisionRequirements, DecisionTable, HitPolicy, Rule

Now = Callable[[], datetime]
Row = dict[str, object]

_AGGREGATES = {
    Aggregation.SUM: compile_expression("sum(values)"),
    Aggregation.MIN: compile_expression("min(values)"),
    Aggregation.MAX: compile_expression("max(values)"),
}
_NAME_LENGTH = 30  # of an input without a label, which goes by its expression
_SAME = compile_expression("first = other")
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
    """`name` is the label, or the expression where there is none; `value` is JSON-like, as all values here."""

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


@dataclass(frozen=True, slots=True)
class EvaluatedDecision:
    """`type` is DECISION_TABLE or LITERAL_EXPRESSION; `output` is None where the decision failed."""

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


class _Failure(Exception):
    """A decision that has no result; the message says why."""


def evaluate_decision(
    requirements: DecisionRequirements, decision_id: str, variables: Mapping[str, object], now: Now
) -> DecisionResult:
    """Evaluates a decision of the file after those it requires. Raises LookupError where the file has no such id."""
    if decision_id not in requirements.decisions:
        raise LookupError(f"The decision requirements '{requirements.id}' have no decision '{decision_id}'.")
    evaluation = _Evaluation(requirements, variables, now)
    try:
        output = evaluation.decide(requirements.decisions[decision_id])
    except _Failure as failure:
        message = f"Expected to evaluate decision '{decision_id}', but {failure}"
        return DecisionResult(None, tuple(evaluation.evaluated), evaluation.failed_decision_id, message)
    return DecisionResult(to_json(output), tuple(evaluation.evaluated))


class _Evaluation:
    """One evaluation with all required decisions, each of which sees the start variables and what it requires."""

    def __init__(self, requirements: DecisionRequirements, variables: Mapping[str, object], now: Now) -> None:
        self._requirements = requirements
        self._variables = variables
        self._now = now
        self.evaluated: list[EvaluatedDecision] = []
        self.failed_decision_id = ""

    def decide(self, decision: Decision) -> object:
        required = [self._requirements.decisions[identity] for identity in decision.required]
        results = {one.result_name: self.decide(one) for one in required}
        variables = {**self._variables, **results}
        if isinstance(decision.logic, DecisionTable):
            return self._decide_table(decision, decision.logic, variables)
        return self._decide_literal(decision, decision.logic, variables)

    def _decide_literal(self, decision: Decision, logic: Expression, variables: Mapping[str, object]) -> object:
        try:
            output = _typed(self._value(logic, variables), decision.result_type)
        except _Failure:
            self._fail(EvaluatedDecision(decision.id, decision.name, "LITERAL_EXPRESSION", None))
            raise
        self.evaluated.append(EvaluatedDecision(decision.id, decision.name, "LITERAL_EXPRESSION", to_json(output)))
        return output

    def _decide_table(self, decision: Decision, table: DecisionTable, variables: Mapping[str, object]) -> object:
        inputs: list[EvaluatedInput] = []
        matched: list[MatchedRule] = []

        def answer(output: object) -> EvaluatedDecision:
            shown = to_json(output)
            return EvaluatedDecision(decision.id, decision.name, "DECISION_TABLE", shown, tuple(inputs), tuple(matched))

        try:
            output = _typed(self._table_output(table, variables, inputs, matched), decision.result_type)
        except _Failure:
            self._fail(answer(None))
            raise
        self.evaluated.append(answer(output))
        return output

    def _fail(self, decision: EvaluatedDecision) -> None:
        self.failed_decision_id = decision.id
        self.evaluated.append(decision)

    def _table_output(
        self,
        table: DecisionTable,
        variables: Mapping[str, object],
        inputs: list[EvaluatedInput],
        matched: list[MatchedRule],
    ) -> object:
        values = [self._value(column.expression, variables) for column in table.inputs]
        inputs.extend(
            EvaluatedInput(column.id, column.label or column.expression.text[:_NAME_LENGTH], to_json(value))
            for column, value in zip(table.inputs, values, strict=True)
        )
        rows: list[Row] = []
        for index, rule in enumerate(table.rules, 1):
            if not self._matches(rule, values, variables):
                continue
            outputs = [self._value(entry, variables) for entry in rule.outputs]
            matched.append(_matched_rule(table, rule, index, outputs))
            rows.append({column.name: value for column, value in zip(table.outputs, outputs, strict=True)})
            if table.hit_policy is HitPolicy.FIRST:
                break
        return _apply_hit_policy(table, rows) if rows else self._default(table, variables)

    def _matches(self, rule: Rule, values: Sequence[object], variables: Mapping[str, object]) -> bool:
        try:
            return all(
                test.matches(value, variables, self._now) for test, value in zip(rule.tests, values, strict=True)
            )
        except FeelEvaluationError as error:
            raise _Failure(f"failed to evaluate an input entry of rule '{rule.id}': {error}") from error

    def _default(self, table: DecisionTable, variables: Mapping[str, object]) -> object:
        """What a table gives when no rule matches: its default output entries, else null."""
        found = {
            column.name: self._value(column.default, variables)
            for column in table.outputs
            if column.default is not None
        }
        return _row_value(found) if found else None

    def _value(self, expression: Expression, variables: Mapping[str, object]) -> object:
        try:
            return expression.evaluate(variables, now=self._now)
        except FeelEvaluationError as error:
            raise _Failure(f"failed to evaluate expression '{expression.text}': {error}") from error


def _matched_rule(table: DecisionTable, rule: Rule, index: int, values: Sequence[object]) -> MatchedRule:
    columns = zip(table.outputs, values, strict=True)
    return MatchedRule(
        rule.id,
        index,
        tuple(EvaluatedOutput(column.id, column.label or column.name, to_json(value)) for column, value in columns),
    )


def _row_value(row: Row) -> object:
    """The value alone for one output, a context for several."""
    return next(iter(row.values())) if len(row) == 1 else row


def _apply_hit_policy(table: DecisionTable, rows: list[Row]) -> object:
    """The result of a table, at least one rule of which matched."""
    match table.hit_policy:
        case HitPolicy.UNIQUE if len(rows) > 1:
            raise _Failure(f"multiple values aren't allowed for UNIQUE hit policy. found: {to_json(list(rows))}")
        case HitPolicy.ANY if not all(_SAME.evaluate({"first": rows[0], "other": row}) for row in rows[1:]):
            raise _Failure(f"different values aren't allowed for ANY hit policy. found: {to_json(list(rows))}")
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
            raise _Failure(f"expected number but found '{to_json(value)}'")
    return _AGGREGATES[aggregation].evaluate({"values": values})


def _by_priority(table: DecisionTable, rows: list[Row]) -> list[Row]:
    """Sorted by the outputs' lists of values, the first output counting most; what is not listed comes last."""

    def priority(row: Row) -> list[int]:
        places = []
        for column in table.outputs:
            text = str(row[column.name])
            places.append(column.values.index(text) if text in column.values else len(column.values))
        return places

    return sorted(rows, key=priority)


def _typed(value: object, type_ref: str) -> object:
    """The value, if it is null or of the type that the decision's variable declares."""
    name = _TYPES.get(type_ref.removeprefix("feel:"))
    if name is None or value is None or _TYPE_TESTS[name].evaluate({"value": value}) is True:
        return value
    raise _Failure(f"expected '{type_ref}' but found '{to_json(value)}'")
