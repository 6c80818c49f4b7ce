"""Which models were deployed, in the audit trail: when, by whom, examined how, with the digest of each file (R2).

The shipped models were checked when they were released: their digests are part of the code
(``shipped_models.json``: of this release first, then of earlier ones), so an installation or an upgrade checks nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from services.app.container import models
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.deployments import in_use, uploads, versions
from services.domain.deployments.record import DEPLOYED, decisive, fingerprint, get_newest
from services.domain.process import deployed_models
from services.domain.process.deployed_models import ProcessVersion
from services.domain.stages import file as stage_file
from services.runtime.engine_client import Deployment
from services.runtime.logs import get_logger
from services.runtime.places import BPMN

log = get_logger(__name__)

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
    """Return whether these are the models of this release, or of an earlier one, whose jobs the workers still do."""
    shipped: list[dict[str, str]] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return files in shipped


def record(
    uow: UnitOfWork, examined: Examined, deployed: Deployment, by: str, more: Mapping[str, str | None] | None = None
) -> None:
    """Enter a deployment in the audit trail, and its versions among those whose jobs are done.

    Nothing is entered twice: what a start deploys again, and the engine has, is on record. ``by`` is the account of the
    machine that ran the command; ``more`` is told in the event too.
    """
    new = versions.enter(uow, deployed.processes, examined.result)
    newest = get_newest(uow)
    same = newest is not None and newest.subject_id == fingerprint(examined.files)
    if same and newest is not None and _detail(newest)["versions"] == dict(deployed.versions):
        return
    if same and new:
        log.warning("other models had been deployed past this record; they are replaced", versions=deployed.versions)
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
        versions=dict(deployed.versions),
        **(more or {}),
    )


def enter(
    uow: UnitOfWork,
    examined: Examined,
    contents: Mapping[str, bytes],
    deployed: Deployment,
    *,
    by: str,
    more: Mapping[str, str | None] | None = None,
) -> None:
    """Put a deployment on record, and keep its files; ``contents`` are those files by name. It may run again."""
    record(uow, examined, deployed, by, more)
    keep(uow, contents, deployed)


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


def find_recorded(uow: UnitOfWork, files: Mapping[str, str]) -> Examined | None:
    """Return how exactly these files were examined when they were last deployed on record; None if never."""
    query = select(AuditEvent).where(AuditEvent.action == DEPLOYED, AuditEvent.subject_id == fingerprint(files))
    event = uow.session.scalar(query.order_by(AuditEvent.seq.desc()).limit(1))
    if event is None:
        return None
    detail = _detail(event)
    told: dict[str, Any] = {name: detail[name] for name in ("result", "reason", "rules", "rules_sha256", "states")}
    return Examined(files, **told)


def find_from_portal(uow: UnitOfWork) -> tuple[Mapping[str, bytes], Examined] | None:
    """Return the set from the portal that is in use, with how it was examined; None where the folder's models are."""
    files = in_use.read_set(uow)
    examined = None if files is None else find_recorded(uow, decisive(uploads.digests(files)))
    return None if files is None or examined is None else (files, examined)


def _detail(event: AuditEvent) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(event.entry)["detail"]
    return detail
