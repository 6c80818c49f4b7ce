"""Types of values, as `instance of` names them."""

from dataclasses import dataclass

from services.engine.feel.values import Value, type_name

# names with blanks, the longest first, since some begin alike
SPACED_NAMES = ("years and months duration", "days and time duration", "date and time", "function")
TYPE_NAMES = frozenset(
    [*SPACED_NAMES, "Any", "number", "boolean", "string", "date", "time", "list", "context", "range"]
)


@dataclass(frozen=True, slots=True)
class Type:
    """A type by its name."""

    name: str

    def is_instance(self, value: Value) -> bool:
        """Return whether the value has this type; null has none."""
        return value is not None and self.name in ("Any", type_name(value))
