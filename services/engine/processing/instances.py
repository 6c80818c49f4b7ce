"""Create and cancel process instances, and set their variables."""

from typing import Any

from services.engine.errors import Rejection, RejectionType
from services.engine.processing.execution import Execution, Terminate
from services.engine.processing.instance_creation import create_instance
from services.engine.processing.modification import check_activatable
from services.engine.processing.variables import merge_variables, set_local_variables
from services.engine.state.instances import ProcessInstance
from services.engine.state.process_definitions import ProcessDefinition


def find_definition(execution: Execution, key: int, bpmn_process_id: str, version: int) -> ProcessDefinition:
    """Find by process id and version (negative = latest), else by key.

    Raises Rejection (NOT_FOUND).
    """
    if not bpmn_process_id and key < 0:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT, "Expected at least a bpmnProcessId or a key greater than -1, but none given"
        )
    if not bpmn_process_id:
        definition = execution.store.process_definitions.get(key)
        target = f"key '{key}'"
    elif version < 0:
        definition = execution.store.process_definitions.latest(bpmn_process_id)
        target = f"process ID '{bpmn_process_id}'"
    else:
        definition = execution.store.process_definitions.version(bpmn_process_id, version)
        target = f"process ID '{bpmn_process_id}' and version '{version}'"
    if definition is None or definition.deleted:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to find process definition with {target}, but none found")
    return definition


def create(
    execution: Execution,
    definition: ProcessDefinition,
    variables: dict[str, Any],
    fetch_variables: list[str] | None = None,
    start_at: list[str] | None = None,
) -> ProcessInstance:
    """Create an instance at its none start event, or at given elements.

    Raises Rejection: no none start event (INVALID_STATE), or no such element (INVALID_ARGUMENT).
    """
    if start_at:
        check_activatable(execution.models.process(definition.key), start_at)
    elif execution.models.process(definition.key).root.none_start is None:
        raise Rejection(
            RejectionType.INVALID_STATE,
            "Expected to create instance of process with none start event, but there is no such event",
        )
    return create_instance(execution, definition, variables, fetch_variables=fetch_variables, start_at=start_at)


def cancel(execution: Execution, key: int) -> None:
    """Cancel a root process instance.

    Raises Rejection: unknown (NOT_FOUND), or created by a parent instance (INVALID_STATE).
    """
    instance = execution.store.instances.get(key)
    if instance is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to cancel a process instance with key '{key}', but no such process was found",
        )
    if instance.parent is not None:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to cancel a process instance with key '{key}', but it is created by a parent process instance. "
            f"Cancel the root process instance '{_root_key(execution, instance)}' instead.",
        )
    execution.steps.append(Terminate(key, key))


def _root_key(execution: Execution, instance: ProcessInstance) -> int:
    while instance.parent is not None:
        parent = execution.store.instances.get(instance.parent[0])
        if parent is None:
            break
        instance = parent
    return instance.key


def set_variables(execution: Execution, element_instance_key: int, variables: dict[str, Any], *, local: bool) -> int:
    """Set variables of a scope, locally or where each is defined.

    Returns the command's key; raises Rejection (NOT_FOUND).
    """
    owner = execution.store.instances.get_by_element_instance(element_instance_key)
    if owner is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to update variables for element with key '{element_instance_key}', "
            "but no such element was found",
        )
    instance, element_instance = owner
    (set_local_variables if local else merge_variables)(execution, instance, element_instance, variables)
    return execution.store.next_key()
