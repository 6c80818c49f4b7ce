"""Intermediate throw events: none, message (a job), signal, escalation, link."""

from services.engine.model.bpmn import EventKind
from services.engine.processing import lifecycle
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.escalations import throw_escalation
from services.engine.processing.jobs import JobSpec
from services.engine.processing.signals import broadcast
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, Work


class ThrowEvent(JobTask):
    def prepare(self, work: Work, at: At) -> object:
        assert at.element.event is not None
        match at.element.event.kind:
            case EventKind.MESSAGE:
                return super().prepare(work, at)
            case EventKind.SIGNAL:
                assert at.element.event.name is not None
                return str(evaluate(work, at, at.element.event.name))
            case EventKind.ESCALATION:
                assert at.element.event.code is not None
                return str(evaluate(work, at, at.element.event.code))
        return None

    def start(self, work: Work, at: At, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(work, at, prepared)
            return
        lifecycle.activated(work, at)
        assert at.element.event is not None
        kind = at.element.event.kind
        if kind == EventKind.ESCALATION and throw_escalation(work, at, str(prepared)):
            return  # it is interrupted itself
        if kind == EventKind.SIGNAL:
            broadcast(work, str(prepared), dict(at.node.variables))
        lifecycle.complete(work, at)

    def complete(self, work: Work, at: At) -> None:
        assert at.element.event is not None
        if at.element.event.kind != EventKind.LINK:
            super().complete(work, at)
            return
        lifecycle.enter(work, at.instance, at.scope, at.process.links[at.element.id][0])
        lifecycle.completed(work, at)
