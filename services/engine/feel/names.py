"""Which names an expression reads."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from services.engine.feel.calls import Call
from services.engine.feel.iteration import Filter, For, Quantified
from services.engine.feel.nodes import ContextNode, FunctionDefinition, In, InputValue, Name

_NOTHING: frozenset[str] = frozenset()


def free_names(node: object, bound: frozenset[str] = _NOTHING, inside_filters: bool = False) -> Iterator[str]:
    """The names a node reads that it doesn't bind itself.

    Inside a filter a name can be an entry of the list's items as well as a variable, which only the values tell; such
    names are left out unless `inside_filters` is set.
    """
    if isinstance(node, Name):
        if node.name not in bound:
            yield node.name
    elif isinstance(node, Filter):
        yield from free_names(node.source, bound, inside_filters)
        if inside_filters:
            yield from free_names(node.condition, bound | {"item"}, inside_filters)
    elif isinstance(node, For | Quantified):
        yield from _iteration(node, bound, inside_filters)
    elif isinstance(node, ContextNode):
        for key, value in node.entries:
            yield from free_names(value, bound, inside_filters)
            bound = bound | {key}
    elif isinstance(node, FunctionDefinition):
        yield from free_names(node.body, bound | set(node.params), inside_filters)
    else:
        for child in children(node):
            yield from free_names(child, bound, inside_filters)


def _iteration(node: For | Quantified, bound: frozenset[str], inside_filters: bool) -> Iterator[str]:
    for iterator in node.iterators:
        yield from free_names(iterator.source, bound, inside_filters)
        bound = bound | {iterator.name}
    if isinstance(node, For):
        bound = bound | {"partial"}
    yield from free_names(node.body if isinstance(node, For) else node.condition, bound, inside_filters)


def children(node: object) -> Iterator[object]:
    """The parts of a node, tuples opened."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        for field in fields(node):
            value = getattr(node, field.name)
            if isinstance(value, tuple) or is_dataclass(value):
                yield value


def mentions(node: object, name: str) -> bool:
    """Whether a name stands anywhere in a node, as a variable or as a called function."""
    if isinstance(node, Name | Call) and node.name == name:
        return True
    return any(mentions(child, name) for child in children(node))


def reads_input(node: object) -> bool:
    """Whether a node reads `?`; that of an `in` inside it is its own."""
    if isinstance(node, InputValue):
        return True
    if isinstance(node, In):
        return reads_input(node.value)
    return any(reads_input(child) for child in children(node))
