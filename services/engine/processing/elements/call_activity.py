"""Call activity: another process as a child instance."""

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import Binding, Called, given
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Activity, of_type
from services.engine.processing.starting import start_instance
from services.engine.processing.variables import evaluate_text, visible_document
from services.engine.processing.work import At, Terminate, Work
from services.engine.state.definitions import Definition


class CallActivity(Activity):
    def prepare(self, work: Work, at: At) -> object:
        definition = self._definition(work, at, given(at.element.called))
        if work.catalogue.process(definition.key).root.none_start is None:
            raise Trouble(
                ErrorType.CALLED_ELEMENT,
                f"Expected process with BPMN process id '{definition.process_id}' to have a none start event, "
                "but not found.",
            )
        return definition

    def start(self, work: Work, at: At, prepared: object) -> None:
        definition = of_type(prepared, Definition)
        lifecycle.activated(work, at)
        if given(at.element.called).all_parent_variables:
            variables = visible_document(at.instance, at.node)
        else:
            variables = dict(at.node.variables) if at.element.inputs else {}
        child = start_instance(work, definition, variables, parent=(at.instance.key, at.node.key))
        at.node.called = child.key

    def complete(self, work: Work, at: At) -> None:
        if not given(at.element.called).all_child_variables and not at.element.outputs:
            at.node.trigger = None
        super().complete(work, at)

    def terminate(self, work: Work, at: At) -> None:
        if at.node.called:
            work.steps.append(Terminate(at.node.called, at.node.called))
        else:
            super().terminate(work, at)

    def child_terminated(self, work: Work, at: At) -> None:
        if at.node.state == "TERMINATING":
            super().terminate(work, at)

    def _definition(self, work: Work, at: At, called: Called) -> Definition:
        identity = evaluate_text(work, at, called.id)
        definitions = work.store.definitions
        match called.binding:
            case Binding.LATEST:
                found = definitions.latest(identity)
            case Binding.DEPLOYMENT:
                own = definitions.get(at.instance.definition_key)
                found = definitions.deployed_with(identity, own.deployment_key) if own is not None else None
            case Binding.VERSION_TAG:
                found = definitions.tagged(identity, called.version_tag or "")
        if found is None:
            raise Trouble(
                ErrorType.CALLED_ELEMENT,
                f"Expected process with BPMN process id '{identity}' to be deployed (binding {called.binding}), "
                "but not found.",
            )
        return found
