"""Multi-instance: a body around instances of the same activity, one for each item of a collection."""

from typing import Any

from services.engine.errors import ErrorType, Trouble
from services.engine.feel import from_json, to_json
from services.engine.model.bpmn import Loop, given
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.catching import close_catches, open_catches
from services.engine.processing.elements.process import Scope
from services.engine.processing.variables import Visible, evaluate, merge, set_local
from services.engine.processing.work import At, Work


class MultiInstanceBody(Scope):
    """The boundary events sit here, the mappings on the inner instances."""

    def activate(self, work: Work, at: At) -> None:
        loop = _loop(at)
        items = _items(work, at, loop)
        open_catches(work, at)
        at.node.memo = {"completed": 0, "terminated": 0, "entered": 0}
        if loop.output_collection is not None:
            set_local(work, at.instance, at.node, {loop.output_collection: [None] * len(items)})
            items = _items(work, at, loop)  # where both have one name, as in Zeebe, only nulls are left
        lifecycle.activated(work, at)
        if not items:
            lifecycle.complete(work, at)
        for item in items[:1] if loop.sequential else items:
            self._enter(work, at, loop, item)

    def complete(self, work: Work, at: At) -> None:
        collection = _loop(at).output_collection
        if collection is not None:
            merge(work, at.instance, at.scope, {collection: at.node.variables.get(collection)})
        close_catches(work, at)
        lifecycle.completed(work, at)

    def child_completing(self, work: Work, at: At, child: At) -> None:
        loop, counts = _loop(at), _counts(at)
        if loop.output_collection is not None and loop.output_element is not None:
            value = evaluate(work, child, loop.output_element)
            results = _with_output(at, loop.output_collection, given(child.node.memo)["index"], value)
            set_local(work, at.instance, at.node, {loop.output_collection: results})
        done = loop.condition is not None and self._is_satisfied(work, at, child, loop)
        if loop.sequential:
            # here already, because a collection that is none any more is told while the child can still be resumed
            entered = counts["entered"]
            counts["next"] = _items(work, at, loop)[entered : entered + 1]
        counts["completed"] += 1
        if done:
            at.node.ended = True

    def child_completed(self, work: Work, at: At) -> None:
        loop, following = _loop(at), _counts(at).pop("next", [])
        if at.node.ended:
            if lifecycle.terminate_children(work, at):
                lifecycle.complete(work, at)
        elif following:
            self._enter(work, at, loop, following[0])
        elif lifecycle.is_over(at.node):
            lifecycle.complete(work, at)

    def child_terminated(self, work: Work, at: At) -> None:
        _counts(at)["terminated"] += 1
        super().child_terminated(work, at)

    def _enter(self, work: Work, at: At, loop: Loop, item: Any) -> None:
        counts = _counts(at)
        counts["entered"] += 1
        local: dict[str, Any] = {"loopCounter": counts["entered"]}
        if loop.output_variable is not None:
            local = {loop.output_variable: None, **local}
        if loop.item is not None:
            local[loop.item] = to_json(from_json(item))
        lifecycle.enter(work, at.instance, at.node, at.element.id, index=counts["entered"], local=local)

    def _is_satisfied(self, work: Work, at: At, child: At, loop: Loop) -> bool:
        condition = given(loop.condition)
        counts = _counts(at)
        extra = {
            "numberOfInstances": counts["entered"],
            "numberOfActiveInstances": len(at.node.children) - 1,
            "numberOfCompletedInstances": counts["completed"] + 1,
            "numberOfTerminatedInstances": counts["terminated"],
        }
        value = evaluate(work, child, condition, extra=extra)
        if not isinstance(value, bool):
            text = condition.text.removeprefix("=")
            raise Trouble(
                ErrorType.EXTRACT_VALUE,
                f"Expected result of the expression '{text}' to be 'BOOLEAN', but was '{type_name(value)}'.",
            )
        return value


def _loop(at: At) -> Loop:
    return given(at.element.loop)


def _counts(at: At) -> dict[str, Any]:
    return given(at.node.memo)


def _with_output(at: At, collection: str, place: int, value: Any) -> list[Any]:
    """The output collection with the value at its place, counted from 1; raises Trouble."""
    found = at.node.variables.get(collection)
    if not isinstance(found, list) or place > len(found):
        what = f"has {len(found)} items" if isinstance(found, list) else f"is {type_name(found)}"
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Unable to update item {place} of the output collection '{collection}': it {what}.",
        )
    return [*found[: place - 1], value, *found[place:]]


def _items(work: Work, at: At, loop: Loop) -> list[Any]:
    """The input collection; raises Trouble. A variable may be long: its items are converted one by one on entering."""
    compiled = loop.collection.compiled
    variable = compiled.variable if compiled is not None else None
    value = evaluate(work, at, loop.collection) if variable is None else Visible(at.instance, at.node).get(variable)
    if not isinstance(value, list):
        text = loop.collection.text.removeprefix("=")
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{text}' to be 'ARRAY', but was '{type_name(value)}'.",
        )
    return value
