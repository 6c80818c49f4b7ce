"""Base of script and business rule tasks."""

from typing import Any

from services.engine.processing import lifecycle
from services.engine.processing.elements.job_task import JobTaskProcessor
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.mappings import apply_inputs
from services.engine.state.instances import Trigger


class ComputedTaskProcessor(JobTaskProcessor):
    """Without a job its boundary events are never subscribed, as in Zeebe."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if context.element.job is not None:
            super().activate(execution, context)
            return
        apply_inputs(execution, context)
        context.element_instance.trigger = Trigger(context.element.id, self.result(execution, context))
        lifecycle.transition_to_activated(execution, context)
        lifecycle.schedule_completion(execution, context)

    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        """Return the result variable and its value; raises Failure."""
        raise NotImplementedError
