"""The register against stores, access logs, recorders and engine: each difference is found, and each once."""

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import FILMED, Case, Desk
from sqlalchemy import inspect, select

from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.documents import Document
from services.database.tables.maintenance import Reconciliation, ReconciliationFinding, StoreAccess
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.cases.document_layouts import render_pdf
from services.domain.storage import findings, store_accesses
from services.domain.storage.comparisons import LABEL
from services.domain.storage.store_accesses import LineInvalid
from services.recorders.protocol import RecorderDown, RecorderExport
from services.runtime.errors import NotYet, Outcome, Refused
from services.runtime.settings import Settings
from services.vault.store.protocol import StoreDown
from services.workers import reconcile, store_comparison

DAY = timedelta(days=1)


class Engine:
    """An engine that has these process instances."""

    def __init__(self, *keys: int) -> None:
        self.keys = set(keys)

    async def has_instance(self, process_instance_key: int) -> bool:
        return process_instance_key in self.keys


class Teller:
    """A recorder that tells its exports."""

    def __init__(self, *exports: RecorderExport, down: bool = False) -> None:
        self.exports, self.down = list(exports), down

    async def list_exports(self) -> list[RecorderExport]:
        if self.down:
            raise RecorderDown("no answer")
        return self.exports


def export(number: str, channel: str, start: datetime | None, name: str = "mine") -> RecorderExport:
    return RecorderExport(number, channel, name, start, own=name.startswith("Footage Desk"), finished=True)


async def run(desk: Desk, *, engine: Engine | None = None, teller: Any = None, job_key: int = 0) -> reconcile.Result:
    return await reconcile.handle(
        reconcile.Command(job_key or next(desk.keys)),
        desk.database,
        desk.store,
        desk.replica_store,
        recorders=lambda kind, configuration: teller or desk.recorders(kind, configuration),
        engine_client=engine,  # type: ignore[arg-type]  # it is asked for instances alone
        settings=Settings(max_use_days=None, maintenance={"own_requesters": "desk"}),
    )


def found(desk: Desk, *states: str) -> list[tuple[str, str]]:
    rows = [row for row in desk.rows(ReconciliationFinding) if row.state in (states or ("open", "work-order"))]
    return sorted((row.kind, row.place) for row in rows)


async def kept(desk: Desk, *channels: str) -> Case:
    """A case whose masters are backed up, labelled and locked, and whose documents are filed."""
    case = desk.case(*channels).approve(backup_needed=True)
    await case.retrieve()
    await case.back_up()
    await desk.keep_locks()
    return case


def put(store: Any, bucket: str, key: str, body: bytes = b"other") -> None:
    store.put(bucket, key, io.BytesIO(body), metadata={})


@pytest.mark.requirement("R13", "R53")
async def test_what_was_done_behind_our_back_in_either_store_is_found_once(desk: Desk) -> None:
    await kept(desk, "gate", "hall", "yard")
    masters = sorted(desk.rows(Master), key=lambda row: row.sealed["key"])
    with patch.object(store_comparison, "PAGE", 2):
        assert (await run(desk)).findings_open == 0
    desk.clock.turn(DAY)

    deleted, replaced, unlocked = masters
    desk.remove_as_root("masters", deleted.sealed["key"])
    desk.remove_as_root("masters", replaced.sealed["key"])
    put(desk.store, "masters", replaced.sealed["key"])
    facts = desk._place("masters", unlocked.sealed["key"]) / "facts.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "retain_until": None}))
    put(desk.store, "masters", "masters/stranger/1")
    put(desk.replica_store, "replicas", "replicas/stranger/1")
    [form, *_] = [row for row in desk.rows(Document) if row.filed_at is not None]
    desk.remove_as_root("documents", f"{form.number}.json")
    with patch.object(store_comparison, "PAGE", 2):
        result = await run(desk)

    assert found(desk) == [
        ("extra", "primary"),
        ("extra", "replica"),
        ("lock", "primary"),
        ("missing", "primary"),
        ("missing", "primary"),
        ("other-version", "primary"),
    ]
    assert result.findings_open == 6
    # those masters are read before all others, by the rolling verification
    assert {row.id for row in desk.rows(Master) if row.suspect_since} == {deleted.id, replaced.id}
    # a second poke of the day, and the next day, find the same and no more
    await run(desk)
    desk.clock.turn(DAY)
    with patch.object(store_comparison, "FEW", 0):  # as where many differ: one listing has them all again
        await run(desk)
    assert len(desk.rows(ReconciliationFinding)) == 6
    reports = sorted(desk.rows(Reconciliation), key=lambda row: row.day)
    assert [(row.found, row.open) for row in reports] == [(0, 0), (6, 6), (0, 6)]
    [first, second, _] = [
        desk.do(lambda uow, n=row.document: uow.session.query(Document).filter_by(number=n).one()) for row in reports
    ]
    assert second.number.startswith("DZ-")
    assert render_pdf(second.kind, second.number, second.content, second.sha256, second.made_at)
    assert json.loads(first.content)["compared"]["masters"] == 3
    # what is put right is gone
    desk.store.delete("masters", "masters/stranger/1", desk.store.stat("masters", "masters/stranger/1").version_id)
    desk.clock.turn(DAY)
    await run(desk)
    assert ("extra", "primary") not in found(desk)
    assert found(desk, "gone") == [("extra", "primary")]


@pytest.mark.requirement("R13", "R53")
async def test_a_document_that_was_made_again_is_compared_as_every_other(desk: Desk) -> None:
    await kept(desk, "gate")
    [form, *_] = [row for row in desk.rows(Document) if row.filed_at is not None]
    number, again = "SQ-2031-000007", "SQ-2031-000007/1"
    for end in (".json", ".pdf", LABEL):
        put(desk.store, "documents", f"{again}{end}", b"".join(desk.store.get("documents", f"{form.number}{end}")))

    def correct(uow: UnitOfWork) -> None:
        known = {column.key: getattr(form, column.key) for column in inspect(Document).column_attrs}
        uow.session.add(
            Document(**{**known, "id": "again", "number": again, "subject_id": "again", "retain_until": None})
        )

    desk.do(correct)
    assert (await run(desk)).findings_open == 0
    desk.clock.turn(DAY)
    desk.remove_as_root("documents", f"{again}.json")
    put(desk.store, "documents", f"{number}/2.json")
    put(desk.store, "documents", "attachments/1.json")
    lines = [audit_line("PutObject", f"{number}/{turn}.json", bucket="documents") for turn in (1, 3)]
    imported(desk, [*lines, audit_line("PutObject", "attachments/1.json", bucket="documents")])
    await run(desk)
    assert found(desk) == [
        ("extra", "primary"),  # the other turn
        ("extra", "primary"),  # what calls itself an attachment
        ("missing", "primary"),
        ("unexplained-put", "primary"),
        ("unexplained-put", "primary"),
    ]


@pytest.mark.requirement("R13", "R53")
async def test_a_paper_that_is_gone_or_was_forged_is_found(desk: Desk) -> None:
    await kept(desk, "gate")
    without_pdf, without_label, forged, *_ = [row for row in desk.rows(Document) if row.filed_at is not None]
    assert (await run(desk)).findings_open == 0
    desk.clock.turn(DAY)
    desk.remove_as_root("documents", f"{without_pdf.number}.pdf")
    desk.remove_as_root("documents", f"{without_label.number}{LABEL}")
    place = desk._place("documents", f"{forged.number}.json")
    facts = (place / "facts.json").read_text()
    desk.remove_as_root("documents", f"{forged.number}.json")
    put(desk.store, "documents", f"{forged.number}.json", b"{}")
    forged_place = desk._place("documents", f"{forged.number}.json") / "facts.json"
    locked = {key: json.loads(facts)[key] for key in ("retain_until", "legal_hold") if key in json.loads(facts)}
    forged_place.write_text(json.dumps({**json.loads(forged_place.read_text()), **locked}))
    await run(desk)
    assert sorted((row.kind, row.subject) for row in desk.rows(ReconciliationFinding)) == sorted(
        [
            ("missing", f"{without_pdf.number}.pdf"),
            ("label", f"{without_label.number}.json"),
            ("other-version", f"{forged.number}.json"),
        ]
    )


def attach(desk: Desk, case: Case, identity: str, **changes: Any) -> str:
    """Attach a file to the case; its key."""
    key = f"attachments/{identity}"
    stored = desk.store.put("documents", key, io.BytesIO(identity.encode()), metadata={})
    sealed = {"bucket": "documents", "key": key, "versionId": stored.version_id, "size": stored.size}

    def enter(uow: UnitOfWork) -> None:
        [person, *_] = uow.session.scalars(select(Person.id).order_by(Person.id))
        now = uow.now
        of_upload = {name: changes.pop(name) for name in ("unwanted_at", "swept_at") if name in changes}
        uow.session.add(
            AttachmentUpload(id=identity, person_id=person, key=key, begun_at=now, stored_at=now, **of_upload)
        )
        uow.session.add(
            Attachment(
                id=identity,
                application_id=case.id,
                kind="other",
                file_name="x.pdf",
                sha256="0" * 64,
                size=1,
                media_type="application/pdf",
                sealed={**sealed, "sha256Cipher": hashlib.sha256(identity.encode()).hexdigest()},
                of_form=False,
                added_by=person,
                added_at=now,
                **changes,
            )
        )

    desk.do(enter)
    return key


@pytest.mark.requirement("R13", "R53")
async def test_an_attachment_is_compared_and_its_deletion_is_explained_where_it_was_due(desk: Desk) -> None:
    case = await kept(desk, "gate")
    now = desk.clock.now()
    whole, deleted, replaced = (attach(desk, case, name) for name in ("whole", "deleted", "replaced"))
    purged = attach(desk, case, "purged", purge_after=now, purged_at=now)
    unwanted = attach(desk, case, "unwanted", unwanted_at=now)
    desk.remove_as_root("documents", purged)
    assert (await run(desk)).findings_open == 0
    desk.clock.turn(DAY)
    desk.remove_as_root("documents", deleted)
    desk.remove_as_root("documents", replaced)
    put(desk.store, "documents", replaced)
    put(desk.store, "documents", "attachments/strange")
    lines = [
        *(audit_line("PutObject", key, bucket="documents") for key in (whole, "attachments/strange")),
        *(audit_line("DeleteObject", key, bucket="documents") for key in (deleted, purged, unwanted)),
    ]
    imported(desk, lines)
    await run(desk)
    assert sorted((row.kind, row.subject) for row in desk.rows(ReconciliationFinding)) == [
        ("extra", "attachments/strange"),
        ("missing", deleted),
        ("other-version", replaced),
        ("unexplained-delete", f"documents/{deleted}"),
        ("unexplained-put", "documents/attachments/strange"),
    ]


@pytest.mark.requirement("R53", "R66")
async def test_exports_that_nobody_asked_for_are_violations_and_silent_recorders_are_named(desk: Desk) -> None:
    case = await kept(desk, "gate")
    asked = FILMED.start + timedelta(seconds=2)
    ours = export("own-1", "gate", asked, "Footage Desk 1")
    false = export("false-1", "hall", asked, "Footage Desk 2")  # bears our name, and nobody fetched it
    theirs = export("ghost-1", "gate", asked)
    await run(desk, teller=Teller(ours, theirs, false), engine=Engine(1))

    assert found(desk) == [("ghost-export", "recorder"), ("ghost-export", "recorder")]
    [violation] = desk.rows(Violation)
    assert (violation.kind, violation.application_id, violation.accused) == ("ghost-export", case.id, [])
    assert [row.name for row in desk.rows(OutboxMessage) if row.matter_id == violation.matter_id] == [
        "violation-opened"
    ]
    desk.clock.turn(DAY)
    await run(desk, teller=Teller(theirs), engine=Engine(1))
    assert len(desk.rows(Violation)) == 1
    assert len(desk.rows(ReconciliationFinding)) == 2  # what has happened is not gone with the recorder's list

    desk.clock.turn(DAY)
    await run(desk, teller=Teller(down=True))
    desk.clock.turn(DAY)
    await run(desk)  # a folder of files does not tell
    told = [row.not_told for row in sorted(desk.rows(Reconciliation), key=lambda row: row.day)]
    assert {one["because"] for one in told[2]} == {"away", "no-log", "no-engine"}
    assert {one["because"] for one in told[3]} == {"unsupported", "no-log", "no-engine"}


@pytest.mark.requirement("R53")
async def test_a_case_without_an_instance_and_an_instance_without_a_case(desk: Desk) -> None:
    case = await kept(desk, "gate")
    other = desk.case("hall")
    desk.change(Application, case.id, process_instance_key=11)
    desk.change(Application, other.id, process_instance_key=12, closed_at=desk.clock.now() - timedelta(hours=1))
    await run(desk, engine=Engine(12))
    assert found(desk) == [("case-without-instance", "engine"), ("instance-without-case", "engine")]
    desk.clock.turn(DAY)
    await run(desk, engine=Engine(11))
    assert found(desk) == []


def audit_line(
    name: str, key: str, requester: str = "desk", version: str | None = None, bucket: str = "masters"
) -> str:
    api = {"name": name, "bucket": f"t-{bucket}", "object": key, "statusCode": 200}
    query = {"versionId": version} if version else {}
    at = "2031-03-04T10:00:00.5Z"
    return json.dumps({"api": api, "time": at, "accessKey": requester, "requestQuery": query, "remotehost": "10.0.0.9"})


def imported(desk: Desk, lines: Sequence[str]) -> int:
    of_lines = store_accesses.read_lines(lines, "t")
    read = [access for one in of_lines if not isinstance(one, LineInvalid) for access in one]
    return int(desk.do(store_accesses.add, "primary", read))


@pytest.mark.requirement("R53")
async def test_the_store_accesses_shows_reads_by_others_and_what_no_act_explains(desk: Desk) -> None:
    case = await kept(desk, "gate")
    [master] = desk.rows(Master)
    key, version = master.sealed["key"], master.sealed["versionId"]
    encoded = key.replace("/", "%252F")
    s3_line = (
        f"owner t-masters [04/Mar/2031:10:00:00 +0000] 10.0.0.7 stranger REQ REST.GET.OBJECT {encoded} "
        '"GET /x HTTP/1.1" 200 - 5 5 1 1 "-" "aws-cli" - host SigV4 - AuthHeader s3 TLSv1.2 - -'
    )
    lines = [
        audit_line("PutObject", key, version=version),
        audit_line("GetObject", key),
        audit_line("DeleteObject", key, version=version),
        audit_line("PutObject", "masters/stranger/1"),
        audit_line("ListObjects", key),
        s3_line,
    ]
    assert imported(desk, lines) == 5
    assert imported(desk, lines) == 0  # the same log a second time
    await run(desk)
    assert found(desk) == [
        ("foreign-read", "primary"),
        ("unexplained-delete", "primary"),
        ("unexplained-put", "primary"),
    ]
    assert [row.application_id for row in desk.rows(Violation)] == [case.id]
    # what this program has read itself tells nothing, and is not kept
    assert sorted(row.act for row in desk.rows(StoreAccess)) == ["delete", "get", "put", "put"]
    assert all(row.judged_at is not None for row in desk.rows(StoreAccess))
    assert {row.requester for row in desk.rows(StoreAccess) if row.act == "get"} == {"stranger"}
    assert imported(desk, lines) == 1
    desk.clock.turn(DAY)
    await run(desk)
    assert len(desk.rows(StoreAccess)) == 4
    each = list(store_accesses.read_lines([lines[0], "no log", lines[1]], "t"))
    assert [type(one) for one in each] == [list, LineInvalid, list]
    assert "line 2" in str(each[1])


@pytest.mark.requirement("R53", "R65")
async def test_the_traces_of_one_case_are_one_violation_until_that_is_decided(desk: Desk) -> None:
    case = await kept(desk, "gate")
    [master] = desk.rows(Master)

    async def read_in_ranges(seconds: int) -> None:
        line = audit_line("GetObject", master.sealed["key"], "stranger")
        assert imported(desk, [line.replace("00:00.5Z", f"00:{at:02}.5Z") for at in range(seconds, seconds + 20)]) == 20
        desk.clock.turn(DAY)
        await run(desk)

    def decide(uow: UnitOfWork) -> None:
        [violation] = uow.session.scalars(select(Violation))
        violation.closed_at, violation.closed_as = uow.now, "upheld"

    await read_in_ranges(0)
    await read_in_ranges(20)
    [first] = desk.rows(Violation)
    findings_of = [row.violation_id for row in desk.rows(ReconciliationFinding) if row.kind == "foreign-read"]
    assert (findings_of, first.application_id) == ([first.id] * 40, case.id)
    assert len(desk.rows(Matter)) == 1

    desk.do(decide)
    await read_in_ranges(40)
    [second] = [row for row in desk.rows(Violation) if row.closed_at is None]
    after = [row.violation_id for row in desk.rows(ReconciliationFinding) if row.kind == "foreign-read"]
    assert (after.count(first.id), after.count(second.id)) == (40, 20)


@pytest.mark.requirement("R62")
async def test_who_keeps_the_stores_does_not_explain_what_was_found(desk: Desk) -> None:
    await kept(desk, "gate")
    put(desk.store, "masters", "masters/stranger/1")
    await run(desk)
    [finding] = desk.rows(ReconciliationFinding)
    assert "reconciliation-findings" in {notice.code for notice in desk.rows(Notice)}
    with pytest.raises(Refused) as refused:
        desk.as_person("keeper", findings.explain, finding.id, "I put it there.")
    assert refused.value.status == 403


@pytest.mark.requirement("R13")
async def test_a_store_that_is_away_leaves_no_report_and_a_killed_run_goes_on(desk: Desk) -> None:
    await kept(desk, "gate")
    with (
        patch.object(desk.replica_store, "list_versions", side_effect=StoreDown("away")),
        pytest.raises(Outcome) as failed,
    ):
        await run(desk)
    assert failed.value.code == "CARE_FAILED"
    assert not desk.rows(Reconciliation)

    class Killed(BaseException):
        """The process dies here."""

    with patch.object(reconcile.recorder_exports, "list_asked", side_effect=Killed), pytest.raises(Killed):
        await run(desk, job_key=7)
    with pytest.raises(NotYet):
        await run(desk, job_key=8)
    await run(desk, job_key=7)
    assert len(desk.rows(Reconciliation)) == 1


@pytest.mark.requirement("R53")
async def test_no_name_of_an_export_keeps_the_day_from_being_reconciled(desk: Desk) -> None:
    """Whoever has an account of the recorder chooses the name of an export, and its text comes from the recorder."""
    await kept(desk, "gate")
    names = ("\ud800", "a\0b", "\u202eback", "n" * 100_000, "=HYPERLINK(1)")
    hostile = [export(f"{number}\0\udfff", f"hall{name}", None, name) for number, name in enumerate(names)]
    for _ in range(2):
        await run(desk, teller=Teller(*hostile), engine=Engine(1))
        desk.clock.turn(DAY)
    assert found(desk) == [("ghost-export", "recorder")] * len(names)
    for row in desk.rows(ReconciliationFinding):
        text = "".join(str(value) for value in row.detail.values())
        assert text.encode().decode() == text
        assert "\0" not in text
        assert len(text) < 2000
