"""Input and output mappings of an element."""

from services.engine.errors import ErrorType
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate, merge_variables, set_local_variables


def apply_inputs(execution: Execution, context: ElementContext) -> None:
    """Local variables of the element; raises Trouble (IO_MAPPING_ERROR)."""
    if context.element.inputs is not None:
        set_local_variables(
            execution,
            context.process_instance,
            context.element_instance,
            evaluate(execution, context, context.element.inputs, error_type=ErrorType.IO_MAPPING),
        )


def apply_outputs(execution: Execution, context: ElementContext) -> None:
    """What leaves the element; raises Trouble (IO_MAPPING_ERROR).

    Without output mappings the variables the element was completed with go up to where their names live; with
    them, those stay local and only mapped values leave.
    """
    completed_with = context.element_instance.trigger.variables if context.element_instance.trigger is not None else {}
    if context.element.outputs is None:
        merge_variables(execution, context.process_instance, context.element_instance, completed_with)
        return
    set_local_variables(execution, context.process_instance, context.element_instance, completed_with)
    results = evaluate(execution, context, context.element.outputs, error_type=ErrorType.IO_MAPPING)
    # an inner instance collects from its own scope, so its outputs are looked up there first
    merge_variables(
        execution,
        context.process_instance,
        context.element_instance if context.is_inner_instance else context.scope,
        results,
    )
