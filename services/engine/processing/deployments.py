"""Deploy and delete processes and decisions; a rejected deployment changes nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.engine.errors import InvalidModel, Rejection, RejectionType
from services.engine.model.bpmn import Binding, ElementType, Process
from services.engine.model.decisions import DecisionRequirements
from services.engine.model.dmn import parse_dmn
from services.engine.model.parse import parse_bpmn
from services.engine.processing.execution import Execution
from services.engine.processing.start_events import subscribe_to_start_events, unsubscribe_from_start_events
from services.engine.state.decisions import DecisionVersion, RequirementsVersion
from services.engine.state.process_definitions import ProcessDefinition


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    content: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class DmnFile:
    """A parsed DMN file."""

    name: str
    content: bytes
    checksum: str
    model: DecisionRequirements


@dataclass(frozen=True, slots=True)
class DeployedDecisions:
    requirements: RequirementsVersion
    decisions: list[DecisionVersion]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment: its key, process versions and decisions."""

    key: int
    processes: list[ProcessDefinition]
    decisions: list[DeployedDecisions]


def deploy(execution: Execution, resources: list[Resource]) -> Deployed:
    """Deploy all resources or none; raises Rejection with every problem.

    Unchanged resources keep their version, unless resources are bound to each other and one of them changed.
    """
    if not resources:
        raise Rejection(RejectionType.INVALID_ARGUMENT, "Expected to deploy at least one resource, but none given")
    models, tables = _read(resources)
    parsed = [(resource, process) for resource, processes in models for process in processes]
    is_bound = any(
        element.called is not None and element.called.binding == Binding.DEPLOYMENT
        for _, process in parsed
        for element in process.elements.values()
    )
    is_unchanged = all(_unchanged(execution, resource, process) is not None for resource, process in parsed) and all(
        _is_file_unchanged(execution, table) for table in tables
    )
    renew = is_bound and not is_unchanged
    key = execution.store.next_key()
    definitions = [
        (None if renew else _unchanged(execution, resource, process)) or _add(execution, key, resource, process)
        for resource, process in parsed
    ]
    decisions = [
        _deploy_file(execution, key, table, keep=not renew and _is_file_unchanged(execution, table)) for table in tables
    ]
    execution.record(key, "DEPLOYMENT", "CREATED", {"resources": [r.name for r in resources]})
    return Deployed(key, definitions, decisions)


def _read(resources: list[Resource]) -> tuple[list[tuple[Resource, list[Process]]], list[DmnFile]]:
    models: list[tuple[Resource, list[Process]]] = []
    tables: list[DmnFile] = []
    problems: list[str] = []
    for resource in resources:
        try:
            if resource.name.endswith((".bpmn", ".xml")):
                models.append((resource, parse_bpmn(resource.content)))
            elif resource.name.endswith(".dmn"):
                tables.append(DmnFile(resource.name, resource.content, resource.checksum, parse_dmn(resource.content)))
            else:
                problems.append(f"'{resource.name}': the file is neither .bpmn nor .dmn.")
        except InvalidModel as error:
            problems.extend(f"'{resource.name}': {problem}" for problem in error.problems)
    owners: dict[str, str] = {}
    for resource, processes in models:
        for process in processes:
            if process.id in owners:
                problems.append(f"The process id '{process.id}' is in '{owners[process.id]}' and in '{resource.name}'.")
            owners[process.id] = resource.name
    problems.extend(_duplicate_ids(tables))
    decisions = {identity for table in tables for identity in table.model.decisions}
    for resource, processes in models:
        for process in processes:
            problems.extend(f"'{resource.name}': {text}" for text in _missing_targets(process, set(owners), decisions))
    if problems:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            "Expected to deploy new resources, but encountered the following errors:\n" + "\n".join(problems),
        )
    return models, tables


def _missing_targets(process: Process, processes: set[str], decisions: set[str]) -> Iterator[str]:
    """Report targets of the binding type 'deployment' that the deployment lacks."""
    for element in process.elements.values():
        if element.called is None or element.called.binding != Binding.DEPLOYMENT:
            continue
        target = element.called.id.text
        resource_type, deployed_ids = (
            ("process", processes) if element.element_type == ElementType.CALL_ACTIVITY else ("decision", decisions)
        )
        if target not in deployed_ids:
            yield (
                f"Element '{element.id}': it is bound to this deployment, which has no {resource_type} with the id"
                f" '{target}'; deploy both together, or bind it to the latest version."
            )


def _unchanged(execution: Execution, resource: Resource, process: Process) -> ProcessDefinition | None:
    latest = execution.store.process_definitions.latest(process.id)
    is_unchanged = latest is not None and latest.checksum == resource.checksum and latest.resource_name == resource.name
    return latest if is_unchanged else None


def _add(execution: Execution, deployment_key: int, resource: Resource, process: Process) -> ProcessDefinition:
    definitions = execution.store.process_definitions
    definition = ProcessDefinition(
        execution.store.next_key(),
        process.id,
        definitions.highest_version(process.id) + 1,
        process.version_tag,
        resource.name,
        resource.checksum,
        deployment_key,
        resource.content,
        deleted=False,
    )
    previous = definitions.latest(process.id)
    definitions.add(definition)
    _record(execution, definition, "CREATED")
    if previous is not None:
        unsubscribe_from_start_events(execution, previous)
    subscribe_to_start_events(execution, definition, process)
    return definition


def _is_file_unchanged(execution: Execution, file: DmnFile) -> bool:
    """Return whether file and name equal the latest version.

    A file is changed as well once another file has deployed its decisions.
    """
    decisions = execution.store.decisions
    latest = decisions.latest_requirements(file.model.id)
    if latest is None or latest.checksum != file.checksum or latest.resource_name != file.name:
        return False
    latest_decisions = [decisions.latest(identity) for identity in file.model.decisions]
    return all(
        decision is not None and decision.decision_requirements_key == latest.key for decision in latest_decisions
    )


def _duplicate_ids(files: list[DmnFile]) -> Iterator[str]:
    """Report ids that two files of one deployment have."""
    owners: dict[tuple[str, str], str] = {}
    for file in files:
        ids = [("decision requirements", file.model.id), *(("decision", identity) for identity in file.model.decisions)]
        for id_type, identity in ids:
            if (id_type, identity) in owners:
                yield f"The {id_type} id '{identity}' is in '{owners[id_type, identity]}' and in '{file.name}'."
            owners[id_type, identity] = file.name


def _deploy_file(execution: Execution, deployment_key: int, file: DmnFile, *, keep: bool) -> DeployedDecisions:
    """Add a version of the file and its decisions.

    With ``keep``, return the latest.
    """
    decisions = execution.store.decisions
    latest = decisions.latest_requirements(file.model.id)
    if keep and latest is not None:
        return DeployedDecisions(latest, decisions.in_requirements(latest.key))
    requirements = RequirementsVersion(
        execution.store.next_key(),
        file.model.id,
        file.model.name,
        decisions.highest_requirements_version(file.model.id) + 1,
        file.name,
        file.checksum,
        deployment_key,
        file.content,
        deleted=False,
    )
    decisions.add_requirements(requirements)
    value = {
        "decisionRequirementsId": requirements.decision_requirements_id,
        "decisionRequirementsVersion": requirements.version,
    }
    execution.record(requirements.key, "DECISION_REQUIREMENTS", "CREATED", value)
    added = [_add_decision(execution, requirements, d.id, d.name, d.version_tag) for d in file.model.decisions.values()]
    return DeployedDecisions(requirements, added)


def _add_decision(
    execution: Execution, requirements: RequirementsVersion, decision_id: str, name: str, version_tag: str
) -> DecisionVersion:
    decision = DecisionVersion(
        execution.store.next_key(),
        decision_id,
        name,
        execution.store.decisions.highest_version(decision_id) + 1,
        version_tag,
        requirements.key,
        requirements.deployment_key,
        deleted=False,
    )
    execution.store.decisions.add(decision)
    value = {"decisionId": decision_id, "version": decision.version, "decisionRequirementsKey": requirements.key}
    execution.record(decision.key, "DECISION", "CREATED", value)
    return decision


def delete(execution: Execution, key: int) -> None:
    """Delete a process version or a DMN file; running instances continue.

    Raises Rejection (NOT_FOUND).
    """
    definition = execution.store.process_definitions.get(key)
    if definition is not None and not definition.deleted:
        _delete_process(execution, definition)
        return
    requirements = execution.store.decisions.requirements(key)
    if requirements is None or requirements.deleted:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to delete resource but no resource found with key `{key}`")
    execution.store.decisions.delete_requirements(key)
    execution.record(
        key, "DECISION_REQUIREMENTS", "DELETED", {"decisionRequirementsId": requirements.decision_requirements_id}
    )


def _delete_process(execution: Execution, definition: ProcessDefinition) -> None:
    was_latest = execution.store.process_definitions.latest(definition.bpmn_process_id) == definition
    execution.store.process_definitions.delete(definition.key)
    _record(execution, definition, "DELETED")
    if not was_latest:
        return
    unsubscribe_from_start_events(execution, definition)
    older = execution.store.process_definitions.latest(definition.bpmn_process_id)
    if older is not None:
        subscribe_to_start_events(execution, older, execution.models.process(older.key))


def _record(execution: Execution, definition: ProcessDefinition, intent: str) -> None:
    value = {
        "bpmnProcessId": definition.bpmn_process_id,
        "version": definition.version,
        "versionTag": definition.version_tag,
        "processDefinitionKey": definition.key,
        "resourceName": definition.resource_name,
        "deploymentKey": definition.deployment_key,
    }
    execution.record(definition.key, "PROCESS", intent, value)
