"""Errors and escalations: thrown inside, they climb through scopes and call activities until something catches them."""

from dataclasses import dataclass

from services.engine.model.bpmn import Element, ElementKind, EventKind
from services.engine.processing.event_subscriptions import catch_events
from services.engine.processing.event_triggers import is_interrupted, trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.state.instances import ACTIVATED, Trigger


@dataclass(frozen=True, slots=True)
class CatchEventMatch:
    """The running element whose event catches, and that event's element."""

    host: ElementContext
    catching: Element


def find_catch_event(
    execution: Execution, source: ElementContext, kind: EventKind, code: str
) -> CatchEventMatch | None:
    """What catches an error or escalation: looked for from ``source`` outwards, in a scope the exact code first.

    As in Zeebe, a scope that was interrupted or ends is left for the caller: for errors at once, for escalations
    after its own events. What is found may be unable to react; then nothing does.
    """
    context: ElementContext | None = source
    while context is not None:
        runs = context.element_instance.state == ACTIVATED and not is_interrupted(context.element_instance)
        if runs or kind == EventKind.ESCALATION:
            found = _match(context, kind, code)
            if found is not None:
                return CatchEventMatch(context, found)
        if runs and context.element.kind != ElementKind.PROCESS:
            context = execution.element_context(context.process_instance, context.scope)
            continue
        caller = execution.calling_context(context.process_instance)
        context = caller if caller is not None and caller.element_instance.state == ACTIVATED else None
    return None


def throw_escalation(execution: Execution, context: ElementContext, code: str) -> bool:
    """Returns whether the thrower stays: what catches it interrupts it, or would if it could, as in Zeebe."""
    catch = find_catch_event(
        execution, execution.element_context(context.process_instance, context.scope), EventKind.ESCALATION, code
    )
    caught = catch is not None and trigger_event(execution, catch.host, Trigger(catch.catching.id, {}))
    value = {
        **execution.instance_fields(context.process_instance),
        "escalationCode": code,
        "throwElementId": context.element.id,
        "catchElementId": catch.catching.id if catch is not None else "",
    }
    execution.record(execution.store.next_key(), "ESCALATION", "ESCALATED" if caught else "NOT_ESCALATED", value)
    return catch is not None and catch.catching.interrupting


def _match(context: ElementContext, kind: EventKind, code: str) -> Element | None:
    events = [(e, e.event) for e in catch_events(context) if e.event is not None and e.event.kind == kind]
    exact = next((e for e, event in events if event.code is not None and event.code.text == code), None)
    return exact or next((e for e, event in events if event.code is None), None)
