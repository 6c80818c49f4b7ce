"""Errors and escalations: thrown inside, they climb through scopes and call activities until something catches them."""

from dataclasses import dataclass

from services.engine.model.bpmn import Element, EventKind, Kind
from services.engine.processing.catching import hosted_events
from services.engine.processing.triggering import can_trigger
from services.engine.processing.work import At, Work


@dataclass(frozen=True, slots=True)
class Catch:
    """The running element whose event catches, and that event's element."""

    host: At
    catching: Element


def find_catch(work: Work, thrower: At, kind: EventKind, code: str) -> Catch | None:
    """What catches an error or escalation thrown at ``thrower``: the nearest scope, there the exact code first.

    As in Zeebe, a scope that an event subprocess has interrupted ends the search in its instance, which goes on
    at the caller; its own boundary events still catch escalations, but no errors.
    """
    came_from: Element | None = None
    at: At | None = thrower
    while at is not None:
        interrupted = at.node.interrupted_by is not None
        if interrupted and kind == EventKind.ERROR:
            came_from, at = at.element, work.parent_call(at.instance)
            continue
        candidates = [e for e in hosted_events(at) if _matches(at, e, kind, code, came_from)]
        exact = next((e for e in candidates if e.event is not None and e.event.code is not None), None)
        found = exact or next(iter(candidates), None)
        if found is not None:
            return Catch(at, found)
        came_from = at.element
        is_process = at.element.kind == Kind.PROCESS
        at = work.parent_call(at.instance) if is_process or interrupted else work.at(at.instance, at.scope)
    return None


def _matches(at: At, catching: Element, kind: EventKind, code: str, came_from: Element | None) -> bool:
    event = catching.event
    if event is None or event.kind != kind or not can_trigger(at, catching):
        return False
    if came_from is not None and catching.scope == came_from.id and catching.interrupting:
        return False  # what handles an event does not catch what it throws itself
    return event.code is None or event.code.text == code
