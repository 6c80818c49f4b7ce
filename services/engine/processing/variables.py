"""Variables: a scope tree with local values; what is set without being local goes up to where the name lives."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.engine.errors import ErrorType, Trouble
from services.engine.model.expression import Expression, type_name
from services.engine.processing.work import At, Work
from services.engine.state.instances import Instance, Node


class Visible(Mapping[str, Any]):
    """The variables an expression sees, nearest scope first."""

    def __init__(self, instance: Instance, node: Node, extra: Mapping[str, Any] | None = None) -> None:
        self._layers: list[Mapping[str, Any]] = [extra or {}, *(n.variables for n in scopes(instance, node))]

    def __getitem__(self, name: str) -> Any:
        for layer in self._layers:
            if name in layer:
                return layer[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for layer in self._layers for name in layer))

    def __len__(self) -> int:
        return len(dict.fromkeys(self))

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self._layers)


def scopes(instance: Instance, node: Node) -> Iterator[Node]:
    """The node and the scopes around it, inside out."""
    current: Node | None = node
    while current is not None:
        yield current
        current = instance.nodes.get(current.scope)


def evaluate(
    work: Work,
    at: At,
    expression: Expression,
    *,
    node: Node | None = None,
    extra: Mapping[str, Any] | None = None,
    error_type: ErrorType = ErrorType.EXTRACT_VALUE,
) -> Any:
    """The JSON value of an expression, seen from ``node`` (default: the element itself); raises Trouble."""
    if expression.compiled is None:
        return expression.text
    return expression.evaluate(Visible(at.instance, node or at.node, extra), work.now, error_type)


def evaluate_text(work: Work, at: At, expression: Expression) -> str:
    """The text that an expression gives, seen from the element; raises Trouble where it gives something else."""
    value = evaluate(work, at, expression)
    if not isinstance(value, str):
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{expression.text.removeprefix('=')}' to be 'STRING', "
            f"but was '{type_name(value)}'.",
        )
    return value


def visible_document(instance: Instance, node: Node, names: list[str] | None = None) -> dict[str, Any]:
    """All variables a node sees, or the named ones it has."""
    document: dict[str, Any] = {}
    for scope in scopes(instance, node):
        for name, value in scope.variables.items():
            if name not in document and (not names or name in names):
                document[name] = value
    return document


def set_local(work: Work, instance: Instance, node: Node, document: Mapping[str, Any]) -> None:
    """Put variables on exactly this scope."""
    for name, value in document.items():
        if name not in node.variables:
            _put(work, instance, node, name=name, value=value, intent="CREATED")
        elif not same(node.variables[name], value):
            _put(work, instance, node, name=name, value=value, intent="UPDATED")


def merge(work: Work, instance: Instance, node: Node, document: Mapping[str, Any]) -> None:
    """Set variables where they live, beginning at ``node``; new ones go to the process.

    As in Zeebe, a value that equals the one found goes on upwards and so may be created in the process as well.
    """
    rest = dict(document)
    for scope in scopes(instance, node):
        if scope.key == instance.key:
            break
        for name in [n for n in rest if n in scope.variables and not same(scope.variables[n], rest[n])]:
            _put(work, instance, scope, name=name, value=rest.pop(name), intent="UPDATED")
    set_local(work, instance, instance.root, rest)


def same(one: Any, other: Any) -> bool:
    """Equal as written: 1 and true differ, 1 and 1.0 too, and what has its names in another order."""
    return bool(one == other) and json.dumps(one) == json.dumps(other)


def _put(work: Work, instance: Instance, node: Node, *, name: str, value: Any, intent: str) -> None:
    node.variables[name] = value
    record = {
        **work.origin(instance),
        "name": name,
        "value": json.dumps(value, ensure_ascii=False),
        "scopeKey": node.key,
    }
    work.record(node.key, "VARIABLE", intent, record)
