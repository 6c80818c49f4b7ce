"""The stages of reviews that a decision table lists: which table says whom a model asks, and what each row says.

A call of a review says its stage as a text, or takes it from a route: the element of a loop over a variable that a
business rule task gives, or such a variable itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.engine.feel import Expression as FeelExpression
from services.engine.feel.nodes import ContextNode, ListNode, Literal, Name, Node, Path
from services.engine.model.bpmn import Element, ElementType, LoopCharacteristics, Process
from services.engine.model.decisions import DecisionTable, HitPolicy
from services.engine.model.expression import Expression

STAGE = "stage"
_OF_EVERY_HIT = (HitPolicy.COLLECT, HitPolicy.RULE_ORDER, HitPolicy.OUTPUT_ORDER)


@dataclass(frozen=True)
class Source:
    """A column of a decision table that says the stage of a review; ``column`` is None where the table has one.

    ``loop`` is what goes through the stages, where they are a list; ``looped`` is its element.
    """

    task: str
    decision_id: str
    column: str | None
    loop: LoopCharacteristics | None = None
    looped: str = ""


@dataclass(frozen=True)
class Row:
    """One entry of such a column. ``stages`` is None for one that is no list of texts, or no text."""

    id: str
    text: str
    stages: tuple[str, ...] | None


def sources(process: Process, call: Element) -> list[Source]:
    """Return the tables that a review's stage comes from; none where it is a text, or computed in another way."""
    name = _variable(_mapped(call.inputs, STAGE))
    return [] if name is None else list(_Origins(process).of(call, name))


def rows(table: DecisionTable, column: str | None, *, is_list: bool) -> Iterator[Row]:
    """Yield what each row of a table says, and the default, of the column with this name."""
    names = [output.name for output in table.outputs]
    place = names.index(column) if column in names else 0
    # a table that collects makes a list of texts
    of_list = is_list and table.hit_policy not in _OF_EVERY_HIT
    for rule in table.rules:
        yield _row(rule.id, rule.outputs[place], of_list=of_list)
    default = table.outputs[place].default
    if default is not None:
        yield _row(table.outputs[place].id, default, of_list=of_list)


def may_be_empty(table: DecisionTable) -> bool:
    """Return whether the table gives an empty list where no row fits."""
    return table.hit_policy in _OF_EVERY_HIT


def _row(identity: str, expression: FeelExpression, *, of_list: bool) -> Row:
    node, text = expression.node, expression.text
    if not of_list:
        is_text = isinstance(node, Literal) and isinstance(node.value, str)
        return Row(identity, text, (str(node.value),) if is_text and isinstance(node, Literal) else None)
    return Row(identity, text, _texts(node))


def _texts(node: Node) -> tuple[str, ...] | None:
    items = list[object]()
    if isinstance(node, ListNode):
        items = [item.value if isinstance(item, Literal) else None for item in node.items]
    elif isinstance(node, Literal) and isinstance(node.value, list):
        items = list(node.value)
    else:
        return None
    return tuple(str(item) for item in items) if all(isinstance(item, str) for item in items) else None


class _Origins:
    """Follows variables of one process back to the business rule tasks that give them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._given = [found for element in process.elements.values() for found in _given(element)]

    def of(self, element: Element, name: str) -> Iterator[Source]:
        """Yield the sources of a variable as an element sees it."""
        loop, looped = None, ""
        for around in self._around(element):
            # the inputs of a call are what is asked about, and no part of what it sees
            source = _mapped(around.inputs, name) if around.id not in (element.id, looped) else None
            if source is not None:
                renamed = _variable(source)
                if renamed is None:
                    return
                name = renamed
            if around.loop is not None and around.loop.item == name and loop is None:
                collection = _variable(_whole(around.loop.collection))
                if collection is None:
                    return
                loop, looped, name = around.loop, around.id, collection
        for variable, task, decision_id, column in self._given:
            if variable == name:
                yield Source(task, decision_id, column, loop, looped)

    def _around(self, element: Element) -> Iterator[Element]:
        current = element
        yield current
        while current.element_type != ElementType.PROCESS:
            current = self._process.elements[current.scope]
            yield current


def _given(element: Element) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield each variable that a business rule task gives: with the task, the decision and the column of its table."""
    called = element.called
    if element.element_type != ElementType.BUSINESS_RULE_TASK or called is None or called.id.compiled is not None:
        return
    if element.outputs is None:
        yield called.result_variable, element.id, called.id.text, None
        return
    for target, source in _entries(element.outputs):
        if isinstance(source, Name) and source.name == called.result_variable:
            yield target, element.id, called.id.text, None
        elif isinstance(source, Path) and _variable(source.source) == called.result_variable:
            yield target, element.id, called.id.text, source.key


def _entries(mapping: Expression | None) -> Sequence[tuple[str, Node]]:
    node = _whole(mapping)
    return node.entries if isinstance(node, ContextNode) else ()


def _mapped(mapping: Expression | None, name: str) -> Node | None:
    return dict(_entries(mapping)).get(name)


def _whole(expression: Expression | None) -> Node | None:
    return expression.compiled.node if expression is not None and expression.compiled is not None else None


def _variable(node: Node | None) -> str | None:
    return node.name if isinstance(node, Name) else None
