"""Parse type names after `instance of`."""

from services.engine.feel.cursor import Cursor
from services.engine.feel.types import SPACED_NAMES, Type


def parse_type(cursor: Cursor) -> Type:
    """Parse a type; one that no value has can be any name."""
    name = cursor.accept_phrase(SPACED_NAMES) or cursor.name()
    while cursor.accept("."):
        name += "." + cursor.name()
    return Type(name)
