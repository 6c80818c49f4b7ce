"""Create process instances for commands, call activities and start events."""

from typing import Any

from services.engine.model.bpmn import ElementKind
from services.engine.processing.execution import Activate, Execution
from services.engine.processing.variables import set_local_variables
from services.engine.state.definitions import Definition
from services.engine.state.instances import ElementInstance, ProcessInstance, Trigger


def create_instance(
    execution: Execution,
    definition: Definition,
    variables: dict[str, Any],
    *,
    parent: tuple[int, int] | None = None,
    trigger: Trigger | None = None,
    start_lock: str | None = None,
    awaited: list[str] | None = None,
    start_at: list[str] | None = None,
) -> ProcessInstance:
    """Create an instance and schedule its activation.

    It starts at its none start event, or at the start event of ``trigger``, or at the elements ``start_at``.
    ``start_lock`` is the correlation key that blocks a second instance; ``awaited`` names the variables that a client
    waits for (empty = all).
    """
    key = execution.store.next_key()
    root = ElementInstance(key, definition.process_id, ElementKind.PROCESS, 0, trigger=trigger)
    if start_at:
        root.memo = {"startAt": start_at}
    instance = ProcessInstance(
        key, definition.key, definition.process_id, definition.version, parent, {key: root}, start_lock, awaited
    )
    execution.store.instances.add(instance)
    if start_lock is not None:
        execution.store.messages.lock(definition.process_id, start_lock, key)
    execution.record_transition(execution.element_context(instance, root), "ELEMENT_ACTIVATING")
    set_local_variables(execution, instance, root, variables)
    execution.steps.append(Activate(key, key))
    return instance


def create_instance_by_event(
    execution: Execution, definition_key: int, element_id: str, variables: dict[str, Any], start_lock: str | None = None
) -> ProcessInstance | None:
    """Create an instance by a message, signal or timer.

    Returns None if the process is deleted.
    """
    definition = execution.store.definitions.get(definition_key)
    if definition is None or definition.deleted:
        return None
    return create_instance(execution, definition, {}, trigger=Trigger(element_id, variables), start_lock=start_lock)
