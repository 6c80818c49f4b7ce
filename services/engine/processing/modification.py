"""Going on at another place: elements are activated and terminated by hand, in a running instance or at its start."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.engine.errors import Rejection, RejectionType, Trouble
from services.engine.model.bpmn import Element, Kind, Process, given
from services.engine.processing import lifecycle
from services.engine.processing.catching import open_catches
from services.engine.processing.joins import BY_EVENT
from services.engine.processing.variables import set_local
from services.engine.processing.work import Activate, At, Complete, Enter, Step, Terminate, Work
from services.engine.state.instances import ACTIVATED, Instance, Node, Trigger

_UNSUPPORTED = frozenset({Kind.START_EVENT, Kind.BOUNDARY_EVENT, Kind.PROCESS})


@dataclass(frozen=True, slots=True)
class Activation:
    """An element to activate, with variables by the id of the scope they go to ("" = the process).

    ``ancestor`` is the key of the running scope it belongs to, 0 where there is no choice.
    """

    element_id: str
    ancestor: int = 0
    variables: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def modify(work: Work, key: int, activations: list[Activation], terminations: list[int]) -> None:
    """Raises Rejection: no such instance (NOT_FOUND), or an instruction that cannot be followed (INVALID_ARGUMENT)."""
    instance = work.store.instances.look(key)
    if instance is None:
        raise Rejection(
            RejectionType.NOT_FOUND,
            f"Expected to modify process instance but no process instance found with key '{key}'",
        )
    process = work.catalogue.process(instance.definition_key)
    check_places(process, [a.element_id for a in activations])
    for activation in activations:
        _check_scopes(instance, process, activation)
    unknown = [t for t in terminations if t not in instance.nodes]
    if unknown:
        raise _invalid(f"there is no element instance with the key '{unknown[0]}' to terminate")
    instance = given(work.store.instances.get(key))
    entries = [place(work, work.at(instance, instance.root), activation) for activation in activations]
    ending = _with_emptied_scopes(instance, set(terminations))
    if key in ending and instance.parent is not None:
        raise _invalid("it would end an instance that another process called; modify the calling instance")
    work.record(key, "PROCESS_INSTANCE_MODIFICATION", "MODIFIED", {"processInstanceKey": key})
    _take_all(work, [Terminate(key, node) for node in sorted(ending)])
    work.steps.extend(entries)


def check_places(process: Process, element_ids: list[str]) -> None:
    """Raises Rejection where an element cannot be activated by hand."""
    for identity in element_ids:
        element = process.elements.get(identity)
        if element is None:
            raise _invalid(f"no element is found with id '{identity}'")
        if element.kind in _UNSUPPORTED:
            raise _invalid(f"'{identity}' is a {element.kind}, which cannot be activated by hand")
        if any(process.elements[f.source].kind == Kind.EVENT_BASED_GATEWAY for f in element.incoming):
            raise _invalid(f"'{identity}' belongs to an event-based gateway; activate that instead")


def place(work: Work, root: At, activation: Activation) -> Enter:
    """The step that enters the element; scopes around it that do not run yet are opened at once. Raises Rejection."""
    instance, process = root.instance, root.process
    element = process.elements[activation.element_id]
    scope = root.node
    _set(work, root, activation, "")
    _set(work, root, activation, process.id)
    for around in reversed(list(_scopes(process, element))[:-1]):
        for _ in range(1 if around.loop is None else 2):  # a multi-instance is a scope around each of its instances
            scope = _running(instance, scope, around, activation.ancestor) or _open(work, root, scope, around)
            _set(work, work.at(instance, scope), activation, around.id)
    scope.tokens[BY_EVENT] = scope.tokens.get(BY_EVENT, 0) + 1
    local = {n: v for target, document in activation.variables if target == element.id for n, v in document.items()}
    trigger = Trigger(element.event_starts[0], {}) if element.kind == Kind.EVENT_SUB_PROCESS else None
    return Enter(instance.key, scope.key, element.id, None, trigger, local=local)


def _check_scopes(instance: Instance, process: Process, activation: Activation) -> None:
    element = process.elements[activation.element_id]
    around = [scope.id for scope in _scopes(process, element)]
    for target, _ in activation.variables:
        if target and target not in [element.id, *around]:
            raise _invalid(f"'{target}' is no scope of '{element.id}', so its variables cannot be set there")
    if activation.ancestor:
        node = instance.nodes.get(activation.ancestor)
        if node is None or node.state != ACTIVATED or node.element_id not in around:
            raise _invalid(f"'{activation.ancestor}' is no running scope of '{element.id}'")


def _scopes(process: Process, element: Element) -> Iterator[Element]:
    """The scopes around an element, inside out."""
    while element.scope:
        element = process.elements[element.scope]
        yield element


def _running(instance: Instance, scope: Node, around: Element, ancestor: int) -> Node | None:
    """The instance of a scope to go on in; None where a new one is to be opened. Raises Rejection."""
    found = [n for c in scope.children if (n := instance.nodes[c]).element_id == around.id and n.state == ACTIVATED]
    if ancestor == scope.key or not found:
        return None
    chosen = next((n for n in found if n.key == ancestor or _is_inside(instance, ancestor, n)), None)
    if chosen is None and len(found) > 1:
        raise _invalid(f"'{around.id}' runs more than once; name the one that is meant by its key")
    return chosen or found[0]


def _is_inside(instance: Instance, key: int, scope: Node) -> bool:
    node = instance.nodes.get(key)
    while node is not None:
        if node.scope == scope.key:
            return True
        node = instance.nodes.get(node.scope)
    return False


def _open(work: Work, root: At, scope: Node, around: Element) -> Node:
    if around.loop is not None:
        raise _invalid(f"'{around.id}' is a multi-instance, which cannot be opened by hand")
    node = Node(work.store.next_key(), around.id, around.kind, scope.key, state=ACTIVATED)
    root.instance.nodes[node.key] = node
    scope.children[node.key] = None
    at = At(root.instance, root.process, around, node)
    work.transition(at, "ELEMENT_ACTIVATING")
    work.transition(at, "ELEMENT_ACTIVATED")
    try:
        open_catches(work, at)
    except Trouble as trouble:
        raise _invalid(f"the events of '{around.id}' cannot be waited for: {trouble}") from trouble
    return node


def _set(work: Work, at: At, activation: Activation, target: str) -> None:
    for scope, document in activation.variables:
        if scope == target:
            set_local(work, at.instance, at.node, document)


def _with_emptied_scopes(instance: Instance, ending: set[int]) -> set[int]:
    """What to terminate: a scope goes with the last that runs inside it."""
    for key in list(ending):
        node = instance.nodes[key]
        while node.scope:
            scope = instance.nodes[node.scope]
            if scope.tokens or not ending.issuperset(scope.children):
                break
            ending.add(scope.key)
            node = scope
    return ending


def _take_all(work: Work, steps: list[Terminate]) -> None:
    """Terminate before anything is entered; what looks for messages waits until then."""
    waiting: list[Step] = list(work.steps)
    work.steps.clear()
    work.steps.extend(steps)
    while work.steps:
        step = work.steps.popleft()
        if isinstance(step, Enter | Activate | Complete | Terminate):
            lifecycle.take_step(work, step)
        else:
            waiting.append(step)
    work.steps.extend(waiting)


def _invalid(problem: str) -> Rejection:
    return Rejection(
        RejectionType.INVALID_ARGUMENT, f"Expected to activate and terminate elements as told, but {problem}."
    )
