"""Making a package: what is refused, and that nothing stays of one that failed."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import package_tampering
import pytest
import rfc8785
from case_people import CUSTODIAN, People
from demo_container import Places
from evidence_case import anchor, lend
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.database.tables.audit import AuditAnchor, AuditCheckpoint
from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.accounts import requested_acts, staff
from services.domain.accounts.signatures.given import Proof
from services.domain.accounts.staff import Details
from services.domain.agreements import service as agreements
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree as audit_tree
from services.domain.audit.checkpoints import AnchorRequest
from services.domain.change_requests import service as change_requests
from services.domain.rules import service as rules
from services.evidence import package
from services.evidence.archive import new_archive
from services.runtime.errors import Fatal, Refused
from services.runtime.threads import run_in_thread
from services.vault.age import X25519Identity, generate_identity
from services.vault.keys.log_key import FOLDER, LogKey, ensure_log_key
from services.verifier import layout
from services.verifier.examination import examine
from services.verifier.notes import Checkpoint

ANYBODY = Actor("system", "test")
OFTEN = 2000  # anchors: those of three months


@pytest.mark.requirement("R52", refuses=True)
async def test_a_package_is_made_while_the_case_goes_on_or_not_at_all(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    async with open_desk(People, Places(tmp_path, case_footage, database=case_books), moment=MADE_FOR) as desk:
        with pytest.raises(Fatal, match="not on this machine"):
            sources_of(desk.container)
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        sources = sources_of(desk.container)
        case = await desk.apply("cam1")
        number = str(desk.application(case).number)
        target = tmp_path / "made" / "case.zip"

        async def refused(match: str, number: str = number, **changes: object) -> None:
            changed = package.Sources(**{**vars(sources), **changes})  # type: ignore[arg-type]
            with pytest.raises(Fatal, match=match):
                await run_in_thread(package.make, changed, number, target)
            assert list(target.parent.glob("*")) == []

        await refused("no application has this number", "SQ-2000-000001")
        await refused("no approved form was filed")
        signer = demo_id("zhaoqiang")
        details = Details("赵强", demo_id("security"), await desk.as_person("zhaoqiang", _own_address), "en")
        await desk.as_person("luoxin", staff.change_person, signer, details)
        was = {"was": "P3D"}
        await desk.as_person("luoxin", rules.change_rule, "reminder_lead", "P2D", "because of a test", **was)
        with pytest.raises(Refused, match="second person"):
            await desk.as_person("luoxin", _rename_department, demo_id("security"))
        [asked] = await desk.as_person("zhaoqiang", change_requests.list_visible)
        await desk.as_person("zhaoqiang", change_requests.confirm, asked.id)
        await requested_acts.carry_out(desk.database, Actor("person", demo_id("luoxin")), asked.id)
        await desk.accept(case)
        stranger = X25519Identity(generate_identity()[0])
        await refused("name the vault's identity", unwrapper=lambda: stranger)
        assert desk.events("package-made") == []

        made = await run_in_thread(package.make, sources, number, target)

        report = examine(target, [made.fingerprints["root"]])
        assert report.exit_code == 0, report.failed
        assert [line.status for line in report.lines if line.check in ("return", "loan-keys")] == ["note", "note"]
        assert [line.status for line in report.lines if line.check == "accounts"] == ["pass"]
        contents = package_tampering.read(target)
        told = [json.loads(json.loads(line)["entry"]) for line in contents[layout.EVENTS].splitlines()]
        [changed] = [event for event in told if event["action"] == "person-changed"]
        assert (changed["subject"]["id"], changed["detail"]["new"]) == (signer, {"locale": "en"})
        assert {event["action"] for event in told} >= {"rule-changed", "department-changed"}
        named = json.loads(contents[layout.ACCOUNTS])
        for change in ({"events": []}, {"events": [0]}, {"signers": []}, {"days": 0}):
            contents[layout.ACCOUNTS] = rfc8785.dumps({**named, **change})
            resealed = package_tampering.resealed(contents, desk.container.signer)
            failed = examine(package_tampering.write(tmp_path / "changed.zip", resealed)).failed
            assert {line.check for line in failed} & {"accounts", "events"}, change
        [event] = desk.events("package-made")
        assert made.sha256 in event.entry
        assert hashlib.sha256(target.read_bytes()).hexdigest() == made.file_sha256
        assert made.file_sha256 in event.entry
        assert target.stat().st_mode & 0o077 == 0
        with pytest.raises(Fatal, match="never overwritten"):
            await run_in_thread(package.make, sources, number, target)


@pytest.mark.requirement("R47", "R52")
async def test_of_thousands_of_anchors_a_package_has_the_first_one_of_each_event_and_the_newest(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    """Since the custodian's agreement; the newest lies beside a note of before a restore."""
    async with open_desk(People, Places(tmp_path, case_footage, database=case_books), moment=MADE_FOR) as desk:
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        sources = sources_of(desk.container)
        await desk.turn(minutes=1)  # so that it ends after the one that the custodian has
        version, proof = desk.database.rules.agreement_version, Proof(password=f"demo-{CUSTODIAN}")
        await desk.as_person(CUSTODIAN, agreements.sign, version, proof)
        await desk.database.run(ANYBODY, _act_often)
        await desk.database.run(ANYBODY, _anchor_each, sources.log_key)
        case = await desk.apply("cam1")
        await desk.accept(case)
        await desk.turn(hours=1)
        size = desk.look(audit_tree.size)
        desk.container.store.put("documents", f"checkpoints/{size}", io.BytesIO(b"before the restore"), metadata={})
        await anchor(desk, sources)
        await desk.apply("cam1")
        assert len(desk.rows(AuditAnchor)) == OFTEN + 1

        number = str(desk.application(case).number)
        made = await run_in_thread(package.make, sources, number, tmp_path / "case.zip", "hash")

        report = examine(made.path, [made.fingerprints["root"]])
        assert (report.failed, report.exit_code) == ([], 0)
        contents = package_tampering.read(made.path)
        events, anchors = (
            [json.loads(line) for line in contents[name].splitlines()] for name in (layout.EVENTS, layout.ANCHORS)
        )
        [first, *_] = [event for event in events if "agreement-signed" in event["entry"]]
        [after_first, newest] = anchors  # whatever else the case has came after all of the many
        assert after_first["size"] == min(row.size for row in desk.rows(AuditAnchor) if row.size > first["index"])
        assert newest["key"] == f"checkpoints/{size}-{newest['sha256'][:16]}"


def _act_often(uow: UnitOfWork) -> None:
    for number in range(OFTEN):
        audit_trail.record(uow, "overview-read", "person", str(number))


def _anchor_each(uow: UnitOfWork, key: LogKey) -> None:
    """A checkpoint for each of the acts, as if they had been hours apart, each of them anchored."""
    last = audit_tree.size(uow)
    for size in range(last - OFTEN + 1, last + 1):
        checkpoint = Checkpoint(key.origin, size, audit_tree.root(uow, size))
        note = key.sign(checkpoint)
        row = {"size": size, "origin": key.origin, "root": checkpoint.root_base64, "note": note}
        uow.session.add(AuditCheckpoint(**row, signed_at=uow.now))
        uow.session.flush()
        due = AnchorRequest(size, note, uow.now + timedelta(days=1))
        checkpoints.record_anchor(uow, due, "documents", f"checkpoints/{size}", "", token=None)


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_package_is_made_from_books_on_postgresql(
    tmp_path: Path, case_footage: Footage, postgres_database: Callable[[], str]
) -> None:
    places = Places(tmp_path, case_footage, database_url=postgres_database(migrated=True))
    async with open_desk(People, places, moment=MADE_FOR) as desk:
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        sources = sources_of(desk.container)
        case = await lend(desk, sources, ("cam1",))
        await anchor(desk, sources)
        await desk.apply("cam1")  # so that the package has a newer checkpoint, and nothing else names the anchored one
        number = str(desk.application(case).number)

        made = await run_in_thread(package.make, sources, number, tmp_path / "case.zip")

        report = examine(made.path, [made.fingerprints["root"]])
        assert (report.failed, report.exit_code) == ([], 0)
        with ZipFile(made.path) as archive:
            anchored, proved = (
                {json.loads(line)[name] for line in archive.read(member).splitlines()}
                for member, name in ((layout.ANCHORS, "size"), (layout.CONSISTENCY, "old"))
            )
        assert anchored
        assert anchored <= proved


def test_nothing_stays_of_a_package_whose_footage_stops(tmp_path: Path) -> None:
    def torn() -> Iterator[bytes]:
        yield b"half"

    with pytest.raises(Fatal, match="it has 4 bytes instead of 8"), new_archive(tmp_path / "case.zip") as writer:
        writer.stream("footage/1-master.mp4", 8, torn)
    assert list(tmp_path.iterdir()) == []


def _own_address(uow: UnitOfWork) -> str | None:
    return uow.session.get_one(Person, uow.actor.id).email


def _rename_department(uow: UnitOfWork, department_id: str) -> None:
    row = uow.session.get_one(Department, department_id)
    names = {"name_zh": row.name_zh, "name_en": "Guards"}
    staff.change_department(uow, department_id, **names, kind=row.kind, superior_id=row.superior_id)
