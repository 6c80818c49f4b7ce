"""The container: the objects that workers and portal get by name, built from the settings."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from services.backup import belongings
from services.database import poolers
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.domain.audit import key_events
from services.domain.audit.key_events import PRIMARY, REPLICA
from services.domain.cameras import recorders as camera_recorders
from services.domain.deployments import in_use
from services.domain.process.engine_view import EngineInspection
from services.domain.process.model_library import ModelLibrary
from services.domain.reviews import tasks as review_tasks
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import StageFile
from services.domain.wiring import open_database
from services.recorders.job_places import JobPlaces
from services.recorders.registry import open_recorder, places_of
from services.runtime import confined, data_folder
from services.runtime.clock import Clock, TurnedClock
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.worker import Worker
from services.runtime.logs import get_logger
from services.runtime.manifest import Manifest
from services.runtime.models import Model
from services.runtime.models import parse as parse_model
from services.runtime.models import read as read_models
from services.runtime.places import BPMN
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, SettingsError, variable
from services.runtime.settings.stores import FolderStore as FolderPlace
from services.runtime.settings.stores import S3Store as S3Place
from services.runtime.settings.stores import StorePlace
from services.runtime.translations import Message
from services.vault.envelopes import TimeStamper
from services.vault.keys import log_key
from services.vault.keys.fingerprints import (
    LOAN_FOLDER,
    LOG,
    PORTAL,
    PORTAL_KEY,
    RECORDERS,
    RECORDERS_KEY,
    SEAL,
    SEAL_FOLDER,
    VAULT,
    VAULT_FOLDER,
    read_keys,
)
from services.vault.keys.log_key import FOLDER as LOG_FOLDER
from services.vault.keys.log_key import KEY_FILE as LOG_KEY_FILE
from services.vault.keys.log_key import LogKey, ensure_log_key
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.signer import Signer, trusted_signers
from services.vault.keys.signing_key import CHAIN_FILE, ensure_signing_key
from services.vault.keys.vault_keys import VAULT_RECIPIENT_FILE, LoanKeys, VaultKeys, ensure_keys, recipients_in
from services.vault.store.folder import FolderStore
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, StoreDown
from services.vault.store.unchecked import UncheckedStore
from services.vault.time_stamping import HttpTimeStamper, read_trusted
from services.verifier.notes import VerifierKey

if TYPE_CHECKING:
    from fastapi import FastAPI

    from services.web.dependencies import DemoFootage, OpenRecorder

log = get_logger(__name__)

MODELS = BPMN
START = key_events.STARTING
REVIEW = "review"
NEEDED = ("video-retrieval", REVIEW)
OPENING_SECONDS = 3.0  # for each of the three tries of a store to answer at the start


@dataclass
class Container:
    """The objects that workers and portal get by name; opened on first use."""

    settings: Settings
    clock: Clock
    database: Database
    loan_keys: LoanKeys
    given_store: Store | None = None  # instead of the settings' own
    given_replica: Store | None = None
    on_turn: list[Callable[[], None]] = field(default_factory=list)
    doctor: Callable[[], Awaitable[Sequence[object]]] | None = None  # for the portal, if set
    engine: EngineInspection | None = None  # for the portal, if the engine runs in this process
    engine_client: EngineClient | None = None  # for the portal, once the process has a channel
    manifest: Manifest | None = None  # of the data folder, where everything is one process
    known_keys: Mapping[str, str] = field(default_factory=dict)  # of the installation: none of these is made anew
    apart: bool = False  # one process of several
    new_database: bool = False  # nobody had used it at the start
    demo_footage: "list[DemoFootage]" = field(default_factory=list)  # what the demo's cameras have, for its first page
    opened_stores: dict[str, Store] = field(default_factory=dict)  # by name, those that this process uses

    def __post_init__(self) -> None:
        confined.require_walls(self.settings.confinement.required)

    @cached_property
    def store(self) -> Store:
        """Open the store on first use, like the two below: a process that never uses it needs no key."""
        return self.given_store or self._opened(PRIMARY, self.settings.store_place)

    @cached_property
    def replica_store(self) -> Store:
        return self.given_replica or self._opened(REPLICA, self.settings.replica_place)

    def _opened(self, name: str, place: StorePlace) -> Store:
        """Open a store and check it; one that is away is checked before its first use, but at a first start."""
        store = open_store(place, self.clock)
        known = self.apart or (self.manifest is not None and name in self.manifest.stores)
        # one that hangs holds up neither the start nor, later, each call for minutes
        asked = open_store(place, self.clock, answer_seconds=OPENING_SECONDS) if known else store
        try:
            self._admit(name, asked)
        except StoreDown as error:
            if not known:
                raise
            log.warning("a store does not answer; it is checked before it is used", store=name, cause=str(error))
            store = UncheckedStore.of(store, partial(self._admit, name, asked))
        self.opened_stores[name] = store
        return store

    def _admit(self, name: str, store: Store) -> None:
        _admit(name, store, self.database, self.manifest, is_new=self.new_database)

    @cached_property
    def vault_keys(self) -> VaultKeys:
        """Make or read the vault keys; only workers do."""
        self._must_exist(VAULT, VAULT_FOLDER, VAULT_RECIPIENT_FILE)
        return ensure_keys(self.settings.keys / "vault")

    @cached_property
    def signer(self) -> Signer:
        """Make or read the seal key; only workers do. Certificates are valid by real time."""
        self._must_exist(SEAL, SEAL_FOLDER, CHAIN_FILE)
        key = ensure_signing_key(self.settings.keys / "seal", self.settings.organisation, self.database.real.now())
        return Signer(key, self.time_stamper, self.database.real)

    @cached_property
    def log_key(self) -> LogKey:
        """Make or read the key of the audit trail; only portals do."""
        self._must_exist(LOG, LOG_FOLDER, LOG_KEY_FILE)
        return ensure_log_key(self.settings.keys / LOG_FOLDER, self.settings.audit.origin)

    def _must_exist(self, name: str, *path: str) -> None:
        """Raise KeyMissing for a known key whose file is not here: no other is made in its place."""
        if name in self.known_keys and not self.settings.keys.joinpath(*path).exists():
            raise belongings.key_missing(self.settings.keys, name, self.known_keys[name])

    @cached_property
    def time_stamper(self) -> TimeStamper | None:
        """Return the client of the time-stamping authority, if one is set."""
        url, file = self.settings.time_stamp.url, self.settings.time_stamp.trusted_file
        return None if url is None else HttpTimeStamper(url, read_trusted(file))

    @cached_property
    def places(self) -> JobPlaces:
        """Return the places of this process at the recorders, for jobs and for what is preserved beside them."""
        return JobPlaces(self.settings.workers.heavy_concurrency)

    @cached_property
    def recorders(self) -> "OpenRecorder":
        """Return a function that opens a recorder by its row, within the folders of the settings."""
        return partial(open_recorder, places=places_of(self.settings), secrets=self.database.recorder_secrets)

    @cached_property
    def process_models(self) -> ModelLibrary:
        """Return the processes that are deployed by id, and what was deployed before by its digest."""
        return ModelLibrary(self._read_models())

    def reload_models(self) -> None:
        """Read what was just deployed; other processes do so at their next start."""
        self.process_models.replace(self._read_models())

    def _read_models(self) -> Mapping[str, Model]:
        files = self.database.read_now(START, in_use.read_set)
        if files is None:
            return read_models(path for path in models(self.settings.models_dir) if path.suffix == ".bpmn")
        return {
            process_id: model
            for name, content in files.items()
            if name.endswith(".bpmn")
            for process_id, model in parse_model(content).items()
        }

    def for_workers(self, workers: Sequence[Worker]) -> dict[str, object]:
        """Return the objects that these handlers need, by parameter name; nothing else is opened."""
        needed = {name for worker in workers for name in worker.needs}
        opened: dict[str, object] = {
            name: getattr(self, name) for name in ("store", "replica_store", "vault_keys", "signer") if name in needed
        }
        opened |= {
            name: value
            for name, value in (("engine", self.engine), ("engine_client", self.engine_client))
            if name in needed and value is not None
        }
        return {**self._for_all, **opened}

    @property
    def for_portal(self) -> dict[str, object]:
        """Return the objects for routes: loan keys, and never the vault key (docs/sealing.md)."""
        objects = {**self._for_all, "store": self.store, "log_keys": self._log_keys}
        if self.settings.oidc.issuer is not None:
            from services.domain.accounts.single_sign_on.provider import Provider  # noqa: PLC0415 - as in portal

            objects["provider"] = Provider(self.settings, self.database.real)
        if self.engine is not None:
            objects["engine"] = self.engine
        if self.engine_client is not None:
            objects["engine_client"] = self.engine_client
        return objects

    def _log_keys(self) -> tuple[VerifierKey, ...]:
        """Return the public keys of the audit trail, the newest first; the portal alone has them."""
        return tuple(log_key.public_keys(self.settings.keys / LOG_FOLDER))

    @property
    def _for_all(self) -> dict[str, object]:
        objects: dict[str, object] = {
            "settings": self.settings,
            "database": self.database,
            "loan_keys": self.loan_keys,
            "vault_recipients": lambda: recipients_in(self.settings.keys / "vault"),
            "trusted_signers": lambda: trusted_signers(self.settings.keys / "seal"),
            "recorders": self.recorders,
            "places": self.places,
            "models": self.process_models,
        }
        if isinstance(self.clock, TurnedClock):
            objects["turn_clock"] = self.turn_clock
            objects["demo_footage"] = self.demo_footage
        if self.doctor is not None:
            objects["doctor"] = self.doctor
        return objects

    def turn_clock(self, by: timedelta) -> datetime:
        """Turn the demo's clock and notify all that depend on it."""
        if not isinstance(self.clock, TurnedClock):
            raise Fatal("the clock cannot be turned | it is the machine's | set FOOTAGE_DESK_DEMO=true for a demo")
        now = self.clock.turn(by)
        for notify in self.on_turn:
            notify()
        return now

    def portal(self) -> "FastAPI":
        from services.app.web import create_app  # noqa: PLC0415 - a worker starts in two thirds of the time without it

        self._must_exist(PORTAL, PORTAL_KEY)
        self._must_exist(RECORDERS, RECORDERS_KEY)
        return create_app(self.for_portal)


def open_migrated_database(settings: Settings, clock: Clock) -> Database:
    """Open the database; migrate it first if it is SQLite, which no other process uses."""
    if settings.database_address.startswith("sqlite"):
        data_folder.prepare(settings.data_dir)
        belongings.check_folder(settings)  # what is opened and is not there would be made
    database = open_database(
        settings.database_address,
        clock,
        rules_of(settings),
        secrets=KeyFileBox(settings.keys / PORTAL_KEY),
        recorder_secrets=KeyFileBox(settings.keys / RECORDERS_KEY),
        connections=settings.database,
    )
    if database.engine.dialect.name == "sqlite":
        database_schema.migrate(database.engine)
    return database


def encrypt_recorder_secrets(database: Database) -> None:
    """Encrypt what earlier releases stored in clear or with the portal's key, and remove the former from the file."""
    if count := database.run_now(START, camera_recorders.encrypt_secrets):
        database_schema.scrub(database.engine)
        log.warning(
            "encrypted the recorders' passwords; older logs and backups hold them in clear, so change them",
            recorders=count,
        )


def open_container(settings: Settings, *, apart: bool = False) -> Container:
    """Build everything, check database and stores; raises SettingsError, Fatal or Retryable.

    What an installation has made and is not there stops the start; on the first one everything is made.
    ``apart``: for one process of several, which opens only the stores and has only the keys that its roles need.
    """
    if not apart:
        _ = settings.store_place, settings.replica_place  # report a missing setting before anything is made
    use_models(settings.models_dir)
    data_folder.prepare(settings.data_dir)
    manifest = None
    if not apart:
        manifest = belongings.check_folder(settings)
        if manifest is None:
            data_folder.narrow_modes(settings.data_dir)
        else:
            data_folder.check_modes(settings.data_dir, _object_folders(settings))
    container = Container(
        settings=settings,
        clock=(clock := data_folder.clock_of(settings.data_dir, demo=settings.demo)),
        database=open_migrated_database(settings, clock),
        loan_keys=LoanKeys(settings.keys / LOAN_FOLDER),
        manifest=manifest,
        apart=apart,
    )
    try:
        container.database.run_now(START, database_schema.check)
        container.database.run_now(START, review_tasks.check_stages)
        if (unlimited := container.database.run_now(START, poolers.why_unlimited, settings.database)) is not None:
            log.warning("the database does not end what hangs", cause=unlimited)
        if apart:
            _register_present_keys(container)
        else:
            _open_whole(container)
    except BaseException:
        container.database.close()
        raise
    return container


def _object_folders(settings: Settings) -> list[Path]:
    """List where stores that are folders keep their objects."""
    places = [place for place in (settings.store_place, settings.replica_place) if isinstance(place, FolderPlace)]
    return [folder for place in places for folder in FolderStore(place.path, place.prefix).object_folders()]


def _register_present_keys(container: Container) -> None:
    """Check the keys that this process was given, and register those that no process had before."""
    settings, database = container.settings, container.database
    belongings.check_unused(database, {}, settings.keys, apart=True)
    container.new_database = database.run_now(START, key_events.is_unused)
    if container.new_database:
        for name, store in _named_stores(container).items():
            with suppress(StoreDown):  # then before its first use
                belongings.check_empty(name, store)
    container.known_keys = database.run_now(START, key_events.list_known)
    present = read_keys(settings.keys)
    belongings.check_keys(settings.keys, container.known_keys, present, apart=True)
    if PORTAL in present.private and (RECORDERS in present.private or RECORDERS not in container.known_keys):
        KeyFileBox(settings.keys / RECORDERS_KEY).ensure()
        encrypt_recorder_secrets(database)
        present = read_keys(settings.keys)
    if present.fingerprints.keys() - container.known_keys.keys():
        _register(database, present.fingerprints)


def _named_places(settings: Settings) -> dict[str, StorePlace]:
    """Return the places of those stores that the settings name; a process of several may have one, or none."""
    places = dict[str, StorePlace]()
    with suppress(SettingsError):
        places[PRIMARY] = settings.store_place
    with suppress(SettingsError):
        places[REPLICA] = settings.replica_place
    return places


def _named_stores(container: Container) -> dict[str, Store]:
    """Return the stores that the settings name, to be asked once; none is made."""
    places = _named_places(container.settings)
    return {name: open_store(place, container.clock, answer_seconds=OPENING_SECONDS) for name, place in places.items()}


def make_buckets(settings: Settings, database: Database, clock: Clock) -> list[str]:
    """Make and check the buckets of the S3 stores that the settings name; return the stores' names.

    Raises as ``Container.store``. A folder is made by the first start of ``footage-desk run``.
    """
    servers = {name: place for name, place in _named_places(settings).items() if isinstance(place, S3Place)}
    is_new = database.run_now(START, key_events.is_unused) if servers else False
    for name, place in servers.items():
        _admit(name, open_store(place, clock), database, None, is_new=is_new)
    return list(servers)


def _admit(name: str, store: Store, database: Database, manifest: Manifest | None, *, is_new: bool) -> None:
    """Make the store's buckets, unless they were there and are gone: then Fatal.

    Raises StoreRefused for buckets without object lock, StoreDown without an answer. ``is_new``: nobody had used the
    database at the start, so that the store must not have an installation's objects, but those that others have written
    since.
    """
    if is_new and not database.read_now(START, key_events.was_written, name):
        belongings.check_empty(name, store)
    belongings.check_store(name, store, database, manifest)
    store.ensure()


def _register(database: Database, fingerprints: Mapping[str, str]) -> None:
    try:
        database.run_now(START, key_events.register, fingerprints)
    except Retryable:  # a process that starts at the same time has registered one of them
        database.run_now(START, key_events.register, fingerprints)


def _open_whole(container: Container) -> None:
    """Open the stores and keys of an installation in one process, or make them at its first start."""
    settings, database = container.settings, container.database
    container.known_keys = belongings.check_database(settings, database, container.manifest)
    if container.manifest is None:
        belongings.check_unused(database, _named_stores(container), settings.keys)
        # A first start that is killed from here on finds that what it has made is its own.
        belongings.begin(settings, database)
    _ = container.store, container.replica_store, container.vault_keys, container.signer, container.log_key
    for key in (PORTAL_KEY, RECORDERS_KEY):
        KeyFileBox(settings.keys / key).ensure()
    encrypt_recorder_secrets(database)
    _register(database, read_keys(settings.keys).fingerprints)
    belongings.save_manifest(settings, database, (PRIMARY, REPLICA))


@contextmanager
def locked_container(settings: Settings, *, apart: bool = False) -> Iterator[Container]:
    """Open the container for the block; with SQLite locked against other processes."""
    with data_folder.exclusive(settings):
        container = open_container(settings, apart=apart)
        try:
            yield container
        finally:
            container.database.close()


def models(folder: Path | None = None) -> list[Path]:
    """Return the BPMN and DMN files of a folder, which are deployed together."""
    return sorted(path for path in (folder or MODELS).glob("*") if path.suffix in (".bpmn", ".dmn"))


def use_models(folder: Path | None = None) -> None:
    """Use the review stages of this folder, or those shipped; Fatal if anything is wrong."""
    STAGES.use(folder or MODELS, check_models(folder))


def check_models(folder: Path | None = None) -> StageFile:
    """Return the review stages; Fatal if they or the models of the folder are unusable or inconsistent."""
    models_folder = folder or MODELS
    file = stage_file.read(models_folder / stage_file.NAME)
    stages = file.stages
    processes = read_models(path for path in models(models_folder) if path.suffix == ".bpmn")
    for name in NEEDED:
        if name not in processes:
            raise Fatal(
                Message(
                    "could not read the models | {folder} | it has no {name}.bpmn | put it there, or let {variable} "
                    "name the folder that has it",
                    folder=str(models_folder),
                    name=name,
                    variable=variable("models_dir"),
                )
            )
    for model in processes.values():
        for element in model.elements.values():
            if element.called != REVIEW or element.stage_is_computed:
                continue  # a table says the stage: lint reads it, and the worker refuses what there is not
            if element.stage not in stages or stages[element.stage].retired:
                raise Fatal(
                    Message(
                        "could not use the models | {model}.bpmn, {element} | it asks the stage {stage}, which {file} "
                        "does not have, or has as retired | add the stage there, or correct the input stage; "
                        "footage-desk bpmn lint names all that does not fit",
                        model=str(models_folder / model.process_id),
                        element=element.id,
                        stage=element.stage,
                        file=stage_file.NAME,
                    )
                )
    return file
