"""The house: what workers and portal are given by name, built from the settings."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from fastapi import FastAPI

from services.app.web import create_app
from services.database import schema as database_schema
from services.database.unit_of_work import Actor, Database
from services.domain.accounts.single_sign_on.provider import Provider
from services.domain.process.engine_view import EngineInspection
from services.domain.reviews import tasks as review_tasks
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import STAGES
from services.domain.wiring import open_database
from services.recorders.registry import open_recorder, places_of
from services.runtime import data_folder
from services.runtime.clock import Clock, TurnedClock
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import Worker
from services.runtime.models import read as read_models
from services.runtime.places import BPMN
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, variable
from services.runtime.settings.stores import StorePlace
from services.vault.envelopes import TimeStamper
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.signer import Signer, trusted_signers
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.keys.vault_keys import LoanKeys, VaultKeys, ensure_keys, recipients_in
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store
from services.vault.time_stamping import HttpTimeStamper, read_trusted
from services.web.dependencies import OpenRecorder

MODELS = BPMN
START = Actor("system", "start")
PORTAL_KEY = "portal/secrets.key"
REVIEW = "review"
NEEDED = ("video-retrieval", REVIEW)


@dataclass
class Container:
    """Everything that workers and portal are given by name."""

    settings: Settings
    clock: Clock
    database: Database
    loan_keys: LoanKeys
    given_store: Store | None = None  # instead of the settings' own
    given_replica: Store | None = None
    on_turn: list[Callable[[], None]] = field(default_factory=list)
    doctor: Callable[[], Awaitable[Sequence[object]]] | None = None  # what the portal may ask, where it is given
    engine: EngineInspection | None = None  # likewise, where the engine runs in this process

    def __post_init__(self) -> None:
        use_models(self.settings.models_dir)

    @cached_property
    def store(self) -> Store:
        """Opened when somebody first asks for it, as the two below: who never does needs no key to it."""
        return self.given_store or _opened(self.settings.store_place, self.clock)

    @cached_property
    def replica_store(self) -> Store:
        return self.given_replica or _opened(self.settings.replica_place, self.clock)

    @cached_property
    def vault_keys(self) -> VaultKeys:
        """Made when a worker first asks for them; the portal never does."""
        return ensure_keys(self.settings.keys / "vault")

    @cached_property
    def signer(self) -> Signer:
        """Its key is made when a worker first asks for it. Certificates go by real time, as what checks them does."""
        key = ensure_signing_key(self.settings.keys / "seal", self.settings.organisation, self.database.real.now())
        return Signer(key, self.time_stamper, self.database.real)

    @cached_property
    def time_stamper(self) -> TimeStamper | None:
        """The authority that the settings name, or none."""
        url, file = self.settings.time_stamp.url, self.settings.time_stamp.trusted_file
        return None if url is None else HttpTimeStamper(url, read_trusted(file))

    @cached_property
    def recorders(self) -> OpenRecorder:
        """Opens a recorder by its book row, where the settings let it be."""
        return partial(open_recorder, places=places_of(self.settings))

    def for_workers(self, workers: Sequence[Worker]) -> dict[str, object]:
        """What these handlers ask for, by parameter name; what none of them asks for is not opened."""
        wanted = {name for worker in workers for name in worker.wants}
        opened: dict[str, object] = {
            name: getattr(self, name) for name in ("store", "replica_store", "vault_keys", "signer") if name in wanted
        }
        return {**self._for_all, **opened}

    @property
    def for_portal(self) -> dict[str, object]:
        """What routes may ask for: loan keys, and never the vault key (docs/sealing.md)."""
        given = {**self._for_all, "store": self.store}
        if self.settings.oidc.issuer is not None:
            given["provider"] = Provider(self.settings, self.database.real)
        if self.engine is not None:
            given["engine"] = self.engine
        return given

    @property
    def _for_all(self) -> dict[str, object]:
        given: dict[str, object] = {
            "settings": self.settings,
            "database": self.database,
            "loan_keys": self.loan_keys,
            "vault_recipients": lambda: recipients_in(self.settings.keys / "vault"),
            "trusted_signers": lambda: trusted_signers(self.settings.keys / "seal"),
            "recorders": self.recorders,
            "models": read_models(path for path in models(self.settings.models_dir) if path.suffix == ".bpmn"),
        }
        if isinstance(self.clock, TurnedClock):
            given["turn_clock"] = self.turn_clock
        if self.doctor is not None:
            given["doctor"] = self.doctor
        return given

    def turn_clock(self, by: timedelta) -> datetime:
        """Turn the demo's clock and let everybody look at it."""
        if not isinstance(self.clock, TurnedClock):
            raise Fatal("the clock cannot be turned | it is the machine's | set FOOTAGE_DESK_DEMO=true for a demo")
        now = self.clock.turn(by)
        for notice in self.on_turn:
            notice()
        return now

    def portal(self) -> FastAPI:
        return create_app(self.for_portal)


def open_register(settings: Settings, clock: Clock) -> Database:
    """The books, brought to the newest schema when they are ours alone (SQLite)."""
    if settings.database.startswith("sqlite"):
        data_folder.prepare(settings.data_dir)
    database = open_database(
        settings.database, clock, rules_of(settings), secrets=KeyFileBox(settings.keys / PORTAL_KEY)
    )
    if database.engine.dialect.name == "sqlite":
        database_schema.migrate(database.engine)
    return database


def open_container(settings: Settings, *, apart: bool = False) -> Container:
    """Build everything and check books and stores; raises SettingsError, Fatal or Retryable with a sentence.

    ``apart``: for a process that is one of several, which opens only the stores that its parts ask for.
    """
    if not apart:
        _ = settings.store_place, settings.replica_place  # what is not set is told before anything is made
    use_models(settings.models_dir)
    data_folder.prepare(settings.data_dir)
    container = Container(
        settings=settings,
        clock=(clock := data_folder.clock_of(settings.data_dir, demo=settings.demo)),
        database=open_register(settings, clock),
        loan_keys=LoanKeys(settings.keys / "loans"),
    )
    if not apart:
        _ = container.store, container.replica_store
    container.database.run_now(START, database_schema.check)
    container.database.run_now(START, review_tasks.check_stages)
    return container


def _opened(place: StorePlace, clock: Clock) -> Store:
    store = open_store(place, clock)
    store.ensure()
    return store


def alone(settings: Settings) -> AbstractContextManager[None]:
    """With SQLite nobody else is in the books meanwhile (Fatal)."""
    return data_folder.only_process(settings.data_dir) if settings.database.startswith("sqlite") else nullcontext()


@contextmanager
def locked_container(settings: Settings, *, apart: bool = False) -> Iterator[Container]:
    """``open_house`` for as long as the block runs; with SQLite nobody else gets in before or meanwhile (Fatal)."""
    with alone(settings):
        container = open_container(settings, apart=apart)
        try:
            yield container
        finally:
            container.database.close()


def models(folder: Path | None = None) -> list[Path]:
    """The BPMN and DMN files that are deployed together; none of a folder that is not there."""
    return sorted(path for path in (folder or MODELS).glob("*") if path.suffix in (".bpmn", ".dmn"))


def use_models(folder: Path | None = None) -> None:
    """Work by the review stages of this folder from now on, or by those shipped; Fatal where anything is wrong."""
    check_models(folder)
    STAGES.use(folder or MODELS)


def check_models(folder: Path | None = None) -> None:
    """Fatal with a sentence where review stages or models of the folder cannot be used, or do not fit together."""
    place = folder or MODELS
    stages = stage_file.read(place / stage_file.NAME).stages
    found = read_models(path for path in models(place) if path.suffix == ".bpmn")
    for name in NEEDED:
        if name not in found:
            raise Fatal(
                f"could not read the models | {place} | it has no {name}.bpmn | "
                f"put it there, or let {variable('models_dir')} name the folder that has it"
            )
    for model in found.values():
        for element in model.elements.values():
            if element.called == REVIEW and (element.stage not in stages or stages[element.stage].retired):
                raise Fatal(
                    f"could not use the models | {place / model.process_id}.bpmn, {element.id} | it asks the stage "
                    f"{element.stage}, which {stage_file.NAME} does not have, or has as retired | add the stage there, "
                    "or correct the input stage; footage-desk bpmn lint names all that does not fit"
                )
