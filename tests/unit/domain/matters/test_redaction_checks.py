"""A redacted copy is used once a second person has watched all of it, and people who were filmed get nothing else."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from prepared_desk import prepared_desk
from provided_case import DECIDERS, ProvidingDesk, lent_to_security
from redacted_case import HOUR, RECIPE, approved, made, play, watch

from services.database.tables.applications import Application
from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import Disclosure
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import document_layouts
from services.domain.custody import derivative_viewings, derivatives
from services.domain.disclosures import service
from services.runtime.errors import NotFound, NotPermitted, Refused

CHECK = "redaction-check"


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def filmed(any_database_url: str) -> Iterator[ProvidingDesk]:
    """A loan on behalf of people who were filmed."""
    desk, ids = prepared_desk(any_database_url, lent_to_security)

    def filmed_people(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, ids["application_id"]).on_behalf = "filmed-person"

    desk.run(filmed_people)
    yield ProvidingDesk(desk, ids)
    desk.close()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    return caught.value.code


def ask(loan: LoanDesk, by: str = "keeper") -> str:
    return loan.ask("redaction", by, copyId=loan.ids["copy_id"], recipe=json.dumps(RECIPE))


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_t5_nobody_decides_before_having_watched_all_of_it(loan: LoanDesk) -> None:
    matter_id = ask(loan)
    assert loan.check(matter_id).allowed
    review_id = loan.open(matter_id, CHECK)

    def answer(outcome: str = "approved", by: str = "reviewer2") -> None:
        loan.answer(review_id, matter_id, CHECK, by, outcome)

    assert code_of(answer) == "not-made"
    row = made(loan)
    for outcome in ("approved", "again"):
        assert code_of(lambda outcome=outcome: answer(outcome)) == "not-watched"  # type: ignore[misc]
    watch(loan, row, "reviewer2", 0, HOUR - 61_000)
    with pytest.raises(Refused, match="00:58:59–01:00:00"):
        answer()
    # what somebody else has watched, or the same person has not read, does not count
    watch(loan, row, "keeper")
    assert code_of(answer) == "not-watched"
    watch(loan, row, "reviewer2", HOUR - 62_000, HOUR)
    answer()
    assert loan.apply(matter_id)
    assert loan.desk.the(Derivative, id=row.id).approved_at is not None


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_what_is_played_too_fast_or_was_never_read_is_not_watched(loan: LoanDesk) -> None:
    matter_id = ask(loan)
    row = made(loan)
    loan.check(matter_id)
    loan.open(matter_id, CHECK)
    run, act = loan.desk.run, derivative_viewings.open_viewing
    viewing = run(act, row.id, purpose_confirmed=True, address="x", by="reviewer2").viewing_id
    played: dict[str, Any] = {"by": "reviewer2"}
    assert code_of(lambda: run(derivative_viewings.record_played, row.id, viewing, 0, HOUR, **played)) == (
        "watched-too-fast"
    )
    # a viewing that was left open for an hour saves no hour: nothing of it is played at once
    loan.desk.clock.turn(timedelta(hours=1))
    assert code_of(lambda: run(derivative_viewings.record_played, row.id, viewing, 0, HOUR, **played)) == (
        "watched-too-fast"
    )
    saved = derivative_viewings.MOST_SAVED_MS
    assert code_of(lambda: run(derivative_viewings.record_played, row.id, viewing, 0, saved + 1, **played)) == (
        "watched-too-fast"
    )
    run(derivative_viewings.record_read, row.id, viewing, 0, 2000, **played)  # the first half alone
    run(derivative_viewings.record_played, row.id, viewing, 0, saved, **played)
    assert code_of(lambda: run(derivative_viewings.record_played, row.id, viewing, saved, saved + 1, **played)) == (
        "watched-too-fast"
    )
    left = play(loan, row, (viewing, "reviewer2"), saved, HOUR)
    assert left == [(HOUR // 2, HOUR - derivative_viewings.EDGE_MS)]
    for stranger in ("drafter", "operator2", "admin"):
        with pytest.raises(NotFound):
            run(derivative_viewings.check, row.id, by=stranger)


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_the_maker_decides_nothing_and_jobs_by_hand_change_nothing(loan: LoanDesk) -> None:
    for stranger in ("operator2", "drafter", "reviewer2"):  # may not watch the copy
        assert code_of(lambda by=stranger: ask(loan, by)) in ("not-yours", "not-found")  # type: ignore[misc]
    matter_id = ask(loan)
    assert code_of(lambda: ask(loan)) == "asked-already"
    row = made(loan)
    with pytest.raises(NotPermitted, match="the stage redaction-check has not decided it"):
        loan.apply(matter_id)
    with pytest.raises(NotPermitted, match="nobody has decided against it"):
        loan.close(matter_id, "refused")
    with pytest.raises(NotPermitted, match="not about redaction"):
        loan.open(matter_id, "extension")
    loan.check(matter_id)
    review_id = loan.open(matter_id, CHECK)
    watch(loan, row, "keeper")
    assert code_of(lambda: loan.answer(review_id, matter_id, CHECK, "keeper")) == "was-opener"
    watch(loan, row, "reviewer2")
    loan.answer(review_id, matter_id, CHECK, "reviewer2")
    # another recipe in the row than was signed
    loan.desk.run(_with_other_recipe, row.id)
    with pytest.raises(NotPermitted, match="made by another recipe"):
        loan.apply(matter_id)
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Derivative, row.id), "recipe", row.recipe))
    assert loan.apply(matter_id)
    assert loan.apply(matter_id)
    assert len(loan.desk.all(Document, kind="redaction")) == 1


def _with_other_recipe(uow: UnitOfWork, derivative_id: str) -> None:
    row = uow.session.get_one(Derivative, derivative_id)
    row.recipe = {**row.recipe, "sound": True}


@pytest.mark.requirement("R58", refuses=True)
def test_what_is_sent_back_or_could_not_be_made_is_not_used(loan: LoanDesk) -> None:
    matter_id = ask(loan)
    row = made(loan)
    loan.check(matter_id)
    review_id = loan.open(matter_id, CHECK)
    watch(loan, row, "reviewer2")
    loan.answer(review_id, matter_id, CHECK, "reviewer2", "again")
    with pytest.raises(NotPermitted):
        loan.apply(matter_id)
    loan.close(matter_id, "refused")
    assert loan.matter(matter_id).closed_as == "refused"

    second = ask(loan)
    order = loan.desk.run(derivatives.begin)
    assert order is not None
    loan.desk.run(derivatives.fail, order.attempt_id, "its pictures cannot be decoded")
    loan.check(second)
    review_id = loan.open(second, CHECK)
    assert code_of(lambda: loan.answer(review_id, second, CHECK, "reviewer2")) == "not-made"
    loan.answer(review_id, second, CHECK, "reviewer2", "again")
    assert loan.desk.run(derivatives.list_approved, [loan.ids["copy_id"]]) == {}


@pytest.mark.requirement("R6", "R58")
def test_the_record_of_its_making_says_what_was_done(loan: LoanDesk) -> None:
    matter_id, row = approved(loan)
    [document] = loan.desk.all(Document, kind="redaction")
    content = json.loads(document.content)
    assert document.number.startswith("TM-")
    assert content["title"] == "视频录像脱敏制作记录"
    said = {line["name"]: line["value"] for line in (*content["lines"], *content["results"])}
    assert said["性质"] == "派生件，非原件；原件仍封存于保管库"
    assert said["脱敏副本 SHA-256"] == "c" * 64
    assert said["配方 SHA-256"] == row.recipe_sha256
    assert said["看完全部画面的人"] == "reviewer2"
    assert content["facts"]["matter"] == matter_id
    document_layouts.sheet_of(document.kind, document.number, document.sha256, content)


@pytest.mark.requirement("R56")
def test_a_level_lets_others_outside_have_redacted_copies_alone(filmed: ProvidingDesk) -> None:
    def level(uow: UnitOfWork, behalf: str) -> None:
        application = uow.session.get_one(Application, filmed.ids["application_id"])
        application.on_behalf, application.handling = behalf, {"redactedOutside": True}

    filmed.desk.run(level, "other")
    with pytest.raises(Refused, match="confidentiality level of this footage"):
        filmed.asked()
    filmed.desk.run(level, "authority")
    assert filmed.asked()


@pytest.mark.requirement("R58", refuses=True)
def test_a_person_who_was_filmed_gets_redacted_copies_alone(filmed: ProvidingDesk) -> None:
    with pytest.raises(Refused, match="gets redacted copies alone"):
        filmed.asked()
    with pytest.raises(Refused, match="has no redacted copy"):
        filmed.asked(redacted=True)
    _, row = approved(filmed, maker="inspector", checker="reviewer")
    matter_id = filmed.asked(redacted=True)
    filmed.agreed(matter_id, *DECIDERS)
    assert filmed.apply(matter_id)
    assert len(filmed.desk.all(Disclosure)) == 1

    run = filmed.desk.run
    download_id = run(service.list_download, matter_id, filmed.ids["copy_id"], address="x", by="reviewer2").id
    handed = run(service.file_of, download_id, by="reviewer2")
    assert (handed.key_id, handed.sealed["sha256Plain"]) == (row.attempt_id, "c" * 64)

    [document] = filmed.desk.all(Document, kind="disclosure")
    content = json.loads(document.content)
    [file] = content["list"]["files"]
    assert file["derived"]["recipeSha256"] == row.recipe_sha256
    assert file["derived"]["record"].startswith("TM-")
    assert file["sha256"] == "c" * 64
    assert content["list"]["made"].startswith("提供的是派生件，非原件")
    document_layouts.sheet_of(document.kind, document.number, document.sha256, content)

    def gone(uow: UnitOfWork) -> None:
        uow.session.get_one(Derivative, row.id).discarded_at = uow.now

    filmed.desk.run(gone)
    assert code_of(lambda: run(service.file_of, download_id, by="reviewer2")) == "copy-gone"


@pytest.mark.requirement("R58")
def test_an_authority_may_take_the_copies_themselves(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, lent_to_security)
    loan = ProvidingDesk(desk, ids)
    matter_id = loan.allowed()
    download_id = desk.run(service.list_download, matter_id, ids["copy_id"], address="x", by="reviewer2").id
    assert desk.run(service.file_of, download_id, by="reviewer2").key_id == ids["copy_id"]
    desk.close()
