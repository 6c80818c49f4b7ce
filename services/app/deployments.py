"""Which models were deployed, in the audit trail: when, by whom, examined how, with the digest of each file (R2).

The shipped models were checked when they were released: their digests are part of the code
(``shipped_models.json``), so an installation or an upgrade checks nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from services.app.container import models
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.process import deployed_models
from services.domain.process.deployed_models import ProcessVersion
from services.domain.stages import file as stage_file
from services.runtime.engine_client import Deployment
from services.runtime.places import BPMN

DEPLOYED = "models-deployed"  # the action in the audit trail
SHIPPED = Path(__file__).with_name("shipped_models.json")

Result = Literal["shipped", "clean", "unchecked"]


@dataclass(frozen=True)
class Examined:
    """Models that may be deployed: the SHA-256 of each file by name, and how they were examined."""

    files: Mapping[str, str]
    result: Result
    reason: str | None = None
    rules: int = 0
    rules_sha256: str | None = None
    states: int = 0


def contents(folder: Path | None = None) -> dict[str, bytes]:
    """Return the files of the folder that decide what the process does, by name: models and review stages."""
    paths = [*models(folder), (folder or BPMN) / stage_file.NAME]
    return {path.name: path.read_bytes() for path in paths}


def digests(folder: Path | None = None) -> dict[str, str]:
    """Return the SHA-256 of each of these files by its name."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items()}


def are_shipped(files: Mapping[str, str]) -> bool:
    """Return whether these are the models of this release."""
    shipped: dict[str, str] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return files == shipped


def record(uow: UnitOfWork, examined: Examined, versions: Mapping[str, int], by: str) -> None:
    """Enter a deployment in the audit trail; ``by`` is the account of the machine that ran the command."""
    audit_trail.record(
        uow,
        DEPLOYED,
        "models",
        fingerprint(examined.files),
        by=by,
        files=dict(examined.files),
        result=examined.result,
        reason=examined.reason,
        rules=examined.rules,
        rules_sha256=examined.rules_sha256,
        states=examined.states,
        versions=dict(versions),
    )


def keep(uow: UnitOfWork, files: Mapping[str, bytes], deployment: Deployment) -> None:
    """Keep the files of a deployment, and which version of a process is in which of them; it may run again."""
    kept = deployed_models.keep_files(uow, files)
    deployed_models.keep_versions(
        uow,
        {
            ProcessVersion(process.process_id, process.version, process.definition_key): kept[Path(process.file).name]
            for process in deployment.processes
        },
    )


def fingerprint(files: Mapping[str, str]) -> str:
    """Return one SHA-256 for all files."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def is_on_record(uow: UnitOfWork, files: Mapping[str, str]) -> bool:
    """Return whether exactly these files were deployed on record before."""
    query = select(AuditEvent.seq).where(AuditEvent.action == DEPLOYED, AuditEvent.subject_id == fingerprint(files))
    return uow.session.scalar(query.limit(1)) is not None
