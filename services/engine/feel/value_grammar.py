"""Parse values: literals, names, calls, paths, filters and brackets."""

from abc import abstractmethod
from decimal import Decimal

from services.engine.feel.calls import Arguments, Call, CallPath
from services.engine.feel.cursor import Cursor
from services.engine.feel.errors import FeelSyntaxError
from services.engine.feel.iteration import Filter
from services.engine.feel.lexer import RESERVED, Kind
from services.engine.feel.nodes import (
    Comparison,
    ContextNode,
    FunctionDefinition,
    InputValue,
    ListNode,
    Literal,
    Name,
    Node,
    Path,
    RangeNode,
)
from services.engine.feel.properties import SPACED_PROPERTIES
from services.engine.feel.temporal_text import parse_temporal
from services.engine.feel.values import Value

_CONSTANTS: dict[str, Value] = {"null": None, "true": True, "false": False}


class ValueParser(Cursor):
    """Parses values; the subclass parses the expressions inside them."""

    @abstractmethod
    def expression(self) -> Node:
        """Parse an expression."""

    @abstractmethod
    def additive(self) -> Node:
        """Parse an expression without comparisons, such as a range's end."""

    def value(self) -> Node:
        """Parse a value with its paths, filters and calls."""
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            if self.accept("."):
                node = self._path(node)
            elif self.at("["):
                filtered = self._filter(node)
                if filtered is None:
                    return node
                node = filtered
            elif self.at("(") and not isinstance(node, RangeNode):
                raise self.beyond("a call of what an expression gives")
            else:
                return node

    def _path(self, source: Node) -> Node:
        spaced = self.accept_phrase(SPACED_PROPERTIES)
        if spaced:
            return Path(source, spaced)
        start = self.position
        called = self.called_name()
        if called:
            if not _is_qualified_name(source):
                self.position = start
                raise self.beyond("a call of a function inside what an expression gives")
            return CallPath(source, called, self._arguments())
        if self.at_word(*RESERVED):
            raise self.beyond(f"the property '{self.peek().text}' without backticks")
        return Path(source, self.name())

    def _filter(self, source: Node) -> Node | None:
        """Parse a filter; None if the bracket closes a range: `[1..5[`."""
        start, depth, operands = self.position, self.bracket_depth, self.range_operands
        try:
            self.open_bracket()
            condition = self.expression()
            self.close_bracket("]")
        except FeelSyntaxError:
            if self.range_end_depth != depth:
                raise
            self.position, self.bracket_depth, self.range_operands = start, depth, operands
            return None
        return Filter(source, condition, probed=not isinstance(condition, Comparison | Call | CallPath))

    def _primary(self) -> Node:  # noqa: PLR0911 - one for each kind of value
        token = self.peek()
        if token.kind is Kind.WORD:
            return self._word()
        if token.kind is Kind.QUOTED_NAME:
            called = self.called_name()
            return Call(called, self._arguments()) if called else Name(self.advance().text)
        if token.kind is Kind.NUMBER:
            return Literal(Decimal(self.advance().text))
        if token.kind is Kind.STRING:
            return Literal(self.advance().text)
        if token.kind is Kind.AT:
            self.advance()
            if self.peek().kind is not Kind.STRING:
                raise self.error('"@" must be followed by a string with a date, time or duration')
            return Literal(parse_temporal(self.advance().text))
        if self.accept("?"):
            return InputValue()
        if self.at("[", "(", "]"):
            return self._bracketed()
        if self.at("{"):
            return self._context()
        raise self.error("a value is expected")

    def _word(self) -> Node:
        called = self.called_name()
        if called:
            return Call(called, self._arguments())
        token = self.peek()
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[self.advance().text])
        if token.text == "function":
            return self._function()
        return Name(self.name())

    def _bracketed(self) -> Node:
        opening = self.open_bracket()
        if opening == "[" and self.at("]"):
            self.close_bracket("]")
            return ListNode(())
        first = self.expression()
        if self.accept(".."):
            return self._range(opening, first)
        if opening == "]":
            raise self.error("'..' of a range is expected")
        if opening == "(":
            self.close_bracket(")")
            return first
        items = [first]
        while self.accept(","):
            items.append(self.expression())
        self.close_bracket("]")
        return ListNode(tuple(items))

    def _range(self, opening: str, start: Node) -> Node:
        outer, self.range_end_depth = self.range_end_depth, self.bracket_depth
        end = self.additive()
        self.range_end_depth = outer
        closing = self.close_bracket("]", ")", "[")
        self.range_operands += 1
        return RangeNode(start, end, opening == "[", closing == "]")

    def _context(self) -> Node:
        self.open_bracket()
        entries: list[tuple[str, Node]] = []
        if not self.at("}"):
            entries.append((self.context_key(), self.expression()))
            while self.accept(","):
                entries.append((self.context_key(), self.expression()))
        self.close_bracket("}")
        return ContextNode(tuple(entries))

    def _function(self) -> Node:
        self.advance()
        self.expect("(")
        params: list[str] = []
        if not self.at(")"):
            params.append(self._parameter())
            while self.accept(","):
                params.append(self._parameter())
        self.expect(")")
        if self.at_word("external") and self.peek_second().text == "{":
            raise self.error("a function in Java cannot be called; write its body in FEEL")
        return FunctionDefinition(tuple(params), self.expression())

    def _parameter(self) -> str:
        words = [self.name()]
        while self.is_name(self.peek()):
            words.append(self.name())
        if self.at(":"):
            raise self.beyond(f"the parameter '{' '.join(words)}' with a type")
        return " ".join(words)

    def _arguments(self) -> Arguments:
        self.open_bracket()
        names: list[str] = []
        values: list[Node] = []
        if self.at(")"):
            self.close_bracket(")")
            return Arguments(())
        while True:
            name = self.argument_name()
            if name is not None:
                names.append(name)
            values.append(self._argument())
            if not self.accept(","):
                break
        if names and len(names) != len(values):
            raise self.error("arguments are given either all by name or all by position, but")
        self.close_bracket(")")
        return Arguments(tuple(values), tuple(names))

    def _argument(self) -> Node:
        """Parse an argument, which can be a range; elsewhere `[1..5]` is a test of the input."""
        return self.interval() or self.expression()

    def interval(self) -> RangeNode | None:
        """Parse a range, or nothing where there is none."""
        if not self.at("[", "]", "("):
            return None
        before = self.position, self.bracket_depth, self.range_operands
        try:
            node = self._bracketed()
        except FeelSyntaxError:
            node = None
        if isinstance(node, RangeNode):
            self.range_operands -= 1
            return node
        self.position, self.bracket_depth, self.range_operands = before
        return None


def _is_qualified_name(node: Node) -> bool:
    """Return whether a node is a name or a path of names."""
    return isinstance(node, Name) or (isinstance(node, Path) and _is_qualified_name(node.source))
