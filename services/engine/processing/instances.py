"""Commands on process instances: create, cancel, set variables."""

from typing import Any

from services.engine.errors import Rejection, RejectionType
from services.engine.processing.modification import check_places
from services.engine.processing.starting import start_instance
from services.engine.processing.variables import merge, set_local
from services.engine.processing.work import Terminate, Work
from services.engine.state.definitions import Definition
from services.engine.state.instances import Instance


def find_definition(work: Work, key: int, process_id: str, version: int) -> Definition:
    """By process id and version (negative = latest), else by key; raises Rejection (NOT_FOUND)."""
    if not process_id and key < 0:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT, "Expected at least a bpmnProcessId or a key greater than -1, but none given"
        )
    if not process_id:
        found = work.store.definitions.get(key)
        what = f"key '{key}'"
    elif version < 0:
        found = work.store.definitions.latest(process_id)
        what = f"process ID '{process_id}'"
    else:
        found = work.store.definitions.version(process_id, version)
        what = f"process ID '{process_id}' and version '{version}'"
    if found is None or found.deleted:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to find process definition with {what}, but none found")
    return found


def create(
    work: Work,
    definition: Definition,
    variables: dict[str, Any],
    awaited: list[str] | None = None,
    start_at: list[str] | None = None,
) -> Instance:
    """Raises Rejection: no plain start event (INVALID_STATE), or no such element to begin at (INVALID_ARGUMENT)."""
    if start_at:
        check_places(work.catalogue.process(definition.key), start_at)
    elif work.catalogue.process(definition.key).root.none_start is None:
        raise Rejection(
            RejectionType.INVALID_STATE,
            "Expected to create instance of process with none start event, but there is no such event",
        )
    return start_instance(work, definition, variables, awaited=awaited, start_at=start_at)


def cancel(work: Work, key: int) -> None:
    """Raises Rejection: unknown (NOT_FOUND), or called by another instance (INVALID_STATE)."""
    instance = work.store.instances.look(key)
    if instance is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to cancel a process instance with key '{key}', but no such process was found",
        )
    if instance.parent is not None:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to cancel a process instance with key '{key}', but it is created by a parent process instance. "
            f"Cancel the root process instance '{_root_of(work, instance)}' instead.",
        )
    work.steps.append(Terminate(key, key))


def _root_of(work: Work, instance: Instance) -> int:
    while instance.parent is not None:
        parent = work.store.instances.look(instance.parent[0])
        if parent is None:
            break
        instance = parent
    return instance.key


def set_variables(work: Work, node_key: int, variables: dict[str, Any], *, local: bool) -> int:
    """On a scope by its key: locally, or where each name lives. Returns the command's key; raises Rejection."""
    found = work.store.instances.of_node(node_key)
    if found is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to update variables for element with key '{node_key}', but no such element was found",
        )
    instance, node = found
    (set_local if local else merge)(work, instance, node, variables)
    return work.store.next_key()
