"""Apply the input and output mappings of an element."""

from services.engine.errors import ErrorType
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate, merge_variables, set_local_variables


def apply_inputs(execution: Execution, context: ElementContext) -> None:
    """Set the element's local variables; raises Failure (IO_MAPPING_ERROR)."""
    if context.element.inputs is not None:
        set_local_variables(
            execution,
            context.process_instance,
            context.element_instance,
            evaluate(execution, context, context.element.inputs, error_type=ErrorType.IO_MAPPING),
        )


def apply_outputs(execution: Execution, context: ElementContext) -> None:
    """Propagate the element's variables; raises Failure (IO_MAPPING_ERROR).

    Without output mappings the variables of its completion are merged upwards; with mappings they stay local and only
    mapped values are merged.
    """
    completion_variables = (
        context.element_instance.trigger.variables if context.element_instance.trigger is not None else {}
    )
    if context.element.outputs is None:
        merge_variables(execution, context.process_instance, context.element_instance, completion_variables)
        return
    set_local_variables(execution, context.process_instance, context.element_instance, completion_variables)
    results = evaluate(execution, context, context.element.outputs, error_type=ErrorType.IO_MAPPING)
    # an inner instance collects its output from its own scope
    merge_variables(
        execution,
        context.process_instance,
        context.element_instance if context.is_inner_instance else context.scope,
        results,
    )
