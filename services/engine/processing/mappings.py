"""Input and output mappings of an element."""

from services.engine.errors import ErrorType
from services.engine.processing.variables import evaluate, merge, set_local
from services.engine.processing.work import At, Work


def apply_inputs(work: Work, at: At) -> None:
    """Local variables of the element; raises Trouble (IO_MAPPING_ERROR)."""
    if at.element.inputs is not None:
        set_local(work, at.instance, at.node, evaluate(work, at, at.element.inputs, error_type=ErrorType.IO_MAPPING))


def apply_outputs(work: Work, at: At) -> None:
    """What leaves the element; raises Trouble (IO_MAPPING_ERROR).

    Without output mappings the variables the element was completed with go up to where their names live; with
    them, those stay local and only mapped values leave.
    """
    completed_with = at.node.trigger.variables if at.node.trigger is not None else {}
    if at.element.outputs is None:
        merge(work, at.instance, at.node, completed_with)
        return
    set_local(work, at.instance, at.node, completed_with)
    results = evaluate(work, at, at.element.outputs, error_type=ErrorType.IO_MAPPING)
    # an inner instance collects from its own scope, so its outputs are looked up there first
    merge(work, at.instance, at.node if at.is_inner else at.scope, results)
