"""Manual tasks and undefined tasks."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.execution import ElementContext, Execution


class PassThroughProcessor(FlowNodeProcessor):
    """Completes at once.

    Mappings and boundary events have no effect, as in Zeebe.
    """

    def complete(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.notify_before_completion(execution, context)
        lifecycle.transition_to_completed(execution, context)
