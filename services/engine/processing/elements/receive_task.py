"""Receive task: waits for its message."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Activity
from services.engine.processing.execution import ElementContext, Execution


class ReceiveTask(Activity):
    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.activated(execution, context)
