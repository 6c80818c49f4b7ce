"""Multi-instance body: one inner instance for each item of a collection."""

from typing import Any

from services.engine.errors import ErrorType, Failure
from services.engine.feel import from_json, to_json
from services.engine.model.bpmn import LoopCharacteristics, required
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.elements.process import ContainerProcessor
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import VariableScope, evaluate, merge_variables, set_local_variables


class MultiInstanceBodyProcessor(ContainerProcessor):
    """Hosts the boundary events; the inner instances apply the mappings."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        loop = _loop(context)
        items = _items(execution, context, loop)
        subscribe_to_events(execution, context)
        context.element_instance.loop_counts = {"completed": 0, "terminated": 0, "entered": 0}
        if loop.output_collection is not None:
            set_local_variables(
                execution,
                context.process_instance,
                context.element_instance,
                {loop.output_collection: [None] * len(items)},
            )
            # if both collections have one name, only nulls are left, as in Zeebe
            items = _items(execution, context, loop)
        lifecycle.transition_to_activated(execution, context)
        if not items:
            lifecycle.schedule_completion(execution, context)
        for item in items[:1] if loop.sequential else items:
            self._enter(execution, context, loop, item)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        collection = _loop(context).output_collection
        if collection is not None:
            merge_variables(
                execution,
                context.process_instance,
                context.scope,
                {collection: context.element_instance.variables.get(collection)},
            )
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context)

    def before_child_completes(self, execution: Execution, context: ElementContext, child: ElementContext) -> None:
        loop, counts = _loop(context), _counts(context)
        if loop.output_collection is not None and loop.output_element is not None:
            value = evaluate(execution, child, loop.output_element)
            results = _with_output_element(context, loop.output_collection, child.element_instance.loop_counter, value)
            set_local_variables(
                execution, context.process_instance, context.element_instance, {loop.output_collection: results}
            )
        done = loop.condition is not None and self._is_satisfied(execution, context, child, loop)
        if loop.sequential:
            # before the child completes: an unusable collection is the child's incident, which can be resolved
            entered = counts["entered"]
            counts["next"] = _items(execution, context, loop)[entered : entered + 1]
        counts["completed"] += 1
        if done:
            context.element_instance.ends_early = True

    def child_completed(self, execution: Execution, context: ElementContext) -> None:
        loop, next_items = _loop(context), _counts(context).pop("next", [])
        if context.element_instance.ends_early:
            if lifecycle.terminate_children(execution, context):
                lifecycle.schedule_completion(execution, context)
        elif next_items:
            self._enter(execution, context, loop, next_items[0])
        elif lifecycle.is_scope_empty(context.element_instance):
            lifecycle.schedule_completion(execution, context)

    def child_terminated(self, execution: Execution, context: ElementContext) -> None:
        _counts(context)["terminated"] += 1
        super().child_terminated(execution, context)

    def _enter(self, execution: Execution, context: ElementContext, loop: LoopCharacteristics, item: Any) -> None:
        counts = _counts(context)
        counts["entered"] += 1
        local: dict[str, Any] = {"loopCounter": counts["entered"]}
        if loop.output_variable is not None:
            local = {loop.output_variable: None, **local}
        if loop.item is not None:
            local[loop.item] = to_json(from_json(item))
        lifecycle.enter_element(
            execution,
            context.process_instance,
            context.element_instance,
            context.element.id,
            index=counts["entered"],
            local=local,
        )

    def _is_satisfied(
        self, execution: Execution, context: ElementContext, child: ElementContext, loop: LoopCharacteristics
    ) -> bool:
        condition = required(loop.condition)
        counts = _counts(context)
        extra = {
            "numberOfInstances": counts["entered"],
            "numberOfActiveInstances": len(context.element_instance.children) - 1,
            "numberOfCompletedInstances": counts["completed"] + 1,
            "numberOfTerminatedInstances": counts["terminated"],
        }
        value = evaluate(execution, child, condition, extra=extra)
        if not isinstance(value, bool):
            text = condition.text.removeprefix("=")
            raise Failure(
                ErrorType.EXTRACT_VALUE,
                f"Expected result of the expression '{text}' to be 'BOOLEAN', but was '{type_name(value)}'.",
            )
        return value


def _loop(context: ElementContext) -> LoopCharacteristics:
    return required(context.element.loop)


def _counts(context: ElementContext) -> dict[str, Any]:
    return context.element_instance.loop_counts


def _with_output_element(context: ElementContext, collection: str, index: int, value: Any) -> list[Any]:
    """Return the output collection with the value at ``index``, from 1.

    Raises Failure.
    """
    results = context.element_instance.variables.get(collection)
    if not isinstance(results, list) or index > len(results):
        what = f"has {len(results)} items" if isinstance(results, list) else f"is {type_name(results)}"
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Unable to update item {index} of the output collection '{collection}': it {what}.",
        )
    return [*results[: index - 1], value, *results[index:]]


def _items(execution: Execution, context: ElementContext, loop: LoopCharacteristics) -> list[Any]:
    """Return the input collection; raises Failure.

    The value of a variable is read as JSON, because it may be long; items are converted as they are entered.
    """
    compiled = loop.collection.compiled
    variable = compiled.variable if compiled is not None else None
    value = (
        evaluate(execution, context, loop.collection)
        if variable is None
        else VariableScope(context.process_instance, context.element_instance).get(variable)
    )
    if not isinstance(value, list):
        text = loop.collection.text.removeprefix("=")
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{text}' to be 'ARRAY', but was '{type_name(value)}'.",
        )
    return value
