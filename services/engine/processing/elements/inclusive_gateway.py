"""Inclusive gateway: every flow with a true condition goes on, the default where none is."""

from services.engine.model.bpmn import Flow, given
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.elements.exclusive_gateway import default_flow, is_true
from services.engine.processing.work import At, Work


class InclusiveGateway(Leaf):
    """How it joins is in ``joins``."""

    def activate(self, work: Work, at: At) -> None:
        flows = self._choose(work, at)
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)
        at.node.memo = {"flows": [f.id for f in flows]}

    def complete(self, work: Work, at: At) -> None:
        chosen = given(at.node.memo)["flows"]
        lifecycle.completed(work, at, tuple(f for f in at.element.outgoing if f.id in chosen))

    def _choose(self, work: Work, at: At) -> list[Flow]:
        flows = at.element.outgoing
        if len(flows) <= 1 and all(f.condition is None for f in flows):
            return list(flows)
        chosen = [f for f in flows if f.condition is not None and is_true(work, at, f)]
        return chosen or [default_flow(at.element)]
