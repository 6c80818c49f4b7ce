"""inspect-return, re-archive, release-preservation: how a case ends, twice in a row and after a crash (R38 to R40)."""

import hashlib
import io
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from bad_disk import bad_disk
from custody_desk import NOON, Case, Desk, open_review

from services.app import server
from services.database.tables.applications import Application
from services.database.tables.attachments import AttachmentUpload
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.outsiders import Outsider
from services.database.tables.preservations import Preservation
from services.database.tables.returns import ArchiveEntry, Inspection
from services.database.tables.reviews import Review
from services.database.tables.upload_attempts import UploadAttempt
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody import closing, hand_overs
from services.domain.retrieval import attempts, progress
from services.runtime.errors import Fatal, Retryable
from services.vault.envelopes import open_envelope
from services.vault.keys.vault_keys import KeyGone
from services.vault.store.protocol import StoreDown, StoreLocked
from services.workers import (
    back_up_footage,
    inspect_return,
    preserve_footage,
    re_archive,
    release_preservation,
    vault_actions,
)

KINDS = {
    "rejected": "rejected",
    "expired": "expired",
    "unavailable": "footage-unavailable",
    "not-taken-up": "copy-not-taken-up",
    "withdrawn": "withdrawn",
}


# of 30 days of use, 3 of grace, and 30 more
TERM_ENDS = NOON + timedelta(days=63)


class Killed(BaseException):
    """The process dies here."""


async def returned(desk: Desk, *, days: int = 0) -> tuple[Case, dict[str, str]]:
    case = desk.case("gate")
    await desk.work(preserve_footage, application_id=case.id)
    hand_over_id = await case.lend()
    desk.clock.turn(timedelta(days=days))
    case.give_back(hand_over_id)
    return case, {"application_id": case.id, "hand_over_id": hand_over_id}


async def inspected(desk: Desk, outcome: str = "in-order") -> tuple[Case, dict[str, str]]:
    case, ids = await returned(desk)
    await case.inspect(ids["hand_over_id"], outcome)
    return case, ids


@pytest.mark.requirement("R39")
async def test_a_return_in_order_has_no_findings(desk: Desk) -> None:
    _, ids = await returned(desk)

    assert [(await desk.work(inspect_return, **ids)).return_findings for _ in range(2)] == [0, 0]
    [inspection] = desk.rows(Inspection)
    assert list(inspection.hashes.values()) == [True]
    assert [row.event for row in desk.rows(CustodyEntry)].count("inspected") == 1


@pytest.mark.requirement("R39")
async def test_a_damaged_copy_and_a_late_return_are_findings(desk: Desk) -> None:
    _, ids = await returned(desk, days=12)
    desk.damage("copies", desk.rows(Copy)[0].sealed["key"])

    assert (await desk.work(inspect_return, **ids)).return_findings == 2
    assert [finding["code"] for finding in desk.rows(Inspection)[0].findings] == ["hash-differs", "returned-late"]


async def test_a_copy_that_is_not_in_the_vault_is_a_finding(desk: Desk) -> None:
    _, ids = await returned(desk)
    await vault_actions.discard(desk.store, "copies", desk.rows(Copy)[0].sealed["key"])

    assert (await desk.work(inspect_return, **ids)).return_findings == 1


@pytest.mark.requirement("R39", "R40", refuses=True)
async def test_nothing_is_inspected_or_re_archived_before_the_return(desk: Desk) -> None:
    case = desk.case("gate")
    ids = {"application_id": case.id, "hand_over_id": await case.lend()}

    with pytest.raises(Fatal, match="no return"):
        await desk.work(inspect_return, **ids)
    with pytest.raises(Fatal, match="not returned"):
        await desk.work(re_archive, **ids, decision="in-order")
    desk.loan_keys.unwrapper(desk.rows(Copy)[0].id)


@pytest.mark.requirement("R40", refuses=True)
async def test_re_archiving_destroys_the_keys_and_keeps_the_masters(desk: Desk) -> None:
    case, ids = await inspected(desk)

    first = await desk.work(re_archive, **ids, decision="in-order")
    second = await desk.work(re_archive, **ids, decision="in-order")

    assert first == second
    assert first.disposal_date == (NOON + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")
    [copy], [master], [entry] = desk.rows(Copy), desk.rows(Master), desk.rows(ArchiveEntry)
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(copy.id)
    assert copy.key_destroyed_at is not None
    assert all(grant.ended_at for grant in desk.rows(Grant))
    assert entry.in_order
    assert master.dispose_after == entry.dispose_after
    assert case.application.closed_as == "footage-re-archived"
    assert [row.action for row in desk.rows(AuditEvent)].count("loan-key-destroyed") == 1
    assert desk.objects("quarantine") == []
    assert desk.store.stat("copies", copy.sealed["key"]).legal_hold is False
    for key in (master.sealed["key"], master.sealed["key"] + ".label.json"):
        facts = desk.store.stat("masters", key)
        assert facts.retain_until == entry.dispose_after
        with pytest.raises(StoreLocked):
            desk.store.delete("masters", key, facts.version_id)


@pytest.mark.requirement("R28", "R35", "R40")
async def test_the_documents_go_into_the_vault_with_the_masters_and_are_retained(desk: Desk) -> None:
    _, ids = await inspected(desk)

    await desk.work(re_archive, **ids, decision="in-order")
    await desk.work(re_archive, **ids, decision="in-order")

    documents = desk.rows(Document)
    kinds = {"application-form", "retrieval-record", "label", "hand-over-receipt", "return-inspection", "custody-log"}
    assert kinds == {row.kind for row in documents}
    keys = {f"{row.number}.{form}" for row in documents for form in ("json", "pdf", "label.json")}
    assert set(desk.store.list_keys("documents")) == keys
    assert {desk.store.stat("documents", key).retain_until for key in keys} == {NOON + timedelta(days=1096)}
    for document in documents:
        data, pdf = (b"".join(desk.store.get("documents", f"{document.number}.{form}")) for form in ("json", "pdf"))
        assert data == document.content.encode()
        assert pdf == render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)
        told = open_envelope(b"".join(desk.store.get("documents", f"{document.number}.label.json")))
        assert told.subjects == {
            f"{document.number}.{form}": hashlib.sha256(lies).hexdigest()
            for form, lies in (("json", data), ("pdf", pdf))
        }
        assert told.statement["predicateType"] == "urn:footage-desk:document:v1"
        assert told.statement["predicate"]["kind"] == document.kind


@pytest.mark.requirement("R40")
async def test_important_footage_is_kept_longer_with_its_replica(desk: Desk) -> None:
    case = desk.case("gate").approve(importance="important", backup_needed=True)
    await case.retrieve()
    await desk.work(back_up_footage, application_id=case.id, item_id=case.item())
    await case.encrypt()
    hand_over_id = await case.offer_made_copies()
    case.accept(hand_over_id)
    case.give_back(hand_over_id)
    await case.inspect(hand_over_id)

    answer = await desk.work(re_archive, application_id=case.id, hand_over_id=hand_over_id, decision="in-order")

    until = NOON + timedelta(days=730)
    assert answer.disposal_date == until.strftime("%Y-%m-%dT%H:%M:%SZ")
    replica = desk.rows(Master)[0].replica
    assert desk.replica_store.stat("replicas", replica["key"]).retain_until == until


@pytest.mark.requirement("R40", refuses=True)
@pytest.mark.requirement("R65")
async def test_a_discrepancy_destroys_the_keys_too_and_opens_a_violation(desk: Desk) -> None:
    case, ids = await inspected(desk, "discrepancy")

    await desk.work(re_archive, **ids, decision="discrepancy")
    await desk.work(re_archive, **ids, decision="discrepancy")

    assert case.application.closed_as == "return-disputed"
    assert [row.kind for row in desk.rows(Violation)] == ["discrepancy"]
    assert desk.rows(ArchiveEntry)[0].in_order is False
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(desk.rows(Copy)[0].id)


async def test_re_archiving_goes_on_where_a_crash_has_stopped_it(desk: Desk) -> None:
    case, ids = await inspected(desk)
    with patch.object(closing, "confirm_loan_end", side_effect=Killed), pytest.raises(Killed):
        await desk.work(re_archive, **ids, decision="in-order")
    assert case.application.closed_at is None

    await desk.work(re_archive, **ids, decision="in-order")

    assert case.application.closed_as == "footage-re-archived"
    assert len(desk.rows(ArchiveEntry)) == 1


async def test_re_archiving_waits_for_a_vault_that_is_down(desk: Desk) -> None:
    case, ids = await inspected(desk)
    with patch.object(type(desk.store), "retain", side_effect=StoreDown("away")), pytest.raises(Retryable):
        await desk.work(re_archive, **ids, decision="in-order")
    assert case.application.closed_at is None

    await desk.work(re_archive, **ids, decision="in-order")
    assert case.application.closed_as == "footage-re-archived"


async def test_a_decision_that_is_none_is_an_incident(desk: Desk) -> None:
    _, ids = await returned(desk)

    with pytest.raises(Fatal, match="no inspection's"):
        await desk.work(re_archive, **ids, decision="approved")


# Somebody has said no to these, so what they have left waits for an appeal; the others leave nothing.
APPEALABLE = ("rejected", "unavailable")


@pytest.mark.slow
@pytest.mark.parametrize("outcome", list(KINDS))
async def test_every_exit_without_a_hand_over_leaves_locked_masters_alone(desk: Desk, outcome: str) -> None:
    case = desk.case("gate", "yard")
    await desk.work(preserve_footage, application_id=case.id)
    await case.approve().retrieve()
    await case.back_up()
    await case.encrypt()
    if outcome == "not-taken-up":
        await case.offer_made_copies()
    desk.do(attempts.start, "copy", application_id=case.id, item_id=case.item(), job_key=404)
    assert len(desk.everything()) > 8
    case.ready_to_end(outcome)

    named = {"application_id": case.id, "closing_outcome": outcome}
    answers = [(await desk.work(release_preservation, **named)).items_released for _ in range(2)]
    if outcome in APPEALABLE:
        assert len(desk.objects("quarantine")) == 2, "the applicant may appeal"
        desk.clock.turn(desk.rules.appeal_window)
        await desk.discard()

    assert answers == [2, 2]
    kept = desk.locked_until("masters") | desk.locked_until("replicas")
    assert len(kept) == len(desk.everything()) == 6, "two masters with labels and replicas"
    assert set(kept.values()) == {row.dispose_after for row in desk.rows(Master)} == {TERM_ENDS}
    assert case.application.closed_as == KINDS[outcome]
    assert all(row.closed_at for row in desk.rows(Review))
    assert all(row.awaits_disposal for row in desk.rows(Master))
    assert all(row.discarded_at for kind in (Preservation, Copy) for row in desk.rows(kind))
    assert all(row.key_destroyed_at for row in desk.rows(Copy))
    closed = [
        row
        for row in desk.rows(Notice)
        if row.code == f"case-{'refused' if outcome in APPEALABLE else 'closed'}:{KINDS[outcome]}"
    ]
    assert [row.person_id for row in closed] == ["drafter"]


async def test_an_exit_before_anything_was_made_releases_nothing(desk: Desk) -> None:
    case = desk.case("gate")
    desk.do(open_review, case.id, "preliminary", 3)
    case.decided("security", "rejected")

    answer = await desk.work(release_preservation, application_id=case.id, closing_outcome="rejected")

    assert answer.items_released == 0
    assert desk.row(Review, "preliminary-3").closed_because == "case-closed:rejected"


async def test_a_release_goes_on_where_a_crash_has_stopped_it(desk: Desk) -> None:
    case = desk.case("gate")
    await desk.work(preserve_footage, application_id=case.id)
    await case.approve().retrieve()
    case.ready_to_end("withdrawn")
    named = {"application_id": case.id, "closing_outcome": "withdrawn"}

    with patch.object(vault_actions, "apply_vault_actions", side_effect=Killed), pytest.raises(Killed):
        await desk.work(release_preservation, **named)
    assert len(desk.objects("masters")) == 1
    with patch.object(closing, "confirm_release", side_effect=Killed), pytest.raises(Killed):
        await desk.work(release_preservation, **named)
    assert desk.objects("quarantine") == []

    assert (await desk.work(release_preservation, **named)).items_released == 1
    assert desk.rows(Preservation)[0].discarded_at is not None
    assert desk.rows(Master)[0].awaits_disposal


async def test_after_a_release_nobody_can_take_the_copies_up(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.offer()
    case.ready_to_end("not-taken-up")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="not-taken-up")

    with pytest.raises(Exception, match="accepted, declined or withdrawn"):
        case.accept(hand_over_id)


async def test_an_outcome_that_is_none_is_an_incident(desk: Desk) -> None:
    case = desk.case("gate")

    with pytest.raises(Fatal, match="no way to end it"):
        await desk.work(release_preservation, application_id=case.id, closing_outcome="lost")
    assert case.application.closed_at is None


async def test_the_start_sweeps_what_a_dead_process_has_left(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await case.retrieve()
    dead = desk.do(attempts.start, "copy", application_id=case.id, item_id=case.item(), job_key=404)
    desk.loan_keys.create(dead.subject_id)
    arguments = (desk.database, desk.store, desk.replica_store, desk.loan_keys)

    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 0, "somebody may be working on it"
    assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 1
    assert list((desk.root / "loans").glob("*.key")) == []
    assert len(desk.objects("masters")) == 1, "what is finished stays"
    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 0
    desk.clock.turn(timedelta(hours=2))
    assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 1, "once more, for a writer's last request"
    assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 0


async def test_what_the_store_does_not_give_stops_neither_the_start_nor_the_sweeping_of_others(desk: Desk) -> None:
    case = desk.case("gate", "yard")
    left = [
        desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(number), job_key=404)
        for number in (1, 2)
    ]
    for one in left:
        desk.store.put(one.bucket, one.key, io.BytesIO(b"x"), metadata={})
    delete, arguments = type(desk.store).delete, (desk.database, desk.store, None, desk.loan_keys)

    def locked(store: Any, bucket: str, key: str, version_id: str) -> bool:
        if key == left[0].key:
            raise StoreLocked("somebody has locked it in the store")
        return delete(store, bucket, key, version_id)

    with patch.object(type(desk.store), "delete", locked):
        assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 1
    assert desk.objects("masters") == [left[0].key]

    await vault_actions.sweep_abandoned(*arguments, all_open=True)
    assert desk.everything() == []


async def test_what_the_store_does_not_answer_for_keeps_no_others_from_being_swept(desk: Desk) -> None:
    case = desk.case("gate", "yard", "hall")
    left = [
        desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(number), job_key=404)
        for number in (1, 2, 3)
    ]
    for one in left:
        desk.store.put(one.bucket, one.key, io.BytesIO(b"x"), metadata={})
    arguments = (desk.database, desk.store, None, desk.loan_keys)

    with bad_disk(desk.store, "delete", left[0].key, left[2].key), pytest.raises(StoreDown):
        await vault_actions.sweep_abandoned(*arguments, all_open=True)
    assert sorted(desk.objects("masters")) == sorted([left[0].key, left[2].key])

    assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 3
    assert desk.everything() == []


@pytest.mark.requirement("R5", refuses=True)
@pytest.mark.parametrize("away", ["replicas/*", "*"])
async def test_a_store_that_is_away_keeps_the_sweeper_from_none_of_its_other_duties(desk: Desk, away: str) -> None:
    case = desk.case("gate")
    left = [
        desk.do(attempts.start, purpose, application_id=case.id, item_id=case.item(), job_key=404)
        for purpose in ("replica", "master")
    ]
    desk.store.put(left[1].bucket, left[1].key, io.BytesIO(b"x"), metadata={})
    desk.store.put("documents", "attachments/card", io.BytesIO(b"x"), metadata={})
    desk.do(_name_outsider, case.id)
    container: Any = SimpleNamespace(
        database=desk.database, store=desk.store, replica_store=desk.replica_store, loan_keys=desk.loan_keys
    )

    with bad_disk(desk.store, "sweep", away):
        await server.sweep(container, all_open=True)
    [outsider] = desk.rows(Outsider)
    assert (outsider.card_sealed, outsider.purged_at) == ("", desk.clock.now())
    swept = {row.id: row.swept_at is not None for row in desk.rows(UploadAttempt)}
    assert swept == {left[0].id: False, left[1].id: away != "*"}
    assert bool(desk.objects("masters")) == bool(desk.objects("documents")) == (away == "*")

    await server.sweep(container, all_open=True)
    assert all(row.swept_at for row in [*desk.rows(UploadAttempt), *desk.rows(AttachmentUpload)])
    assert (desk.everything(), desk.objects("documents")) == ([], [])


def _name_outsider(uow: UnitOfWork, application_id: str) -> None:
    """Somebody whose card number is kept no longer, and an attachment that was removed."""
    card: dict[str, Any] = {"card_kind": "police-card", "card_tail": "2345", "card_sealed": "012345"}
    named = {"position": 1, "name": "张警官", "unit": "公安分局", "contact": "110", **card}
    asked = {"application_id": application_id, "added_by": "drafter", "added_at": uow.now}
    uow.session.add(Outsider(**named, **asked, purge_after=uow.now, purged_at=None))
    upload = {"id": "card", "person_id": "drafter", "key": "attachments/card", "begun_at": uow.now}
    uow.session.add(AttachmentUpload(**upload, unwanted_at=uow.now, unwanted_because="removed"))


async def test_what_was_swept_beside_its_writer_is_swept_at_the_start_again(desk: Desk) -> None:
    case = desk.case("gate").approve()
    late = desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(), job_key=404)
    case.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")
    desk.store.put(late.bucket, late.key, io.BytesIO(b"x"), metadata={}, content_type="application/octet-stream")
    arguments = (desk.database, desk.store, desk.replica_store, desk.loan_keys)

    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 0, "its writer may end in order"
    assert await vault_actions.sweep_abandoned(*arguments, all_open=True) == 1, "it has died and cannot"
    assert desk.everything() == []


async def test_an_upload_older_than_a_day_is_dead(desk: Desk) -> None:
    case = desk.case("gate")
    desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(), job_key=404)
    desk.clock.turn(timedelta(hours=25))

    swept = await vault_actions.sweep_abandoned(desk.database, desk.store, None, desk.loan_keys, all_open=False)

    assert swept == 1


async def test_an_upload_of_more_than_a_day_is_left_to_its_writer_as_long_as_that_one_lives(desk: Desk) -> None:
    case = desk.case("gate")
    begun = desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(), job_key=404)
    arguments = (desk.database, desk.store, None, desk.loan_keys)
    desk.do(progress.start, case.id, case.item(), "master", "fetching")
    desk.clock.turn(timedelta(hours=25))
    desk.do(progress.update, case.item(), "master", phase="sealing", size=10, share=0.5)

    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 0
    assert desk.row(UploadAttempt, begun.id).abandoned_at is None

    # An older run that ends late takes nothing away from its successor.
    desk.do(progress.start, case.id, case.item(), "master", "fetching")
    desk.do(progress.finish, case.item(), "master", 1)
    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 0

    # Life of other work on the item is none of this one, nor what was long ago.
    desk.clock.turn(attempts.LINGER)
    desk.do(progress.start, case.id, case.item(), "replica", "replicating")
    assert await vault_actions.sweep_abandoned(*arguments, all_open=False) == 1
    assert desk.row(UploadAttempt, begun.id).abandoned_because == "the process that began it has ended"


async def test_a_declined_offer_ends_like_one_that_nobody_took_up(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.offer()
    desk.as_person("custodian", hand_overs.decline, hand_over_id, reason="Not needed any more.", proof=case.proof())

    await desk.work(release_preservation, application_id=case.id, closing_outcome="not-taken-up")

    assert len(desk.everything()) == len(desk.locked_until("masters")) == 2, "the master and its label"
    assert desk.row(Application, case.id).closed_as == "copy-not-taken-up"
