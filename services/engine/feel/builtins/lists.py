"""List functions."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cmp_to_key

from services.engine.feel.arithmetic import whole_part
from services.engine.feel.builtins.registry import Unsuitable, builtin
from services.engine.feel.errors import PartError
from services.engine.feel.values import Function, Value, every, identical, same, some


@builtin("list contains", "list: list", "element: any")
def list_contains(items: list[Value], element: Value) -> Value:
    return any(identical(item, element) for item in items)


@builtin("count", "list: list")
def count(items: list[Value]) -> Value:
    return Decimal(len(items))


@builtin("is empty", "list: list")
def is_empty(items: list[Value]) -> Value:
    return not items


@builtin("all", "list: list", variadic=True)
@builtin("and", "list: list", variadic=True)
def conjunction(items: list[Value]) -> Value:
    return every(items)


@builtin("any", "list: list", variadic=True)
@builtin("or", "list: list", variadic=True)
def disjunction(items: list[Value]) -> Value:
    return some(items)


def _offset(items: list[Value], position: Decimal) -> int:
    """Return the offset of a position from 1 or from -1 backwards; it is negative before the first item."""
    if position == 0:
        raise Unsuitable
    number = whole_part(position)
    return number - 1 if number > 0 else len(items) + number


def _slice(items: list[Value], start: int, end: int) -> list[Value]:
    return items[max(start, 0) : max(end, 0)]


@builtin("sublist", "list: list", "start: number")
def sublist(items: list[Value], start: Decimal) -> Value:
    return _slice(items, _offset(items, start), len(items))


@builtin("sublist", "list: list", "start: number", "length: number")
def sublist_of_length(items: list[Value], start: Decimal, length: Decimal) -> Value:
    first = _offset(items, start)
    return _slice(items, first, first + whole_part(length))


@builtin("append", "list: list", "items: list", variadic=True)
def append(items: list[Value], added: list[Value]) -> Value:
    return [*items, *added]


def _joined(lists: Iterable[Value]) -> Iterable[Value]:
    """Yield the items of all lists; other values, null included, are items."""
    for items in lists:
        if isinstance(items, list):
            yield from items
        else:
            yield items


@builtin("concatenate", "lists: list", variadic=True)
def concatenate(lists: list[Value]) -> Value:
    return list(_joined(lists))


@builtin("insert before", "list: list", "position: number", "newItem: any")
def insert_before(items: list[Value], position: Decimal, new_item: Value) -> Value:
    """Insert an item; a position past an end is that end."""
    index = max(_offset(items, position), 0)
    return [*items[:index], new_item, *items[index:]]


@builtin("remove", "list: list", "position: number")
def remove(items: list[Value], position: Decimal) -> Value:
    """Remove an item; a position past an end removes nothing."""
    index = _offset(items, position)
    return [item for number, item in enumerate(items) if number != index]


@builtin("reverse", "list: list")
def reverse(items: list[Value]) -> Value:
    return items[::-1]


@builtin("index of", "list: list", "match: any")
def index_of(items: list[Value], match: Value) -> Value:
    return [Decimal(number) for number, item in enumerate(items, 1) if same(item, match)]


def _distinct(items: Iterable[Value]) -> list[Value]:
    result: list[Value] = []
    for item in items:
        if not any(same(item, seen) for seen in result):
            result.append(item)
    return result


@builtin("union", "lists: list", variadic=True)
def union(lists: list[Value]) -> Value:
    return _distinct(_joined(lists))


@builtin("distinct values", "list: list")
def distinct_values(items: list[Value]) -> Value:
    return _distinct(items)


@builtin("duplicate values", "list: list")
def duplicate_values(items: list[Value]) -> Value:
    return [item for item in _distinct(items) if sum(same(item, other) for other in items) > 1]


@builtin("flatten", "list: list")
def flatten(items: list[Value]) -> Value:
    return list(_flat(items))


def _flat(items: list[Value]) -> Iterable[Value]:
    for item in items:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


@builtin("partition", "list: list", "size: number")
def partition(items: list[Value], size: Decimal) -> Value:
    step = whole_part(size)
    if step <= 0:
        return None
    return [items[start : start + step] for start in range(0, len(items), step)]


@builtin("sort", "list: list", "precedes: function")
def sort(items: list[Value], precedes: Function) -> Value:
    """Sort stably; null where `precedes` gives no boolean."""
    if len(precedes.params) != 2:
        return None

    def order(left: Value, right: Value) -> int:
        for result, pair in ((-1, (left, right)), (1, (right, left))):
            first = precedes.call(pair)
            if not isinstance(first, bool):
                raise Unsuitable
            if first:
                return result
        return 0

    try:
        return sorted(items, key=cmp_to_key(order))
    except PartError as error:
        raise Unsuitable from error
