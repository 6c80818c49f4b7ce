"""The register finds a case by its own words as they are now, and by the names of people and places as they are now."""

from collections.abc import Iterator

import pytest
from lent_case import lend
from review_desk import FORM, ReviewDesk
from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera
from services.database.tables.case_texts import CaseText
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import drafts
from services.domain.applications import service as application_service
from services.domain.cases import register
from services.domain.cases.register import SORTS, Search, list_cases
from services.domain.custody import naming


@pytest.fixture(params=["rare", "common"])
def desk(
    any_database_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReviewDesk]:
    """A desk whose register takes each word for one that few cases have, or for one that nearly all have."""
    if request.param == "common":
        monkeypatch.setattr(register, "FEW_MENTIONS", 0)
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def found(desk: ReviewDesk, text: str) -> list[str]:
    return [line.id for line in desk.run(list_cases, Search(text=text), limit=50, by="reviewer")]


def change(desk: ReviewDesk, table: type, key: str, **values: object) -> None:
    def act(uow: UnitOfWork) -> None:
        row = uow.session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)

    desk.run(act)


@pytest.mark.requirement("R20", verb="recorded")
def test_a_case_is_found_by_any_part_of_its_words_whatever_the_case(desk: ReviewDesk) -> None:
    one = desk.submitted(reason="Lost at GATE 3, 100%_sure", incident_reference="SJ-77")
    number = desk.the(Application, id=one).number or ""
    for text in ("gate 3", "GATE", "sj-77", "100%_", number, number[-3:], "lost"):
        assert found(desk, text) == [one], text
    for text in ("gate 4", "100_%", "lost\nsj"):
        assert found(desk, text) == [], text


@pytest.mark.requirement("R20", verb="recorded")
@pytest.mark.parametrize("text", ["仓", "三号", "号仓", "库丢", "丢失", "失一批货"])
def test_any_characters_that_stand_together_are_found(desk: ReviewDesk, text: str) -> None:
    one = desk.submitted(reason="三号仓库丢失一批货物")
    desk.submitted(reason="四号走廊有人跌倒")
    assert found(desk, text) == [one]
    assert desk.run(list_cases, Search(text=text), limit=50, by="office-head") == []


@pytest.mark.requirement("R20", verb="recorded")
def test_changed_words_and_names_are_found_as_they_are_now(desk: ReviewDesk) -> None:
    one = desk.submitted()
    change(desk, Application, one, reason="A new reason")
    change(desk, Person, "drafter", name="Anna")
    change(desk, Person, "keeper", name="Keith")
    change(desk, Camera, "camera", place_en="the harbour")
    change(desk, Department, "works", name_en="The mill")
    for text in ("new reason", "anna", "keith", "harbour", "mill"):
        assert found(desk, text) == [one], text
    assert found(desk, "货物丢失") == []


@pytest.mark.requirement("R20", verb="recorded")
def test_a_case_is_found_by_the_custodian_who_was_named_instead_before_the_offer(desk: ReviewDesk) -> None:
    one, other = desk.submitted(), desk.submitted()
    desk.approved(one)
    desk.filed(one)
    change(desk, Person, "keeper", name="Keith")
    change(desk, Person, "deputy", name="Desmond")
    assert sorted(found(desk, "keith")) == sorted([one, other])
    assert found(desk, "desmond") == []

    desk.run(naming.name, one, "deputy", reason="原保管人生病。", by="head")

    assert found(desk, "desmond") == [one]
    assert sorted(found(desk, "keith")) == sorted([one, other])  # as the form says


def test_a_deleted_draft_leaves_no_words(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> None:
        draft = application_service.create_draft(uow, FORM)
        assert uow.session.scalar(select(CaseText.text)) == FORM.reason
        drafts.discard(uow, draft.id)

    desk.run(act, by="drafter")
    assert desk.all(CaseText) == []


@pytest.mark.both_databases
@pytest.mark.requirement("R20", verb="recorded")
def test_a_case_is_found_in_each_order_of_the_list_and_with_its_other_filters(desk: ReviewDesk) -> None:
    """The orders by department and due date join the tables in which names are looked for."""
    case = lend(desk)["application_id"]
    other = desk.submitted(reason="四号走廊有人跌倒", custodian_id="drafter")
    change(desk, Person, "keeper", name="Keith")
    change(desk, Department, desk.the(Application, id=case).department_id, name_en="Works of Anna")
    for sort in SORTS:
        for text, wanted in (
            ("Keith", {case}),
            ("works of ANNA", {case, other}),
            ("四号走廊", {other}),
            ("none", set()),
        ):
            for descending in (True, False):
                search = Search(text=text, sort=sort, descending=descending)
                lines = desk.run(list_cases, search, limit=50, by="reviewer")
                assert {line.id for line in lines} & {case, other} == wanted, (text, sort)
                assert len({line.id for line in lines}) == len(lines)
    started = Search(text="Anna", state="in-use")
    assert [line.id for line in desk.run(list_cases, started, limit=50, by="reviewer")] == [case]
