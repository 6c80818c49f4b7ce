"""Parse expressions by recursive descent, one method for each level of precedence.

The grammar is the one that Camunda documents. The DMN specification's additions are parsed too, and listed in
`extensions`, so that a deployment for Zeebe can reject them.
"""

from decimal import Decimal

from services.engine.feel.calls import InstanceOf
from services.engine.feel.iteration import Binding, For, Quantified, Span
from services.engine.feel.lexer import Kind, Token
from services.engine.feel.names import mentions_name, reads_input
from services.engine.feel.nodes import (
    Arithmetic,
    Between,
    Comparison,
    Conjunction,
    Disjunction,
    If,
    In,
    InputValue,
    Literal,
    Negation,
    Node,
    RangeNode,
    UnaryTest,
    UnaryTestList,
)
from services.engine.feel.type_grammar import parse_type
from services.engine.feel.value_grammar import ValueParser

_COMPARISONS = ("=", "!=", "<=", ">=", "<", ">")


class Parser(ValueParser):
    """Parses one text; `extensions` lists what exceeds Camunda's grammar.

    Raises FeelSyntaxError.
    """

    def parse_expression(self) -> Node:
        node = self.expression()
        self.expect_end()
        self._note_range_operands()
        return node

    def _note_range_operands(self) -> None:
        if self.range_operands > 0:
            self.extensions.append("a range as an operand")

    def parse_unary_tests(self) -> UnaryTestList:
        if self.peek().kind is Kind.END:
            return UnaryTestList(())
        if self.at("-") and self.peek_second().kind is Kind.END:
            return UnaryTestList(())
        if self.at_word("not") and self.peek_second().text == "(":
            start = self.position
            self.advance()
            self.advance()
            tests = self._tests()
            if self.accept(")") and self.peek().kind is Kind.END:
                self._note_range_operands()
                return UnaryTestList(tests, negated=True)
            self.position, self.range_operands = start, 0
        tests = self._tests()
        self.expect_end()
        self._note_range_operands()
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

    def _comparison(self) -> Node:  # noqa: PLR0911 - one for each operator
        if self.at(*_COMPARISONS):
            return self._comparison_test()
        left = self.additive()
        if operator := self.accept(*_COMPARISONS):
            if operator in ("=", "!=") and self.at("<", "<=", ">", ">="):
                self.extensions.append("a range as an operand")
                return Comparison(operator, left, self._comparison_test())
            return Comparison(operator, left, self.additive())
        if self.accept_word("between"):
            low = self.additive()
            self.expect_word("and")
            return Between(left, low, self.additive())
        if self.at_word("instance") and self.peek_second().text == "of":
            self.advance()
            self.advance()
            return InstanceOf(left, parse_type(self))
        if self.accept_word("in"):
            return In(left, UnaryTestList(self._in_tests()))
        self._discount_range(left)
        return left

    def _discount_range(self, node: Node) -> None:
        if isinstance(node, RangeNode):
            self.range_operands -= 1

    def _comparison_test(self) -> Node:
        """Parse `> 5`, a test of the input or a half-open range."""
        operator = self.advance().text
        bound = self.additive()
        if operator in ("<", "<="):
            return RangeNode(None, bound, False, operator == "<=")
        if operator in (">", ">="):
            return RangeNode(bound, None, operator == ">=", False)
        self.extensions.append(f"a test that begins with '{operator}'")
        if operator == "=":
            return RangeNode(bound, bound, True, True)
        return Comparison("!=", InputValue(), bound)

    def _in_tests(self) -> tuple[UnaryTest, ...]:
        start, operands = self.position, self.range_operands
        if self.accept("("):
            tests = self._tests()
            if self.accept(")"):
                return tests
            self.position, self.range_operands = start, operands  # an open range `(1..5)`, or a value in brackets
        if self.at(*_COMPARISONS):
            return (self._test(self._comparison_test()),)
        test = self.additive()
        self._discount_range(test)
        return (self._test(test),)

    def _tests(self) -> tuple[UnaryTest, ...]:
        tests = [self._positive_test()]
        while self.accept(","):
            tests.append(self._positive_test())
        return tuple(tests)

    def _positive_test(self) -> UnaryTest:
        begins_range = self.at("<", "<=", ">", ">=", "[", "]")
        node = self.expression()
        first = node
        while isinstance(first, Conjunction | Disjunction):
            first = first.left
        if begins_range and first is not node and isinstance(first, RangeNode):
            self.extensions.append("a test that goes on behind a range")
        return self._test(node)

    def _test(self, node: Node) -> UnaryTest:
        return UnaryTest(node, reads_input(node))

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
        node = self._negation()
        if isinstance(node, Literal) and isinstance(node.value, Decimal):
            return Literal(-node.value)
        return Negation(node)

    @staticmethod
    def _starts_operand(token: Token) -> bool:
        if token.kind is Kind.SYMBOL:
            return token.text in ("(", "[", "{", "-", "?", "<", ">", "<=", ">=", "]")
        return token.kind is not Kind.END
