"""Which model a case runs on: what was deployed is kept, so that it can be drawn when the folder has another one."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update

from services.database.tables.applications import Application
from services.database.tables.deployed_models import DeployedProcess, ModelFile
from services.database.unit_of_work import UnitOfWork

UNKNOWN = "models-unknown"  # commits after which a case runs on a version whose model is not kept


@dataclass(frozen=True)
class ProcessVersion:
    """A version of a process as the engine numbers it; a job tells its own."""

    process_id: str
    version: int
    definition_key: int


def keep_files(uow: UnitOfWork, files: Mapping[str, bytes]) -> dict[str, str]:
    """Keep the content of these files, by name; return their SHA-256 by name."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    query = select(ModelFile.sha256).where(ModelFile.sha256.in_(digests.values()))
    known = set(uow.session.scalars(query))
    for name, digest in digests.items():
        if digest not in known:
            known.add(digest)
            uow.session.add(ModelFile(sha256=digest, name=name, content=files[name], kept_at=uow.now))
    uow.session.flush()  # rows of versions refer to them
    return digests


def list_newest(uow: UnitOfWork) -> dict[str, bytes]:
    """Return the kept file of the newest version of each process, by its digest and name."""
    rank = func.row_number().over(
        partition_by=DeployedProcess.process_id,
        order_by=(DeployedProcess.deployed_at.desc(), DeployedProcess.version.desc()),
    )
    newest = select(DeployedProcess.sha256, rank.label("rank")).subquery()
    query = select(ModelFile).where(ModelFile.sha256.in_(select(newest.c.sha256).where(newest.c.rank == 1)))
    return {f"{row.sha256[:16]}-{row.name}": row.content for row in uow.session.scalars(query)}


def keep_versions(uow: UnitOfWork, digests: Mapping[ProcessVersion, str]) -> None:
    """Record in which kept file each version of a process is; cases that began on it before are completed.

    A case may begin between the deployment and this.
    """
    keys = [process.definition_key for process in digests]
    query = select(DeployedProcess).where(DeployedProcess.process_definition_key.in_(keys))
    known = {row.process_definition_key: row for row in uow.session.scalars(query)}
    for process, digest in digests.items():
        row = known.get(process.definition_key)
        if row is None:
            row = DeployedProcess(process_definition_key=process.definition_key)
            uow.session.add(row)
        elif (row.process_id, row.version, row.sha256) == (process.process_id, process.version, digest):
            continue
        row.process_id, row.version, row.sha256 = process.process_id, process.version, digest
        row.deployed_at = uow.now
        uow.session.execute(
            update(Application)
            .where(
                Application.process_definition_key == process.definition_key,
                Application.process_id == process.process_id,
                Application.process_version == process.version,
                Application.model_sha256.is_(None),
            )
            .values(model_sha256=digest)
        )


def set_version(uow: UnitOfWork, application: Application, process: ProcessVersion) -> None:
    """Record on which version of its process the case runs, and the digest of the model where that is known."""
    set_known_version(application, process, find_digests(uow, [process]))
    if application.model_sha256 is None:
        uow.after_commit.add(UNKNOWN)


def set_known_version(application: Application, process: ProcessVersion, digests: Mapping[ProcessVersion, str]) -> None:
    """Record the same with digests that were found before."""
    application.process_id, application.process_version = process.process_id, process.version
    application.process_definition_key = process.definition_key
    application.model_sha256 = digests.get(process)


def find_digests(uow: UnitOfWork, processes: Iterable[ProcessVersion]) -> dict[ProcessVersion, str]:
    """Return the SHA-256 of the file of each version that was deployed on record; one statement."""
    keys = {process.definition_key: process for process in processes}
    query = select(DeployedProcess).where(DeployedProcess.process_definition_key.in_(keys))
    return {
        process: row.sha256
        for row in (uow.session.scalars(query) if keys else ())
        if (process := keys[row.process_definition_key]) == _version_of(row)
    }


def _version_of(row: DeployedProcess) -> ProcessVersion:
    return ProcessVersion(row.process_id, row.version, row.process_definition_key)


def read_files(uow: UnitOfWork, digests: Iterable[str], *, ending: str = "") -> dict[str, bytes]:
    """Return the content of each kept file by its SHA-256; those that were not kept are left out.

    Only files whose names have this ``ending`` are returned.
    """
    query = select(ModelFile.sha256, ModelFile.content).where(
        ModelFile.sha256.in_(set(digests)), ModelFile.name.endswith(ending)
    )
    return {row.sha256: row.content for row in uow.session.execute(query)}


def waits_for(uow: UnitOfWork, application: Application, message: str) -> bool:
    """Whether the model that the case runs on names this message; True where that model is not kept.

    A case may move to a newer model, and a message of an unknown one is sent until it is taken.
    """
    if application.model_sha256 is None:
        return True
    file = uow.session.get(ModelFile, application.model_sha256)
    return file is None or f'name="{message}"'.encode() in file.content
