"""Create process instances for commands, call activities and start events."""

from typing import Any

from services.engine.model.bpmn import ElementType
from services.engine.processing.execution import Activate, Execution
from services.engine.processing.variables import set_local_variables
from services.engine.state.instances import ElementInstance, ProcessInstance, Trigger
from services.engine.state.process_definitions import ProcessDefinition


def create_instance(
    execution: Execution,
    definition: ProcessDefinition,
    variables: dict[str, Any],
    *,
    parent: tuple[int, int] | None = None,
    trigger: Trigger | None = None,
    correlation_key: str | None = None,
    fetch_variables: list[str] | None = None,
    start_at: list[str] | None = None,
) -> ProcessInstance:
    """Create an instance and schedule its activation.

    It starts at its none start event, or at the start event of ``trigger``, or at the elements ``start_at``.
    ``correlation_key`` and ``fetch_variables`` are those of ``ProcessInstance``.
    """
    key = execution.store.next_key()
    root = ElementInstance(key, definition.bpmn_process_id, ElementType.PROCESS, 0, trigger=trigger)
    root.start_instructions = start_at or []
    instance = ProcessInstance(
        key,
        definition.key,
        definition.bpmn_process_id,
        definition.version,
        parent,
        {key: root},
        correlation_key,
        fetch_variables,
    )
    execution.store.instances.add(instance)
    if correlation_key is not None:
        execution.store.messages.lock(definition.bpmn_process_id, correlation_key, key)
    execution.record_transition(execution.element_context(instance, root), "ELEMENT_ACTIVATING")
    set_local_variables(execution, instance, root, variables)
    execution.steps.append(Activate(key, key))
    return instance


def create_instance_by_event(
    execution: Execution,
    process_definition_key: int,
    element_id: str,
    variables: dict[str, Any],
    correlation_key: str | None = None,
) -> ProcessInstance | None:
    """Create an instance by a message, signal or timer.

    Returns None if the process is deleted.
    """
    definition = execution.store.process_definitions.get(process_definition_key)
    if definition is None or definition.deleted:
        return None
    return create_instance(
        execution, definition, {}, trigger=Trigger(element_id, variables), correlation_key=correlation_key
    )
