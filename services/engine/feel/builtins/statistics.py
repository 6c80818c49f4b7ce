"""Statistical functions over lists of numbers or other ordered values."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from services.engine.feel.builtins.registry import builtin, flat_list
from services.engine.feel.temporal import DayTime, YearMonths
from services.engine.feel.values import DECIMAL, Value, compare


def _numbers(values: Sequence[Value]) -> list[Decimal] | None:
    """Return the numbers; None if a value is not a number."""
    items = [item for item in flat_list(values) if isinstance(item, Decimal)]
    return items if len(items) == len(flat_list(values)) else None


def _extreme(values: Sequence[Value], is_better: Callable[[int], bool]) -> Value:
    items = flat_list(values)
    if not items:
        return None
    best = items[0]
    for item in items:
        order = compare(item, best)
        if order is None:
            return None
        if is_better(order):
            best = item
    return best


@builtin("min", "list: any", variadic=True)
def minimum(*values: Value) -> Value:
    return _extreme(values, lambda order: order < 0)


@builtin("max", "list: any", variadic=True)
def maximum(*values: Value) -> Value:
    return _extreme(values, lambda order: order > 0)


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = DECIMAL.add(total, number)
    return total


@builtin("sum", "list: any", variadic=True)
def total(*values: Value) -> Value:
    """Add numbers, or durations of one kind."""
    items = flat_list(values)
    if items and all(isinstance(item, DayTime) for item in items):
        return DayTime(sum(item.nanos for item in items if isinstance(item, DayTime)))
    if items and all(isinstance(item, YearMonths) for item in items):
        return YearMonths(sum(item.months for item in items if isinstance(item, YearMonths)))
    numbers = _numbers(values)
    return _sum(numbers) if numbers else None


@builtin("product", "list: any", variadic=True)
def product(*values: Value) -> Value:
    numbers = _numbers(values)
    if not numbers:
        return None
    result = Decimal(1)
    for number in numbers:
        result = DECIMAL.multiply(result, number)
    return result


@builtin("mean", "list: any", variadic=True)
def mean(*values: Value) -> Value:
    numbers = _numbers(values)
    return DECIMAL.divide(_sum(numbers), Decimal(len(numbers))) if numbers else None


@builtin("median", "list: any", variadic=True)
def median(*values: Value) -> Value:
    numbers = _numbers(values)
    if not numbers:
        return None
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return DECIMAL.divide(_sum(ordered[middle - 1 : middle + 1]), Decimal(2))


@builtin("stddev", "list: any", variadic=True)
def stddev(*values: Value) -> Value:
    """Return the standard deviation of a sample; null below two numbers."""
    numbers = _numbers(values)
    if numbers is None or len(numbers) < 2:
        return None
    average = DECIMAL.divide(_sum(numbers), Decimal(len(numbers)))
    squares = [DECIMAL.power(DECIMAL.subtract(number, average), 2) for number in numbers]
    return DECIMAL.sqrt(DECIMAL.divide(_sum(squares), Decimal(len(numbers) - 1)))


@builtin("mode", "list: any", variadic=True)
def mode(*values: Value) -> Value:
    """Return the most frequent numbers in ascending order."""
    numbers = _numbers(values)
    if numbers is None:
        return None
    highest = max((numbers.count(number) for number in numbers), default=0)
    return sorted({number for number in numbers if numbers.count(number) == highest})
