"""Intermediate throw events: none, message (a job), signal, escalation, compensation, link."""

from services.engine.model.bpmn import EventKind, given
from services.engine.processing import lifecycle
from services.engine.processing.compensation import compensate
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.escalations import throw_escalation
from services.engine.processing.jobs import JobSpec
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.variables import evaluate_text
from services.engine.processing.work import At, Broadcast, Work


class ThrowEvent(JobTask):
    """Only what sends a message or a signal has input mappings."""

    def activate(self, work: Work, at: At) -> None:
        if given(at.element.event).kind in (EventKind.MESSAGE, EventKind.SIGNAL):
            apply_inputs(work, at)
        self.start(work, at, self.prepare(work, at))

    def prepare(self, work: Work, at: At) -> object:
        event = given(at.element.event)
        match event.kind:
            case EventKind.MESSAGE:
                return super().prepare(work, at)
            case EventKind.SIGNAL:
                return evaluate_text(work, at, given(event.name))
            case EventKind.ESCALATION:
                return evaluate_text(work, at, given(event.code))
        return None

    def start(self, work: Work, at: At, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(work, at, prepared)
            return
        lifecycle.activated(work, at)
        kind = given(at.element.event).kind
        if kind == EventKind.ESCALATION and throw_escalation(work, at, str(prepared)):
            return  # it is interrupted itself
        if kind == EventKind.COMPENSATION and compensate(work, at):
            return  # it waits for what undoes
        if kind == EventKind.SIGNAL:
            work.steps.append(Broadcast(str(prepared), dict(at.node.variables)))
        lifecycle.complete(work, at)

    def complete(self, work: Work, at: At) -> None:
        if given(at.element.event).kind != EventKind.LINK:
            super().complete(work, at)
            return
        apply_outputs(work, at)
        lifecycle.enter(work, at.instance, at.scope, at.process.links[at.element.id][0])
        lifecycle.completed(work, at)
