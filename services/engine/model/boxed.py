"""Decision logic from its XML: tables, literal expressions, and the boxed expressions that Zeebe evaluates."""

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
from services.engine.model.dmn_text import NOTHING, DmnText

_UNSUPPORTED = ("conditional", "filter", "for", "every", "some")
_Choice = TypeVar("_Choice", HitPolicy, Aggregation)


class LogicReader:
    """Reads what stands inside a decision or a business knowledge model; `where` names it in sentences."""

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

    def logic(self, element: etree._Element, where: str) -> Logic | None:
        """The logic among the element's children; None where there is none, or none that can be read."""
        for child in element.iterchildren(f"{self._prefix}*"):
            name = str(etree.QName(child).localname)
            if name in self._readers:
                return self._readers[name](child, where)
            if name in _UNSUPPORTED:
                self._problems.append(
                    f"{where}: the boxed expression '{name}' is not supported; use a decision table, a literal"
                    " expression, a context, a list, a relation or an invocation."
                )
                return NOTHING
        return None

    def function(self, element: etree._Element, where: str) -> BoxedFunction:
        """Formal parameters with the logic behind them."""
        params = tuple((p.get("name", ""), p.get("typeRef", "")) for p in self._children(element, "formalParameter"))
        return BoxedFunction(params, self.logic(element, where))

    def _function_definition(self, element: etree._Element, where: str) -> Logic:
        function = self.function(element, where)
        if self._text.for_camunda and element.find(self._prefix + "literalExpression") is None:
            self._problems.append(f"{where}: Zeebe takes a function definition with a literal expression only.")
        return function

    def _required(self, element: etree._Element, where: str, what: str) -> Logic:
        found = self.logic(element, where)
        if found is None:
            self._problems.append(f"{where}: {what} has no expression.")
            return NOTHING
        return found

    def _context(self, element: etree._Element, where: str) -> Logic:
        entries: list[tuple[str, Logic]] = []
        result: Logic | None = None
        found = list(self._children(element, "contextEntry"))
        for number, entry in enumerate(found, 1):
            variable = entry.find(self._prefix + "variable")
            name = variable.get("name", "") if variable is not None else ""
            value = self._required(entry, where, f"entry '{name}' of the context")
            if variable is None and number == len(found):
                result = value
                continue
            if not name:
                self._problems.append(f"{where}: entry {number} of the context needs a variable with a name.")
            entries.append((name, value))
        if not found:
            self._problems.append(f"{where}: the context has no entry.")
        return BoxedContext(tuple(entries), result)

    def _expressions(self, element: etree._Element, where: str) -> Iterator[Logic]:
        for child in element.iterchildren(f"{self._prefix}*"):
            name = str(etree.QName(child).localname)
            if name in self._readers:
                yield self._readers[name](child, where) or NOTHING

    def _list(self, element: etree._Element, where: str) -> Logic:
        return BoxedList(tuple(self._expressions(element, where)))

    def _relation(self, element: etree._Element, where: str) -> Logic:
        names = [column.get("name", "") for column in self._children(element, "column")]
        rows = [tuple(self._expressions(row, where)) for row in self._children(element, "row")]
        for number, row in enumerate(rows, 1):
            if len(row) != len(names):
                self._problems.append(
                    f"{where}: row {number} of the relation has {len(row)} expressions, the relation {len(names)}"
                    " columns."
                )
        return BoxedRelation(tuple(tuple(zip(names, row, strict=False)) for row in rows))

    def _invocation(self, element: etree._Element, where: str) -> Logic:
        called = element.findtext(f"{self._prefix}literalExpression/{self._prefix}text", "").strip()
        if not called:
            self._problems.append(f"{where}: the invocation names no business knowledge model.")
        bindings = []
        for binding in self._children(element, "binding"):
            parameter = binding.find(self._prefix + "parameter")
            name = parameter.get("name", "") if parameter is not None else ""
            if self._text.for_camunda and binding.find(self._prefix + "literalExpression") is None:
                self._problems.append(f"{where}: Zeebe takes a literal expression for the parameter '{name}' only.")
            bindings.append((name, self._required(binding, where, f"the binding of '{name}'")))
        return BoxedInvocation(called, tuple(bindings))

    # decision tables

    def _table(self, table: etree._Element, where: str) -> Logic | None:
        inputs = tuple(self._input(element, where) for element in self._children(table, "input"))
        outputs = tuple(self._output(element, where) for element in self._children(table, "output"))
        rules = tuple(
            self._rule(element, where, len(inputs), len(outputs)) for element in self._children(table, "rule")
        )
        policy = self._choice(HitPolicy, table.get("hitPolicy", "UNIQUE"), f"{where}: the hit policy")
        aggregation = table.get("aggregation")
        operator = self._choice(Aggregation, aggregation, f"{where}: the aggregation") if aggregation else None
        if len(outputs) > 1 and any(not output.name for output in outputs):
            self._problems.append(f"{where}: each output of several needs a name.")
        if len(outputs) > 1 and len({output.name for output in outputs}) < len(outputs):
            self._problems.append(f"{where}: two outputs have the same name.")
        if operator is not None and policy is HitPolicy.COLLECT and len(outputs) > 1:
            self._problems.append(f"{where}: COLLECT with {operator} can have one output only.")
        if not outputs:
            self._problems.append(f"{where}: the decision table has no output.")
        return None if policy is None else DecisionTable(policy, operator, inputs, outputs, rules)

    def _choice(self, kind: type[_Choice], text: str, where: str) -> _Choice | None:
        try:
            return kind(text)
        except ValueError:
            self._problems.append(f"{where} '{text}' is unknown; use one of {', '.join(kind)}.")
            return None

    def _input(self, element: etree._Element, table: str) -> Input:
        identity = element.get("id", "")
        expression = element.find(self._prefix + "inputExpression")
        where = f"{table}, input '{identity}'"
        if expression is None:
            self._problems.append(f"{where} has no expression.")
            return Input(identity, element.get("label", ""), NOTHING)
        return Input(identity, element.get("label", ""), self._text.expression(expression, where))

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
        where = f"{table}, rule '{identity}'"
        tests = tuple(self._text.tests(entry, where) for entry in self._children(element, "inputEntry"))
        values = tuple(self._text.expression(entry, where) for entry in self._children(element, "outputEntry"))
        if len(tests) != inputs or len(values) != outputs:
            self._problems.append(
                f"{where} has {len(tests)} input and {len(values)} output entries, the table {inputs} and {outputs}."
            )
        return Rule(identity, tests, values)

    def _children(self, element: etree._Element, name: str) -> Iterator[etree._Element]:
        return element.iterchildren(self._prefix + name)
