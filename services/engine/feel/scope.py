"""The variables that an expression sees while it is evaluated."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from services.engine.feel.convert import from_json
from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.values import Value

Now = Callable[[], datetime]

# the input of a unary test: its symbol, and the name Camunda knows it by
INPUT_SYMBOL = "?"
INPUT_NAME = "cellInput"


class Missing:
    """The type of MISSING: no variable of that name, which is told from a null only by whoever asks."""


MISSING = Missing()


def system_now() -> datetime:
    return datetime.now(UTC)


class Scope:
    """Bindings over an enclosing scope; the outermost holds the variables given to the evaluation.

    ``strict``: a call that cannot be made fails instead of giving null.
    """

    __slots__ = ("bindings", "now", "parent", "strict")

    def __init__(self, bindings: Mapping[str, Value], parent: "Scope") -> None:
        self.bindings = bindings
        self.parent: Scope | None = parent
        self.now: Now = parent.now
        self.strict: bool = parent.strict

    def find(self, name: str) -> Value | Missing:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings:
                return scope.read(name)
            scope = scope.parent
        return MISSING

    def read(self, name: str) -> Value:
        return self.bindings[name]

    def get(self, name: str) -> Value:
        """The variable's value, null where there is none."""
        found = self.find(name)
        return None if isinstance(found, Missing) else found


class Variables(Scope):
    """The outermost scope: JSON-like variables, turned into FEEL values when they are first read."""

    __slots__ = ("_converted",)

    def __init__(self, variables: Mapping[str, object], now: Now, *, strict: bool = False) -> None:
        self.bindings = variables
        self.parent = None
        self.now = now
        self.strict = strict
        self._converted: dict[str, Value] = {}

    def read(self, name: str) -> Value:
        if name not in self._converted:
            try:
                self._converted[name] = from_json(self.bindings[name])
            except TypeError as error:
                raise FeelEvaluationError(f"The variable '{name}' has no FEEL value: {error}") from error
        return self._converted[name]
