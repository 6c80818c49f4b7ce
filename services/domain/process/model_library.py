"""The models that are drawn: the newest ones, and by the digest of its file every one that was deployed."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select

from services.database.tables.deployed_models import DeployedProcess
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process import deployed_models
from services.domain.process.deployed_models import ProcessVersion
from services.runtime import models
from services.runtime.models import Model

MOST_FILES, MOST_VERSIONS = 64, 4096

Processes = Mapping[str, Model]


@dataclass(frozen=True)
class KnownModels:
    """What a library has found: the newest processes by id, those of a file by its digest, and files by version."""

    newest: Processes
    by_digest: Mapping[str, Processes]
    digest_of: Mapping[ProcessVersion, str]

    def find(self, process_id: str, digest: str | None) -> Model | None:
        """Return the process as the file of this digest has it."""
        return self.by_digest.get(digest or "", {}).get(process_id)

    def of_version(self, version: ProcessVersion) -> Model | None:
        """Return the process as this version of it was deployed."""
        return self.find(version.process_id, self.digest_of.get(version))


class ModelLibrary(Mapping[str, Model]):
    """The newest processes by id, and ``known`` for the others. Threads share it."""

    def __init__(self, newest: Processes) -> None:
        self.replace(newest)
        self._files: OrderedDict[str, Processes] = OrderedDict()
        self._versions: OrderedDict[ProcessVersion, str] = OrderedDict()
        self._lock = threading.Lock()

    def replace(self, newest: Processes) -> None:
        """Take other processes for the newest, all at once, while others read."""
        of_newest: dict[str, dict[str, Model]] = {}
        for process_id, model in newest.items():
            of_newest.setdefault(model.sha256, {})[process_id] = model
        self._newest, self._of_newest = newest, of_newest

    def __getitem__(self, process_id: str) -> Model:
        return self._newest[process_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)

    async def find_known(
        self, database: Database, actor: Actor, digests: Collection[str], versions: Collection[ProcessVersion] = ()
    ) -> KnownModels:
        """Return what ``known`` does, without a unit of work where all of it was read before."""
        digest_of = self._kept_versions(set(versions))
        wanted = {*digests, *digest_of.values()}
        files = self._kept_files(wanted)
        if len(digest_of) < len(set(versions)) or len(files) < len(wanted):
            return await database.read(actor, self.known, digests, versions)
        return KnownModels(self._newest, files, digest_of)

    def known(
        self, uow: UnitOfWork, digests: Collection[str] = (), versions: Collection[ProcessVersion] = ()
    ) -> KnownModels:
        """Return the models of these files and versions; two statements, or none where they were read before."""
        digest_of = self._digests(uow, set(versions))
        by_digest = self._read_files(uow, {*digests, *digest_of.values()})
        return KnownModels(self._newest, by_digest, digest_of)

    def with_deployed(self, uow: UnitOfWork, known: KnownModels) -> KnownModels:
        """Add the newest version of each process that was deployed and that the folder does not have."""
        query = select(DeployedProcess.process_id, DeployedProcess.sha256).order_by(
            DeployedProcess.deployed_at, DeployedProcess.process_definition_key
        )
        rows = uow.session.execute(query).all()
        digests = {process_id: digest for process_id, digest in rows if process_id not in known.newest}
        files = self._read_files(uow, set(digests.values()))
        found = {process_id: files.get(digest, {}).get(process_id) for process_id, digest in digests.items()}
        deployed = {process_id: model for process_id, model in found.items() if model is not None}
        return replace(known, newest={**deployed, **known.newest}, by_digest={**known.by_digest, **files})

    def _kept_versions(self, versions: set[ProcessVersion]) -> dict[ProcessVersion, str]:
        with self._lock:
            return {version: self._versions[version] for version in versions & self._versions.keys()}

    def _kept_files(self, digests: set[str]) -> dict[str, Processes]:
        of_newest = self._of_newest  # another thread may replace it
        kept: dict[str, Processes] = {digest: of_newest[digest] for digest in digests & of_newest.keys()}
        with self._lock:
            for digest in digests & self._files.keys():
                self._files.move_to_end(digest)
                kept[digest] = self._files[digest]
        return kept

    def _digests(self, uow: UnitOfWork, versions: set[ProcessVersion]) -> dict[ProcessVersion, str]:
        found = self._kept_versions(versions)
        missing = versions - found.keys()
        if missing:
            read = deployed_models.find_digests(uow, missing)
            found |= read
            with self._lock:
                self._versions.update(read)
                while len(self._versions) > MOST_VERSIONS:
                    self._versions.popitem(last=False)
        return found

    def _read_files(self, uow: UnitOfWork, digests: set[str]) -> dict[str, Processes]:
        found = self._kept_files(digests)
        missing = digests - found.keys()
        if missing:
            files = deployed_models.read_files(uow, missing, ending=".bpmn")
            read = {digest: models.parse(content) for digest, content in files.items()}
            found |= read
            with self._lock:
                self._files.update(read)
                while len(self._files) > MOST_FILES:
                    self._files.popitem(last=False)
        return found
