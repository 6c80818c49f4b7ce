"""What the custodian writes into the custody log: moved, lent inside, checked; by the holder alone, and for good."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lent_case import Away, Parts
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.domain.accounts.signatures.given import Proof
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody import (
    holder_entries,
    loan_documents,
    log,
    log_sheet,
    recipient_access,
    returns,
    suspensions,
)
from services.rendering.formatting import JsonView
from services.rendering.sheet import Line, Listing
from services.runtime.errors import NotFound, Refused

VIEWER = "office-head"
MOVED = {"text": "移入新办公室保险柜", "place": "二号楼 305 室"}


def with_a_viewer(desk: ReviewDesk) -> dict[str, str]:
    return lent(desk, Parts(recipient_ids=(VIEWER,)))


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, with_a_viewer)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[tuple[Portal, LoanDesk]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", with_a_viewer)
    async with Portal(desk, store=Away(), loan_keys=Away()) as portal:
        yield portal, LoanDesk(desk, ids)
    desk.close()


def write(loan: LoanDesk, event: str, by: str = "keeper", **named: Any) -> None:
    loan.desk.run(holder_entries.write, loan.ids["hand_over_id"], event, by=by, **{"text": "已核对", **named})


def written(loan: LoanDesk) -> list[CustodyEntry]:
    entries = [row for row in loan.desk.all(CustodyEntry) if row.event in holder_entries.EVENTS]
    return sorted(entries, key=lambda entry: entry.seq)


def refused(loan: LoanDesk, event: str, **named: Any) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        write(loan, event, **named)
    assert caught.value.zh
    return caught.value.code, caught.value.field


@pytest.mark.requirement("R47")
def test_the_custodian_writes_entries_that_the_chain_and_the_document_hold(loan: LoanDesk) -> None:
    write(loan, "moved", **MOVED)
    write(loan, "lent", person_id=VIEWER, text="当面查看硬盘")
    write(loan, "checked", text="封条完好")

    moved, lent, checked = written(loan)
    assert (moved.person_id, moved.detail) == ("keeper", MOVED)
    assert lent.detail == {"text": "当面查看硬盘", "to": {"id": VIEWER, "name": VIEWER}}
    assert checked.seq == moved.seq + 2

    def end(uow: Any) -> None:
        hand_over = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
        assert log.broken_at(log.stream_entries(uow, hand_over.id)) is None
        loan_documents.write_at_end(uow, hand_over)

    loan.desk.run(end)
    document = loan.desk.the(Document, kind="custody-log")
    content = json.loads(document.content)
    [listing] = [part for part in log_sheet.lay_out(JsonView(content, "UTC")) if isinstance(part, Listing)][-1:]
    printed = [line.text for row in listing.rows for cell in row for line in cell if isinstance(line, Line)]
    for text in ("变更存放地点", "地点 二号楼 305 室", "内部借用", f"人员 {VIEWER}", "保管自查", "封条完好"):
        assert text in printed
    assert render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)


@pytest.mark.requirement("R47", "R57", refuses=True)
def test_what_is_not_filled_in_or_goes_to_others_is_refused(loan: LoanDesk) -> None:
    assert refused(loan, "checked", text="  ") == ("entry-text", "text")
    assert refused(loan, "moved", place=" ") == ("entry-place", "place")
    assert refused(loan, "lent") == ("entry-person", "personId")
    assert refused(loan, "checked", person_id=VIEWER) == ("entry-person", "personId")
    assert refused(loan, "lent", person_id="reviewer") == ("recipient-not-named", "personId")
    assert written(loan) == []


@pytest.mark.requirement("R47", refuses=True)
def test_nobody_but_the_holder_writes_and_nobody_after_the_return(loan: LoanDesk) -> None:
    for person in ("head", "security-head", "supervisor", VIEWER, "admin"):
        with pytest.raises(NotFound):
            write(loan, "checked", by=person)

    def suspend(uow: Any) -> None:
        suspensions.open_once(uow, uow.session.get_one(HandOver, loan.ids["hand_over_id"]), suspensions.VIOLATION)

    loan.desk.run(suspend)
    assert refused(loan, "lent", person_id=VIEWER)[0] == "copy-closed"
    loan.desk.clock.turn(timedelta(days=20))
    write(loan, "checked", text="逾期，仍在柜中")  # who holds the copies answers for them, whatever keeps them closed
    fates = [returns.AttestedFate(loan.ids["download_id"], "destroyed")]
    loan.desk.run(
        returns.return_copies,
        loan.ids["hand_over_id"],
        return_to="security",
        fates=fates,
        no_other_copies=True,
        proof=Proof("", PASSWORD),
        by="keeper",
    )
    assert refused(loan, "checked")[0] == "copy-returned"
    assert len(written(loan)) == 1


@pytest.mark.requirement("R47", refuses=True)
def test_a_changed_entry_breaks_the_chain(loan: LoanDesk) -> None:
    write(loan, "moved", **MOVED)
    write(loan, "checked")
    [moved, _] = written(loan)

    def forge(uow: Any) -> int | None:
        uow.session.get_one(CustodyEntry, moved.id).detail = {**MOVED, "place": "别处"}
        uow.session.flush()
        return log.broken_at(log.stream_entries(uow, loan.ids["hand_over_id"]))

    assert loan.desk.run(forge) == moved.seq


@pytest.mark.requirement("R47", refuses=True)
async def test_entries_are_written_on_the_page_and_over_the_api_and_never_changed(
    portal: tuple[Portal, LoanDesk],
) -> None:
    browsers, loan = portal
    keeper, head = await browsers.signed_in("keeper"), await browsers.signed_in("head")
    page = f"/hand-overs/{loan.ids['hand_over_id']}"
    api = f"/api{page}/custody-log"
    token = {"csrf_token": keeper.headers["X-CSRF-Token"]}
    assert problem(await head.post(api, json={"event": "checked", "text": "x"}))[0] == 404
    assert problem(await keeper.post(api, json={"event": "returned", "text": "x"}))[0] == 422
    assert problem(await keeper.post(api, json={"event": "checked", "text": " "}))[::2] == (422, "text")
    answer = await keeper.post(api, json={"event": "lent", "text": "当面查看", "personId": VIEWER})
    assert answer.status_code == 201, answer.text
    assert [(one["event"], one["by"], one["to"]) for one in answer.json()["entries"]] == [("lent", "keeper", VIEWER)]
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await keeper.request(method, api, json={"text": "other"})).status_code == 405

    again = await keeper.post(f"{page}/custody-log", data={"event": "moved", "text": "<b>移存</b>", **token})
    assert (again.status_code, "&lt;b&gt;移存" in again.text) == (422, True)
    done = await keeper.post(f"{page}/custody-log", data={"event": "moved", **MOVED, "personId": "", **token})
    assert done.status_code == 303, done.text
    for shown in (
        await keeper.get(page),
        await keeper.get(f"{page}/custody-log"),
        await head.get(f"{page}/custody-log"),
    ):
        assert MOVED["text"] in shown.text
        assert MOVED["place"] in shown.text
    table = await keeper.get(f"{page}/custody-log.csv")
    assert f"{MOVED['text']} · {MOVED['place']}" in table.text


def test_entries_without_end_are_not_written(loan: LoanDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_entries, "MOST", 2)
    monkeypatch.setattr(recipient_access, "MOST_ALLOWED", 1)
    for event in ("checked", "moved"):
        write(loan, event, place="原处")
    assert refused(loan, "checked")[0] == "entries-full"
    hand_over_id = loan.ids["hand_over_id"]
    for act in (recipient_access.allow, recipient_access.withdraw):
        loan.desk.run(act, hand_over_id, VIEWER, by="keeper")
    with pytest.raises(Refused) as caught:
        loan.desk.run(recipient_access.allow, hand_over_id, VIEWER, by="keeper")
    assert caught.value.code == "entries-full"
