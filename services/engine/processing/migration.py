"""Migrate a running process instance to another process definition, as Zeebe 8.8 and later do.

Active elements keep their keys, jobs, variables and incidents, and take the id that a mapping instruction names.
Nothing of them is evaluated anew. Of catch events the instructions decide: one that is mapped keeps its subscription
with its due date, key and message name; one that is not is closed, and those of the target that no instruction names
are opened. Called process instances are migrated by themselves. What cannot be migrated is rejected
(``migration_checks``), and nothing is changed.
"""

from dataclasses import replace

from services.engine.errors import Failure
from services.engine.model.bpmn import required
from services.engine.processing import migration_checks as checks
from services.engine.processing.compensation import migrate_subscriptions
from services.engine.processing.event_subscriptions import (
    record_message,
    record_signal,
    record_timer,
    subscribe_to_events,
    unsubscribe_from_events,
)
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.jobs import migrate_job
from services.engine.processing.joins import NO_FLOW
from services.engine.processing.migration_checks import Instruction, Plan
from services.engine.processing.variables import record_variable
from services.engine.state.instances import ACTIVATING, ElementInstance, ProcessInstance


def migrate(execution: Execution, key: int, target_definition_key: int, instructions: list[Instruction]) -> None:
    """Migrate a process instance; ``instructions`` are pairs of element ids, of its definition and of the target.

    Raises Rejection: no such instance or definition (NOT_FOUND), instructions that name what does not exist or
    contradict each other (INVALID_ARGUMENT), or elements that cannot be migrated so (INVALID_STATE).
    """
    plan = _plan(execution, key, target_definition_key, instructions)
    instance = required(execution.store.instances.get_for_update(key))
    order = _breadth_first(instance)
    for element_instance in order:
        checks.check_element(plan, instance, element_instance)
    for scope in order:
        checks.check_taken_flows(plan, scope)
    execution.store.instances.reindex(key)
    _move_instance(execution, instance, plan)
    for element_instance in order:
        _migrate_element(execution, plan, instance, element_instance)
    migrate_subscriptions(execution, instance, plan)
    value = {
        "processInstanceKey": key,
        "targetProcessDefinitionKey": target_definition_key,
        "mappingInstructions": [{"sourceElementId": a, "targetElementId": b} for a, b in instructions],
    }
    execution.record(key, "PROCESS_INSTANCE_MIGRATION", "MIGRATED", value)


def _plan(execution: Execution, key: int, target_definition_key: int, instructions: list[Instruction]) -> Plan:
    instance = checks.require_instance(execution.store.instances.get(key), key)
    checks.check_duplicates(key, instructions)
    definition = execution.store.process_definitions.get(target_definition_key)
    target_definition = checks.require_definition(definition, target_definition_key)
    target = execution.models.process(target_definition.key)
    if (
        instance.correlation_key is not None
        and instance.bpmn_process_id != target.id
        and target.message_start_events()
        and execution.store.messages.is_locked(target.id, instance.correlation_key)
    ):
        raise checks.started_already(key, target_definition_key, instance.correlation_key)
    source = execution.models.process(instance.process_definition_key)
    ids = {**dict(instructions), source.id: target.id}
    plan = Plan(key, source, target, target_definition, ids)
    checks.check_references(plan, instructions)
    return plan


def _breadth_first(instance: ProcessInstance) -> list[ElementInstance]:
    """List the active elements, scopes before what is in them."""
    order = [instance.root]
    for scope in order:
        order += [instance.element_instances[child] for child in scope.children]
    return order


def _move_instance(execution: Execution, instance: ProcessInstance, plan: Plan) -> None:
    if instance.correlation_key is not None and instance.bpmn_process_id != plan.target.id:
        execution.store.messages.unlock(instance.bpmn_process_id, instance.correlation_key)
        if plan.target.message_start_events():
            execution.store.messages.lock(plan.target.id, instance.correlation_key, instance.key)
    instance.process_definition_key = plan.definition.key
    instance.bpmn_process_id = plan.definition.bpmn_process_id
    instance.version = plan.definition.version


def _migrate_element(
    execution: Execution, plan: Plan, instance: ProcessInstance, element_instance: ElementInstance
) -> None:
    source_id = element_instance.element_id
    element_instance.element_id = plan.ids[source_id]
    _map_triggers(plan, element_instance)
    context = execution.element_context(instance, element_instance)
    execution.record_transition(context, "ELEMENT_MIGRATED")
    _migrate_tokens(execution, plan, context)
    for key in element_instance.jobs:
        migrate_job(execution, key, element_instance.element_id, plan.definition.key)
    for key in element_instance.incidents:
        incident = execution.store.incidents.get(key)
        if incident is not None:
            execution.store.incidents.remove(key)
            migrated = replace(incident, element_id=element_instance.element_id)
            execution.store.incidents.add(migrated)
            execution.record_incident(context, migrated, "MIGRATED")
    for name in element_instance.variables:
        record_variable(execution, instance, element_instance, name, "MIGRATED")
    if element_instance.state != ACTIVATING:  # else it has subscribed to nothing yet
        _migrate_events(execution, plan, context, source_id)


def _map_triggers(plan: Plan, element_instance: ElementInstance) -> None:
    """Name what an element was triggered or interrupted by as the target does."""
    trigger = element_instance.trigger
    if trigger is not None and trigger.element_id in plan.ids:
        element_instance.trigger = replace(trigger, element_id=plan.ids[trigger.element_id])
    interrupting = element_instance.interrupting_element_id
    if interrupting is not None:
        subprocess = plan.target.elements[plan.ids[plan.source.elements[interrupting].scope]]
        element_instance.interrupting_element_id = plan.ids.get(interrupting, subprocess.event_starts[0])


def _migrate_tokens(execution: Execution, plan: Plan, context: ElementContext) -> None:
    """Move the tokens that wait before a joining gateway to the flows of the target."""
    tokens = context.element_instance.tokens
    for flow in [token for token in tokens if token != NO_FLOW]:
        mapped = plan.ids.get(flow, flow)
        value = {
            **execution.instance_fields(context.process_instance),
            "version": context.process_instance.version,
            "bpmnElementType": "SEQUENCE_FLOW",
            "bpmnEventType": "UNSPECIFIED",
            "flowScopeKey": context.element_instance.key,
        }
        execution.record(
            execution.store.next_key(), "PROCESS_INSTANCE", "SEQUENCE_FLOW_DELETED", {**value, "elementId": flow}
        )
        execution.record(
            execution.store.next_key(), "PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", {**value, "elementId": mapped}
        )
    moved = {plan.ids.get(flow, flow): count for flow, count in tokens.items()}
    tokens.clear()
    tokens.update(moved)


def _migrate_events(execution: Execution, plan: Plan, context: ElementContext, source_id: str) -> None:
    """Close the subscriptions of unmapped catch events, keep those of mapped ones, and open the target's others."""
    # as on a broker, a subscription that is being closed still stands in the way of one of the same name
    messages = map(execution.store.messages.subscription, context.element_instance.message_subscriptions)
    names = {subscription.name for subscription in messages if subscription is not None}
    unsubscribe_from_events(execution, context, lambda element_id: element_id not in plan.ids)
    targets = set(plan.ids.values())
    _keep_subscriptions(execution, plan, context)
    if context.element_instance.is_interrupted():
        return
    try:
        opened = subscribe_to_events(execution, context, lambda element_id: element_id not in targets)
    except Failure as failure:
        raise checks.cannot_subscribe(plan, source_id, context.element.id, str(failure)) from failure
    for name, element_id in opened:
        if name in names:
            raise checks.subscribed_already(plan, context.element.id, name, element_id)


def _keep_subscriptions(execution: Execution, plan: Plan, context: ElementContext) -> None:
    """Give the subscriptions that are left the ids of the target."""
    store, element_instance, process = execution.store, context.element_instance, plan.target
    for key in element_instance.timers:
        timer = store.timers.get(key)
        if timer is not None:
            store.timers.remove(key)
            migrated_timer = replace(
                timer, element_id=plan.ids[timer.element_id], process_definition_key=plan.definition.key
            )
            store.timers.add(migrated_timer)
            record_timer(execution, migrated_timer, "MIGRATED")
    for key in element_instance.message_subscriptions:
        message = store.messages.subscription(key)
        if message is not None:
            store.messages.unsubscribe(key)
            target_id = plan.ids[message.element_id]
            migrated_message = replace(
                message,
                element_id=target_id,
                bpmn_process_id=process.id,
                interrupting=process.elements[target_id].interrupting,
            )
            store.messages.subscribe(migrated_message)
            record_message(execution, context, migrated_message, "MIGRATED")
    for key in element_instance.signal_subscriptions:
        signal = store.signals.subscription(key)
        if signal is not None:
            store.signals.unsubscribe(key)
            migrated_signal = replace(signal, element_id=plan.ids[signal.element_id])
            store.signals.subscribe(migrated_signal)
            record_signal(execution, migrated_signal, "MIGRATED")
