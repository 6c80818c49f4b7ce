"""Find the names that an expression reads."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from services.engine.feel.calls import Call, InstanceOf
from services.engine.feel.iteration import Filter, For, Quantified
from services.engine.feel.nodes import ContextNode, FunctionDefinition, Literal, Name
from services.engine.feel.types import TYPE_NAMES
from services.engine.feel.values import type_name

_NO_NAMES: frozenset[str] = frozenset()


def free_names(node: object, bound: frozenset[str] = _NO_NAMES, inside_filters: bool = False) -> Iterator[str]:
    """Yield the names that a node reads and does not bind.

    Inside a filter a name can be an entry of the items or a variable, which depends on the values; such names are
    omitted unless `inside_filters` is set.
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
    """Yield the parts of a node, and the items of a tuple."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        for field in fields(node):
            value = getattr(node, field.name)
            if isinstance(value, tuple) or is_dataclass(value):
                yield value


def mentions_name(node: object, name: str) -> bool:
    """Return whether a node reads or calls a name."""
    if isinstance(node, Name | Call) and node.name == name:
        return True
    return any(mentions_name(child, name) for child in children(node))


def called_functions(node: object, bound: frozenset[str] = _NO_NAMES) -> Iterator[str]:
    """Yield the names of the functions that a node calls and does not define."""
    if isinstance(node, Call) and node.name not in bound:
        yield node.name
    if isinstance(node, ContextNode):
        for key, value in node.entries:
            yield from called_functions(value, bound)
            bound = bound | {key}
        return
    for child in children(node):
        yield from called_functions(child, bound)


def meaningless_parts(node: object) -> Iterator[str]:
    """Yield clauses about what the text itself shows to be null or false on every cluster."""
    if isinstance(node, Filter):
        kind = "context" if isinstance(node.source, ContextNode) else ""
        if isinstance(node.source, Literal) and node.source.value is not None:
            kind = type_name(node.source.value)
        if kind:
            yield f"a {kind} is filtered as if it were a list, which is null in Camunda's FEEL; write [ ] around it"
    if isinstance(node, InstanceOf) and node.type.name not in TYPE_NAMES:
        yield f"no value has the type '{node.type.name}' in Camunda's FEEL; name one of {', '.join(sorted(TYPE_NAMES))}"
    for child in children(node):
        yield from meaningless_parts(child)
