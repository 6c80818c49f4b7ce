"""Register built-in functions, and select and call their overloads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from functools import lru_cache

from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.scope import Now
from services.engine.feel.temporal import Date, DateTime, DayTime, Time, YearMonths
from services.engine.feel.values import Function, Range, Value

Implementation = Callable[..., Value]

_KINDS: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "number": (Decimal,),
    "string": (str,),
    "list": (list,),
    "context": (dict,),
    "function": (Function,),
    "range": (Range,),
    "date": (Date, DateTime),
    "duration": (YearMonths, DayTime),
    "temporal": (Date, Time, DateTime),
}
_OVERLOADS: dict[str, list["Builtin"]] = {}
BUILTIN_NAMES = _OVERLOADS.keys()


class Unsuitable(Exception):
    """A function's arguments have no result: the call is null."""


@dataclass(frozen=True, slots=True)
class Param:
    """`kind` is a key of _KINDS or `any`; only `any` and a `nullable` one accept null."""

    name: str
    kind: str
    nullable: bool

    def accepts(self, value: Value) -> bool:
        return self.kind == "any" or (value is None and self.nullable) or isinstance(value, _KINDS[self.kind])


@dataclass(frozen=True, slots=True)
class Builtin:
    """An overload of a built-in.

    The last parameter of a `variadic` one is the list of all further arguments.
    """

    name: str
    params: tuple[Param, ...]
    implementation: Implementation
    variadic: bool
    reads_clock: bool

    def has(self, count: int, names: Sequence[str]) -> bool:
        """Return whether the overload has these parameters; as in Camunda, named ones may be fewer."""
        if names:
            return {param.name for param in self.params}.issuperset(names)
        return count == len(self.params) or (self.variadic and count > len(self.params))

    def arguments(self, values: Sequence[Value], names: Sequence[str]) -> list[Value]:
        """Return one value for each parameter."""
        if names:
            by_name = dict(zip(names, values, strict=True))
            return [by_name.get(param.name) for param in self.params]
        if not self.variadic:
            return list(values)
        first = len(self.params) - 1
        further = list(values[first:])
        if first == 0 and len(further) == 1 and isinstance(further[0], list):
            further = further[0]
        return [*values[:first], further]


def builtin(
    name: str, *specs: str, variadic: bool = False, reads_clock: bool = False
) -> Callable[[Implementation], Implementation]:
    """Register an overload.

    A spec is `name: kind`, or `name: kind?` if it can be null.
    """

    def register(implementation: Implementation) -> Implementation:
        params = tuple(_param(spec) for spec in specs)
        _OVERLOADS.setdefault(name, []).append(Builtin(name, params, implementation, variadic, reads_clock))
        return implementation

    return register


def _param(spec: str) -> Param:
    name, kind = spec.split(": ")
    return Param(name, kind.removesuffix("?"), kind.endswith("?"))


@lru_cache(maxsize=4096)
def find_builtin(name: str, count: int, names: tuple[str, ...]) -> Builtin | None:
    """Return the first overload that has as many parameters, or those of these names."""
    return next((overload for overload in _OVERLOADS.get(name, []) if overload.has(count, names)), None)


def call_builtin(overload: Builtin, values: Sequence[Value], names: Sequence[str], now: Now) -> Value:
    """Call a built-in; as in Camunda, the result is null if the arguments do not fit.

    Raises FeelEvaluationError where the computation itself breaks, such as the remainder of a division by zero.
    """
    arguments = overload.arguments(values, names)
    if not all(param.accepts(value) for param, value in zip(overload.params, arguments, strict=True)):
        return None
    try:
        return overload.implementation(*([now] if overload.reads_clock else []), *arguments)
    except Unsuitable:
        return None
    except (DecimalException, ValueError, OverflowError, ZeroDivisionError) as error:
        raise FeelEvaluationError(
            f"The function '{overload.name}' has no result for these arguments: {error}."
        ) from error
