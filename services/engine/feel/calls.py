"""Nodes for calls of built-in and defined functions, and for `instance of`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.engine.feel.builtins import call_builtin, find_builtin
from services.engine.feel.errors import PartError
from services.engine.feel.nodes import Node
from services.engine.feel.scope import Scope
from services.engine.feel.types import Type
from services.engine.feel.values import Function, Value


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call; `names` is empty for positional ones."""

    values: tuple[Node, ...]
    names: tuple[str, ...] = ()

    def evaluate(self, scope: Scope) -> list[Value]:
        return [node.evaluate(scope) for node in self.values]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(…)`: a function of a context hides a built-in with as many parameters.

    As in Camunda, a call that cannot be made is null: of an unknown function, or with arguments that do not fit.
    """

    name: str
    arguments: Arguments

    def evaluate(self, scope: Scope) -> Value:
        count, names = len(self.arguments.values), self.arguments.names
        function = find_function(scope.functions(self.name), self.arguments)
        overload = None if function is not None else find_builtin(self.name, count, names)
        try:
            if function is not None:
                return call_function(function, self.arguments.evaluate(scope), names)
            return overload and call_builtin(overload, self.arguments.evaluate(scope), names, scope.now)
        except PartError:
            return None


@dataclass(frozen=True, slots=True)
class CallPath(Node):
    """`context.name(…)`; raises PartError where there is no such context or function."""

    source: Node
    name: str
    arguments: Arguments

    def evaluate(self, scope: Scope) -> Value:
        context = self.source.evaluate(scope)
        entry = context.get(self.name) if isinstance(context, dict) else None
        function = find_function([entry] if isinstance(entry, Function) else [], self.arguments)
        if function is None:
            raise PartError(f"There is no context with such a function '{self.name}'.")
        return call_function(function, self.arguments.evaluate(scope), self.arguments.names)


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    value: Node
    type: Type

    def evaluate(self, scope: Scope) -> Value:
        return self.type.is_instance(self.value.evaluate(scope))


def find_function(functions: Iterable[Function], arguments: Arguments) -> Function | None:
    """Return the first function that has these parameters."""
    for function in functions:
        if set(arguments.names) <= set(function.params) and (
            arguments.names or len(function.params) == len(arguments.values)
        ):
            return function
    return None


def call_function(function: Function, values: Sequence[Value], names: Sequence[str]) -> Value:
    """Call a function whose parameters fit; those that are not named are null."""
    if names:
        by_name = dict(zip(names, values, strict=True))
        values = [by_name.get(param) for param in function.params]
    return function.call(values)
