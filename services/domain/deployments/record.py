"""What is deployed on record, from the audit trail (R2)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.domain.stages import file as stage_file

DEPLOYED = "models-deployed"  # the action in the audit trail
SHORTEST_REASON = 8  # characters, for models that the check did not find clean, or that are on no record
MODELS = (".bpmn", ".dmn")


def decisive(files: Mapping[str, str]) -> dict[str, str]:
    """Keep the files that decide what the process does: models and review stages."""
    return {name: digest for name, digest in files.items() if is_model(name) or name == stage_file.NAME}


def is_model(name: str) -> bool:
    """Return whether a file is deployed to the engine."""
    return PurePath(name).suffix in MODELS


def fingerprint(files: Mapping[str, str]) -> str:
    """Return one SHA-256 for the decisive ones of these files, which are given by their own."""
    return hashlib.sha256(json.dumps(sorted(decisive(files).items())).encode()).hexdigest()


def get_newest(uow: UnitOfWork) -> AuditEvent | None:
    """Return the event of the last deployment; None if nothing was deployed on record."""
    query = select(AuditEvent).where(AuditEvent.action == DEPLOYED).order_by(AuditEvent.seq.desc())
    return uow.session.scalar(query.limit(1))


def newest_fingerprint(uow: UnitOfWork) -> str | None:
    """Return the fingerprint of what was deployed last."""
    newest = get_newest(uow)
    return None if newest is None else newest.subject_id
