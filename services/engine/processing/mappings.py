"""Input and output mappings of an element."""

import copy
from typing import Any

from services.engine.errors import ErrorType
from services.engine.model import bpmn
from services.engine.processing.variables import evaluate, merge, scopes, set_local
from services.engine.processing.work import At, Work


def apply_inputs(work: Work, at: At) -> None:
    """Local variables of the element; raises Trouble (IO_MAPPING_ERROR)."""
    if at.element.inputs:
        set_local(work, at.instance, at.node, _results(work, at, at.element.inputs, into_existing=False))


def apply_outputs(work: Work, at: At) -> None:
    """What leaves the element; raises Trouble (IO_MAPPING_ERROR).

    Without output mappings the variables the element was completed with go up to where their names live; with
    them, those stay local and only mapped values leave.
    """
    completed_with = at.node.trigger.variables if at.node.trigger is not None else {}
    if not at.element.outputs:
        merge(work, at.instance, at.node, completed_with)
        return
    set_local(work, at.instance, at.node, completed_with)
    results = _results(work, at, at.element.outputs, into_existing=True)
    # an inner instance collects from its own scope, so its outputs are looked up there first
    merge(work, at.instance, at.node if at.is_inner else at.scope, results)


def _results(work: Work, at: At, mappings: tuple[bpmn.Mapping, ...], *, into_existing: bool) -> dict[str, Any]:
    """Targets and values in order; a later mapping sees the earlier ones."""
    results: dict[str, Any] = {}
    for mapping in mappings:
        value = evaluate(work, at, mapping.source, extra=results, error_type=ErrorType.IO_MAPPING)
        name, *path = mapping.target
        if not path:
            results[name] = value
            continue
        if name not in results:
            results[name] = _existing(at, name) if into_existing else {}
        if not isinstance(results[name], dict):
            results[name] = {}
        _put(results[name], path, value)
    return results


def _existing(at: At, name: str) -> Any:
    node = next((n for n in scopes(at.instance, at.node) if name in n.variables), None)
    return copy.deepcopy(node.variables[name]) if node is not None else {}


def _put(context: dict[str, Any], path: list[str], value: Any) -> None:
    *outer, last = path
    for name in outer:
        inner = context.get(name)
        if not isinstance(inner, dict):
            inner = {}
            context[name] = inner
        context = inner
    context[last] = value
