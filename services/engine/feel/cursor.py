"""Read tokens with lookahead and backtracking, and names with blanks."""

import re

from services.engine.feel.builtins import BUILTIN_NAMES
from services.engine.feel.errors import FeelSyntaxError
from services.engine.feel.lexer import RESERVED, Kind, Token, scan, skip_space

_CONTEXT_KEY = re.compile(r'[^"{}:,\[\]`]+(?=:)')
_STRING_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?=:)', re.DOTALL)
_QUOTED_KEY = re.compile(r"`([^`]+)`\s*(?=:)")
_MAX_NAME_WORDS = 8  # words


class Cursor:
    """A position in an expression's text; `position` may be reset for backtracking."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.bracket_depth = 0
        self.range_end_depth = -1  # the depth at which the end of a range is being read
        self.range_operands = 0  # ranges where Camunda's grammar has an operand
        self._tokens: dict[int, Token] = {}

    def token_at(self, position: int) -> Token:
        token = self._tokens.get(position)
        if token is None:
            token = self._tokens[position] = scan(self.text, position)
        return token

    def peek(self) -> Token:
        return self.token_at(self.position)

    def peek_second(self) -> Token:
        return self.token_at(self.peek().end)

    def advance(self) -> Token:
        token = self.peek()
        self.position = token.end
        return token

    def error(self, expected: str) -> FeelSyntaxError:
        token = self.peek()
        found = "the end" if token.kind is Kind.END else f"'{self.text[token.start : token.end]}'"
        return FeelSyntaxError(self.text, token.start, f"{expected}, found {found}")

    def beyond(self, what: str) -> FeelSyntaxError:
        """Return the error for what DMN's text or another FEEL reads here, and a Camunda cluster does not."""
        return FeelSyntaxError(self.text, self.peek().start, f"{what} is not part of Camunda's FEEL")

    def at(self, *symbols: str) -> bool:
        token = self.peek()
        return token.kind is Kind.SYMBOL and token.text in symbols

    def accept(self, *symbols: str) -> str:
        """Consume the next symbol if it is one of these.

        Else return "".
        """
        token = self.peek()
        if token.kind is Kind.SYMBOL and token.text in symbols:
            self.position = token.end
            return token.text
        return ""

    def expect(self, *symbols: str) -> str:
        symbol = self.accept(*symbols)
        if not symbol:
            raise self.error(" or ".join(f"'{symbol}'" for symbol in symbols) + " is expected")
        return symbol

    def expect_end(self) -> None:
        if self.peek().kind is not Kind.END:
            raise self.error("an operator or the end is expected")

    def at_word(self, *words: str) -> bool:
        token = self.peek()
        return token.kind is Kind.WORD and token.text in words

    def accept_word(self, word: str) -> bool:
        if self.at_word(word):
            self.advance()
            return True
        return False

    def expect_word(self, word: str) -> None:
        if not self.accept_word(word):
            raise self.error(f"'{word}' is expected")

    def open_bracket(self) -> str:
        self.bracket_depth += 1
        return self.advance().text

    def close_bracket(self, *symbols: str) -> str:
        self.bracket_depth -= 1
        return self.expect(*symbols)

    def accept_phrase(self, phrases: tuple[str, ...]) -> str:
        """Consume the first of these phrases that matches; else return ""."""
        for phrase in phrases:
            position = self.position
            for word in phrase.split(" "):
                token = self.token_at(position)
                if token.kind is not Kind.WORD or token.text != word:
                    break
                position = token.end
            else:
                self.position = position
                return phrase
        return ""

    def name(self, any_word: bool = False) -> str:
        token = self.peek()
        if token.kind is Kind.QUOTED_NAME or (token.kind is Kind.WORD and (any_word or token.text not in RESERVED)):
            return self.advance().text
        raise self.error("a name is expected")

    @staticmethod
    def is_name(token: Token) -> bool:
        return token.kind is Kind.QUOTED_NAME or (token.kind is Kind.WORD and token.text not in RESERVED)

    def called_name(self) -> str:
        """Consume a function name, with blanks, before its bracket; else return ""."""
        token = self.peek()
        if token.kind is Kind.QUOTED_NAME and self.token_at(token.end).text == "(":
            return self.advance().text
        words: list[str] = []
        position = self.position
        while token.kind is Kind.WORD and len(words) < _MAX_NAME_WORDS:
            words.append(token.text)
            position = token.end
            token = self.token_at(position)
        if not words or token.kind is not Kind.SYMBOL or token.text != "(":
            return ""
        name = " ".join(words)
        if name not in BUILTIN_NAMES and not RESERVED.isdisjoint(words):
            return ""
        self.position = position
        return name

    def argument_name(self) -> str | None:
        """Consume `name:` of a named argument, if present."""
        token = self.peek()
        words: list[str] = []
        position = self.position
        while token.kind is Kind.WORD or (token.kind in (Kind.QUOTED_NAME, Kind.STRING) and not words):
            words.append(token.text)
            position = token.end
            token = self.token_at(position)
            if self.token_at(self.position).kind is not Kind.WORD:
                break
        if not words or token.kind is not Kind.SYMBOL or token.text != ":":
            return None
        if self.peek().kind is Kind.STRING:
            raise self.beyond(f"the argument name '{words[0]}' in quotes")
        self.position = token.end
        return " ".join(words)

    def context_key(self) -> str:
        """Consume the key of a context entry and its colon."""
        start = skip_space(self.text, self.position)
        for pattern in (_STRING_KEY, _QUOTED_KEY, _CONTEXT_KEY):
            match = pattern.match(self.text, start)
            if match:
                self.position = match.end()
                self.expect(":")
                return self._clean_key(pattern, match)
        raise self.error("a key with its ':' is expected")

    @staticmethod
    def _clean_key(pattern: re.Pattern[str], match: re.Match[str]) -> str:
        if pattern in (_STRING_KEY, _QUOTED_KEY):
            return match[1]
        return re.sub(r"\s+", " ", match[0].strip())
