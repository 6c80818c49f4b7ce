"""What script and business rule tasks have in common: a result computed at once, or a job."""

from typing import Any

from services.engine.processing import lifecycle
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.mappings import apply_inputs
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


class ComputedTask(JobTask):
    """Where it computes, nothing ever waits for its boundary events, as in Zeebe."""

    def activate(self, work: Work, at: At) -> None:
        if at.element.job is not None:
            super().activate(work, at)
            return
        apply_inputs(work, at)
        at.node.trigger = Trigger(at.element.id, self.result(work, at))
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def result(self, work: Work, at: At) -> dict[str, Any]:
        """The variable that takes the result, with its value; raises Trouble."""
        raise NotImplementedError
