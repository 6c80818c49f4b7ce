"""Tasks that nobody works on: manual tasks and those without a type."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.execution import ElementContext, Execution


class PassThroughProcessor(FlowNodeProcessor):
    """Left as soon as it was entered; as in Zeebe, its mappings and boundary events mean nothing."""

    def complete(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.notify_before_completion(execution, context)
        lifecycle.transition_to_completed(execution, context)
