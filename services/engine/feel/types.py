"""The types that `instance of` can name."""

from dataclasses import dataclass

from services.engine.feel.values import Function, Range, Value, type_name

# names with blanks or hyphens, the longest first; the rest of a name decides
TYPE_NAMES = (
    "years and months duration",
    "days and time duration",
    "year-month-duration",
    "day-time-duration",
    "date and time",
    "date time",
)
_ALIASES = {
    "date time": "date and time",
    "year-month-duration": "years and months duration",
    "day-time-duration": "days and time duration",
}


@dataclass(frozen=True, slots=True)
class Type:
    """A type by name, with what a list, range or context holds where that is given.

    For a function `element` is the type of its result, and `params` are those of its parameters; None where neither
    is given.
    """

    name: str
    element: "Type | None" = None
    entries: tuple[tuple[str, "Type"], ...] = ()
    params: "tuple[Type, ...] | None" = None

    def holds(self, value: Value) -> bool:  # noqa: PLR0911 - one for each kind of type
        """Whether the value is of this type; null is of the type null alone."""
        name = _ALIASES.get(self.name, self.name)
        if name == "Any":
            return value is not None
        if isinstance(value, Function) and name == "function":
            return self._covers(value)
        if type_name(value) != name:
            return False
        if isinstance(value, list) and self.element is not None:
            return all(item is None or self.element.holds(item) for item in value)
        if isinstance(value, dict) and self.entries:
            return all(key in value and (value[key] is None or kind.holds(value[key])) for key, kind in self.entries)
        if isinstance(value, Range) and self.element is not None:
            return self.element.holds(value.end if value.start is None else value.start)
        return True

    def conforms_to(self, other: "Type") -> bool:
        """Whether each value of this type is one of the other's, too (DMN 1.3, 10.3.2.9.2)."""
        if other.name == "Any":
            return True
        if _ALIASES.get(self.name, self.name) != _ALIASES.get(other.name, other.name):
            return False
        if other.name == "context":
            own = dict(self.entries)
            return all(key in own and own[key].conforms_to(kind) for key, kind in other.entries)
        return other.element is None or (self.element is not None and self.element.conforms_to(other.element))

    def _covers(self, function: Function) -> bool:
        """A function fits that takes at least what this type's parameters allow, and gives no more than its result."""
        if self.params is None:
            return True
        if len(self.params) != len(function.params):
            return False
        taken = function.types or (ANY,) * len(self.params)
        given = function.result
        return all(asked.conforms_to(kind) for asked, kind in zip(self.params, taken, strict=True)) and (
            self.element is None or given is None or given.conforms_to(self.element)
        )


ANY = Type("Any")
