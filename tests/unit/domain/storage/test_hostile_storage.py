"""Attempts on disposals, findings and access logs by people who have something to hide."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from archived_case import CONFIRMER, PROPOSER, DisposalDesk, archived, further
from prepared_desk import prepared_desk

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DisposalItem
from services.database.tables.documents import Document
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.documents import service as document_service
from services.domain.matters import queries as matter_queries
from services.domain.storage import disposals, findings, store_accesses, told_texts
from services.domain.storage.findings import Found
from services.domain.storage.store_accesses import Access, LineInvalid
from services.runtime.errors import NotFound, Refused

DAY = timedelta(days=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DisposalDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", archived)
    yield DisposalDesk(desk, ids).stored(tmp_path)
    desk.close()


def concern(desk: DisposalDesk, application_id: str, *people: str) -> None:
    desk.change(Application, application_id, subject_ids=list(people))


@pytest.mark.requirement("R52", refuses=True)
async def test_what_is_to_be_kept_longer_by_now_is_not_deleted_whatever_was_agreed(desk: DisposalDesk) -> None:
    assert desk.list_due() == 1
    desk.agree()
    assert desk.apply(desk.batch)
    [master] = desk.desk.all(Master)
    before = desk.left()
    desk.change(Master, master.id, dispose_after=desk.desk.clock.now() + DAY)
    await desk.disposer().run()
    assert (desk.states, desk.left(), desk.keys.gone) == (["held"], before, [])
    assert desk.items[0].because == "retention"


@pytest.mark.requirement("R52", refuses=True)
async def test_whom_a_case_concerns_finds_it_in_no_batch_and_in_no_list(desk: DisposalDesk) -> None:
    desk.desk.run(further, 1)
    desk.list_due()
    batch = desk.batch
    first, second = desk.items
    carrier = desk.matter(batch).application_id
    [other] = [item for item in (first, second) if item.application_id != carrier]
    run = desk.desk.run
    concern(desk, other.application_id, "supervisor", PROPOSER)
    assert [line.id for line in run(disposals.read_items, batch, by="supervisor").lines] != []
    assert other.id not in {line.id for line in run(disposals.read_items, batch, by="supervisor").lines}
    desk.open(batch, "disposal")
    with pytest.raises(NotFound):
        run(disposals.mark, batch, other.id, "不应销毁", by=PROPOSER)

    concern(desk, carrier, "supervisor")
    assert run(disposals.read, by="supervisor") == []
    assert [row.matter_id for row in run(disposals.read, by="security-head")] == [batch]
    for act in (disposals.get, matter_queries.get):
        with pytest.raises(NotFound):
            run(act, batch, by="supervisor")
        run(act, batch, by=CONFIRMER)
    assert not [line for line in run(matter_queries.read, by="supervisor").lines if line.id == batch]


@pytest.mark.requirement("R52", refuses=True)
async def test_the_list_of_what_was_destroyed_is_closed_to_whom_a_case_of_it_concerns(desk: DisposalDesk) -> None:
    desk.list_due()
    desk.agree()
    desk.apply(desk.batch)
    await desk.disposer().run()
    number = desk.desk.the(Document, kind="disposal").number
    desk.desk.run(document_service.read_document, number, "page", by="supervisor")
    concern(desk, desk.application_id, "supervisor")
    with pytest.raises(NotFound):
        desk.desk.run(document_service.read_document, number, "page", by="supervisor")
    assert desk.desk.all(DisposalItem)


def explain(desk: DisposalDesk, finding_id: str, by: str) -> str | None:
    try:
        desk.desk.run(findings.explain, finding_id, "已核对。", by=by)
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.requirement("R53", "R62")
def test_an_explanation_explains_one_happening_and_is_not_given_by_whose_footage_it_was(desk: DisposalDesk) -> None:
    run, case = desk.desk.run, desk.application_id
    export = Found("ghost-export", "recorder", "三号录像机", "r:1", case, {"export": "1", "channel": "4", "start": "a"})
    missing = Found("missing", "primary", "masters/one")
    assert run(findings.record, "2031-03-04", [export, missing]) == 2
    [of_export] = desk.desk.all(ReconciliationFinding, kind="ghost-export")
    [of_missing] = desk.desk.all(ReconciliationFinding, kind="missing")

    desk.change(Application, case, drafter_id="drafter", custodian_id="security-head")
    _be_custodian(desk, "security-head")
    assert explain(desk, of_export.id, "security-head") == "own-case"
    assert explain(desk, of_export.id, "supervisor") is None
    assert explain(desk, of_missing.id, "security-head") is None

    # the recorder counts from one again: another export under the number of the explained one
    other = Found("ghost-export", "recorder", "三号录像机", "r:1", case, {"export": "1", "channel": "9", "start": "b"})
    assert run(findings.record, "2031-03-05", [export, other, missing]) == 1
    assert run(findings.record, "2031-03-06", [export, other, missing]) == 0
    # what was explained, was gone and has come back is explained no longer
    assert run(findings.close_gone, "2031-03-07", ["primary"]) == 1
    assert run(findings.record, "2031-03-08", [missing]) == 1
    again = desk.desk.the(ReconciliationFinding, id=of_missing.id)
    assert (again.state, again.explanation, again.explained_by) == ("open", None, None)


@pytest.mark.requirement("R52", "R65")
def test_no_trace_of_a_read_or_an_export_is_lost_in_the_violation_of_another_kind(desk: DisposalDesk) -> None:
    """The traces of one kind are one violation, which lists them; another kind is a violation of its own."""
    run, case = desk.desk.run, desk.application_id
    exports = [
        Found("ghost-export", "recorder", recorder, f"r:{number}", case, {"export": str(number)})
        for number, recorder in enumerate(("一号录像机", "二号录像机"))
    ]
    read = Found("foreign-read", "primary", "masters/one", "l:1", case, {"requester": "stranger"})

    run(findings.record, "2031-03-04", [exports[0], read])
    run(findings.record, "2031-03-05", [*exports, read])

    recorded = {row.facts["difference"]: row for row in desk.desk.all(Violation, kind="ghost-export")}
    assert sorted(recorded) == ["foreign-read", "ghost-export"]
    shown = {
        kind: [line.zh for line in run(matter_queries.get, str(row.matter_id), by="security-head").lines]
        for kind, row in recorded.items()
    }
    assert any("二号录像机" in line for line in shown["ghost-export"])
    assert not any("masters/one" in line for line in shown["ghost-export"])
    assert "masters/one" in shown["foreign-read"]


def _be_custodian(desk: DisposalDesk, person_id: str) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.query(HandOver).update({"custodian_id": person_id})

    desk.desk.run(act)


def s3_line(request: str, agent: str = '"curl"', key: str = "masters%252Fone") -> str:
    return (
        f"owner t-masters [04/Mar/2031:10:00:00 +0000] 10.0.0.7 stranger REQ REST.GET.OBJECT {key} "
        f'{request} 200 - 5 5 1 1 "-" {agent} v1 host SigV4 - AuthHeader s3 TLSv1.2 - -'
    )


def read(*lines: str) -> list[Access]:
    of_lines = store_accesses.read_lines(lines, "t")
    return [access for one in of_lines if not isinstance(one, LineInvalid) for access in one]


def unread(*lines: str) -> list[str]:
    """The lines that could not be read."""
    read = store_accesses.read_lines(lines, "t")
    return [str(one).partition(" is ")[0] for one in read if isinstance(one, LineInvalid)]


@pytest.mark.requirement("R53")
def test_no_client_hides_a_read_by_what_it_writes_into_the_log(desk: DisposalDesk) -> None:
    plain = s3_line('"GET /one HTTP/1.1"')
    failed = s3_line('"GET /one?" 404 - - - - - "-" "-" v9 HTTP/1.1"')
    agent = s3_line('"GET /one HTTP/1.1"', agent='"my "own" agent"')
    nul = s3_line('"GET /one HTTP/1.1"', key="masters%2500one" + "x" * 5000)
    found = read(plain, failed, agent, nul)
    assert [one.act for one in found] == ["get"] * 4
    assert [one.version_id for one in found] == ["v1", None, None, "v1"]
    assert ("\0" in found[3].key, len(found[3].key)) == (False, told_texts.LONGEST)
    assert desk.desk.run(store_accesses.add, "primary", found) == 4

    entry: dict[str, Any] = {"api": {"name": "GetObject", "bucket": "t-masters", "object": "o", "statusCode": 200}}
    for changed in (
        {"time": "9999-12-31T23:59:59-14:00"},
        {"time": "yesterday"},
        {"time": "2031-03-04T10:00:00Z", "api": {**entry["api"], "object": {"a": 1}}},
    ):
        assert unread(json.dumps({**entry, **changed})) == ["line 1"]
    assert unread('{"a":' * 100_000, plain, "no log") == ["line 1", "line 3"]


def minio_line(name: str, **api: Any) -> str:
    """A line of MinIO's audit webhook by a stranger; ``copied``: the header that names what is copied."""
    headers = {"X-Amz-Copy-Source": api.pop("copied")} if "copied" in api else {}
    entry = {"api": {"name": name, "bucket": "t-masters", "statusCode": 200, **api}, "requestHeader": headers}
    return json.dumps({**entry, "time": "2031-03-04T10:00:00Z", "accessKey": "stranger", "requestID": "R1"})


@pytest.mark.requirement("R53")
def test_no_way_of_reading_or_deleting_is_past_the_log(desk: DisposalDesk) -> None:
    """Copied into another bucket, read by a part's copy or a query, deleted together: the log names our objects."""
    away = {"bucket": "mine", "object": "taken", "copied": "/t-masters/masters/a%20b?versionId=v1"}
    for name in ("CopyObject", "CopyObjectPart"):
        [taken] = read(minio_line(name, **away))
        assert (taken.act, taken.bucket, taken.key, taken.version_id) == ("get", "masters", "masters/a b", "v1"), name
    inside = read(minio_line("CopyObject", object="masters/new", copied="t-copies/copies/x"))
    assert [(one.act, one.bucket, one.key) for one in inside] == [
        ("put", "masters", "masters/new"),
        ("get", "copies", "copies/x"),
    ]
    for name in ("SelectObjectContent", "GetObjectLambda"):
        assert [one.act for one in read(minio_line(name, object="masters/one"))] == ["get"], name
    named = [{"objectName": "masters/one", "versionId": "v1"}, {"objectName": "masters/two"}]
    gone = read(minio_line("DeleteMultipleObjects", objects=named))
    assert [(one.act, one.key, one.version_id) for one in gone] == [
        ("delete", "masters/one", "v1"),
        ("delete", "masters/two", None),
    ]
    unnamed = read(minio_line("DeleteMultipleObjects"))
    assert [(one.act, one.key) for one in unnamed] == [("delete", store_accesses.UNNAMED)]
    assert read(minio_line("CopyObject", bucket="mine", object="b", copied="other/masters/one")) == []
    assert read(minio_line("GetObject")) == []
    for operation in ("REST.COPY.OBJECT_GET", "REST.COPY.PART_GET"):
        line = s3_line("-").replace("REST.GET.OBJECT", operation)
        for written in (line, line.replace(" 200 - 5", " - - 5")):
            assert [one.act for one in read(written)] == ["get"], written
    everything = [*inside, *gone, *unnamed]
    assert desk.desk.run(store_accesses.add, "primary", everything) == 5
    number, found = desk.desk.run(store_accesses.judge_next, ["desk"], 100)
    assert (number, sorted(one.kind for one in found)) == (
        5,
        ["foreign-read", *["unexplained-delete"] * 3, "unexplained-put"],
    )
