"""Deploying DMN files: their decisions get versions of their own."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.engine.model.decisions import DecisionRequirements
from services.engine.model.dmn import parse_dmn
from services.engine.processing.work import Work
from services.engine.state.decisions import DecisionVersion, Requirements


@dataclass(frozen=True, slots=True)
class DmnFile:
    """A DMN file that could be read."""

    name: str
    content: bytes
    checksum: str
    model: DecisionRequirements


@dataclass(frozen=True, slots=True)
class DeployedDecisions:
    requirements: Requirements
    decisions: list[DecisionVersion]


def read_dmn(name: str, content: bytes, checksum: str) -> DmnFile:
    """Raises InvalidModel."""
    return DmnFile(name, content, checksum, parse_dmn(content))


def is_unchanged(work: Work, file: DmnFile) -> bool:
    """Whether the newest version is this very file under this name, and no other file has had its decisions since."""
    decisions = work.store.decisions
    latest = decisions.latest_requirements(file.model.id)
    if latest is None or latest.checksum != file.checksum or latest.resource_name != file.name:
        return False
    newest = [decisions.latest(identity) for identity in file.model.decisions]
    return all(decision is not None and decision.requirements_key == latest.key for decision in newest)


def doubles(files: list[DmnFile]) -> Iterator[str]:
    """A sentence for each id that two files of one deployment have."""
    owners: dict[tuple[str, str], str] = {}
    for file in files:
        ids = [("decision requirements", file.model.id), *(("decision", identity) for identity in file.model.decisions)]
        for what, identity in ids:
            if (what, identity) in owners:
                yield f"The {what} id '{identity}' is in '{owners[what, identity]}' and in '{file.name}'."
            owners[what, identity] = file.name


def deploy_dmn(work: Work, deployment_key: int, file: DmnFile, *, keep: bool) -> DeployedDecisions:
    """A new version of the file and its decisions; with ``keep`` the newest there is."""
    decisions = work.store.decisions
    latest = decisions.latest_requirements(file.model.id)
    if keep and latest is not None:
        return DeployedDecisions(latest, decisions.in_requirements(latest.key))
    requirements = Requirements(
        work.store.next_key(),
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
        "decisionRequirementsId": requirements.requirements_id,
        "decisionRequirementsVersion": requirements.version,
    }
    work.record(requirements.key, "DECISION_REQUIREMENTS", "CREATED", value)
    added = [_add(work, requirements, d.id, d.name, d.version_tag) for d in file.model.decisions.values()]
    return DeployedDecisions(requirements, added)


def _add(work: Work, requirements: Requirements, decision_id: str, name: str, version_tag: str) -> DecisionVersion:
    decision = DecisionVersion(
        work.store.next_key(),
        decision_id,
        name,
        work.store.decisions.highest_version(decision_id) + 1,
        version_tag,
        requirements.key,
        requirements.deployment_key,
        deleted=False,
    )
    work.store.decisions.add(decision)
    value = {"decisionId": decision_id, "version": decision.version, "decisionRequirementsKey": requirements.key}
    work.record(decision.key, "DECISION", "CREATED", value)
    return decision
