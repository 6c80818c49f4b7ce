"""What a migration of a process instance is rejected for, with the sentences of Zeebe's broker."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.engine.errors import Rejection, RejectionType
from services.engine.model.bpmn import Element, ElementType, EventType, Flow, Process
from services.engine.processing.event_subscriptions import events_of
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.process_definitions import ProcessDefinition

Instruction = tuple[str, str]
"""An element id of the source, and one of the target."""
_BODY = ElementType.MULTI_INSTANCE_BODY
_SUPPORTED = frozenset(
    {
        ElementType.PROCESS,
        ElementType.SERVICE_TASK,
        ElementType.USER_TASK,
        ElementType.SUB_PROCESS,
        ElementType.CALL_ACTIVITY,
        ElementType.INTERMEDIATE_CATCH_EVENT,
        ElementType.RECEIVE_TASK,
        ElementType.EVENT_SUB_PROCESS,
        ElementType.EXCLUSIVE_GATEWAY,
        ElementType.EVENT_BASED_GATEWAY,
        ElementType.BUSINESS_RULE_TASK,
        ElementType.SCRIPT_TASK,
        ElementType.SEND_TASK,
        _BODY,
    }
)
_JOINS = frozenset({ElementType.PARALLEL_GATEWAY, ElementType.INCLUSIVE_GATEWAY})


@dataclass(frozen=True, slots=True)
class Plan:
    """A migration whose instructions were read; ``ids`` maps element ids of the source to those of the target."""

    key: int
    source: Process
    target: Process
    definition: ProcessDefinition
    ids: Mapping[str, str]


def require_instance(instance: ProcessInstance | None, key: int) -> ProcessInstance:
    if instance is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to migrate process instance but no process instance found with key '{key}'",
        )
    return instance


def require_definition(definition: ProcessDefinition | None, key: int) -> ProcessDefinition:
    if definition is None or definition.deleted:
        raise Rejection(
            RejectionType.NOT_FOUND,
            "Expected to migrate process instance to process definition "
            f"but no process definition found with key '{key}'",
        )
    return definition


def started_already(key: int, target_key: int, correlation_key: str) -> Rejection:
    """Return the rejection for a target that the same message has started."""
    return _state(
        key,
        f"target process definition '{target_key}' has an active instance triggered by a message start event with "
        f"correlation key '{correlation_key}'. Only one instance per correlation key is allowed for message start "
        "events.",
    )


def check_duplicates(key: int, instructions: list[Instruction]) -> None:
    """Raise Rejection if an element of the source is mapped more than once."""
    sources = [source for source, _ in instructions]
    twice = list(dict.fromkeys(source for source in sources if sources.count(source) > 1))
    if twice:
        raise _argument(key, f"the mapping instructions contain duplicate source element ids '[{', '.join(twice)}]'.")


def check_references(plan: Plan, instructions: list[Instruction]) -> None:
    """Raise Rejection if an instruction names what its process does not have."""
    known = [(process.elements.keys() | _flows(process).keys(), name) for process, name in _sides(plan)]
    for instruction in instructions:
        for element_id, (ids, side) in zip(instruction, known, strict=True):
            if element_id not in ids:
                raise _argument(
                    plan.key,
                    f"mapping instructions contain a non-existing {side} element id '{element_id}'. "
                    f"Elements provided in mapping instructions must exist in the {side} process definition.",
                )


def check_element(plan: Plan, instance: ProcessInstance, active: ElementInstance) -> None:
    """Raise Rejection if an active element cannot become the one that it is mapped to."""
    source = plan.source.elements[active.element_id]
    _check_supported(plan, source, active)
    target_id = plan.ids.get(active.element_id)
    if target_id is None:
        raise _state(
            plan.key,
            f"no mapping instruction defined for active element with id '{active.element_id}'. "
            "Elements cannot be migrated without a mapping.",
        )
    is_inner = active.loop_counter > 0
    target = plan.target.elements.get(target_id)
    target_type = "SEQUENCE_FLOW" if target is None else _type_of(target, is_inner=is_inner)
    if target is None or target_type != active.element_type:
        raise _type_changed(
            plan, RejectionType.INVALID_STATE, (active.element_id, active.element_type), target_id, target_type
        )
    _check_scope(plan, instance, active, target)
    events = _catch_events(plan.source, source, active, is_inner=is_inner)
    _check_events(
        plan, active.element_id, target, events, _catch_events(plan.target, target, active, is_inner=is_inner)
    )
    if (
        active.element_type == _BODY
        and source.loop
        and target.loop
        and source.loop.sequential != target.loop.sequential
    ):
        raise _state(
            plan.key,
            f"active element with id '{source.id}' has a different loop characteristics than the target element with "
            f"id '{target.id}'. Both elements must have either sequential or parallel loop characteristics.",
        )


def check_taken_flows(plan: Plan, scope: ElementInstance) -> None:
    """Raise Rejection if a token waits before a joining gateway that is not in the target as it is in the source."""
    flows = _flows(plan.source)
    for flow in (flows[token] for token in scope.tokens if token in flows):
        gateway = plan.source.elements[flow.target]
        if gateway.element_type in _JOINS:
            _check_join(plan, gateway, flow, plan.ids[scope.element_id])


def cannot_subscribe(plan: Plan, element_id: str, target_id: str, cause: str) -> Rejection:
    return _state(
        plan.key,
        f"active element with id '{element_id}' is mapped to element with id '{target_id}' that must be subscribed to "
        f"a catch event. {cause}",
    )


def subscribed_already(plan: Plan, element_id: str, name: str, catch_event_id: str) -> Rejection:
    return _state(
        plan.key,
        f"active element with id '{element_id}' attempts to subscribe to a message it is already subscribed to with "
        f"name '{name}'. Migrating active elements that subscribe to a message they are already subscribed to is not "
        f"possible yet. Please provide a mapping instruction to message catch event with id '{catch_event_id}' to "
        "migrate the respective message subscription.",
    )


def compensation_changed(plan: Plan, boundary_id: str, target_id: str, event_type: str) -> Rejection:
    return Rejection(
        RejectionType.INVALID_ARGUMENT,
        f"Expected to migrate process instance with id '{plan.source.id}' but compensation boundary event "
        f"'{boundary_id}' is mapped to a target boundary event '{target_id}' that has event type '{event_type}' "
        "different than compensation boundary event type.",
    )


def compensation_scope_changed(plan: Plan, scope_id: str, target_scope_id: str) -> Rejection:
    return Rejection(
        RejectionType.INVALID_ARGUMENT,
        f"Expected to migrate process instance with id '{plan.source.id}' but the flow scope of compensation boundary "
        f"event is changed. Flow scope '{scope_id}' is not in the same level as '{target_scope_id}'. The flow scope of "
        "a compensation boundary event cannot be changed during migration yet.",
    )


def _sides(plan: Plan) -> Iterator[tuple[Process, str]]:
    yield plan.source, "source"
    yield plan.target, "target"


def _flows(process: Process) -> dict[str, Flow]:
    return {flow.id: flow for element in process.elements.values() for flow in element.outgoing}


def _type_of(element: Element, *, is_inner: bool) -> ElementType:
    return _BODY if element.loop is not None and not is_inner else element.element_type


def _catch_events(process: Process, element: Element, active: ElementInstance, *, is_inner: bool) -> list[Element]:
    return list(events_of(process, element, is_body=active.element_type == _BODY, is_inner=is_inner))


def _check_supported(plan: Plan, source: Element, active: ElementInstance) -> None:
    if active.element_type not in _SUPPORTED:
        raise _state(
            plan.key,
            f"active element with id '{active.element_id}' has an unsupported type. "
            f"The migration of a {active.element_type} is not supported.",
        )
    if active.element_type != ElementType.INTERMEDIATE_CATCH_EVENT:
        return
    if source.event_type not in (EventType.MESSAGE, EventType.TIMER, EventType.SIGNAL):
        raise _state(
            plan.key,
            f"active element with id '{active.element_id}' is intermediate catch event of type '{source.event_type}'. "
            "Migrating active intermediate catch event of this type is not possible yet.",
        )
    if any(plan.source.elements[f.source].element_type == ElementType.EVENT_BASED_GATEWAY for f in source.incoming):
        raise _state(
            plan.key,
            f"active element with id '{active.element_id}' is an intermediate catch event attached to an event-based "
            "gateway. Migrating active events attached to an event-based gateway is not possible yet.",
        )


def _check_scope(plan: Plan, instance: ProcessInstance, active: ElementInstance, target: Element) -> None:
    """Raise Rejection if the target lies in another scope; an inner instance lies in its body."""
    scope = instance.element_instances.get(active.flow_scope_key)
    if scope is None or scope.element_type == _BODY:
        return
    expected = plan.ids.get(scope.element_id, scope.element_id)
    if target.scope != expected:
        raise _state(
            plan.key,
            f"the flow scope of active element with id '{active.element_id}' is changed. The flow scope of the active "
            f"element is expected to be '{expected}' but was '{target.scope}'. "
            "The flow scope of an element cannot be changed during migration yet.",
        )


def _check_events(
    plan: Plan, element_id: str, target: Element, events: list[Element], of_target: list[Element]
) -> None:
    """Raise Rejection if a mapped catch event leaves its element, is merged with another, or changes its type."""
    by_id = {event.id: event for event in of_target}
    merged: dict[str, list[str]] = {}
    for event in events:
        target_id = plan.ids.get(event.id)
        if target_id is None:
            continue
        merged.setdefault(target_id, []).append(event.id)
        if target_id not in by_id:
            raise _state(
                plan.key,
                f"active element with id '{element_id}' is mapped to an element with id '{target.id}' and has a catch "
                f"event with id '{event.id}' that is mapped to a catch event with id '{target_id}'. These mappings "
                "detach the catch event from the element in the target process. "
                "Catch events must stay attached to the same element instance.",
            )
    for target_id, sources in merged.items():
        if len(sources) > 1:
            several = "', '".join(sorted(sources))
            raise _state(
                plan.key,
                f"active element with id '{element_id}' has a catch event attached that is mapped to a "
                f"catch event with id '{target_id}'. There are multiple mapping instructions that target this catch "
                f"event: '{several}'. Catch events cannot be merged by process instance migration. "
                "Please ensure the mapping instructions target a catch event only once.",
            )
    for event in events:
        if event.id in plan.ids:
            _check_event_type(plan, element_id, event, by_id[plan.ids[event.id]])


def _check_event_type(plan: Plan, element_id: str, event: Element, mapped: Element) -> None:
    if event.event_type != mapped.event_type:
        raise _state(
            plan.key,
            f"active element with id '{element_id}' has a catch event with id '{event.id}' that is mapped to a catch "
            f"event with id '{mapped.id}'. These catch events have different event types: '{event.event_type}' and "
            f"'{mapped.event_type}'. The event type of a catch event cannot be changed by process instance migration. "
            "Please ensure the event type of the catch event remains the same or remove the mapping instruction for "
            "these catch events.",
        )


def _check_join(plan: Plan, gateway: Element, flow: Flow, scope_id: str) -> None:
    target_id = plan.ids.get(gateway.id)
    if target_id is None:
        raise _argument(
            plan.key,
            f"gateway '{gateway.id}' has at least one incoming sequence flow taken. Joining gateways with at least one "
            "incoming sequence flow taken must be mapped to a gateway of the same type in the target process "
            "definition.",
        )
    target = plan.target.elements.get(target_id)
    if target is None or target.element_type != gateway.element_type:
        found = "SEQUENCE_FLOW" if target is None else target.element_type
        raise _type_changed(plan, RejectionType.INVALID_ARGUMENT, (gateway.id, gateway.element_type), target_id, found)
    if len(target.incoming) < len(gateway.incoming):
        raise _argument(
            plan.key,
            f"target gateway with id '{target_id}' has less incoming sequence flows than the source gateway with id "
            f"'{gateway.id}'. Target gateway must have at least the same number of incoming sequence flows as the "
            "source gateway.",
        )
    mapped = plan.ids.get(flow.id, flow.id)
    if target.scope != scope_id or mapped not in {incoming.id for incoming in target.incoming}:
        raise _argument(
            plan.key,
            f"gateway with id '{gateway.id}' has a taken incoming sequence flow mismatch. Taken sequence flow with id "
            f"'{flow.id}' must connect to the mapped target gateway with id '{target_id}' in the target process "
            "definition.",
        )


def _type_changed(
    plan: Plan, reason: RejectionType, source: tuple[str, str], target_id: str, target_type: str
) -> Rejection:
    return Rejection(
        reason,
        f"Expected to migrate process instance '{plan.key}' but active element with id '{source[0]}' and type "
        f"'{source[1]}' is mapped to an element with id '{target_id}' and different type '{target_type}'. "
        "Elements must be mapped to elements of the same type.",
    )


def _argument(key: int, problem: str) -> Rejection:
    return Rejection(RejectionType.INVALID_ARGUMENT, f"Expected to migrate process instance '{key}' but {problem}")


def _state(key: int, problem: str) -> Rejection:
    return Rejection(RejectionType.INVALID_STATE, f"Expected to migrate process instance '{key}' but {problem}")
