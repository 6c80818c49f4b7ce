"""Applying, correcting, withdrawing: what is stored, numbered and told to the process, and what is refused."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.outbox import OutboxMessage
from services.domain.applications import opening as application_opening
from services.domain.applications import service as application_service
from services.domain.applications.forms import ItemAsked
from services.domain.documents import service as document_service
from services.domain.retrieval import preservations
from services.runtime.errors import Fatal, NotFound, Refused

OTHER = ItemAsked("camera", NOON - timedelta(hours=5), NOON - timedelta(hours=4), "Asia/Shanghai")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def returned(desk: ReviewDesk) -> str:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")
    return application_id


def code_of(desk: ReviewDesk, *call: Any, by: str = "drafter") -> str:
    with pytest.raises(Refused) as refusal:
        desk.run(*call, by=by)
    return refusal.value.code


@pytest.mark.requirement("R16", "R18")
def test_a_submitted_form_is_numbered_frozen_and_told_in_one_transaction(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    application, revision = desk.the(Application), desk.the(Revision)
    message = desk.the(OutboxMessage)
    assert application.number == "SQ-2031-000001"
    assert revision.sha256 == hashlib.sha256(rfc8785.dumps(revision.form)).hexdigest()
    assert (revision.form["drafter"]["id"], revision.form["department"]["id"]) == ("drafter", "works")
    assert (message.name, message.correlation_key, message.message_id) == (
        "application-submitted",
        application_id,
        application_id,
    )
    assert message.variables == {"applicationId": application_id}


def test_submitting_again_changes_nothing(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    desk.run(application_service.submit, application_id, by="drafter")

    assert desk.the(Application).number == "SQ-2031-000001"
    assert len(desk.all(OutboxMessage)) == len(desk.all(Revision)) == 1


@pytest.mark.both_databases
@pytest.mark.requirement("R16", "R35")
def test_numbers_given_at_the_same_moment_differ_and_none_is_lost(desk: ReviewDesk) -> None:
    def give(_: int) -> str:
        return desk.run(document_service.next_number, "retrieval-record")

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(give, range(12)))

    assert sorted(numbers) == [f"DQ-2031-{number:06d}" for number in range(1, 13)]


def test_a_number_whose_transaction_failed_is_given_again(desk: ReviewDesk) -> None:
    def fail(uow: Any) -> None:
        document_service.next_number(uow, "application")
        raise Refused("stop", "Stop.")

    with pytest.raises(Refused):
        desk.run(fail)

    assert desk.run(document_service.next_number, "application") == "SQ-2031-000001"


@pytest.mark.requirement("R7", "R20", "R21", refuses=True)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "字" * 4001}, "reason"),
        ({"place_of_use": "a\x00b"}, "place_of_use"),
        ({"way_of_use": "publish"}, "way_of_use"),
        ({"custodian_id": "nobody"}, "custodian_id"),
        ({"subject_ids": ("nobody",)}, "subject_ids"),
        ({"items": (replace(OTHER, camera_id="nowhere"),)}, "items"),
        ({"items": (replace(OTHER, end=OTHER.start),)}, "items"),
        ({"items": tuple(replace(OTHER, start=OTHER.start + timedelta(minutes=n)) for n in range(21))}, "items"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_field(desk: ReviewDesk, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        desk.run(application_service.create_draft, replace(FORM, **changes), by="drafter")

    assert (refusal.value.status, refusal.value.field) == (422, field)
    assert desk.all(Application) == []


def test_nothing_is_submitted_without_an_item(desk: ReviewDesk) -> None:
    draft = desk.run(application_service.create_draft, replace(FORM, items=()), by="drafter")

    assert code_of(desk, application_service.submit, draft.id) == "no-items"


def test_a_draft_is_nobody_elses_not_even_the_heads(desk: ReviewDesk) -> None:
    draft = desk.run(application_service.create_draft, FORM, by="drafter")

    for person in ("keeper", "head", "security-head", "admin"):
        with pytest.raises(NotFound):
            desk.run(application_service.update_draft, draft.id, FORM, by=person)
        with pytest.raises(NotFound):
            desk.run(application_service.submit, draft.id, by=person)


def test_t6_an_appeal_names_an_application_of_ones_own(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    appeal = desk.run(application_service.create_draft, FORM, previous_id=application_id, by="drafter")

    assert appeal.previous_id == application_id
    with pytest.raises(NotFound):
        desk.run(application_service.create_draft, FORM, previous_id=application_id, by="keeper")


@pytest.mark.requirement("R22")
def test_a_correction_begins_the_round_that_the_process_waits_for(desk: ReviewDesk) -> None:
    application_id = returned(desk)
    kept = desk.the(Item).id

    desk.run(application_service.correct, application_id, replace(FORM, items=(*FORM.items, OTHER)), by="drafter")

    application = desk.the(Application)
    message = desk.the(OutboxMessage, name="application-corrected")
    assert (application.round, application.correction_until) == (1, None)
    assert message.correlation_key == message.message_id == f"{application_id}:1"
    assert message.variables["applicationId"] == application_id
    assert message.variables["itemIds"] == [item.id for item in desk.run(preservations.items_in_scope, application_id)]
    assert kept in message.variables["itemIds"]
    assert [revision.round for revision in desk.all(Revision)] == [0, 1]


@pytest.mark.requirement("R22")
def test_an_item_that_a_correction_drops_is_kept_out_of_scope(desk: ReviewDesk) -> None:
    application_id = returned(desk)
    first = desk.the(Item).id

    desk.run(application_service.correct, application_id, replace(FORM, items=(OTHER,)), by="drafter")

    dropped = desk.the(Item, id=first)
    assert dropped.dropped_in_round == 1
    assert [item.id for item in desk.run(preservations.items_in_scope, application_id)] != [first]
    assert len(desk.all(Item)) == 2


def test_what_was_not_returned_is_not_corrected(desk: ReviewDesk) -> None:
    assert code_of(desk, application_service.correct, desk.submitted(), FORM) == "not-returned"


def test_a_correction_comes_in_time_or_not_at_all(desk: ReviewDesk) -> None:
    application_id = returned(desk)
    desk.clock.turn(desk.rules.correction_period)

    assert code_of(desk, application_service.correct, application_id, FORM) == "correction-over"


@pytest.mark.parametrize("corrected_first", [True, False])
def test_expiry_and_a_correction_never_both_win(desk: ReviewDesk, corrected_first: bool) -> None:
    application_id = returned(desk)
    if corrected_first:
        desk.run(application_service.correct, application_id, FORM, by="drafter")
    desk.clock.turn(desk.rules.correction_period)

    answers = [desk.run(application_opening.expire, application_id, 1).corrected_meanwhile for _ in range(2)]

    assert answers == [corrected_first] * 2
    open_messages = [m for m in desk.all(OutboxMessage, name="application-corrected") if m.settled_at is None]
    assert open_messages == []
    if not corrected_first:
        assert code_of(desk, application_service.correct, application_id, FORM) == "not-returned"


@pytest.mark.requirement("R16")
def test_one_process_instance_runs_the_case_and_another_is_a_duplicate(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    first, again, other = (desk.run(application_opening.open_case, application_id, key) for key in (1, 1, 2))

    assert (first.duplicate, again.duplicate, other.duplicate) == (False, False, True)
    assert first.item_ids == [desk.the(Item).id]


def test_a_case_that_was_never_submitted_is_not_opened(desk: ReviewDesk) -> None:
    draft = desk.run(application_service.create_draft, FORM, by="drafter")

    for application_id in (draft.id, "unknown"):
        with pytest.raises(Fatal, match="open the case"):
            desk.run(application_opening.open_case, application_id, 1)


def test_a_withdrawal_is_told_once(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    for _ in range(2):
        desk.run(application_service.withdraw, application_id, "不再需要", by="drafter")

    message = desk.the(OutboxMessage, name="application-withdrawn")
    assert message.correlation_key == application_id


def test_nobody_withdraws_a_draft_or_what_was_handed_over(desk: ReviewDesk) -> None:
    draft = desk.run(application_service.create_draft, FORM, by="drafter")
    assert code_of(desk, application_service.withdraw, draft.id, "") == "not-running"

    application_id = desk.submitted()
    desk.offered(application_id)
    assert code_of(desk, application_service.withdraw, application_id, "") == "handed-over"
