"""Parse expressions by recursive descent, one method for each level of precedence.

The grammar is that of Camunda's FEEL (1.18 and 1.19); what DMN's text has beyond it is refused.
"""

from services.engine.feel.arithmetic import negate
from services.engine.feel.calls import InstanceOf
from services.engine.feel.iteration import Binding, For, Quantified, Span
from services.engine.feel.lexer import Kind, Token
from services.engine.feel.names import mentions_name
from services.engine.feel.nodes import (
    Arithmetic,
    Comparison,
    Conjunction,
    Disjunction,
    If,
    In,
    Inequality,
    InputComparison,
    InputEquality,
    InputRange,
    Literal,
    Negation,
    Node,
    RangeNode,
    UnaryTest,
    UnaryTestList,
)
from services.engine.feel.types import SPACED_NAMES, Type
from services.engine.feel.value_grammar import ValueParser

_COMPARISONS = ("=", "!=", "<=", ">=", "<", ">")


class Parser(ValueParser):
    """Parses one text; raises FeelSyntaxError."""

    def parse_expression(self) -> Node:
        node = self.expression()
        self.expect_end()
        self._refuse_range_operands()
        return node

    def _refuse_range_operands(self) -> None:
        if self.range_operands > 0:
            self.position = 0
            raise self.beyond("a range as an operand")

    def parse_unary_tests(self) -> UnaryTestList:
        if self.peek().kind is Kind.END:
            return UnaryTestList(())
        if self.at("-") and self.peek_second().kind is Kind.END:
            return UnaryTestList(())
        if self.at_word("not") and self.peek_second().text == "(":
            self.advance()
            self.advance()
            tests = self._tests()
            self.expect(")")
            self.expect_end()
            self._refuse_range_operands()
            return UnaryTestList(tests, negated=True)
        tests = self._tests()
        self.expect_end()
        self._refuse_range_operands()
        return UnaryTestList(tests)

    def expression(self) -> Node:
        if self.peek().kind is Kind.WORD:
            if self.at_word("if") and self._starts_operand(self.peek_second()):
                return self._if()
            if self.at_word("for") and self.is_name(self.peek_second()):
                return self._for()
            if self.at_word("some", "every") and self.is_name(self.peek_second()):
                return self._quantified()
        return self._disjunction()

    # control flow

    def _if(self) -> Node:
        self.advance()
        condition = self.expression()
        self.expect_word("then")
        then = self.expression()
        self.expect_word("else")
        return If(condition, then, self.expression())

    def _for(self) -> Node:
        self.advance()
        iterators = self._iterators()
        self.expect_word("return")
        body = self.expression()
        return For(iterators, body, mentions_name(body, "partial"))

    def _quantified(self) -> Node:
        universal = self.advance().text == "every"
        iterators = self._iterators()
        self.expect_word("satisfies")
        return Quantified(universal, iterators, self.expression())

    def _iterators(self) -> tuple[Binding, ...]:
        iterators = [self._iterator()]
        while self.accept(","):
            iterators.append(self._iterator())
        return tuple(iterators)

    def _iterator(self) -> Binding:
        name = self.name()
        self.expect_word("in")
        source = self.additive()
        if self.accept(".."):
            source = Span(source, self.additive())
        return Binding(name, source)

    # operators, lowest precedence first

    def _disjunction(self) -> Node:
        node = self._conjunction()
        while self.accept_word("or"):
            node = Disjunction(node, self._conjunction())
        return node

    def _conjunction(self) -> Node:
        node = self._comparison()
        while self.accept_word("and"):
            node = Conjunction(node, self._comparison())
        return node

    def _comparison(self) -> Node:
        if self.at(*_COMPARISONS):
            return self._input_comparison()
        left = self.additive()
        if operator := self.accept(*_COMPARISONS):
            if self.at(*_COMPARISONS):
                raise self.beyond("a range as an operand")
            right = self.additive()
            return Inequality(left, right) if operator == "!=" else Comparison(operator, left, right)
        if self.accept_word("between"):
            low = self.additive()
            self.expect_word("and")
            return Conjunction(Comparison(">=", left, low), Comparison("<=", left, self.additive()))
        if self.at_word("instance") and self.peek_second().text == "of":
            self.advance()
            self.advance()
            return InstanceOf(left, self._type())
        if self.accept_word("in"):
            return In(left, UnaryTestList(self._in_tests()))
        return self._as_test(left)

    def _type(self) -> Type:
        """Parse a type; one that no value has can be any name."""
        name = self.accept_phrase(SPACED_NAMES) or self.name()
        while self.accept("."):
            name += "." + self.name()
        return Type(name)

    def _as_test(self, node: Node) -> Node:
        """Turn a range that is no operand into the test of the input that it is."""
        if not isinstance(node, RangeNode):
            return node
        self.range_operands -= 1
        return InputRange(node)

    def _input_comparison(self) -> Node:
        if self.at("=", "!="):
            raise self.beyond(f"a test that begins with '{self.peek().text}'")
        return InputComparison(self.advance().text, self.additive())

    def _in_tests(self) -> tuple[Node, ...]:
        start, operands = self.position, self.range_operands
        if self.accept("("):
            tests = self._tests()
            if self.accept(")"):
                return tests
            self.position, self.range_operands = start, operands  # an open range `(1..5)`, or a value in brackets
        return (self._test(),)

    def _tests(self) -> tuple[Node, ...]:
        tests = [self._test()]
        while self.accept(","):
            tests.append(self._test())
        return tuple(tests)

    def _test(self) -> Node:
        if self.at_word("true", "false") and self.peek_second().kind is Kind.END:
            return InputEquality(Literal(self.advance().text == "true"))
        if self.at(*_COMPARISONS):
            return self._input_comparison()
        interval = self.interval()
        return InputRange(interval) if interval is not None else UnaryTest(self.expression())

    def additive(self) -> Node:
        node = self._multiplicative()
        while operator := self.accept("+", "-"):
            node = Arithmetic(operator, node, self._multiplicative())
        return node

    def _multiplicative(self) -> Node:
        node = self._exponent()
        while operator := self.accept("*", "/"):
            node = Arithmetic(operator, node, self._exponent())
        return node

    def _exponent(self) -> Node:
        node = self._negation()
        while self.accept("**"):
            node = Arithmetic("**", node, self._negation())
        return node

    def _negation(self) -> Node:
        if not self.accept("-"):
            return self.value()
        if self.at("-") and self.peek_second().kind is not Kind.NUMBER:
            raise self.error("a value is expected")
        node = self._negation()
        return Literal(negate(node.value)) if isinstance(node, Literal) else Negation(node)

    @staticmethod
    def _starts_operand(token: Token) -> bool:
        if token.kind is Kind.SYMBOL:
            return token.text in ("(", "[", "{", "-", "?", "<", ">", "<=", ">=", "]")
        return token.kind is not Kind.END
