"""Parse DMN files of Camunda Modeler and of other tools.

Unsupported elements are rejected with a text that names the id, and so is what a DMN schema forbids: ids that are no
XML names or not unique, dangling references, cyclic requirements.
"""

from collections.abc import Iterator, Mapping

from lxml import etree

from services.engine.errors import InvalidModel
from services.engine.model.boxed import LogicReader
from services.engine.model.decisions import BoxedFunction, BoxedInvocation, Decision, DecisionRequirements, Knowledge
from services.engine.model.dmn_schema import schema_problems
from services.engine.model.dmn_text import DmnText

NAMESPACES = (
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
)
_ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"


def parse_dmn(content: bytes, *, deployed: bool = False) -> DecisionRequirements:
    """Parse a DMN file; raises InvalidModel with every problem.

    A file that is `deployed` is parsed without checks, because later rules do not invalidate it.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel([f"The file is not XML: {error}"]) from error
    name = etree.QName(root)
    if name.localname != "definitions" or name.namespace not in NAMESPACES:
        raise InvalidModel([f"The file is not DMN 1.1 to 1.5: its outermost element is '{root.tag}'."])
    return _Reader(root, str(name.namespace)).requirements(deployed=deployed)


class _Reader:
    """Parses one file and collects its problems."""

    def __init__(self, root: etree._Element, namespace: str) -> None:
        self._root = root
        self._prefix = f"{{{namespace}}}"
        self._problems: list[str] = []
        self._text = DmnText(root, self._prefix, self._problems)
        self._kinds = {element.get("id"): etree.QName(element).localname for element in root.iter(f"{self._prefix}*")}
        self._logic = LogicReader(self._prefix, self._text, self._problems)

    def requirements(self, *, deployed: bool) -> DecisionRequirements:
        identity, name = self._root.get("id", ""), self._root.get("name", "")
        if not identity:
            self._problems.append("The definitions need an id; it names the decision requirements.")
        if not name:
            self._problems.append("The definitions need a name.")
        if not deployed:
            self._problems.extend(schema_problems(self._root, self._prefix))
        for element in self._children("import"):
            self._problems.append(f"The import of '{element.get('namespace')}' is not supported: use one file.")
        knowledge = [self._knowledge(element) for element in self._children("businessKnowledgeModel")]
        decisions = [self._decision(element) for element in self._children("decision")]
        if not decisions and not self._problems:
            self._problems.append("The file has no decision.")
        decisions_by_id = {decision.id: decision for decision in decisions if decision is not None}
        models = {model.id: model for model in knowledge}
        if not self._problems:
            self._problems.extend(_graph_problems(decisions_by_id, models))
        if self._problems and not deployed:
            raise InvalidModel(self._problems)
        return DecisionRequirements(identity, name, self._root.get("namespace", ""), decisions_by_id, models)

    def _decision(self, element: etree._Element) -> Decision | None:
        identity = element.get("id", "")
        location = f"Decision '{identity}'"
        if not identity:
            self._problems.append(f"The decision '{element.get('name', '')}' needs an id.")
            return None
        if not element.get("name"):
            self._problems.append(f"{location} needs a name.")
        variable = element.find(self._prefix + "variable")
        before = len(self._problems)
        logic = self._logic.logic(element, location)
        if logic is None:
            if len(self._problems) == before:
                self._problems.append(f"{location} has no logic: give it a decision table or a literal expression.")
            return None
        if isinstance(logic, BoxedFunction):
            self._problems.append(
                f"{location}: Zeebe evaluates no decision that is a function; use a business knowledge model."
            )
        tag = element.find(f"{self._prefix}extensionElements/{_ZEEBE}versionTag")
        return Decision(
            id=identity,
            name=element.get("name", ""),
            result_name=(variable.get("name") if variable is not None else None) or identity,
            result_type=(variable.get("typeRef") if variable is not None else None) or "",
            version_tag=tag.get("value", "") if tag is not None else "",
            required=tuple(self._required(element, location, "informationRequirement", "requiredDecision")),
            knowledge=tuple(self._required(element, location, "knowledgeRequirement", "requiredKnowledge")),
            logic=logic,
        )

    def _knowledge(self, element: etree._Element) -> Knowledge:
        identity, name = element.get("id", ""), element.get("name", "")
        location = f"Business knowledge model '{identity or name}'"
        if not identity or not name:
            self._problems.append(f"{location} needs an id and a name.")
        encapsulated = element.find(self._prefix + "encapsulatedLogic")
        function = BoxedFunction((), None) if encapsulated is None else self._logic.function(encapsulated, location)
        if isinstance(function.body, BoxedFunction | BoxedInvocation):
            self._problems.append(f"{location}: Zeebe takes neither a function nor an invocation as its logic.")
        required = tuple(self._required(element, location, "knowledgeRequirement", "requiredKnowledge"))
        return Knowledge(identity, name, function, required)

    def _required(self, element: etree._Element, location: str, kind: str, reference: str) -> Iterator[str]:
        for required in element.iterfind(f"{self._prefix}{kind}/{self._prefix}{reference}"):
            target, hash_sign, identity = required.get("href", "").partition("#")
            if not hash_sign:
                target, identity = "", target
            if target and target != self._root.get("namespace"):
                self._problems.append(f"{location} requires '{target}' of another file; use one file.")
            tag = self._kinds.get(identity)
            if kind == "knowledgeRequirement" and tag != "businessKnowledgeModel":
                self._problems.append(
                    f"{location} requires the business knowledge model '{identity}', which the file does not have."
                )
                continue
            yield identity

    def _children(self, name: str) -> Iterator[etree._Element]:
        return self._root.iterchildren(self._prefix + name)


def _graph_problems(decisions: Mapping[str, Decision], models: Mapping[str, Knowledge]) -> Iterator[str]:
    for decision in decisions.values():
        for required in decision.required:
            if required not in decisions:
                yield f"Decision '{decision.id}' requires the decision '{required}', which the file does not have."
        called = decision.logic.knowledge if isinstance(decision.logic, BoxedInvocation) else ""
        if called and called not in {models[key].name for key in decision.knowledge if key in models}:
            yield (
                f"Decision '{decision.id}' calls '{called}': require the business knowledge model of that name with a"
                " knowledge requirement."
            )
    yield from _cycles("Decision", {decision.id: decision.required for decision in decisions.values()})
    yield from _cycles("Business knowledge model", {model.id: model.required for model in models.values()})


def _cycles(element_type: str, graph: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    acyclic: set[str] = set()
    for identity in graph:
        if _has_cycle(identity, graph, (), acyclic):
            yield f"{element_type} '{identity}' requires itself by way of others."


def _has_cycle(identity: str, graph: Mapping[str, tuple[str, ...]], path: tuple[str, ...], acyclic: set[str]) -> bool:
    if identity in path:
        return True
    if identity in acyclic or identity not in graph:
        return False
    cyclic = any(_has_cycle(required, graph, (*path, identity), acyclic) for required in graph[identity])
    if not cyclic:
        acyclic.add(identity)
    return cyclic
