"""The calls of a review in a diagram: which stage each asks, and where its answer goes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.designers.element_templates import REVIEW
from services.designers.lint.folder import Diagram
from services.domain.stages.schema import Stage
from services.runtime.models import BPMN, ZEEBE

DECISION = "decision"  # the variable of a review that has its answer


@dataclass(frozen=True)
class Call:
    """A call of ``review.bpmn``.

    ``code`` is the stage that it names as a text, None for none or an expression; ``stage`` that of the file.
    ``inputs`` map targets to sources as written; ``sources`` map the output targets to the variable that each reads,
    where it reads one alone. ``takes_all``: all variables of the review are taken over under their own names.
    """

    id: str
    name: str
    code: str | None
    stage: Stage | None
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    takes_all: bool

    @property
    def is_fixed(self) -> bool:
        """Whether the stage is not computed by an expression."""
        return self.code is not None or not self.inputs.get("stage", "").removeprefix("=").strip()

    @property
    def sources(self) -> Mapping[str, str]:
        return {target: source.removeprefix("=").strip() for target, source in self.outputs.items()}

    def takes_over(self, name: str) -> bool:
        """Return whether the caller gets a variable of the review, under whatever name."""
        return self.takes_all or any(name in source for source in self.outputs.values())

    def written(self) -> Mapping[str, str]:
        """Map each variable that the call writes in its caller to the review's variable that it is."""
        if self.takes_all and self.stage is not None:
            return {name: name for name in (DECISION, *self.stage.returns)}
        return self.sources


def calls(diagram: Diagram, stages: Mapping[str, Stage]) -> Iterator[Call]:
    """Yield the review calls of a diagram."""
    for node in diagram.root.iter(BPMN + "callActivity"):
        called = node.find(f"{BPMN}extensionElements/{ZEEBE}calledElement")
        if called is None or called.get("processId") != REVIEW:
            continue
        inputs = {mapping.get("target", ""): mapping.get("source", "") for mapping in node.iter(ZEEBE + "input")}
        outputs = {mapping.get("target", ""): mapping.get("source", "") for mapping in node.iter(ZEEBE + "output")}
        code = _text(inputs.get("stage", ""))
        # what a cluster takes over where the attribute is missing, and with outputs, these alone
        takes_all = called.get("propagateAllChildVariables") != "false" and not outputs
        yield Call(
            node.get("id", ""),
            node.get("name") or str(node.get("id")),
            code,
            stages.get(code or ""),
            inputs,
            outputs,
            takes_all,
        )


def _text(source: str) -> str | None:
    """Return the value of an input that is a text: written as FEEL, or as it is; None for anything else."""
    if not source.startswith("="):
        return source or None
    inner = source[1:].strip()
    return inner[1:-1] if len(inner) > 1 and inner[0] == inner[-1] == '"' and '"' not in inner[1:-1] else None
