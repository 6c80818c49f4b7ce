"""Parse Zeebe's extension elements."""

import json
import re
from collections.abc import Sequence

from lxml import etree

from services.engine.feel import FeelSyntaxError
from services.engine.model.bpmn import Binding, CallTarget, ElementType, JobDefinition, LoopCharacteristics, Script
from services.engine.model.expression import Expression, parse_expression, unreadable_expression
from services.engine.model.platform import Platform
from services.engine.model.xml import BPMN, ZEEBE, extension

USER_TASK_JOB = "io.camunda.zeebe:userTask"
_VARIABLE_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")  # a variable, or a property of one
_TARGET_PATH = re.compile(
    r"[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*"
)  # the broker's syntax of a mapping target
_RESERVED_WORDS = {"null", "true", "false", "function", "if", "then", "else", "for", "between", "instance", "of"}
_USER_TASK_HEADERS = (
    ("assignmentDefinition", "assignee", "io.camunda.zeebe:assignee"),
    ("assignmentDefinition", "candidateGroups", "io.camunda.zeebe:candidateGroups"),
    ("assignmentDefinition", "candidateUsers", "io.camunda.zeebe:candidateUsers"),
    ("taskSchedule", "dueDate", "io.camunda.zeebe:dueDate"),
    ("taskSchedule", "followUpDate", "io.camunda.zeebe:followUpDate"),
    ("formDefinition", "formKey", "io.camunda.zeebe:formKey"),
)
_RESERVED_HEADERS = {"io.camunda.zeebe:assignee", "io.camunda.zeebe:candidateGroups", "io.camunda.zeebe:formKey"}

_Context = dict[str, "str | _Context"]


class ExtensionReader:
    """Parses extension elements; errors become texts in ``problems``."""

    def __init__(self, platform: Platform, problems: list[str]) -> None:
        self._platform = platform
        self._problems = problems

    def expression(self, element_id: str, property_name: str, text: str) -> Expression:
        try:
            expression = parse_expression(text)
        except FeelSyntaxError as error:
            self._problems.append(f"Element '{element_id}': the {property_name} '{text}' is not valid FEEL: {error}")
            return unreadable_expression(text, error)
        if expression.compiled is not None:
            self._problems.extend(
                f"Element '{element_id}': in the {property_name} '{text}' {problem}."
                for problem in self._platform.problems(expression.compiled)
            )
        return expression

    def feel_expression(self, element_id: str, property_name: str, text: str) -> Expression:
        """Parse a value that must be FEEL, with an equals sign."""
        if not text.strip().startswith("="):
            self._problems.append(
                f"Element '{element_id}': the {property_name} '{text}' must be an expression beginning with '='."
            )
            return Expression(text)
        return self.expression(element_id, property_name, text)

    def job(self, element_id: str, element_type: ElementType, xml: etree._Element) -> JobDefinition | None:
        if element_type == ElementType.USER_TASK:
            return JobDefinition(Expression(USER_TASK_JOB), Expression("1"), self._headers(element_id, xml))
        definition = extension(xml, "taskDefinition")
        event = xml.find(BPMN + "messageEventDefinition")
        if definition is None and event is not None and extension(event, "taskDefinition") is not None:
            definition = extension(event, "taskDefinition")
            self._problems.append(f"Element '{element_id}': the task definition belongs to the event, not inside it.")
        if definition is None:
            return None
        type_text = definition.get("type") or ""
        if not type_text.strip():
            self._problems.append(f"Element '{element_id}': the task definition needs a type.")
        return JobDefinition(
            self.expression(element_id, "job type", type_text),
            self.expression(element_id, "number of retries", definition.get("retries") or "3"),
            self._headers(element_id, xml),
        )

    def _headers(self, element_id: str, xml: etree._Element) -> tuple[tuple[str, Expression], ...]:
        headers = [
            (h.get("key") or "", Expression(h.get("value") or ""))
            for h in xml.iterfind(f"{BPMN}extensionElements/{ZEEBE}taskHeaders/{ZEEBE}header")
            if h.get("key") and h.get("value")
        ]
        self._problems.extend(
            f"Element '{element_id}': the header '{key}' is kept for user tasks; use another key."
            for key, _ in headers
            if key in _RESERVED_HEADERS
        )
        for element, attribute, key in _USER_TASK_HEADERS:
            definition = extension(xml, element)
            value = definition.get(attribute) if definition is not None else None
            if value:
                headers.append((key, self._assignment(element_id, attribute, value)))
        return tuple(headers)

    def _assignment(self, element_id: str, attribute: str, value: str) -> Expression:
        """Parse an assignment: candidates become a list, form keys are static."""
        if attribute == "formKey":
            return Expression(value)
        if attribute.startswith("candidate") and not value.strip().startswith("="):
            names = [name.strip() for name in value.split(",")]
            return Expression(json.dumps(names, ensure_ascii=False, separators=(",", ":")))
        return self.expression(element_id, attribute, value)

    def mappings(self, element_id: str, xml: etree._Element) -> tuple[Expression | None, Expression | None]:
        """Return the contexts of input and output mappings; None without mappings."""
        io = extension(xml, "ioMapping")
        if io is None:
            return None, None
        return self._mappings(element_id, io, "input"), self._mappings(element_id, io, "output")

    def _mappings(self, element_id: str, io: etree._Element, direction: str) -> Expression | None:
        mappings: list[tuple[str, Expression]] = []
        for xml in io.iterfind(ZEEBE + direction):
            source, target = xml.get("source"), xml.get("target") or ""
            if source is None or not source.strip():
                self._problems.append(f"Element '{element_id}': the {direction} mapping to '{target}' needs a source.")
                continue
            if not _TARGET_PATH.fullmatch(target) or target in _RESERVED_WORDS:
                self._problems.append(f"Element '{element_id}': '{target}' is not a variable name or path to map to.")
            parse = self.feel_expression if direction == "output" else self.expression
            mappings.append((target, parse(element_id, f"{direction} source", source)))
        if not mappings:
            return None
        reported = len(self._problems)
        context = self.expression(
            element_id, f"{direction} mappings", _mapping_context(mappings, merging=direction == "output")
        )
        del self._problems[reported:]  # those of a source were reported with it
        return context

    def loop(self, element_id: str, xml: etree._Element) -> LoopCharacteristics | None:
        loop = xml.find(BPMN + "multiInstanceLoopCharacteristics")
        if loop is None:
            return None
        zeebe = extension(loop, "loopCharacteristics")
        collection = zeebe.get("inputCollection") if zeebe is not None else None
        if zeebe is None or not collection:
            self._problems.append(f"Element '{element_id}': a multi-instance needs an inputCollection.")
            return None
        output = zeebe.get("outputElement")
        if bool(output) != bool(zeebe.get("outputCollection")):
            self._problems.append(f"Element '{element_id}': outputCollection and outputElement belong together.")
        plain = (output or "").strip().removeprefix("=").strip()
        condition = loop.findtext(BPMN + "completionCondition", "").strip()
        return LoopCharacteristics(
            loop.get("isSequential") == "true",
            self.feel_expression(element_id, "inputCollection", collection),
            zeebe.get("inputElement") or None,
            zeebe.get("outputCollection") or None,
            self.feel_expression(element_id, "outputElement", output) if output else None,
            plain.partition(".")[0] if _VARIABLE_PATH.fullmatch(plain) else None,
            self.expression(element_id, "completion condition", condition) if condition else None,
        )

    def called(self, element_id: str, element_type: ElementType, xml: etree._Element) -> CallTarget | None:
        name, attribute = (
            ("calledElement", "processId")
            if element_type == ElementType.CALL_ACTIVITY
            else ("calledDecision", "decisionId")
        )
        if element_type not in (ElementType.CALL_ACTIVITY, ElementType.BUSINESS_RULE_TASK):
            return None
        zeebe = extension(xml, name)
        if zeebe is None:
            return None
        target = zeebe.get(attribute) or ""
        if not target.strip():
            self._problems.append(f"Element '{element_id}': the {name} needs a {attribute}.")
        if element_type == ElementType.BUSINESS_RULE_TASK and not zeebe.get("resultVariable"):
            self._problems.append(f"Element '{element_id}': the called decision needs a resultVariable.")
        binding = zeebe.get("bindingType") or "latest"
        if binding not in list(Binding):
            self._problems.append(
                f"Element '{element_id}': the binding type '{binding}' is not known; use one of {', '.join(Binding)}."
            )
            binding = "latest"
        if (binding == Binding.VERSION_TAG) != bool(zeebe.get("versionTag")):
            self._problems.append(
                f"Element '{element_id}': a versionTag and the binding type 'versionTag' belong together; give both."
            )
        return CallTarget(
            self.expression(element_id, attribute, target),
            Binding(binding),
            zeebe.get("versionTag"),
            zeebe.get("propagateAllChildVariables") != "false",
            zeebe.get("propagateAllParentVariables") != "false",
            zeebe.get("resultVariable") or "",
        )

    def script(self, element_id: str, element_type: ElementType, xml: etree._Element) -> Script | None:
        zeebe = extension(xml, "script") if element_type == ElementType.SCRIPT_TASK else None
        if zeebe is None:
            return None
        if not zeebe.get("resultVariable"):
            self._problems.append(f"Element '{element_id}': the script needs a resultVariable.")
        return Script(
            self.feel_expression(element_id, "script", zeebe.get("expression") or ""), zeebe.get("resultVariable") or ""
        )


def _mapping_context(mappings: Sequence[tuple[str, Expression]], *, merging: bool) -> str:
    """Return the FEEL context of (target, source) pairs.

    Each mapping sees those before it. ``a.b`` and ``a.c`` become one entry ``a``. With ``merging`` a nested target
    is merged into the variable's existing context; a value that is no context becomes null.
    """
    context: _Context = {}
    for target, source in mappings:
        *path, name = target.split(".")
        inner = context
        for step in path:
            nested = inner.get(step)
            if not isinstance(nested, dict):
                nested = inner[step] = {}
            inner = nested
        inner[name] = _source_text(source)
    return "=" + _context_text(context, (), merging=merging)


def _source_text(source: Expression) -> str:
    """Return the FEEL of a source.

    Static text stays text, even a number.
    """
    if source.compiled is not None:
        return source.compiled.text
    escaped = source.text.replace('"', '\\"')
    return f'"{escaped}"'


def _context_text(context: _Context, path: tuple[str, ...], *, merging: bool) -> str:
    entries = []
    for name, value in context.items():
        if isinstance(value, str):
            entries.append(f"{name}: {value}")
            continue
        nested = _context_text(value, (*path, name), merging=merging)
        existing = ".".join(f"`{step}`" for step in (*path, name))
        entries.append(
            f"{name}: context merge(if {existing} = null then {{}} else {existing}, {nested})"
            if merging
            else f"{name}: {nested}"
        )
    return "{" + ", ".join(entries) + "}"
