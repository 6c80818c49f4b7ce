"""Starting process instances, however it comes about."""

from typing import Any

from services.engine.model.bpmn import Kind
from services.engine.processing.variables import set_local
from services.engine.processing.work import Activate, Work
from services.engine.state.definitions import Definition
from services.engine.state.instances import Instance, Node, Trigger


def start_instance(
    work: Work,
    definition: Definition,
    variables: dict[str, Any],
    *,
    parent: tuple[int, int] | None = None,
    trigger: Trigger | None = None,
    start_lock: str | None = None,
    awaited: list[str] | None = None,
    start_at: list[str] | None = None,
) -> Instance:
    """A new instance, entered in a later step: at its none start event, or where ``trigger`` says.

    ``start_lock`` is the correlation key that no second instance may be started with meanwhile; ``awaited`` names
    the variables somebody waits for at the end (empty = all); ``start_at`` the elements to
    begin at instead of a start event.
    """
    key = work.store.next_key()
    root = Node(key, definition.process_id, Kind.PROCESS, 0, trigger=trigger)
    if start_at:
        root.memo = {"startAt": start_at}
    instance = Instance(
        key, definition.key, definition.process_id, definition.version, parent, {key: root}, start_lock, awaited
    )
    work.store.instances.add(instance)
    if start_lock is not None:
        work.store.messages.lock(definition.process_id, start_lock, key)
    work.transition(work.at(instance, root), "ELEMENT_ACTIVATING")
    set_local(work, instance, root, variables)
    work.steps.append(Activate(key, key))
    return instance


def start_by_event(
    work: Work, definition_key: int, element_id: str, variables: dict[str, Any], start_lock: str | None = None
) -> Instance | None:
    """An instance started by a message, signal or timer; None where the process has been deleted."""
    definition = work.store.definitions.get(definition_key)
    if definition is None or definition.deleted:
        return None
    return start_instance(work, definition, {}, trigger=Trigger(element_id, variables), start_lock=start_lock)
