"""Types of values, as `instance of` names them."""

from dataclasses import dataclass

from services.engine.feel.values import Function, Range, Value, type_name

# names with blanks or hyphens, the longest first, since some begin alike
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
    """A named type, with the types of elements or entries if declared.

    For a function, `element` is the type of its result and `params` those of its parameters, None if undeclared.
    """

    name: str
    element: "Type | None" = None
    entries: tuple[tuple[str, "Type"], ...] = ()
    params: "tuple[Type, ...] | None" = None

    def is_instance(self, value: Value) -> bool:  # noqa: PLR0911 - one for each kind of type
        """Return whether the value has this type.

        Null has the type null only.
        """
        name = _ALIASES.get(self.name, self.name)
        if name == "Any":
            return value is not None
        if isinstance(value, Function) and name == "function":
            return self._accepts_function(value)
        if type_name(value) != name:
            return False
        if isinstance(value, list) and self.element is not None:
            return all(item is None or self.element.is_instance(item) for item in value)
        if isinstance(value, dict) and self.entries:
            return all(
                key in value and (value[key] is None or kind.is_instance(value[key])) for key, kind in self.entries
            )
        if isinstance(value, Range) and self.element is not None:
            return self.element.is_instance(value.end if value.start is None else value.start)
        return True

    def conforms_to(self, other: "Type") -> bool:
        """Return whether this type conforms to another (DMN 1.3, 10.3.2.9.2)."""
        if other.name == "Any":
            return True
        if _ALIASES.get(self.name, self.name) != _ALIASES.get(other.name, other.name):
            return False
        if other.name == "context":
            own = dict(self.entries)
            return all(key in own and own[key].conforms_to(kind) for key, kind in other.entries)
        return other.element is None or (self.element is not None and self.element.conforms_to(other.element))

    def _accepts_function(self, function: Function) -> bool:
        """Return whether a function's parameters and result conform to this type."""
        if self.params is None:
            return True
        if len(self.params) != len(function.params):
            return False
        param_types = function.types or (ANY,) * len(self.params)
        result = function.result
        return all(expected.conforms_to(kind) for expected, kind in zip(self.params, param_types, strict=True)) and (
            self.element is None or result is None or result.conforms_to(self.element)
        )


ANY = Type("Any")
