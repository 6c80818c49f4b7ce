"""An installation of the first release is opened by this one: nothing is lost, and every case is carried to its end."""

import gzip
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import amount
import pyotp
import pytest
from case_people import DRAFTER, People
from demo_container import Places
from installation_fixture import (
    BACKUP,
    DUMP,
    FOLDERS,
    IDENTITY,
    KEPT,
    KEYS,
    LOAN_KEYS,
    PACKAGE,
    SECOND_FACTOR,
    Facts,
    installation,
    postgresql_programs,
)
from joint_and_uploaded import consent, heads
from sqlalchemy import make_url
from vault_bench import packet_hashes, part_of
from whole_desk import open_desk
from whole_footage import AGO, MADE_FOR, Footage

from services.app.evidence import sources_of
from services.backup.bundle import Bundle
from services.backup.restore import RestoreRequest, restore
from services.database.tables.applications import Application
from services.database.tables.deployed_models import ModelFile
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.domain.accounts import login
from services.domain.accounts.client import Client
from services.domain.applications import service as application_service
from services.domain.audit.verification import verify_trail
from services.domain.custody import copies, locks
from services.evidence import package
from services.runtime.settings import Settings
from services.runtime.threads import run_in_thread
from services.vault.labels import label_key
from services.vault.sealing import Sealed, open_sealed
from services.verifier.examination import examine
from services.verifier.main import main as verify

pytestmark = [pytest.mark.requirement("R14", "R36", "R40")]
FACTS = Facts.read()
ARCHIVED = "footage-re-archived"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders of the kept installation, unpacked."""
    folder = tmp_path / "root"
    with tarfile.open(KEPT / FOLDERS) as archive:
        archive.extractall(folder, filter="tar")
    return folder


def opened(root: Path, data: str = "var", **changes: Any) -> AbstractAsyncContextManager[People]:
    """The installation at its work, with its recorder where it is now."""
    footage = Footage(root / "recorder", MADE_FOR - AGO, {})
    places = Places(root, footage, engine=root / data / "engine", **changes)
    return open_desk(People, places, moment=FACTS.moment, data_dir=root / data)


ENDS = {
    **dict.fromkeys(FACTS.cases, ARCHIVED),
    "management": "rejected",
    "rejected": "rejected",
    "withdrawn": "withdrawn",
    "lost": "copy-lost",
}


async def carry_on(desk: People) -> None:
    """Carry every case to its end."""
    cases = FACTS.cases
    assert desk.engine is not None
    [incident] = await desk.engine.writer.read(lambda store: store.incidents.all_open())
    await desk.resolve(incident)
    await desk.as_person(DRAFTER, application_service.submit, cases["draft"])
    for head in heads(desk).values():
        await consent(desk, head)
    await desk.correct(cases["correction"], "gate")
    await desk.confirm(cases["confirmation"])
    await desk.decide(cases["inspection"], "return-inspection")
    for name in ("suspended", "loan", "download"):
        await desk.returned(cases[name])
    await desk.decide(cases["management"], "management", "rejected")
    for name, case in cases.items():
        if desk.application(case).closed_at is None and name not in ("management", "inspection"):
            await desk.accept(case)
            await desk.returned(case)
    await desk.quiet()
    assert {name: desk.application(case).closed_as for name, case in cases.items()} == ENDS
    with desk.database.engine.connect() as connection:
        assert verify_trail(connection).faults == []


async def check_copies(desk: People) -> None:
    """Each copy that is on loan opens with its key and is whole."""
    for name in ("loan", "download", "receipt"):
        for copy in desk.look(copies.list_of_application, FACTS.cases[name]):
            sealed = Sealed.from_json(copy.sealed)
            reader = open_sealed(desk.container.store, sealed.location, desk.container.loan_keys.unwrapper(copy.id))
            assert [part for part in sealed.coverage.parts if packet_hashes(part_of(reader, part), "video")]


async def check_models(desk: People) -> None:
    """The engine tells on which version the open cases run; those that have ended are told as not recorded."""

    def are_known(_: object) -> bool:
        running = [row for row in desk.rows(Application, closed_at=None) if row.process_instance_key is not None]
        return bool(running) and all(row.process_version and row.model_sha256 for row in running)

    await desk.until(are_known, "the versions that the open cases run on")
    kept = {file.sha256 for file in desk.rows(ModelFile)}
    for row in desk.rows(Application):
        assert row.model_sha256 in (kept if row.closed_at is None and row.process_instance_key else {None})


async def check(desk: People) -> None:
    """Read what the installation holds."""
    assert desk.loan_keys() == set(FACTS.loan_keys)
    await check_models(desk)
    await check_copies(desk)
    place = Client("a browser", "127.0.0.1")
    session = await login.log_in(desk.database, SECOND_FACTOR, f"demo-{SECOND_FACTOR}", place)
    assert session.pending_step == "code"
    await login.submit_code(desk.database, session.token, place, pyotp.TOTP(FACTS.second_factor).now())


async def check_locks(desk: People) -> None:
    """What open cases of the first release have in the vault is locked at the first start of this one."""
    assert desk.look(locks.count_waiting).since is not None
    await desk.keep_locks()
    assert desk.look(locks.count_waiting).since is None
    for master in desk.rows(Master):
        facts = desk.container.store.stat("masters", master.sealed["key"], master.sealed["versionId"])
        label = desk.container.store.stat("masters", label_key(master.sealed["key"]))
        if master.discarded_at is None:
            assert facts.retain_until == label.retain_until == master.retain_until > FACTS.moment
    for case in ("loan", "download", "receipt"):
        for document in desk.rows(Document, application_id=FACTS.cases[case]):
            facts = desk.container.store.stat("documents", f"{document.number}.pdf")
            assert facts.retain_until == document.retain_until > FACTS.moment


async def check_packages(desk: People, folder: Path) -> None:
    """Packages of cases that began under the first release are sound, and say what it did not name yet."""
    sources = sources_of(desk.container)
    for name in ("archived", "loan", "storage-release"):
        number = str(desk.application(FACTS.cases[name]).number)
        made = await run_in_thread(package.make, sources, number, folder / f"{name}.zip", "hash")
        report = examine(made.path, [FACTS.fingerprints["root"]])
        assert (report.failed, report.exit_code) == ([], 0)
        [older] = [line.found for line in report.lines if line.check == "older"]
        assert ("footage/1-master.label.json" in older) == (name != "storage-release")  # released by this one


@pytest.mark.slow
async def test_its_cases_are_carried_to_their_ends(root: Path, tmp_path: Path) -> None:
    async with opened(root) as desk:
        await check(desk)
        await check_locks(desk)
        await carry_on(desk)
        await check_packages(desk, tmp_path)


def load_dump(url: str) -> None:
    """Load the dump as an operator does."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [postgresql_programs() / "psql", "--quiet", "--set=ON_ERROR_STOP=1", address]
    dump = gzip.decompress((KEPT / DUMP).read_bytes())
    subprocess.run(command, input=dump, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.postgres
async def test_its_dump_is_loaded_into_postgresql(root: Path, postgres_database: Callable[[], str]) -> None:
    url = postgres_database()
    load_dump(url)

    async with opened(root, database_url=url) as desk:
        await check(desk)
        if amount.all_of_it():
            await carry_on(desk)


async def test_its_backup_is_restored(root: Path, tmp_path: Path) -> None:
    identity = tmp_path / IDENTITY
    identity.touch(0o600)
    identity.write_bytes((KEPT / IDENTITY).read_bytes())
    shutil.rmtree(root / "var")
    settings = Settings.load(data_dir=root / "new", rules={"max_use_days": 30}, zone="UTC")

    request = RestoreRequest(
        KEPT / BACKUP, KEPT / KEYS, KEPT / LOAN_KEYS, identity, sha256=Bundle(KEPT / BACKUP).sha256
    )
    restored = restore(installation(settings, root, FACTS.moment), request, lambda _: None)

    assert restored.complete
    async with opened(root, "new") as desk:
        await check(desk)
        if amount.all_of_it():
            await carry_on(desk)


def test_its_package_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify([str(KEPT / PACKAGE), "--trust", FACTS.fingerprints["root"]]) == 0
    assert verify([str(KEPT / PACKAGE)]) == 2
    capsys.readouterr()
