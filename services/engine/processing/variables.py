"""Read and write variables in the scope tree of a process instance."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.engine.errors import ErrorType, Failure
from services.engine.model.expression import Expression, type_name
from services.engine.processing.execution import ElementContext, Execution
from services.engine.state.instances import ElementInstance, ProcessInstance


class VariableScope(Mapping[str, Any]):
    """The variables visible to an expression, nearest scope first."""

    def __init__(
        self, instance: ProcessInstance, element_instance: ElementInstance, extra: Mapping[str, Any] | None = None
    ) -> None:
        self._layers: list[Mapping[str, Any]] = [
            extra or {},
            *(n.variables for n in scopes(instance, element_instance)),
        ]

    def __getitem__(self, name: str) -> Any:
        for layer in self._layers:
            if name in layer:
                return layer[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for layer in self._layers for name in layer))

    def __len__(self) -> int:
        return len(dict.fromkeys(self))

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self._layers)


def scopes(instance: ProcessInstance, element_instance: ElementInstance) -> Iterator[ElementInstance]:
    """List an element instance and its enclosing scopes, inside out."""
    current: ElementInstance | None = element_instance
    while current is not None:
        yield current
        current = instance.element_instances.get(current.flow_scope_key)


def evaluate(
    execution: Execution,
    context: ElementContext,
    expression: Expression,
    *,
    element_instance: ElementInstance | None = None,
    extra: Mapping[str, Any] | None = None,
    error_type: ErrorType = ErrorType.EXTRACT_VALUE,
) -> Any:
    """Evaluate an expression to JSON; raises Failure.

    Its variables are those visible from ``element_instance`` (default: the element itself).
    """
    if expression.compiled is None:
        return expression.text
    return expression.evaluate(
        VariableScope(context.process_instance, element_instance or context.element_instance, extra),
        execution.now,
        error_type,
    )


def evaluate_text(execution: Execution, context: ElementContext, expression: Expression) -> str:
    """Evaluate an expression that must yield text; raises Failure."""
    value = evaluate(execution, context, expression)
    if not isinstance(value, str):
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{expression.text.removeprefix('=')}' to be 'STRING', "
            f"but was '{type_name(value)}'.",
        )
    return value


def visible_variables(
    instance: ProcessInstance, element_instance: ElementInstance, names: list[str] | None = None
) -> dict[str, Any]:
    """Return the visible variables, all or the named ones."""
    document: dict[str, Any] = {}
    for scope in scopes(instance, element_instance):
        for name, value in scope.variables.items():
            if name not in document and (not names or name in names):
                document[name] = value
    return document


def set_local_variables(
    execution: Execution, instance: ProcessInstance, element_instance: ElementInstance, document: Mapping[str, Any]
) -> None:
    """Set variables in this scope only."""
    for name, value in document.items():
        if name not in element_instance.variables:
            _set_variable(execution, instance, element_instance, name=name, value=value, intent="CREATED")
        elif not is_same_json(element_instance.variables[name], value):
            _set_variable(execution, instance, element_instance, name=name, value=value, intent="UPDATED")


def merge_variables(
    execution: Execution, instance: ProcessInstance, element_instance: ElementInstance, document: Mapping[str, Any]
) -> None:
    """Set variables where they are defined, new ones in the process.

    As in Zeebe, a value equal to the existing one moves on upwards, and so may be created in the process as well.
    """
    remaining = dict(document)
    for scope in scopes(instance, element_instance):
        if scope.key == instance.key:
            break
        for name in [
            n for n in remaining if n in scope.variables and not is_same_json(scope.variables[n], remaining[n])
        ]:
            _set_variable(execution, instance, scope, name=name, value=remaining.pop(name), intent="UPDATED")
    set_local_variables(execution, instance, instance.root, remaining)


def is_same_json(left: Any, right: Any) -> bool:
    """Compare as JSON text: 1, 1.0 and true differ."""
    return bool(left == right) and json.dumps(left) == json.dumps(right)


def _set_variable(
    execution: Execution,
    instance: ProcessInstance,
    element_instance: ElementInstance,
    *,
    name: str,
    value: Any,
    intent: str,
) -> None:
    element_instance.variables[name] = value
    record_variable(execution, instance, element_instance, name, intent)


def record_variable(
    execution: Execution, instance: ProcessInstance, element_instance: ElementInstance, name: str, intent: str
) -> None:
    value = {
        **execution.instance_fields(instance),
        "name": name,
        "value": json.dumps(element_instance.variables[name], ensure_ascii=False),
        "scopeKey": element_instance.key,
    }
    execution.record(element_instance.key, "VARIABLE", intent, value)
