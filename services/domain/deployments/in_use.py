"""The models in use: those of the folder that the settings name, or the set that was last deployed from the portal.

A set from the portal stays in use over restarts and upgrades, until models are deployed otherwise, or the folder has
other review stages than those that the set was checked with: all parts read these from the folder at their start.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from services.database.tables.deployments import ModelSet
from services.database.unit_of_work import UnitOfWork
from services.domain.deployments import record, uploads
from services.domain.deployments.uploads import FACTS, OTHERS
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused


@dataclass(frozen=True)
class ModelsInUse:
    """All files by name; ``model_set`` is the set from the portal, None for those of the folder."""

    files: Mapping[str, bytes]
    fingerprint: str
    model_set: ModelSet | None


def get_set(uow: UnitOfWork) -> ModelSet | None:
    """Return the set from the portal that is in use; None where the folder's models are."""
    query = select(ModelSet).where(ModelSet.deployed_at.is_not(None), ModelSet.failure.is_(None))
    newest = uow.session.scalar(query.order_by(ModelSet.deployed_at.desc()).limit(1))
    if newest is None or record.fingerprint(newest.files) != record.newest_fingerprint(uow):
        return None
    stages = hashlib.sha256((STAGES.folder / stage_file.NAME).read_bytes()).hexdigest()
    return newest if newest.files.get(stage_file.NAME) == stages else None


def read_set(uow: UnitOfWork) -> dict[str, bytes] | None:
    """Return the files of the set from the portal that is in use; None where the folder's models are."""
    model_set = get_set(uow)
    return None if model_set is None else uploads.unpack(model_set.content)


def load(uow: UnitOfWork) -> ModelsInUse:
    """Return what is deployed, with its files.

    Refused where something else was deployed last than what the folder has.
    """
    model_set = get_set(uow)
    files = uploads.unpack(model_set.content) if model_set is not None else read_folder(STAGES.folder)
    fingerprint = record.fingerprint(uploads.digests(files))
    if record.newest_fingerprint(uow) not in (None, fingerprint):
        raise Refused(
            "models-elsewhere",
            "The models that were deployed last are not those of the folder that this portal reads: run footage-desk "
            "deploy there, then upload your models.",
        )
    return ModelsInUse(files, fingerprint, model_set)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that belong to a set of models."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.glob("*"))
        if record.is_model(path.name) or path.name in (*OTHERS, FACTS)
    }
