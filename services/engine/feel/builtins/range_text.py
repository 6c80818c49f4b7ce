"""Parse ranges with literals as ends (function `range`, DMN 1.4)."""

from decimal import Decimal

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.errors import FeelSyntaxError
from services.engine.feel.lexer import Kind, Token, scan
from services.engine.feel.temporal_text import parse_date, parse_date_time, parse_duration, parse_temporal, parse_time
from services.engine.feel.values import Range, Value, compare

_MAKERS = {"date": parse_date, "time": parse_time, "date and time": parse_date_time, "duration": parse_duration}


@builtin("range", "from: string")
def range_from(text: str) -> Value:
    """Parse `"[1..3)"` or, without a limit, `"[1..)"`; null for other text."""
    try:
        tokens = _tokens(text)
        opening, closing = tokens[0].text, tokens[-1].text
        middle = next(number for number, token in enumerate(tokens) if token.text == ".." and token.kind is Kind.SYMBOL)
        start, end = _literal(tokens[1:middle]), _literal(tokens[middle + 1 : -1])
    except (FeelSyntaxError, StopIteration, IndexError):
        return None
    brackets = opening in ("[", "(", "]") and closing in ("]", ")", "[")
    if not brackets or (start is None and (end is None or opening == "[")) or (end is None and closing == "]"):
        return None
    if start is not None and end is not None and compare(start, end) is None:
        return None
    return Range(start, end, opening == "[", closing == "]")


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while (token := scan(text, position)).kind is not Kind.END:
        tokens.append(token)
        position = token.end
    return tokens


def _literal(tokens: list[Token]) -> Value:
    """Return a literal's value, None for no tokens; raises IndexError."""
    kinds = [token.kind for token in tokens]
    if not tokens:
        return None
    if kinds == [Kind.NUMBER]:
        return Decimal(tokens[0].text)
    if kinds == [Kind.SYMBOL, Kind.NUMBER] and tokens[0].text == "-":
        return Decimal("-" + tokens[1].text)
    if kinds == [Kind.STRING]:
        return tokens[0].text
    value: Value = None
    if kinds == [Kind.AT, Kind.STRING]:
        value = parse_temporal(tokens[1].text)
    elif kinds[-3:] == [Kind.SYMBOL, Kind.STRING, Kind.SYMBOL] and all(kind is Kind.WORD for kind in kinds[:-3]):
        make = _MAKERS.get(" ".join(token.text for token in tokens[:-3]))
        value = make(tokens[-2].text) if make and tokens[-3].text == "(" and tokens[-1].text == ")" else None
    if value is None:
        raise IndexError("This is no literal.")
    return value
