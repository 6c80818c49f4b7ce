"""Statistical functions over lists of numbers or other ordered values."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce

from services.engine.feel.builtins.registry import Unsuitable, builtin
from services.engine.feel.values import DECIMAL, Value, compare, from_float, is_comparable


def _numbers(values: Sequence[Value]) -> list[Decimal]:
    items = [item for item in values if isinstance(item, Decimal)]
    if len(items) < len(values):
        raise Unsuitable
    return items


def _extreme(items: list[Value], is_better: Callable[[int], bool]) -> Value:
    if not items or not is_comparable(items):
        return None
    best = items[0]
    for item in items[1:]:
        if is_better(compare(item, best) or 0):
            best = item
    return best


@builtin("min", "list: list", variadic=True)
def minimum(items: list[Value]) -> Value:
    return _extreme(items, lambda order: order < 0)


@builtin("max", "list: list", variadic=True)
def maximum(items: list[Value]) -> Value:
    return _extreme(items, lambda order: order > 0)


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    return reduce(DECIMAL.add, numbers)


@builtin("sum", "list: list", variadic=True)
def total(items: list[Value]) -> Value:
    return _sum(_numbers(items)) if items else None


@builtin("product", "list: list", variadic=True)
def product(items: list[Value]) -> Value:
    if not items:
        return None
    result = reduce(DECIMAL.multiply, _numbers(items))
    return abs(result) if result.is_zero() else result


@builtin("mean", "list: list", variadic=True)
def mean(items: list[Value]) -> Value:
    return DECIMAL.divide(_sum(_numbers(items)), Decimal(len(items))) if items else None


@builtin("median", "list: list", variadic=True)
def median(items: list[Value]) -> Value:
    if not items:
        return None
    ordered = sorted(_numbers(items))
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return DECIMAL.divide(DECIMAL.add(ordered[middle - 1], ordered[middle]), Decimal(2))


@builtin("stddev", "list: list", variadic=True)
def stddev(items: list[Value]) -> Value:
    """Return the standard deviation of a sample; the evaluation fails for one number."""
    if not items:
        return None
    numbers = _numbers(items)
    average = DECIMAL.divide(_sum(numbers), Decimal(len(numbers)))
    squares = [DECIMAL.power(DECIMAL.subtract(number, average), 2) for number in numbers]
    return from_float(math.sqrt(DECIMAL.divide(_sum(squares), Decimal(len(numbers) - 1))))


@builtin("mode", "list: list", variadic=True)
def mode(items: list[Value]) -> Value:
    """Return the most frequent numbers in ascending order."""
    numbers = _numbers(items)
    highest = max((numbers.count(number) for number in numbers), default=0)
    return sorted({number for number in numbers if numbers.count(number) == highest})
