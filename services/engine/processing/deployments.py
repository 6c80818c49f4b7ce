"""Deploying and deleting processes and decisions. A refused deployment leaves nothing behind."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.engine.errors import InvalidModel, Rejection, RejectionType
from services.engine.model.bpmn import Binding, Kind, Process
from services.engine.model.parse import parse_bpmn
from services.engine.processing.decision_deployments import (
    DeployedDecisions,
    DmnFile,
    deploy_dmn,
    doubles,
    is_unchanged,
    read_dmn,
)
from services.engine.processing.starts import close_starts, open_starts
from services.engine.processing.work import Work
from services.engine.state.definitions import Definition


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    content: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment answers: its key, the process versions and the decisions."""

    key: int
    processes: list[Definition]
    decisions: list[DeployedDecisions]


def deploy(work: Work, resources: list[Resource]) -> Deployed:
    """Raises Rejection with every problem.

    What is unchanged keeps its version, unless the parts of the deployment are bound to each other and one changed.
    """
    if not resources:
        raise Rejection(RejectionType.INVALID_ARGUMENT, "Expected to deploy at least one resource, but none given")
    models, tables = _read(resources)
    renew = _are_bound(models) and not _are_unchanged(work, models, tables)
    key = work.store.next_key()
    processes = [
        (None if renew else _unchanged(work, resource, process)) or _add(work, key, resource, process)
        for resource, found in models
        for process in found
    ]
    decisions = [deploy_dmn(work, key, table, keep=not renew and is_unchanged(work, table)) for table in tables]
    work.record(key, "DEPLOYMENT", "CREATED", {"resources": [r.name for r in resources]})
    return Deployed(key, processes, decisions)


def _read(resources: list[Resource]) -> tuple[list[tuple[Resource, list[Process]]], list[DmnFile]]:
    models: list[tuple[Resource, list[Process]]] = []
    tables: list[DmnFile] = []
    problems: list[str] = []
    for resource in resources:
        try:
            if resource.name.endswith((".bpmn", ".xml")):
                models.append((resource, parse_bpmn(resource.content)))
            elif resource.name.endswith(".dmn"):
                tables.append(read_dmn(resource.name, resource.content, resource.checksum))
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
    problems.extend(doubles(tables))
    decisions = {identity for table in tables for identity in table.model.decisions}
    for resource, processes in models:
        for process in processes:
            problems.extend(f"'{resource.name}': {text}" for text in _unbound(process, set(owners), decisions))
    if problems:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            "Expected to deploy new resources, but encountered the following errors:\n" + "\n".join(problems),
        )
    return models, tables


def _are_bound(models: list[tuple[Resource, list[Process]]]) -> bool:
    """Whether something calls what is deployed with it."""
    elements = [element for _, found in models for process in found for element in process.elements.values()]
    return any(e.called is not None and e.called.binding == Binding.DEPLOYMENT for e in elements)


def _are_unchanged(work: Work, models: list[tuple[Resource, list[Process]]], tables: list[DmnFile]) -> bool:
    return all(
        _unchanged(work, resource, process) is not None for resource, found in models for process in found
    ) and all(is_unchanged(work, table) for table in tables)


def _unbound(process: Process, processes: set[str], decisions: set[str]) -> Iterator[str]:
    """What is bound to this very deployment must be in it (Zeebe's rule for the binding type 'deployment')."""
    for element in process.elements.values():
        if element.called is None or element.called.binding != Binding.DEPLOYMENT:
            continue
        target = element.called.id.text
        what, there = ("process", processes) if element.kind == Kind.CALL_ACTIVITY else ("decision", decisions)
        if target not in there:
            yield (
                f"Element '{element.id}': it is bound to this deployment, which has no {what} with the id '{target}';"
                " deploy both together, or bind it to the latest version."
            )


def _unchanged(work: Work, resource: Resource, process: Process) -> Definition | None:
    latest = work.store.definitions.latest(process.id)
    same = latest is not None and latest.checksum == resource.checksum and latest.resource_name == resource.name
    return latest if same else None


def _add(work: Work, deployment_key: int, resource: Resource, process: Process) -> Definition:
    definitions = work.store.definitions
    definition = Definition(
        work.store.next_key(),
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
    _record(work, definition, "CREATED")
    if previous is not None:
        close_starts(work, previous)
    open_starts(work, definition, process)
    return definition


def delete(work: Work, key: int) -> None:
    """Delete a process version or a DMN file; running instances go on. Raises Rejection (NOT_FOUND)."""
    definition = work.store.definitions.get(key)
    if definition is not None and not definition.deleted:
        _delete_process(work, definition)
        return
    requirements = work.store.decisions.requirements(key)
    if requirements is None or requirements.deleted:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to delete resource but no resource found with key `{key}`")
    work.store.decisions.delete_requirements(key)
    work.record(key, "DECISION_REQUIREMENTS", "DELETED", {"decisionRequirementsId": requirements.requirements_id})


def _delete_process(work: Work, definition: Definition) -> None:
    was_latest = work.store.definitions.latest(definition.process_id) == definition
    work.store.definitions.delete(definition.key)
    _record(work, definition, "DELETED")
    if not was_latest:
        return
    close_starts(work, definition)
    older = work.store.definitions.latest(definition.process_id)
    if older is not None:
        open_starts(work, older, work.catalogue.process(older.key))


def _record(work: Work, definition: Definition, intent: str) -> None:
    value = {
        "bpmnProcessId": definition.process_id,
        "version": definition.version,
        "versionTag": definition.version_tag,
        "processDefinitionKey": definition.key,
        "resourceName": definition.resource_name,
        "deploymentKey": definition.deployment_key,
    }
    work.record(definition.key, "PROCESS", intent, value)
