"""Event-based gateway: waits for several events, the first goes on; the flow to it is not taken, as in Zeebe."""

from services.engine.model.bpmn import given
from services.engine.processing import lifecycle
from services.engine.processing.catching import close_catches, open_catches
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.work import At, Work


class EventBasedGateway(Leaf):
    def activate(self, work: Work, at: At) -> None:
        open_catches(work, at)
        lifecycle.activated(work, at)

    def complete(self, work: Work, at: At) -> None:
        close_catches(work, at)
        lifecycle.completed(work, at, (), event=given(at.node.trigger))
