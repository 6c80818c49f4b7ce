"""The restore drill: cases at every stage are backed up, lost, restored elsewhere, and continue there."""

import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from case_people import DRAFTER, People
from demo_container import Places
from vault_bench import packet_hashes, part_of, wanted
from whole_desk import open_desk
from whole_footage import MADE_FOR

from services.backup.create import BackupRequest, back_up
from services.backup.installation import Installation
from services.backup.restore import RestoreRequest, RestoreResult, restore
from services.database.tables.documents import Document
from services.domain.applications import service as application_service
from services.domain.custody import copies
from services.runtime.clock import FixedClock
from services.runtime.settings import Settings
from services.vault.age import generate_identity
from services.vault.keys.vault_keys import KeyGone, ensure_keys
from services.vault.sealing import Sealed, open_sealed

pytestmark = pytest.mark.slow

DATABASES = [pytest.param("sqlite", marks=pytest.mark.long), pytest.param("postgresql", marks=pytest.mark.postgres)]


@dataclass
class Drill:
    """An installation, what it said last, and where its backup and keys are."""

    places: Places
    folder: Path
    moment: datetime = MADE_FOR
    settings: Settings | None = None
    said: list[str] = field(default_factory=list)

    def open(self, data: str, **changes: Any) -> AbstractAsyncContextManager[People]:
        self.places = replace(self.places, engine=self.places.root / data / "engine", **changes)
        return open_desk(People, self.places, moment=self.moment, data_dir=self.places.root / data)

    def leave(self, desk: People) -> None:
        """Remember what is needed to come back; the recorder goes on, wherever the installation is."""
        self.moment, self.settings = desk.clock.now(), desk.settings
        self.places = replace(
            self.places,
            database=None,
            footage=desk.footage,
            store=desk.container.store,
            replica=desk.container.replica_store,
        )

    def installation(self, **changes: Any) -> Installation:
        assert self.settings is not None
        assert self.places.store is not None
        assert self.places.replica is not None
        settings = self.settings.model_copy(update=changes)
        return Installation(
            settings, FixedClock(self.moment), {"primary": self.places.store, "replica": self.places.replica}
        )

    @property
    def identity(self) -> Path:
        return self.folder / "offline" / "identity.txt"

    def back_up(self) -> str:
        """As an operator does: keys apart, to a recipient whose identity lies elsewhere."""
        identity, recipient = generate_identity()
        self.identity.parent.mkdir(parents=True)
        self.identity.touch(0o600)
        self.identity.write_text(f"# made by age-keygen\n{identity}\n")
        apart = self.folder / "apart"
        wanted = BackupRequest(self.folder / "backup.zip", apart / "keys.age", apart / "loans.age", (recipient,))
        return back_up(self.installation(), wanted, self.said.append)

    def restore(self, data: str, database_url: Any) -> RestoreResult:
        apart = self.folder / "apart"
        source = RestoreRequest(self.folder / "backup.zip", apart / "keys.age", apart / "loans.age", self.identity)
        changes = {"data_dir": self.places.root / data, "database_url": database_url}
        return restore(self.installation(**changes), source, self.said.append)


def opened(desk: People, case: str) -> list[str]:
    """The packets of the case's copy, for whoever has its loan key."""
    [copy] = desk.look(copies.list_of_application, case)
    sealed = Sealed.from_json(copy.sealed)
    reader = open_sealed(desk.container.store, sealed.location, desk.container.loan_keys.unwrapper(copy.id))
    return [one for part in sealed.coverage.parts for one in packet_hashes(part_of(reader, part), "video")]


@pytest.fixture
def a_database(request: pytest.FixtureRequest) -> Callable[[], str | None]:
    if request.param == "sqlite":
        return lambda: None
    made: Callable[[], str | None] = request.getfixturevalue("postgres_database")
    return made


@pytest.mark.parametrize("a_database", DATABASES, indirect=True)
@pytest.mark.requirement("R36", "R40", refuses=True)
@pytest.mark.requirement("R14")
async def test_an_installation_that_was_lost_is_restored_elsewhere_and_its_cases_go_on(
    places: Places, tmp_path: Path, a_database: Callable[[], str | None]
) -> None:
    drill = Drill(places, tmp_path / "safe")
    async with drill.open("var", database_url=a_database()) as desk:
        returned = await desk.apply("cam1")
        await desk.accept(returned)
        await desk.returned(returned)
        lent, ending = await desk.apply("cam1"), await desk.apply("cam1")
        await desk.accept(lent)
        await desk.accept(ending)
        waiting = await desk.apply("gate")
        await desk.reach(waiting, "security")
        drafted = str((await desk.as_person(DRAFTER, application_service.create_draft, desk.form("gate"))).id)
        truth = [one.sha256 for one in wanted(desk.footage.truth["cam1"], desk.footage.asked)]
        assert opened(desk, lent) == truth
        drill.leave(desk)

    manifest = drill.back_up()

    async with drill.open("var") as desk:
        assert [event.subject_id for event in desk.events("database-backed-up")] == [manifest]
        await desk.returned(ending)
        drill.leave(desk)
    vault = ensure_keys(tmp_path / "var" / "keys" / "vault")
    shutil.rmtree(tmp_path / "var")

    database_url = a_database()
    as_secret = Settings.load(database_url=database_url).database_url
    restored = drill.restore("elsewhere", as_secret)

    assert ensure_keys(tmp_path / "elsewhere" / "keys" / "vault").recipients == vault.recipients
    async with drill.open("elsewhere", database_url=database_url) as desk:
        assert opened(desk, lent) == truth
        for case in (returned, ending):
            with pytest.raises(KeyGone):
                opened(desk, case)
        [gone] = desk.look(copies.list_of_application, ending)
        assert list(restored.left_out) == [gone.id]
        assert f"The loan key of copy {gone.id} stays destroyed" in "\n".join(drill.said)
        # The end of that loan came after the backup: the store tells of it, and the books take it up again.
        assert restored.comparison.faults
        assert {fault.partition(" is ")[2] for fault in restored.comparison.faults} == {
            "no longer on hold: the reason of its hold has ended since."
        }
        [event] = desk.events("database-restored")
        assert event.subject_id == manifest
        # on purpose not as it was: requests and sessions of before the backup have ended, and these are asked to look
        assert desk.notices("zhaoqiang", "database-restored")
        assert desk.notices("luoxin", "database-restored")

        await desk.returned(ending)
        await desk.returned(lent)
        await desk.accept(waiting)
        assert opened(desk, waiting)
        await desk.returned(waiting)
        await desk.as_person(DRAFTER, application_service.submit, drafted)
        await desk.reach(drafted, "preliminary")
        numbers = [document.number for document in desk.rows(Document)]
        assert len(set(numbers)) == len(numbers)
