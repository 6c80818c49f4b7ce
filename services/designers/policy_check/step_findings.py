"""What is wrong in one step, whatever the rules say: incidents, missing variables, timers and keys."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.designers.policy_check.case import Case
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.report import Sentence
from services.designers.policy_check.world import World
from services.engine.model.bpmn import ElementType, Process

STOPS = frozenset({"incident", "refused", "no-answer"})
"""The findings with which a case stands still."""
NO_ANSWER = "no-answer"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at an element; ``kind`` is a built-in rule, ``detail`` tells findings of one element apart."""

    kind: str
    element_id: str
    text: Sentence
    detail: str = ""


def refused(element_id: str, cause: str) -> Finding:
    return Finding("refused", element_id, (f"引擎拒绝了这一步：{cause}", f"the engine refuses this step: {cause}"))


def incident(element_id: str, error_type: str, message: str) -> Finding:
    text = (
        f"流程在此停住（事件 {error_type}）：{message}",
        f"the process stops here with an incident ({error_type}): {message}",
    )
    return Finding("incident", element_id, text, error_type)


def no_answer(element_id: str) -> Finding:
    """Return that the case stops for want of an answer, which is no fault of the model."""
    return Finding(NO_ANSWER, element_id, ("没有结论", "no answer"))


def missing(element_id: str, job_type: str, name: str) -> Finding:
    text = (
        f"{job_type} 需要变量 {name}，此时没有值：案件会在此因故障停住",
        f"{job_type} needs the variable {name}, which has no value here: the case would stop with an incident",
    )
    return Finding("missing", element_id, text, name)


def of_another(element_id: str, job_type: str, name: str) -> Finding:
    text = (
        f"{job_type} 的变量 {name} 此时不是本案的：它会去处理别的事，或因故障停住",
        f"{job_type} is given another {name} than the case has: it would work on something else, or stop",
    )
    return Finding("of-another", element_id, text, name)


def unchecked_timer(process: Process, event_id: str, first: Fact | None, world: World) -> Iterator[Finding]:
    """A timer that ends a wait leads first to a job that looks into the register: a message may be on its way.

    ``first`` is the job that starts first after it, if any does.
    """
    if not _ends_a_wait(process, event_id) or (first is not None and world.is_checking(first.name)):
        return
    after = "nothing" if first is None else first.name
    text = (
        "定时到点就结束等待，却没有先核对登记：已经签字、消息还在途中的决定会作废",
        f"this timer ends a wait and leads to {after}, which does not look into the register first: what somebody "
        "signed in time would be undone where its message comes late",
    )
    yield Finding("unchecked-timer", event_id, text)


def wrong_keys(case: Case, world: World) -> Iterator[Finding]:
    """Yield each wait for a message of the portal by another key than it is sent with."""
    for subscription in case.state.message_subscriptions.values():
        sent = world.sent.get(subscription.name)
        if sent is None:
            continue
        if "review" in sent.key:
            expected = {review.id for review in case.register.reviews}
        else:
            expected = {case.register.keys(sent.key) or ""}
        if subscription.correlation_key not in expected:
            parts = " + ".join(sent.key)
            text = (
                f"此处以另一个键等待消息 {subscription.name}（门户发送时的键：{parts}），消息永远不会到",
                f"this waits for {subscription.name} by another key than the portal sends it with ({parts}): it would "
                "never come",
            )
            yield Finding("key", subscription.element_id, text, subscription.name)


def _ends_a_wait(process: Process, event_id: str) -> bool:
    """Return whether the event takes away a wait for a message or a decision."""
    event = process.elements[event_id]
    waited: set[str] = set()
    if event.element_type == ElementType.BOUNDARY_EVENT and event.interrupting and event.attached_to:
        waited = _within(process, event.attached_to)
    elif event.element_type == ElementType.START_EVENT and event.interrupting:
        scope = process.elements[event.scope]
        waited = _within(process, scope.scope) - _within(process, scope.id)
    elif event.element_type == ElementType.INTERMEDIATE_CATCH_EVENT:
        sources = [process.elements[flow.source] for flow in event.incoming]
        gateways = [s for s in sources if s.element_type == ElementType.EVENT_BASED_GATEWAY]
        waited = {flow.target for gateway in gateways for flow in gateway.outgoing} - {event_id}
    return any(_waits(process, element_id) for element_id in waited)


def _within(process: Process, element_id: str) -> set[str]:
    """Return an element with all that lies in it."""
    found = {element_id}
    for element in process.elements.values():
        scope = element.scope
        while scope and scope in process.elements:
            if scope == element_id:
                found.add(element.id)
                break
            scope = process.elements[scope].scope
    return found


def _waits(process: Process, element_id: str) -> bool:
    element = process.elements[element_id]
    if element.element_type == ElementType.CALL_ACTIVITY:
        return True
    is_message = element.event is not None and element.event.event_type == "MESSAGE"
    return is_message and element.element_type in (ElementType.RECEIVE_TASK, ElementType.INTERMEDIATE_CATCH_EVENT)
