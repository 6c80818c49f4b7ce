"""Find catch events of errors and escalations, across call activities."""

from dataclasses import dataclass

from services.engine.model.bpmn import Element, ElementType, EventType
from services.engine.processing.event_subscriptions import catch_events
from services.engine.processing.event_triggers import is_interrupted, trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.state.instances import ACTIVATED, Trigger


@dataclass(frozen=True, slots=True)
class CatchEventMatch:
    """The active element that hosts the catch event, and the catch event."""

    host: ElementContext
    catch_event: Element


def find_catch_event(
    execution: Execution, source: ElementContext, event_type: EventType, code: str
) -> CatchEventMatch | None:
    """Find the catch event of a code, from ``source`` outwards.

    In each scope the exact code has priority. As in Zeebe, the search leaves an interrupted or ending scope for the
    caller: for errors at once, for escalations after its own events. The event that is found may be unable to
    trigger; then nothing is triggered.
    """
    context: ElementContext | None = source
    while context is not None:
        is_active = context.element_instance.state == ACTIVATED and not is_interrupted(context.element_instance)
        if is_active or event_type == EventType.ESCALATION:
            catch_event = _match(context, event_type, code)
            if catch_event is not None:
                return CatchEventMatch(context, catch_event)
        if is_active and context.element.element_type != ElementType.PROCESS:
            context = execution.element_context(context.process_instance, context.scope)
            continue
        caller = execution.calling_context(context.process_instance)
        context = caller if caller is not None and caller.element_instance.state == ACTIVATED else None
    return None


def throw_escalation(execution: Execution, context: ElementContext, code: str) -> bool:
    """Throw an escalation; return whether its catch event is interrupting.

    As in Zeebe, the throw event then does not complete, even if the catch event cannot trigger.
    """
    match = find_catch_event(
        execution, execution.element_context(context.process_instance, context.scope), EventType.ESCALATION, code
    )
    triggered = match is not None and trigger_event(execution, match.host, Trigger(match.catch_event.id, {}))
    value = {
        **execution.instance_fields(context.process_instance),
        "escalationCode": code,
        "throwElementId": context.element.id,
        "catchElementId": match.catch_event.id if match is not None else "",
    }
    execution.record(execution.store.next_key(), "ESCALATION", "ESCALATED" if triggered else "NOT_ESCALATED", value)
    return match is not None and match.catch_event.interrupting


def _match(context: ElementContext, event_type: EventType, code: str) -> Element | None:
    events = [(e, e.event) for e in catch_events(context) if e.event is not None and e.event.event_type == event_type]
    exact = next((e for e, event in events if event.code is not None and event.code.text == code), None)
    return exact or next((e for e, event in events if event.code is None), None)
