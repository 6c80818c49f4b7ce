"""Scopes of variables during evaluation."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from services.engine.feel.convert import from_json
from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.values import Function, Value

Now = Callable[[], datetime]

# the input of a unary test: its symbol, and Camunda's name for it
INPUT_SYMBOL = "?"
INPUT_NAME = "cellInput"


class Missing:
    """The type of MISSING, which `find` returns for an undefined variable."""


MISSING = Missing()


def system_now() -> datetime:
    return datetime.now(UTC)


class Scope:
    """Bindings inside an enclosing scope; the outermost has the evaluation's variables."""

    __slots__ = ("bindings", "now", "parent")
    has_functions = True

    def __init__(self, bindings: Mapping[str, Value], parent: "Scope") -> None:
        self.bindings = bindings
        self.parent: Scope | None = parent
        self.now: Now = parent.now

    def find(self, name: str) -> Value | Missing:
        """Return a variable's value; as in Camunda, a context's function is none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and not isinstance(value := scope.read(name), Function):
                return value
            scope = scope.parent
        return MISSING

    def read(self, name: str) -> Value:
        return self.bindings[name]

    def get(self, name: str) -> Value:
        """Return a variable's value, null if it is undefined."""
        value = self.find(name)
        return None if isinstance(value, Missing) else value

    def functions(self, name: str) -> Iterator[Function]:
        """Yield the functions of a name, the innermost first: entries of contexts, not parameters."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and scope.has_functions and isinstance(value := scope.read(name), Function):
                yield value
            scope = scope.parent


class Parameters(Scope):
    """The values that a function or an iteration gives its names; one that is a function cannot be called."""

    __slots__ = ()
    has_functions = False


class Variables(Scope):
    """The outermost scope: JSON-like variables, converted when they are first read."""

    __slots__ = ("_converted",)

    def __init__(self, variables: Mapping[str, object], now: Now) -> None:
        self.bindings = variables
        self.parent = None
        self.now = now
        self._converted: dict[str, Value] = {}

    def read(self, name: str) -> Value:
        if name not in self._converted:
            try:
                self._converted[name] = from_json(self.bindings[name])
            except TypeError as error:
                raise FeelEvaluationError(f"The variable '{name}' has no FEEL value: {error}") from error
        return self._converted[name]
