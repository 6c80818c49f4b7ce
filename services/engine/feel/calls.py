"""Nodes for calls of built-in and defined functions, and for `instance of`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.engine.feel.builtins import call_builtin
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
        try:
            values = self.arguments.evaluate(scope)
            names = self.arguments.names
            function = find_function(scope.functions(self.name), values, names)
            if function is not None:
                return call_function(function, values, names)
            return call_builtin(self.name, values, names, scope.now)
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
        values = self.arguments.evaluate(scope)
        function = find_function([entry] if isinstance(entry, Function) else [], values, self.arguments.names)
        if function is None:
            raise PartError(f"There is no context with the function '{self.name}' and {len(values)} parameters.")
        return call_function(function, values, self.arguments.names)


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    value: Node
    type: Type

    def evaluate(self, scope: Scope) -> Value:
        return self.type.is_instance(self.value.evaluate(scope))


def find_function(functions: Iterable[Function], values: Sequence[Value], names: Sequence[str]) -> Function | None:
    """Return the first function that has these parameters."""
    fits = (lambda f: set(names) <= set(f.params)) if names else (lambda f: len(f.params) == len(values))
    return next(filter(fits, functions), None)


def call_function(function: Function, values: Sequence[Value], names: Sequence[str]) -> Value:
    """Call a function whose parameters fit; those that are not named are null."""
    if names:
        by_name = dict(zip(names, values, strict=True))
        values = [by_name.get(param) for param in function.params]
    return function.call(values)
