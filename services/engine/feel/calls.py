"""Nodes for calls of built-in and defined functions, and for `instance of`."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.engine.feel.builtins import call_builtin
from services.engine.feel.errors import CallError
from services.engine.feel.nodes import Node
from services.engine.feel.properties import property_of
from services.engine.feel.scope import Scope
from services.engine.feel.types import Type
from services.engine.feel.values import Function, Value


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call; `names` is empty for positional ones."""

    values: tuple[Node, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(…)`: a function variable hides a built-in; an unknown function returns null."""

    name: str
    arguments: Arguments

    def evaluate(self, scope: Scope) -> Value:
        values = [node.evaluate(scope) for node in self.arguments.values]
        function = scope.find(self.name)
        if isinstance(function, Function):
            return call_function(function, values, self.arguments.names)
        try:
            return call_builtin(self.name, values, self.arguments.names, scope.now, strict=scope.strict)
        except CallError:
            if scope.strict:
                raise
            return None


@dataclass(frozen=True, slots=True)
class CallPath(Node):
    """`context.name(…)`."""

    source: Node
    name: str
    arguments: Arguments

    def evaluate(self, scope: Scope) -> Value:
        function = property_of(self.source.evaluate(scope), self.name)
        values = [node.evaluate(scope) for node in self.arguments.values]
        return call_function(function, values, self.arguments.names)


@dataclass(frozen=True, slots=True)
class CallValue(Node):
    """A call of an expression's value: `(function(x) x + 1)(2)`."""

    function: Node
    arguments: Arguments

    def evaluate(self, scope: Scope) -> Value:
        function = self.function.evaluate(scope)
        values = [node.evaluate(scope) for node in self.arguments.values]
        return call_function(function, values, self.arguments.names)


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    value: Node
    type: Type

    def evaluate(self, scope: Scope) -> Value:
        return self.type.is_instance(self.value.evaluate(scope))


def call_function(function: Value, values: Sequence[Value], names: Sequence[str]) -> Value:
    """Call a defined function; null for no function or unsuitable arguments."""
    if not isinstance(function, Function):
        return None
    if names:
        if not set(names) <= set(function.params):
            return None
        by_name = dict(zip(names, values, strict=True))
        values = [by_name.get(param) for param in function.params]
    return function.call(values) if len(values) == len(function.params) else None
