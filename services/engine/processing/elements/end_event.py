"""End events: none, message (a job), signal, error, escalation, compensation, terminate."""

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import EventKind, given
from services.engine.processing import lifecycle
from services.engine.processing.elements.throw_event import ThrowEvent
from services.engine.processing.throwing import Catch, find_catch
from services.engine.processing.triggering import trigger
from services.engine.processing.variables import evaluate_text
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


class EndEvent(ThrowEvent):
    """An error end is terminated by what catches it; a terminate end ends all around it, without mappings."""

    def prepare(self, work: Work, at: At) -> object:
        event = given(at.element.event)
        if event.kind != EventKind.ERROR:
            return super().prepare(work, at)
        code = evaluate_text(work, at, given(event.code))
        catch = find_catch(work, work.at(at.instance, at.scope), EventKind.ERROR, code)
        if catch is None:
            raise Trouble(
                ErrorType.UNHANDLED_ERROR_EVENT,
                f"Expected to throw an error event with the code '{code}', but it was not caught.",
            )
        return catch

    def start(self, work: Work, at: At, prepared: object) -> None:
        if not isinstance(prepared, Catch):
            super().start(work, at, prepared)
            return
        lifecycle.activated(work, at)
        trigger(work, prepared.host, Trigger(prepared.catching.id, {}, is_error=True))

    def complete(self, work: Work, at: At) -> None:
        if given(at.element.event).kind != EventKind.TERMINATE:
            super().complete(work, at)
            return
        scope = work.at(at.instance, at.scope)
        scope.node.ended = True
        scope.node.tokens.clear()
        lifecycle.completed(work, at)
        lifecycle.terminate_children(work, scope)
