"""Parse decision logic: tables, literal and boxed expressions that Zeebe evaluates."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from lxml import etree

from services.engine.model.decisions import (
    Aggregation,
    BoxedContext,
    BoxedFunction,
    BoxedInvocation,
    BoxedList,
    BoxedRelation,
    DecisionTable,
    HitPolicy,
    Input,
    Logic,
    Output,
    Rule,
)
from services.engine.model.dmn_text import NULL_EXPRESSION, DmnText

_UNSUPPORTED = ("conditional", "filter", "for", "every", "some")
_Choice = TypeVar("_Choice", HitPolicy, Aggregation)


class LogicReader:
    """Parses the logic of decisions and business knowledge models.

    `location` names the element in problem texts.
    """

    def __init__(self, prefix: str, text: DmnText, problems: list[str]) -> None:
        self._prefix = prefix
        self._text = text
        self._problems = problems
        self._readers: dict[str, Callable[[etree._Element, str], Logic | None]] = {
            "decisionTable": self._table,
            "literalExpression": text.expression,
            "context": self._context,
            "list": self._list,
            "relation": self._relation,
            "functionDefinition": self._function_definition,
            "invocation": self._invocation,
        }

    def logic(self, element: etree._Element, location: str) -> Logic | None:
        """Parse the logic among the element's children; None without any."""
        for child in element.iterchildren(f"{self._prefix}*"):
            name = str(etree.QName(child).localname)
            if name in self._readers:
                return self._readers[name](child, location)
            if name in _UNSUPPORTED:
                self._problems.append(
                    f"{location}: the boxed expression '{name}' is not supported; use a decision table, a literal"
                    " expression, a context, a list, a relation or an invocation."
                )
                return NULL_EXPRESSION
        return None

    def function(self, element: etree._Element, location: str) -> BoxedFunction:
        """Parse formal parameters and the logic of a function."""
        params = tuple((p.get("name", ""), p.get("typeRef", "")) for p in self._children(element, "formalParameter"))
        return BoxedFunction(params, self.logic(element, location))

    def _function_definition(self, element: etree._Element, location: str) -> Logic:
        function = self.function(element, location)
        if element.find(self._prefix + "literalExpression") is None:
            self._problems.append(f"{location}: Zeebe takes a function definition with a literal expression only.")
        return function

    def _required(self, element: etree._Element, location: str, part: str) -> Logic:
        logic = self.logic(element, location)
        if logic is None:
            self._problems.append(f"{location}: {part} has no expression.")
            return NULL_EXPRESSION
        return logic

    def _context(self, element: etree._Element, location: str) -> Logic:
        entries: list[tuple[str, Logic]] = []
        result: Logic | None = None
        elements = list(self._children(element, "contextEntry"))
        for number, entry in enumerate(elements, 1):
            variable = entry.find(self._prefix + "variable")
            name = variable.get("name", "") if variable is not None else ""
            value = self._required(entry, location, f"entry '{name}' of the context")
            if variable is None and number == len(elements):
                result = value
                continue
            if not name:
                self._problems.append(f"{location}: entry {number} of the context needs a variable with a name.")
            entries.append((name, value))
        if not elements:
            self._problems.append(f"{location}: the context has no entry.")
        return BoxedContext(tuple(entries), result)

    def _expressions(self, element: etree._Element, location: str) -> Iterator[Logic]:
        for child in element.iterchildren(f"{self._prefix}*"):
            name = str(etree.QName(child).localname)
            if name in self._readers:
                yield self._readers[name](child, location) or NULL_EXPRESSION

    def _list(self, element: etree._Element, location: str) -> Logic:
        return BoxedList(tuple(self._expressions(element, location)))

    def _relation(self, element: etree._Element, location: str) -> Logic:
        names = [column.get("name", "") for column in self._children(element, "column")]
        rows = [tuple(self._expressions(row, location)) for row in self._children(element, "row")]
        for number, row in enumerate(rows, 1):
            if len(row) != len(names):
                self._problems.append(
                    f"{location}: row {number} of the relation has {len(row)} expressions, the relation {len(names)}"
                    " columns."
                )
        return BoxedRelation(tuple(tuple(zip(names, row, strict=False)) for row in rows))

    def _invocation(self, element: etree._Element, location: str) -> Logic:
        called = element.findtext(f"{self._prefix}literalExpression/{self._prefix}text", "").strip()
        if not called:
            self._problems.append(f"{location}: the invocation names no business knowledge model.")
        bindings = []
        for binding in self._children(element, "binding"):
            parameter = binding.find(self._prefix + "parameter")
            name = parameter.get("name", "") if parameter is not None else ""
            if binding.find(self._prefix + "literalExpression") is None:
                self._problems.append(f"{location}: Zeebe takes a literal expression for the parameter '{name}' only.")
            bindings.append((name, self._required(binding, location, f"the binding of '{name}'")))
        return BoxedInvocation(called, tuple(bindings))

    # decision tables

    def _table(self, table: etree._Element, location: str) -> Logic | None:
        inputs = tuple(self._input(element, location) for element in self._children(table, "input"))
        outputs = tuple(self._output(element, location) for element in self._children(table, "output"))
        rules = tuple(
            self._rule(element, location, len(inputs), len(outputs)) for element in self._children(table, "rule")
        )
        policy = self._parse_choice(HitPolicy, table.get("hitPolicy", "UNIQUE"), f"{location}: the hit policy")
        aggregation = table.get("aggregation")
        operator = self._parse_choice(Aggregation, aggregation, f"{location}: the aggregation") if aggregation else None
        if len(outputs) > 1 and any(not output.name for output in outputs):
            self._problems.append(f"{location}: each output of several needs a name.")
        if len(outputs) > 1 and len({output.name for output in outputs}) < len(outputs):
            self._problems.append(f"{location}: two outputs have the same name.")
        if operator is not None and policy is HitPolicy.COLLECT and len(outputs) > 1:
            self._problems.append(f"{location}: COLLECT with {operator} can have one output only.")
        if not outputs:
            self._problems.append(f"{location}: the decision table has no output.")
        return None if policy is None else DecisionTable(policy, operator, inputs, outputs, rules)

    def _parse_choice(self, kind: type[_Choice], text: str, location: str) -> _Choice | None:
        try:
            return kind(text)
        except ValueError:
            self._problems.append(f"{location} '{text}' is unknown; use one of {', '.join(kind)}.")
            return None

    def _input(self, element: etree._Element, table: str) -> Input:
        identity = element.get("id", "")
        expression = element.find(self._prefix + "inputExpression")
        location = f"{table}, input '{identity}'"
        if expression is None:
            self._problems.append(f"{location} has no expression.")
            return Input(identity, element.get("label", ""), NULL_EXPRESSION)
        return Input(identity, element.get("label", ""), self._text.expression(expression, location))

    def _output(self, element: etree._Element, table: str) -> Output:
        identity = element.get("id", "")
        values = element.findtext(f"{self._prefix}outputValues/{self._prefix}text", "")
        default = element.find(self._prefix + "defaultOutputEntry")
        return Output(
            id=identity,
            name=element.get("name", ""),
            label=element.get("label", ""),
            values=tuple(value.strip().strip("\"'") for value in values.split(",")) if values else (),
            default=self._text.expression(default, f"{table}, output '{identity}'") if default is not None else None,
        )

    def _rule(self, element: etree._Element, table: str, inputs: int, outputs: int) -> Rule:
        identity = element.get("id", "")
        location = f"{table}, rule '{identity}'"
        tests = tuple(self._text.tests(entry, location) for entry in self._children(element, "inputEntry"))
        values = tuple(self._text.expression(entry, location) for entry in self._children(element, "outputEntry"))
        if len(tests) != inputs or len(values) != outputs:
            self._problems.append(
                f"{location} has {len(tests)} input and {len(values)} output entries, the table {inputs} and {outputs}."
            )
        return Rule(identity, tests, values)

    def _children(self, element: etree._Element, name: str) -> Iterator[etree._Element]:
        return element.iterchildren(self._prefix + name)
