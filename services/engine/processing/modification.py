"""Activate and terminate elements by a modification, or at creation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.engine.errors import Failure, Rejection, RejectionType
from services.engine.model.bpmn import Element, ElementType, Process, required
from services.engine.processing import lifecycle
from services.engine.processing.event_subscriptions import subscribe_to_events
from services.engine.processing.execution import Activate, Complete, ElementContext, Enter, Execution, Step, Terminate
from services.engine.processing.joins import NO_FLOW
from services.engine.processing.variables import set_local_variables
from services.engine.state.instances import ACTIVATED, ElementInstance, ProcessInstance, Trigger

_UNSUPPORTED = frozenset({ElementType.START_EVENT, ElementType.BOUNDARY_EVENT, ElementType.PROCESS})


@dataclass(frozen=True, slots=True)
class Activation:
    """An activate instruction.

    ``variables`` are by the id of their scope ("" = the process); ``ancestor`` is the key of the active scope,
    0 if there is only one.
    """

    element_id: str
    ancestor: int = 0
    variables: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def modify(execution: Execution, key: int, activations: list[Activation], terminations: list[int]) -> None:
    """Terminate and activate elements of a process instance.

    Raises Rejection: no such instance (NOT_FOUND), or an invalid instruction (INVALID_ARGUMENT).
    """
    instance = execution.store.instances.get(key)
    if instance is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to modify process instance but no process instance found with key '{key}'",
        )
    process = execution.models.process(instance.process_definition_key)
    check_activatable(process, [a.element_id for a in activations])
    for activation in activations:
        _check_scopes(instance, process, activation)
    unknown = [t for t in terminations if t not in instance.element_instances]
    if unknown:
        raise _invalid(f"there is no element instance with the key '{unknown[0]}' to terminate")
    instance = required(execution.store.instances.get_for_update(key))
    activation_steps = [
        activation_step(execution, execution.element_context(instance, instance.root), activation)
        for activation in activations
    ]
    terminated_keys = _with_emptied_scopes(instance, set(terminations))
    if key in terminated_keys and instance.parent is not None:
        raise _invalid("it would end an instance that a call activity created; modify the calling instance")
    execution.record(key, "PROCESS_INSTANCE_MODIFICATION", "MODIFIED", {"processInstanceKey": key})
    _terminate_first(execution, [Terminate(key, element_instance) for element_instance in sorted(terminated_keys)])
    execution.steps.extend(activation_steps)


def check_activatable(process: Process, element_ids: list[str]) -> None:
    """Raise Rejection if an element cannot be activated by an instruction."""
    for element_id in element_ids:
        element = process.elements.get(element_id)
        if element is None:
            raise _invalid(f"no element is found with id '{element_id}'")
        if element.element_type in _UNSUPPORTED:
            raise _invalid(f"'{element_id}' is a {element.element_type}, which an instruction cannot activate")
        if any(process.elements[f.source].element_type == ElementType.EVENT_BASED_GATEWAY for f in element.incoming):
            raise _invalid(f"'{element_id}' belongs to an event-based gateway; activate that instead")


def activation_step(execution: Execution, root: ElementContext, activation: Activation) -> Enter:
    """Return the step that enters an element; open its missing scopes first.

    Raises Rejection.
    """
    instance, process = root.process_instance, root.process
    element = process.elements[activation.element_id]
    scope = root.element_instance
    _set_variables(execution, root, activation, "")
    _set_variables(execution, root, activation, process.id)
    for enclosing in reversed(list(_enclosing_scopes(process, element))[:-1]):
        for _ in range(1 if enclosing.loop is None else 2):  # a multi-instance adds its body as a scope
            scope = _find_scope(instance, scope, enclosing, activation.ancestor) or _open_scope(
                execution, root, scope, enclosing
            )
            _set_variables(execution, execution.element_context(instance, scope), activation, enclosing.id)
    scope.tokens[NO_FLOW] = scope.tokens.get(NO_FLOW, 0) + 1
    local = {n: v for target, document in activation.variables if target == element.id for n, v in document.items()}
    trigger = Trigger(element.event_starts[0], {}) if element.element_type == ElementType.EVENT_SUB_PROCESS else None
    return Enter(instance.key, scope.key, element.id, None, trigger, local=local)


def _check_scopes(instance: ProcessInstance, process: Process, activation: Activation) -> None:
    element = process.elements[activation.element_id]
    enclosing = [scope.id for scope in _enclosing_scopes(process, element)]
    for target, _ in activation.variables:
        if target and target not in [element.id, *enclosing]:
            raise _invalid(f"'{target}' is no scope of '{element.id}', so its variables cannot be set there")
    if activation.ancestor:
        element_instance = instance.element_instances.get(activation.ancestor)
        if (
            element_instance is None
            or element_instance.state != ACTIVATED
            or element_instance.element_id not in enclosing
        ):
            raise _invalid(f"'{activation.ancestor}' is no active scope of '{element.id}'")


def _enclosing_scopes(process: Process, element: Element) -> Iterator[Element]:
    """List the enclosing scopes of an element, inside out."""
    while element.scope:
        element = process.elements[element.scope]
        yield element


def _find_scope(
    instance: ProcessInstance, scope: ElementInstance, enclosing: Element, ancestor: int
) -> ElementInstance | None:
    """Find the active instance of a scope.

    None if one must be opened.
    Raises Rejection if there are several.
    """
    active = [
        n
        for c in scope.children
        if (n := instance.element_instances[c]).element_id == enclosing.id and n.state == ACTIVATED
    ]
    if ancestor == scope.key or not active:
        return None
    chosen = next((n for n in active if n.key == ancestor or _is_inside(instance, ancestor, n)), None)
    if chosen is None and len(active) > 1:
        raise _invalid(f"'{enclosing.id}' has several active instances; set ancestorElementInstanceKey")
    return chosen or active[0]


def _is_inside(instance: ProcessInstance, key: int, scope: ElementInstance) -> bool:
    element_instance = instance.element_instances.get(key)
    while element_instance is not None:
        if element_instance.flow_scope_key == scope.key:
            return True
        element_instance = instance.element_instances.get(element_instance.flow_scope_key)
    return False


def _open_scope(
    execution: Execution, root: ElementContext, scope: ElementInstance, enclosing: Element
) -> ElementInstance:
    if enclosing.loop is not None:
        raise _invalid(f"'{enclosing.id}' is a multi-instance, which an instruction cannot activate")
    element_instance = ElementInstance(
        execution.store.next_key(), enclosing.id, enclosing.element_type, scope.key, state=ACTIVATED
    )
    root.process_instance.element_instances[element_instance.key] = element_instance
    scope.children[element_instance.key] = None
    context = ElementContext(root.process_instance, root.process, enclosing, element_instance)
    execution.record_transition(context, "ELEMENT_ACTIVATING")
    execution.record_transition(context, "ELEMENT_ACTIVATED")
    try:
        subscribe_to_events(execution, context)
    except Failure as failure:
        raise _invalid(f"cannot subscribe to the events of '{enclosing.id}': {failure}") from failure
    return element_instance


def _set_variables(execution: Execution, context: ElementContext, activation: Activation, target: str) -> None:
    for scope, document in activation.variables:
        if scope == target:
            set_local_variables(execution, context.process_instance, context.element_instance, document)


def _with_emptied_scopes(instance: ProcessInstance, keys: set[int]) -> set[int]:
    """Add the scopes whose last active element is terminated."""
    for key in list(keys):
        element_instance = instance.element_instances[key]
        while element_instance.flow_scope_key:
            scope = instance.element_instances[element_instance.flow_scope_key]
            if scope.tokens or not keys.issuperset(scope.children):
                break
            keys.add(scope.key)
            element_instance = scope
    return keys


def _terminate_first(execution: Execution, steps: list[Terminate]) -> None:
    """Apply terminations first; message correlation waits until they are done."""
    deferred: list[Step] = list(execution.steps)
    execution.steps.clear()
    execution.steps.extend(steps)
    while execution.steps:
        step = execution.steps.popleft()
        if isinstance(step, Enter | Activate | Complete | Terminate):
            lifecycle.apply_step(execution, step)
        else:
            deferred.append(step)
    execution.steps.extend(deferred)


def _invalid(problem: str) -> Rejection:
    return Rejection(
        RejectionType.INVALID_ARGUMENT,
        f"Expected to activate and terminate the elements of the instructions, but {problem}.",
    )
