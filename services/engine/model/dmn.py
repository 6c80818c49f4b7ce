"""Decision models: DMN files as Camunda Modeler saves them, parsed into small immutable objects.

Decision tables and literal expressions are carried, with the decisions they require. Everything else (boxed contexts,
lists, relations, invocations, business knowledge models, imports) is refused with a sentence that names the id.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from lxml import etree

from services.engine.errors import InvalidModel
from services.engine.feel import Expression, FeelSyntaxError, UnaryTests, compile_expression, compile_unary_tests

NAMESPACES = (
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
)
_FEEL_LANGUAGES = (
    "feel",
    "http://www.omg.org/spec/feel/20140401",
    "http://www.omg.org/spec/dmn/20180521/feel/",
    "https://www.omg.org/spec/dmn/20191111/feel/",
    "https://www.omg.org/spec/dmn/20211108/feel/",
    "https://www.omg.org/spec/dmn/20230324/feel/",
)
_ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"
_BOXED = ("context", "list", "relation", "invocation", "functionDefinition", "conditional", "filter", "for", "every",
          "some")  # fmt: skip
_NOTHING = compile_expression("null")
_Choice = TypeVar("_Choice", bound=StrEnum)
_Compiled = TypeVar("_Compiled", Expression, UnaryTests)


class HitPolicy(StrEnum):
    UNIQUE = "UNIQUE"
    FIRST = "FIRST"
    ANY = "ANY"
    PRIORITY = "PRIORITY"
    RULE_ORDER = "RULE ORDER"
    OUTPUT_ORDER = "OUTPUT ORDER"
    COLLECT = "COLLECT"


class Aggregation(StrEnum):
    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    COUNT = "COUNT"


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    label: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Output:
    """`values` are the texts of its possible values in the order of their priority."""

    id: str
    name: str
    label: str
    values: tuple[str, ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    tests: tuple[UnaryTests, ...]
    outputs: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DecisionTable:
    hit_policy: HitPolicy
    aggregation: Aggregation | None
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`result_name` is the name under which decisions that require this one see its result."""

    id: str
    name: str
    result_name: str
    result_type: str
    version_tag: str
    required: tuple[str, ...]
    logic: DecisionTable | Expression


@dataclass(frozen=True, slots=True)
class DecisionRequirements:
    """A DMN file: its decisions by id, in the file's order."""

    id: str
    name: str
    namespace: str
    decisions: Mapping[str, Decision]


def parse_dmn(content: bytes) -> DecisionRequirements:
    """Raises InvalidModel with a sentence for each thing that is wrong or not supported."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel([f"The file is not XML: {error}"]) from error
    name = etree.QName(root)
    if name.localname != "definitions" or name.namespace not in NAMESPACES:
        raise InvalidModel([f"The file is not DMN 1.1 to 1.5: its outermost element is '{root.tag}'."])
    return _Reader(root, str(name.namespace)).requirements()


class _Reader:
    """Reads one file and collects its problems."""

    def __init__(self, root: etree._Element, namespace: str) -> None:
        self._root = root
        self._prefix = f"{{{namespace}}}"
        self._problems: list[str] = []
        self._spaced_names = self._names_to_quote()

    def requirements(self) -> DecisionRequirements:
        identity, name = self._root.get("id", ""), self._root.get("name", "")
        if not identity:
            self._problems.append("The definitions need an id; it names the decision requirements.")
        if not name:
            self._problems.append("The definitions need a name.")
        for element in self._children(self._root, "import"):
            self._problems.append(f"The import of '{element.get('namespace')}' is not supported: use one file.")
        for element in self._children(self._root, "businessKnowledgeModel"):
            self._problems.append(
                f"Business knowledge model '{element.get('id')}' is not supported: use a decision with a literal"
                " expression that gives a function."
            )
        decisions = [self._decision(element) for element in self._children(self._root, "decision")]
        if not decisions and not self._problems:
            self._problems.append("The file has no decision.")
        found = {decision.id: decision for decision in decisions if decision is not None}
        if not self._problems:
            self._problems.extend(_graph_problems(found))
        if self._problems:
            raise InvalidModel(self._problems)
        return DecisionRequirements(identity, name, self._root.get("namespace", ""), found)

    def _decision(self, element: etree._Element) -> Decision | None:
        identity = element.get("id", "")
        if not identity:
            self._problems.append(f"The decision '{element.get('name', '')}' needs an id.")
            return None
        if not element.get("name"):
            self._problems.append(f"Decision '{identity}' needs a name.")
        variable = element.find(self._prefix + "variable")
        logic = self._logic(element, identity)
        if logic is None:
            return None
        tag = element.find(f"{self._prefix}extensionElements/{_ZEEBE}versionTag")
        return Decision(
            id=identity,
            name=element.get("name", ""),
            result_name=(variable.get("name") if variable is not None else None) or identity,
            result_type=(variable.get("typeRef") if variable is not None else None) or "",
            version_tag=tag.get("value", "") if tag is not None else "",
            required=tuple(self._required(element)),
            logic=logic,
        )

    def _required(self, element: etree._Element) -> Iterator[str]:
        for reference in element.iterfind(f"{self._prefix}informationRequirement/{self._prefix}requiredDecision"):
            target, _, identity = reference.get("href", "").partition("#")
            if target:
                self._problems.append(
                    f"Decision '{element.get('id')}' requires '{target}' of another file; use one file."
                )
            yield identity

    def _logic(self, element: etree._Element, identity: str) -> DecisionTable | Expression | None:
        table = element.find(self._prefix + "decisionTable")
        if table is not None:
            return self._table(table, identity)
        literal = element.find(self._prefix + "literalExpression")
        if literal is not None:
            return self._expression(literal, f"Decision '{identity}'")
        boxed = next((name for name in _BOXED if element.find(self._prefix + name) is not None), None)
        if boxed is None:
            self._problems.append(
                f"Decision '{identity}' has no logic: give it a decision table or a literal expression."
            )
        else:
            self._problems.append(
                f"Decision '{identity}': the boxed expression '{boxed}' is not supported; use a decision table or a"
                " literal expression."
            )
        return None

    def _table(self, table: etree._Element, identity: str) -> DecisionTable | None:
        inputs = tuple(self._input(element, identity) for element in self._children(table, "input"))
        outputs = tuple(self._output(element, identity) for element in self._children(table, "output"))
        rules = tuple(
            self._rule(element, identity, len(inputs), len(outputs)) for element in self._children(table, "rule")
        )
        policy = self._choice(HitPolicy, table.get("hitPolicy", "UNIQUE"), f"Decision '{identity}': the hit policy")
        aggregation = table.get("aggregation")
        operator = (
            self._choice(Aggregation, aggregation, f"Decision '{identity}': the aggregation") if aggregation else None
        )
        if len(outputs) > 1 and any(not output.name for output in outputs):
            self._problems.append(f"Decision '{identity}': each output of several needs a name.")
        if operator is not None and policy is HitPolicy.COLLECT and len(outputs) > 1:
            self._problems.append(f"Decision '{identity}': COLLECT with {operator} can have one output only.")
        if not outputs:
            self._problems.append(f"Decision '{identity}': the decision table has no output.")
        return None if policy is None else DecisionTable(policy, operator, inputs, outputs, rules)

    def _choice(self, kind: type[_Choice], text: str, where: str) -> _Choice | None:
        try:
            return kind(text)
        except ValueError:
            self._problems.append(f"{where} '{text}' is unknown; use one of {', '.join(kind)}.")
            return None

    def _input(self, element: etree._Element, decision: str) -> Input:
        identity = element.get("id", "")
        expression = element.find(self._prefix + "inputExpression")
        where = f"Decision '{decision}', input '{identity}'"
        if expression is None:
            self._problems.append(f"{where} has no expression.")
            return Input(identity, element.get("label", ""), _NOTHING)
        return Input(identity, element.get("label", ""), self._expression(expression, where) or _NOTHING)

    def _output(self, element: etree._Element, decision: str) -> Output:
        identity = element.get("id", "")
        values = element.findtext(f"{self._prefix}outputValues/{self._prefix}text", "")
        default = element.find(self._prefix + "defaultOutputEntry")
        where = f"Decision '{decision}', output '{identity}'"
        return Output(
            id=identity,
            name=element.get("name", ""),
            label=element.get("label", ""),
            values=tuple(value.strip().strip("\"'") for value in values.split(",")) if values else (),
            default=self._expression(default, where) if default is not None else None,
        )

    def _rule(self, element: etree._Element, decision: str, inputs: int, outputs: int) -> Rule:
        identity = element.get("id", "")
        where = f"Decision '{decision}', rule '{identity}'"
        tests = tuple(self._tests(entry, where) for entry in self._children(element, "inputEntry"))
        values = tuple(self._entry(entry, where) for entry in self._children(element, "outputEntry"))
        if len(tests) != inputs or len(values) != outputs:
            self._problems.append(
                f"{where} has {len(tests)} input and {len(values)} output entries, the table {inputs} and {outputs}."
            )
        return Rule(identity, tests, values)

    def _tests(self, element: etree._Element, where: str) -> UnaryTests:
        self._check_language(element, where)
        text = self._text(element)
        try:
            return self._checked(compile_unary_tests(text), where)
        except FeelSyntaxError as error:
            self._problems.append(f"{where}, entry '{element.get('id', '')}': {error}")
            return compile_unary_tests("-")

    def _entry(self, element: etree._Element, where: str) -> Expression:
        return _NOTHING if not self._text(element) else self._expression(element, where) or _NOTHING

    def _expression(self, element: etree._Element, where: str) -> Expression | None:
        self._check_language(element, where)
        text = self._text(element)
        if not text:
            self._problems.append(f"{where}: the expression must not be empty.")
            return None
        try:
            return self._checked(compile_expression(text), where)
        except FeelSyntaxError as error:
            self._problems.append(f"{where}: {error}")
            return None

    def _checked(self, compiled: _Compiled, where: str) -> _Compiled:
        for extension in compiled.extensions:
            self._problems.append(f"{where}: '{compiled.text}' uses {extension}, which Camunda's FEEL does not have.")
        return compiled

    def _check_language(self, element: etree._Element, where: str) -> None:
        language = element.get("expressionLanguage", "feel")
        if language.lower() not in _FEEL_LANGUAGES:
            self._problems.append(f"{where}: the expression language '{language}' is not supported; use FEEL.")

    def _text(self, element: etree._Element) -> str:
        text = (element.findtext(self._prefix + "text") or "").strip()
        for name in self._spaced_names:
            text = re.sub(rf"(?<![^(,.\s]){re.escape(name)}(?![^(),.\s])", lambda found: f"`{found[0]}`", text)
        return text

    def _names_to_quote(self) -> list[str]:
        """The names of variables that hold blanks or hyphens; expressions may write them without backticks."""
        found = {
            element.get("name", "")
            for kind in ("variable", "itemDefinition")
            for element in self._root.iter(self._prefix + kind)
        }
        return sorted((name for name in found if " " in name or "-" in name), key=len, reverse=True)

    def _children(self, element: etree._Element, name: str) -> Iterator[etree._Element]:
        return element.iterchildren(self._prefix + name)


def _graph_problems(decisions: Mapping[str, Decision]) -> Iterator[str]:
    for decision in decisions.values():
        for required in decision.required:
            if required not in decisions:
                yield f"Decision '{decision.id}' requires the decision '{required}', which the file does not have."
    done: set[str] = set()
    for identity in decisions:
        if _has_cycle(identity, decisions, (), done):
            yield f"Decision '{identity}' requires itself by way of other decisions."


def _has_cycle(identity: str, decisions: Mapping[str, Decision], path: tuple[str, ...], done: set[str]) -> bool:
    if identity in path:
        return True
    if identity in done or identity not in decisions:
        return False
    cyclic = any(_has_cycle(required, decisions, (*path, identity), done) for required in decisions[identity].required)
    if not cyclic:
        done.add(identity)
    return cyclic
