"""Escalations: caught somewhere outside, or nowhere, which is no trouble."""

from services.engine.model.bpmn import EventKind
from services.engine.processing.throwing import find_catch
from services.engine.processing.triggering import trigger
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


def throw_escalation(work: Work, at: At, code: str) -> bool:
    """Returns whether the catching event interrupts, and so ends, the thrower."""
    catch = find_catch(work, at, EventKind.ESCALATION, code)
    value = {
        **work.origin(at.instance),
        "escalationCode": code,
        "throwElementId": at.element.id,
        "catchElementId": catch.catching.id if catch is not None else "",
    }
    work.record(work.store.next_key(), "ESCALATION", "ESCALATED" if catch is not None else "NOT_ESCALATED", value)
    if catch is None:
        return False
    trigger(work, catch.host, Trigger(catch.catching.id, {}))
    return catch.catching.interrupting
