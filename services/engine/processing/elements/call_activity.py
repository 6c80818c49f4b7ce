"""Call activity: creates a child instance of another process."""

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import Binding, CallTarget, required
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import ActivityProcessor, of_type
from services.engine.processing.execution import ElementContext, Execution, Terminate
from services.engine.processing.instance_creation import create_instance
from services.engine.processing.variables import evaluate_text, visible_variables
from services.engine.state.process_definitions import ProcessDefinition


class CallActivityProcessor(ActivityProcessor):
    def prepare(self, execution: Execution, context: ElementContext) -> object:
        definition = self._definition(execution, context, required(context.element.called))
        if execution.models.process(definition.key).root.none_start is None:
            raise Failure(
                ErrorType.CALLED_ELEMENT,
                f"Expected process with BPMN process id '{definition.bpmn_process_id}' to have a none start event, "
                "but not found.",
            )
        return definition

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        definition = of_type(prepared, ProcessDefinition)
        lifecycle.transition_to_activated(execution, context)
        if required(context.element.called).all_parent_variables:
            variables = visible_variables(context.process_instance, context.element_instance)
        else:
            variables = dict(context.element_instance.variables) if context.element.inputs else {}
        child = create_instance(
            execution, definition, variables, parent=(context.process_instance.key, context.element_instance.key)
        )
        context.element_instance.called_child_instance_key = child.key

    def complete(self, execution: Execution, context: ElementContext) -> None:
        if not required(context.element.called).all_child_variables and not context.element.outputs:
            context.element_instance.trigger = None
        super().complete(execution, context)

    def terminate(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.called_child_instance_key:
            execution.steps.append(
                Terminate(
                    context.element_instance.called_child_instance_key,
                    context.element_instance.called_child_instance_key,
                )
            )
        else:
            super().terminate(execution, context)

    def child_terminated(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.state == "TERMINATING":
            super().terminate(execution, context)

    def _definition(self, execution: Execution, context: ElementContext, called: CallTarget) -> ProcessDefinition:
        identity = evaluate_text(execution, context, called.id)
        definitions = execution.store.process_definitions
        match called.binding:
            case Binding.LATEST:
                definition = definitions.latest(identity)
            case Binding.DEPLOYMENT:
                own = definitions.get(context.process_instance.process_definition_key)
                definition = definitions.deployed_with(identity, own.deployment_key) if own is not None else None
            case Binding.VERSION_TAG:
                definition = definitions.latest_with_tag(identity, called.version_tag or "")
        if definition is None:
            raise Failure(
                ErrorType.CALLED_ELEMENT,
                f"Expected process with BPMN process id '{identity}' to be deployed (binding {called.binding}), "
                "but not found.",
            )
        return definition
