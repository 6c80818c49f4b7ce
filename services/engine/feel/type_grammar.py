"""Parse type names after `instance of`."""

from services.engine.feel.cursor import Cursor
from services.engine.feel.types import NAMES, TYPE_NAMES, Type


def parse_type(cursor: Cursor) -> Type:
    """Parse a type; raises FeelSyntaxError for one that no value of Camunda's FEEL has."""
    start = cursor.position
    name = cursor.accept_phrase(TYPE_NAMES) or cursor.name(any_word=False)
    while cursor.accept("."):
        name += "." + cursor.name()
    if name not in NAMES:
        cursor.position = start
        raise cursor.beyond(f"the type '{name}'")
    return Type(name)
