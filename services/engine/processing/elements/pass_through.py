"""Tasks that nobody works on: manual tasks and those without a type."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.execution import ElementContext, Execution


class PassThrough(Leaf):
    """Left as soon as it was entered; as in Zeebe, its mappings and boundary events mean nothing."""

    def complete(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.completing_child(execution, context)
        lifecycle.completed(execution, context)
