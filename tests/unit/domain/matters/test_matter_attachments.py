"""Attachments of matters: who adds and reads them, that they are bound, and what is signed over them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from lent_case import attached as on_paper
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from test_violations_to_their_end import LEAK, Handled, leaked

from services.database.tables.attachments import Attachment
from services.database.tables.audit import AuditEvent
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import queries, retention
from services.domain.attachments.schemas import AttachmentList
from services.domain.custody import integrity
from services.domain.matters.violations import acts
from services.runtime.errors import NotFound, Refused


def paper(uow: UnitOfWork, matter_id: str, kind: str = "screenshot") -> str:
    return on_paper(uow, matter_id, kind, subject="matter")


def code(desk: ReviewDesk, act: Any, *args: Any, by: str) -> str:
    with pytest.raises((Refused, NotFound)) as caught:
        desk.run(act, *args, by=by)
    return caught.value.code


def listed(desk: ReviewDesk, matter_id: str, by: str) -> AttachmentList:
    return desk.run(queries.get_list, "matter", matter_id, by=by)


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def leak(tmp_path: Path) -> Iterator[Handled]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", leaked)
    yield Handled(desk, ids)
    desk.close()


@pytest.mark.requirement("R43", "R44")
def test_a_screenshot_of_a_problem_is_added_by_the_reporter_while_it_is_open(loan: LoanDesk) -> None:
    matter_id = loan.report()
    attachment_id = loan.desk.run(paper, matter_id, by="keeper")
    for by, refusal in (("reviewer", "attachment-no-part"), ("admin", "not-found")):
        assert code(loan.desk, paper, matter_id, by=by) == refusal
    assert code(loan.desk, paper, matter_id, "identity-card", by="keeper") == "attachment-card"

    row = loan.desk.the(Attachment, id=attachment_id)
    assert (row.matter_id, row.application_id, row.bound_at is not None) == (matter_id, None, True)
    assert row.retain_until is not None, "locked as the documents of its case are"
    assert attachment_id in [one.id for one in loan.desk.run(integrity.list_expected, loan.application_id)]
    until = loan.desk.clock.now().replace(year=2040)
    loan.desk.run(retention.extend, loan.application_id, until)
    assert loan.desk.the(Attachment, id=attachment_id).retain_until == until

    assert [one.added_by for one in listed(loan.desk, matter_id, "reviewer").attachments] == ["keeper"]
    loan.respond(matter_id, "explained")
    decision = loan.desk.the(Decision, matter_id=matter_id)
    assert decision.signature["statement"]["attachments"] == [row.sha256]
    assert code(loan.desk, paper, matter_id, by="keeper") == "attachment-closed"
    assert len(listed(loan.desk, matter_id, "keeper").attachments) == 1


@pytest.mark.requirement("R55", "R65")
def test_of_a_violation_the_accused_read_what_there_is_and_not_who_has_reported_it(leak: Handled) -> None:
    desk = leak.desk
    desk.run(paper, leak.id, by="security-head")
    leak.serve(LEAK)
    assert [one.added_by for one in listed(desk, leak.id, "keeper").attachments] == [None]
    assert [one.added_by for one in listed(desk, leak.id, "supervisor").attachments] == ["security-head"]
    for by in ("operator2", "drafter", "admin"):
        assert code(desk, queries.get_list, "matter", leak.id, by=by) == "not-found"
    assert code(desk, paper, leak.id, by="supervisor") == "attachment-no-part"
    # the history of the case, which the custodian reads, has nothing of it
    [event] = desk.all(AuditEvent, action="attachment-added", application_id=None)
    assert event.actor_id == "security-head"

    desk.run(paper, leak.id, "reply", by="keeper")
    desk.run(acts.reply, leak.id, "见附件。", by="keeper")
    [reply] = leak.matter(leak.id).facts["replies"]
    [own] = desk.all(Attachment, matter_id=leak.id, added_by="keeper")
    assert [file["sha256"] for file in reply["attachments"]] == [own.sha256]
    assert code(desk, paper, leak.id, by="keeper") == "attachment-heard"
    assert code(desk, paper, leak.id, by="security-head") == "attachment-heard"


@pytest.fixture
async def portal(loan: LoanDesk) -> AsyncIterator[Portal]:
    async with Portal(loan.desk) as portal:
        yield portal


@pytest.mark.requirement("R43")
async def test_pages_and_api_of_the_attachments_of_a_matter(portal: Portal, loan: LoanDesk) -> None:
    matter_id = loan.report()
    keeper, stranger = await portal.signed_in("keeper"), await portal.signed_in("admin")
    address = f"/matters/{matter_id}/attachments"
    assert f'href="{address}"' in (await keeper.get(f"/matters/{matter_id}")).text
    assert f'action="{address}"' in (await keeper.get(address)).text
    for client, path in ((stranger, address), (stranger, f"/api{address}")):
        assert (await client.get(path)).status_code == 404
    loan.desk.run(paper, matter_id, by="keeper")
    shown = await portal.signed_in("reviewer")
    review_id = loan.open(matter_id, "problem")
    assert "card.jpg" in (await shown.get(f"/reviews/{review_id}")).text
    assert "card.jpg" in (await keeper.get(f"/matters/{matter_id}")).text
    [file] = (await keeper.get(f"/api{address}")).json()["attachments"]
    assert (file["kind"], file["addedBy"], file["removable"]) == ("screenshot", "keeper", False)
