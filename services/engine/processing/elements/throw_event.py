"""Intermediate throw events: none, message (a job), signal, escalation, link."""

from services.engine.model.bpmn import EventKind, Kind
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
        scope, target = at.scope, _link_target(at)
        lifecycle.enter(work, at.instance, scope, target)
        lifecycle.completed(work, at)


def _link_target(at: At) -> str:
    name = at.element.event.name.text if at.element.event and at.element.event.name else ""
    return next(
        e.id
        for e in at.process.elements.values()
        if e.kind == Kind.INTERMEDIATE_CATCH_EVENT
        and e.scope == at.element.scope
        and e.event is not None
        and e.event.kind == EventKind.LINK
        and e.event.name is not None
        and e.event.name.text == name
    )
