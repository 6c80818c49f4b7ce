"""Register built-in functions, and select and call their overloads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, DecimalException

from services.engine.feel.errors import CallError
from services.engine.feel.temporal import Date, DateTime, DayTime, Time, YearMonths
from services.engine.feel.values import Function, Range, Value

Implementation = Callable[..., Value]
Now = Callable[[], datetime]

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


@dataclass(frozen=True, slots=True)
class Param:
    """`kind` is a key of _KINDS, `point` (no range) or `any`.

    Only `any` and optional parameters accept null.
    """

    name: str
    kind: str
    optional: bool

    def accepts(self, value: Value) -> bool:
        if self.kind == "point":
            return value is not None and not isinstance(value, Range)
        if self.kind == "any" or (value is None and self.optional):
            return True
        return isinstance(value, _KINDS[self.kind])

    def coerce(self, value: Value) -> Value:
        """Convert between a value and a list of it (DMN 1.3, 10.3.2.9.4)."""
        if value is None or self.accepts(value):
            return value
        if self.kind == "list":
            return [value]
        return value[0] if isinstance(value, list) and len(value) == 1 else value


@dataclass(frozen=True, slots=True)
class Builtin:
    """An overload of a built-in.

    The last parameter of a `variadic` one repeats.
    """

    name: str
    params: tuple[Param, ...]
    implementation: Implementation
    variadic: bool
    reads_clock: bool

    @property
    def required(self) -> int:
        return sum(not param.optional for param in self.params) - self.variadic

    def accepts_count(self, count: int, names: Sequence[str]) -> bool:
        if names:
            all_names = [param.name for param in self.params]
            required = {param.name for param in self.params if not param.optional}
            return set(names) <= set(all_names) and required <= set(names)
        return count >= self.required and (self.variadic or count <= len(self.params))

    def arguments(self, values: Sequence[Value], names: Sequence[str], *, strict: bool) -> list[Value] | None:
        """Return one value for each parameter, coerced unless ``strict``; None if unsuitable."""
        if names:
            by_name = dict(zip(names, values, strict=True))
            values = [by_name.get(param.name) for param in self.params]
        arguments: list[Value] = []
        for number, value in enumerate(values):
            param = self.params[min(number, len(self.params) - 1)]
            argument = value if strict else param.coerce(value)
            if not param.accepts(argument) or (strict and value is None and param.kind != "any" and not names):
                return None
            arguments.append(argument)
        return arguments


def builtin(
    name: str, *specs: str, variadic: bool = False, reads_clock: bool = False
) -> Callable[[Implementation], Implementation]:
    """Register an overload.

    A spec is `name: kind`, or `name: kind?` if optional.
    """

    def register(implementation: Implementation) -> Implementation:
        params = tuple(_param(spec) for spec in specs)
        _OVERLOADS.setdefault(name, []).append(Builtin(name, params, implementation, variadic, reads_clock))
        return implementation

    return register


def _param(spec: str) -> Param:
    name, kind = spec.split(": ")
    return Param(name, kind.removesuffix("?"), kind.endswith("?"))


def call_builtin(name: str, values: Sequence[Value], names: Sequence[str], now: Now, *, strict: bool = False) -> Value:
    """Call the first overload that accepts the arguments; raises CallError without one.

    DMN accepts a single value for a list, a list of one item for that item, and null for an optional argument; Camunda
    does not, and neither does ``strict``. A failing function returns null.
    """
    overloads = _OVERLOADS.get(name, [])
    if names:  # `(range, point)` and `(point, range)` have the same names: their order distinguishes them
        overloads = sorted(overloads, key=lambda overload: [param.name for param in overload.params] != list(names))
    for overload in overloads:
        if not overload.accepts_count(len(values), names):
            continue
        arguments = overload.arguments(values, names, strict=strict)
        if arguments is None:
            continue
        try:
            return (
                overload.implementation(now, *arguments)
                if overload.reads_clock
                else overload.implementation(*arguments)
            )
        except (DecimalException, ValueError, OverflowError):
            return None
    reason = "does not take these arguments" if overloads else "is not known"
    raise CallError(f"The function '{name}' {reason}.")


def flat_list(values: Sequence[Value]) -> list[Value]:
    """Return the items, whether they are given as a list or not."""
    if len(values) == 1 and isinstance(values[0], list):
        return values[0]
    return list(values)
