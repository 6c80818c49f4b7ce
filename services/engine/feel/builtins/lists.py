"""List functions."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cmp_to_key

from services.engine.feel.builtins.registry import builtin, flat_list
from services.engine.feel.values import Function, Value, compare, same


@builtin("list contains", "list: list", "element: any")
def list_contains(items: list[Value], element: Value) -> Value:
    return any(same(item, element) for item in items)


@builtin("count", "list: list")
def count(items: list[Value]) -> Value:
    return Decimal(len(items))


@builtin("is empty", "list: list")
def is_empty(items: list[Value]) -> Value:
    return not items


@builtin("all", "list: any", variadic=True)
@builtin("and", "list: any", variadic=True)
def conjunction(*values: Value) -> Value:
    """Compute the ternary and: false beats null, null beats true."""
    items = flat_list(values)
    if any(item is False for item in items):
        return False
    return True if all(item is True for item in items) else None


@builtin("any", "list: any", variadic=True)
@builtin("or", "list: any", variadic=True)
def disjunction(*values: Value) -> Value:
    items = flat_list(values)
    if any(item is True for item in items):
        return True
    return False if all(item is False for item in items) else None


def _index(items: list[Value], position: Decimal) -> int | None:
    """Return the offset of a position from 1 or from -1 backwards.

    None if invalid.
    """
    offset = int(position) - 1 if position > 0 else len(items) + int(position)
    return None if position == 0 or offset < 0 else offset


@builtin("sublist", "list: list", "start position: number", "length: number?")
def sublist(items: list[Value], start: Decimal, length: Decimal | None = None) -> Value:
    first = _index(items, start)
    if first is None or (length is not None and length < 0):
        return None
    return items[first:] if length is None else items[first : first + int(length)]


@builtin("append", "list: list", "items: any", variadic=True)
def append(items: list[Value], *added: Value) -> Value:
    return [*items, *added]


def _joined(lists: Iterable[Value]) -> Iterable[Value]:
    """Yield the items of all lists; other values, null included, are items."""
    for items in lists:
        if isinstance(items, list):
            yield from items
        else:
            yield items


@builtin("concatenate", "lists: any", variadic=True)
def concatenate(*lists: Value) -> Value:
    return list(_joined(lists))


@builtin("insert before", "list: list", "position: number", "newItem: any")
def insert_before(items: list[Value], position: Decimal, new_item: Value) -> Value:
    """Insert an item.

    A position past the end appends it, as in Camunda.
    """
    index = _index(items, position)
    return None if index is None else [*items[:index], new_item, *items[index:]]


@builtin("remove", "list: list", "position: number")
def remove(items: list[Value], position: Decimal) -> Value:
    """Remove an item.

    A position past the end removes nothing, as in Camunda.
    """
    index = _index(items, position)
    return None if index is None else [*items[:index], *items[index + 1 :]]


@builtin("list replace", "list: list", "match: function", "newItem: any")
@builtin("list replace", "list: list", "position: any", "newItem: any")
def list_replace(items: list[Value], selector: Value, new_item: Value) -> Value:
    """Replace the item at a position, or those that a function matches."""
    if isinstance(selector, Function):
        choices = [selector.call([item, new_item]) for item in items]
        if not all(isinstance(choice, bool) for choice in choices):
            return None
        return [new_item if choice else item for item, choice in zip(items, choices, strict=True)]
    index = _index(items, selector) if isinstance(selector, Decimal) else None
    if index is None or index >= len(items):
        return None
    return [*items[:index], new_item, *items[index + 1 :]]


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


@builtin("union", "lists: any", variadic=True)
def union(*lists: Value) -> Value:
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
    step = int(size)
    if step <= 0:
        return None
    return [items[start : start + step] for start in range(0, len(items), step)]


@builtin("sort", "list: list", "precedes: function?")
def sort(items: list[Value], precedes: Function | None = None) -> Value:
    """Sort stably, by `precedes` or the values' order; null without an order."""
    if precedes is not None and len(precedes.params) != 2:
        return None

    def order(left: Value, right: Value) -> int:
        if precedes is None:
            result = compare(left, right)
            if result is None:
                raise ValueError("These values have no order.")
            return result
        for result, pair in ((-1, (left, right)), (1, (right, left))):
            first = precedes.call(pair)
            if not isinstance(first, bool):
                raise ValueError("'precedes' gives no boolean.")  # noqa: TRY004 - makes the function null
            if first:
                return result
        return 0

    return sorted(items, key=cmp_to_key(order))
