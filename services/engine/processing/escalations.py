"""Escalations: caught somewhere outside, or nowhere, which is no trouble."""

from services.engine.model.bpmn import EventKind
from services.engine.processing.throwing import find_catch
from services.engine.processing.triggering import trigger
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


def throw_escalation(work: Work, at: At, code: str) -> bool:
    """Returns whether the thrower stays: what catches it interrupts it, or would if it could, as in Zeebe."""
    catch = find_catch(work, work.at(at.instance, at.scope), EventKind.ESCALATION, code)
    caught = catch is not None and trigger(work, catch.host, Trigger(catch.catching.id, {}))
    value = {
        **work.origin(at.instance),
        "escalationCode": code,
        "throwElementId": at.element.id,
        "catchElementId": catch.catching.id if catch is not None else "",
    }
    work.record(work.store.next_key(), "ESCALATION", "ESCALATED" if caught else "NOT_ESCALATED", value)
    return catch is not None and catch.catching.interrupting
