"""Receive task: waits for its message."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import ActivityProcessor
from services.engine.processing.execution import ElementContext, Execution


class ReceiveTaskProcessor(ActivityProcessor):
    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.transition_to_activated(execution, context)
