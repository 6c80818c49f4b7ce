"""Unit tests of alert rules in promtool's format, evaluated in Python: no program has to be there.

Parsed by `promql-parser`, which has Prometheus's grammar; evaluated here, as far as our rules go. What is not known
raises NotImplementedError, so that no rule passes because a part of it was ignored.
"""

import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

LOOKBACK = 300.0
TEMPLATE = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")
VALUES = re.compile(r"(?P<first>[+-]?(?:\d+(?:\.\d+)?|Inf)|_|stale)(?P<step>[+-]\d+(?:\.\d+)?)?(?:x(?P<more>\d+))?")

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = Vector | float

ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
MATCHERS: dict[str, Callable[[str, str], bool]] = {
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Re": lambda value, pattern: re.fullmatch(pattern, value) is not None,
    "NotRe": lambda value, pattern: re.fullmatch(pattern, value) is None,
}


@dataclass
class Series:
    """Samples of one series in order of time; the value is None where it was marked as stale."""

    labels: Labels
    times: list[float] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class Alert:
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Database:
    """The series of a test. ``closed``: a range has its left end, as in Prometheus 2; in Prometheus 3 it has not."""

    series: list[Series]
    closed: bool

    def select(self, selector: promql.VectorSelector) -> Iterator[Series]:
        for series in self.series:
            labels = dict(series.labels)
            if selector.name in (None, labels["__name__"]) and all(
                MATCHERS[_word(matcher.op)](labels.get(matcher.name, ""), matcher.value)
                for matcher in selector.matchers.matchers
            ):
                yield series

    def window(self, series: Series, end: float, length: float) -> tuple[list[float], list[float | None]]:
        find = bisect_left if self.closed else bisect_right
        first, last = find(series.times, end - length), bisect_right(series.times, end)
        return series.times[first:last], series.values[first:last]


def firing(tests: Path, *, closed: bool) -> Iterator[tuple[str, list[Alert], list[Alert]]]:
    """Yield, for each expectation of a file of tests, its name, the alerts that fire and those that are expected."""
    given = yaml.safe_load(tests.read_text(encoding="utf-8"))
    rules = {
        rule["alert"]: rule
        for name in given["rule_files"]
        for group in yaml.safe_load((tests.parent / name).read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    every = _seconds(given["evaluation_interval"])
    for test in given["tests"]:
        interval = _seconds(test["interval"])
        database = Database([_series(one, interval) for one in test["input_series"]], closed)
        for wanted in test["alert_rule_test"]:
            rule, end = rules[wanted["alertname"]], _seconds(wanted["eval_time"])
            expected = [
                Alert(one["exp_labels"] | {"alertname": rule["alert"]}, one["exp_annotations"])
                for one in wanted["exp_alerts"]
            ]
            yield f"{test['name']} at {wanted['eval_time']}", _firing(rule, database, every, end), expected


def evaluate(expression: promql.Expr, database: Database, at: float) -> Value:
    """Return a scalar, or an instant vector by labels; NotImplementedError for what our rules do not use."""
    match expression:
        case promql.NumberLiteral():
            return float(expression.val)
        case promql.ParenExpr():
            return evaluate(expression.expr, database, at)
        case promql.VectorSelector():
            return _instant(expression, database, at)
        case promql.AggregateExpr():
            return _aggregated(expression, database, at)
        case promql.Call():
            return _called(expression, database, at)
        case promql.BinaryExpr():
            return _combined(expression, database, at)
    raise _unknown(expression)


def _firing(rule: dict[str, Any], database: Database, every: float, end: float) -> list[Alert]:
    expression, hold = promql.parse(rule["expr"]), _seconds(rule["for"]) if "for" in rule else 0.0
    since: dict[Labels, float] = {}
    for step in range(int(end // every) + 1):
        result = evaluate(expression, database, step * every)
        if isinstance(result, float):
            raise _unknown(expression)
        since = {labels: since.get(labels, step * every) for labels in result}
    now = int(end // every) * every
    return [_alert(rule, _nameless(labels)) for labels, began in since.items() if now - began >= hold]


def _alert(rule: dict[str, Any], found: Labels) -> Alert:
    labels = dict(found)
    texts = {name: TEMPLATE.sub(lambda at: labels.get(at[1], ""), text) for name, text in rule["annotations"].items()}
    if any("{{" in text for text in [*texts.values(), *rule["labels"].values()]):
        raise NotImplementedError(f"{rule['alert']} has a template that is not known here.")
    return Alert(labels | rule["labels"] | {"alertname": rule["alert"]}, texts)


def _instant(selector: promql.VectorSelector, database: Database, at: float) -> Vector:
    _know(selector.at is None and not selector.matchers.or_matchers, selector)
    end, vector = at - (selector.offset.total_seconds() if selector.offset else 0), {}
    for series in database.select(selector):
        _, values = database.window(series, end, LOOKBACK)
        if values and values[-1] is not None:
            vector[series.labels] = values[-1]
    return vector


def _aggregated(expression: promql.AggregateExpr, database: Database, at: float) -> Vector:
    name, by = _word(expression.op), expression.modifier
    _know(name in AGGREGATIONS and (by is None or _word(by.type) == "By"), expression)
    kept = set(by.labels) if by else set()
    groups: dict[Labels, list[float]] = {}
    for labels, value in _vector(expression.expr, database, at).items():
        groups.setdefault(frozenset(label for label in labels if label[0] in kept), []).append(value)
    return {labels: AGGREGATIONS[name](values) for labels, values in groups.items()}


def _called(call: promql.Call, database: Database, at: float) -> Value:
    name = call.func.name
    if name == "time":
        return at
    (argument,) = call.args
    if name == "abs":
        return {_nameless(labels): abs(value) for labels, value in _vector(argument, database, at).items()}
    if name == "absent":
        _know(isinstance(argument, promql.VectorSelector), call)
        told = frozenset((m.name, m.value) for m in argument.matchers.matchers if _word(m.op) == "Equal")
        return {} if _instant(argument, database, at) else {told: 1.0}
    _know(name in OVER_TIME and isinstance(argument, promql.MatrixSelector), call)
    selector, length = argument.vector_selector, argument.range.total_seconds()
    _know(selector.at is None and selector.offset is None, call)
    vector = {}
    for series in database.select(selector):
        pairs = zip(*database.window(series, at, length), strict=True)
        samples = [(time, value) for time, value in pairs if value is not None]
        value = OVER_TIME[name](samples, at, length)
        if value is not None:
            vector[_nameless(series.labels)] = value
    return vector


def _increase(samples: list[tuple[float, float]], end: float, length: float) -> float | None:
    """Return the increase extrapolated to the whole range, by the rules of Prometheus's extrapolatedRate."""
    if len(samples) < 2:
        return None
    (first, begin), (last, _) = samples[0], samples[-1]
    steps = [(before, after) for (_, before), (_, after) in pairwise(samples)]
    grown = sum(after - before if after >= before else after for before, after in steps)
    sampled = last - first
    average = sampled / len(steps)
    to_start, to_end = first - (end - length), end - last
    if grown > 0 and begin >= 0:
        to_start = min(to_start, sampled * begin / grown)
    whole = sampled + sum(gap if gap < average * 1.1 else average / 2 for gap in (to_start, to_end))
    return grown * whole / sampled


def _rate(samples: list[tuple[float, float]], end: float, length: float) -> float | None:
    grown = _increase(samples, end, length)
    return None if grown is None else grown / length


def _largest(samples: list[tuple[float, float]], end: float, length: float) -> float | None:
    return max((value for _, value in samples), default=None)


OVER_TIME: dict[str, Callable[[list[tuple[float, float]], float, float], float | None]] = {
    "increase": _increase,
    "rate": _rate,
    "max_over_time": _largest,
}


def _combined(expression: promql.BinaryExpr, database: Database, at: float) -> Value:
    sign, modifier = _word(expression.op), expression.modifier
    _know(modifier is None or (modifier.matching is None and not modifier.return_bool), expression)
    left, right = (evaluate(side, database, at) for side in (expression.lhs, expression.rhs))
    if isinstance(left, dict) and isinstance(right, dict):
        return _of_vectors(sign, left, right, expression)
    _know(sign in ARITHMETIC or (sign in COMPARISONS and isinstance(left, dict)), expression)
    if isinstance(left, dict) and isinstance(right, float):
        if sign in COMPARISONS:
            return {labels: value for labels, value in left.items() if COMPARISONS[sign](value, right)}
        return {_nameless(labels): ARITHMETIC[sign](value, right) for labels, value in left.items()}
    if isinstance(left, float) and isinstance(right, dict):
        return {_nameless(labels): ARITHMETIC[sign](left, value) for labels, value in right.items()}
    assert isinstance(left, float)
    assert isinstance(right, float)
    return ARITHMETIC[sign](left, right)


def _of_vectors(sign: str, left: Vector, right: Vector, expression: promql.Expr) -> Vector:
    others = {_nameless(labels): value for labels, value in right.items()}
    if sign == "and":
        return {labels: value for labels, value in left.items() if _nameless(labels) in others}
    if sign == "or":
        taken = {_nameless(labels) for labels in left}
        return left | {labels: value for labels, value in right.items() if _nameless(labels) not in taken}
    _know(len(others) == len(right) and len({_nameless(labels) for labels in left}) == len(left), expression)
    pairs = {
        labels: (value, others[_nameless(labels)]) for labels, value in left.items() if _nameless(labels) in others
    }
    if sign in COMPARISONS:
        return {labels: value for labels, (value, other) in pairs.items() if COMPARISONS[sign](value, other)}
    _know(sign in ARITHMETIC, expression)
    return {_nameless(labels): ARITHMETIC[sign](value, other) for labels, (value, other) in pairs.items()}


def _vector(expression: promql.Expr, database: Database, at: float) -> Vector:
    value = evaluate(expression, database, at)
    if isinstance(value, float):
        raise _unknown(expression)
    return value


def _series(given: dict[str, str], interval: float) -> Series:
    selector = promql.parse(given["series"])
    assert isinstance(selector, promql.VectorSelector)
    labels = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
    series = Series(frozenset((labels | {"__name__": str(selector.name)}).items()))
    for place, value in enumerate(_values(given["values"])):
        if value != "_":
            series.times.append(place * interval)
            series.values.append(None if value == "stale" else float(value))
    return series


def _values(text: str) -> Iterator[float | str]:
    """Yield the samples of promtool's notation: ``1+2x3`` is 1 3 5 7, ``_`` none, ``stale`` the end of a series."""
    for word in text.split():
        found = VALUES.fullmatch(word)
        if found is None:
            raise NotImplementedError(f"{word!r} is no sample that is known here.")
        first, step, more = found["first"], float(found["step"] or 0), int(found["more"] or 0)
        for count in range(more + 1):
            yield first if first in ("_", "stale") else float(first.replace("Inf", str(inf))) + step * count


def _seconds(duration: str) -> float:
    return promql.parse_duration(duration).total_seconds()


def _nameless(labels: Labels) -> Labels:
    return frozenset(label for label in labels if label[0] != "__name__")


def _word(thing: object) -> str:
    """Return the name of one of the parser's enumerations: ``MatchOp.Equal`` is Equal."""
    return str(thing).rpartition(".")[2]


def _know(known: bool, expression: promql.Expr) -> None:
    if not known:
        raise _unknown(expression)


def _unknown(expression: promql.Expr) -> NotImplementedError:
    return NotImplementedError(f"add to tests/support/alert_rules.py what this needs: {expression.prettify()}")
