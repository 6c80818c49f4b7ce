"""The installation of a whole desk: its books with the demo's people, its vault, its cameras."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from whole_footage import CHANNELS, Footage

from services.app.container import Container, use_models
from services.database import schema as database_schema
from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.organisation import demo_id
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock, TurnedClock
from services.runtime.rules import Rules, rules_of
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.vault.keys.fingerprints import PORTAL_KEY
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store

CLERK = Actor("system", "test")


def prepare_database(path: Path, moment: datetime) -> Path:
    """An SQLite file with the schema and the demo's people, to be copied for each desk."""
    database = open_database(f"sqlite:///{path}", FixedClock(moment), Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    database.run_now(CLERK, organisation.seed_demo, path.parent)
    database.close()
    return path


@dataclass
class Places:
    """What the session has made, and where this desk writes."""

    root: Path
    footage: Footage
    database: Path | None = None
    database_url: str | None = None
    store: Store | None = None
    replica: Store | None = None
    engine: Path | None = None  # where the embedded engine keeps its state; in memory without


def open_container(settings: Settings, clock: FixedClock | TurnedClock, places: Places) -> Container:
    settings.data_dir.mkdir(parents=True, exist_ok=places.database is None)
    if places.database_url is None and places.database is not None:
        shutil.copy(places.database, settings.data_dir / "database.sqlite3")
    store = places.store or open_store(FolderStore(places.root / "store", "main"), clock)
    replica = places.replica or open_store(FolderStore(places.root / "replica", "replica"), clock)
    store.ensure()
    replica.ensure()
    box = KeyFileBox(settings.keys / PORTAL_KEY)
    database = open_database(
        settings.database_address, clock, rules_of(settings), secrets=box, connections=settings.database
    )
    if places.database_url is not None or places.database is None:  # not a copy of one that is migrated
        database_schema.migrate(database.engine)
    use_models(settings.models_dir)
    return Container(
        settings=settings,
        clock=clock,
        database=database,
        loan_keys=LoanKeys(settings.keys / "loans"),
        given_store=store,
        given_replica=replica,
    )


def seed(uow: UnitOfWork, recordings: Path, *, prepared: bool) -> None:
    """Write the demo's people and recorder, and the cameras of the footage.

    ``prepared``: the database is a copy of ``prepare_database``, which has all but the recorder's folder.
    """
    if prepared:
        recorder = uow.session.get_one(Recorder, demo_id("recorder"))
        recorder.configuration = {**recorder.configuration, "root": str(recordings)}
    else:
        organisation.seed_demo(uow, recordings)
    for channel, (camera_class, _) in CHANNELS.items():
        if uow.session.get(Camera, demo_id(channel)) is None:
            uow.session.add(
                Camera(
                    id=demo_id(channel),
                    recorder_id=demo_id("recorder"),
                    channel=channel,
                    name_zh=channel,
                    name_en=channel,
                    place_zh="厂区",
                    place_en="Plant",
                    camera_class=camera_class,
                    retention_days=30,
                )
            )
