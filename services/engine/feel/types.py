"""The types that `instance of` can name."""

from dataclasses import dataclass

from services.engine.feel.values import Range, Value, type_name

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
    """A type by name, with what a list, range or context holds where that is given."""

    name: str
    element: "Type | None" = None
    entries: tuple[tuple[str, "Type"], ...] = ()

    def holds(self, value: Value) -> bool:
        """Whether the value is of this type; null is of the type null alone."""
        name = _ALIASES.get(self.name, self.name)
        if name == "Any":
            return value is not None
        if type_name(value) != name:
            return False
        if isinstance(value, list) and self.element is not None:
            return all(item is None or self.element.holds(item) for item in value)
        if isinstance(value, dict) and self.entries:
            return all(key in value and (value[key] is None or kind.holds(value[key])) for key, kind in self.entries)
        if isinstance(value, Range) and self.element is not None:
            return self.element.holds(value.end if value.start is None else value.start)
        return True
