"""Errors and escalations: thrown inside, they climb through scopes and call activities until something catches them."""

from dataclasses import dataclass

from services.engine.model.bpmn import Element, EventKind, Kind
from services.engine.processing.catching import hosted_events
from services.engine.processing.triggering import is_interrupted
from services.engine.processing.work import At, Work
from services.engine.state.instances import ACTIVATED


@dataclass(frozen=True, slots=True)
class Catch:
    """The running element whose event catches, and that event's element."""

    host: At
    catching: Element


def find_catch(work: Work, source: At, kind: EventKind, code: str) -> Catch | None:
    """What catches an error or escalation: looked for from ``source`` outwards, in a scope the exact code first.

    As in Zeebe, a scope that was interrupted or ends is left for the caller: for errors at once, for escalations
    after its own events. What is found may be unable to react; then nothing does.
    """
    at: At | None = source
    while at is not None:
        runs = at.node.state == ACTIVATED and not is_interrupted(at.node)
        if runs or kind == EventKind.ESCALATION:
            found = _match(at, kind, code)
            if found is not None:
                return Catch(at, found)
        if runs and at.element.kind != Kind.PROCESS:
            at = work.at(at.instance, at.scope)
            continue
        caller = work.parent_call(at.instance)
        at = caller if caller is not None and caller.node.state == ACTIVATED else None
    return None


def _match(at: At, kind: EventKind, code: str) -> Element | None:
    events = [(e, e.event) for e in hosted_events(at) if e.event is not None and e.event.kind == kind]
    exact = next((e for e, event in events if event.code is not None and event.code.text == code), None)
    return exact or next((e for e, event in events if event.code is None), None)
