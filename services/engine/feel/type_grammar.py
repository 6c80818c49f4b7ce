"""Parse type names after `instance of` and in parameters."""

from services.engine.feel.cursor import Cursor
from services.engine.feel.lexer import Kind
from services.engine.feel.types import TYPE_NAMES, Type


def parse_type(cursor: Cursor) -> Type:
    """Parse a type; angle brackets exceed Camunda's grammar."""
    for name in TYPE_NAMES:
        if cursor.accept_phrase((name,)):
            return Type(name)
        if _accept_hyphened(cursor, name):
            cursor.extensions.append(f"the type '{name}'")
            return Type(name)
    token = cursor.peek()
    if token.kind not in (Kind.WORD, Kind.QUOTED_NAME):
        raise cursor.error("a type is expected")
    name = cursor.advance().text
    if name == "null":
        cursor.extensions.append("the type 'null'")
    while cursor.accept("."):
        name += "." + cursor.advance().text
    if cursor.peek().text != "<" or name not in ("list", "context", "function", "range"):
        return Type(name)
    cursor.extensions.append(f"the type '{name}<…>'")
    cursor.expect("<")
    return _inner(cursor, name)


def _inner(cursor: Cursor, name: str) -> Type:
    if name in ("list", "range"):
        element = parse_type(cursor)
        cursor.expect(">")
        return Type(name, element)
    if name == "context":
        entries = []
        while not cursor.accept(">"):
            key = cursor.context_key()
            entries.append((key, parse_type(cursor)))
            cursor.accept(",")
        return Type(name, entries=tuple(entries))
    params: list[Type] = []
    while not cursor.accept(">"):
        params.append(parse_type(cursor))
        cursor.accept(",")
    result = parse_type(cursor) if cursor.accept("->") else None
    return Type(name, result, params=tuple(params))


def _accept_hyphened(cursor: Cursor, name: str) -> bool:
    if "-" not in name:
        return False
    start = cursor.position
    for number, word in enumerate(name.split("-")):
        if (number and not cursor.accept("-")) or not cursor.accept_word(word):
            cursor.position = start
            return False
    return True
