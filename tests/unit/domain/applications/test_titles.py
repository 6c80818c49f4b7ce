"""A title in a few words: frozen with the form where there is one, and nothing of a form without one changes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from apply_browser import filled, saved, value_of
from portal_client import Portal
from review_desk import FORM, ReviewDesk

from services.database.tables.applications import Application, Revision
from services.domain.applications import service as application_service
from services.domain.cases.document_layouts import render_page
from services.runtime.errors import Refused

TITLE = "三号门货物丢失"
# what a form of an earlier release has: its hash is over these
FROZEN = {
    "applicableRules",
    *("title", "number", "policyVersion", "organisation", "round", "submittedAt", "department", "drafter", "custodian"),
    *("recipients", "previousApplication", "reason", "purpose", "purposeCategory", "legalBasis", "incidentReference"),
    *("wayOfUse", "placeOfUse", "requestedUseDays", "subjects", "urgentBecause", "importantInformation"),
    *("sensitiveEvent", "highImpact", "sensitivities", "jointDepartments", "consents", "items"),
}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def frozen(desk: ReviewDesk, **where: Any) -> dict[str, Any]:
    return desk.the(Revision, **where).form


@pytest.mark.requirement("R16", "R25")
@pytest.mark.parametrize("title", [None, ""])
def test_a_form_without_a_title_is_frozen_as_before(desk: ReviewDesk, title: str | None) -> None:
    desk.submitted(title=title, way_of_use_because="")
    assert set(frozen(desk)) == FROZEN
    assert desk.the(Application).title is None


@pytest.mark.requirement("R16", "R22")
def test_a_title_is_frozen_with_the_form_and_corrected_with_it(desk: ReviewDesk) -> None:
    case = desk.submitted(title=TITLE, way_of_use_because="")
    assert (frozen(desk)["caseTitle"], set(frozen(desk)) - FROZEN) == (TITLE, {"caseTitle"})
    desk.decide(desk.opened(case, "preliminary"), "head", "returned")

    desk.run(application_service.correct, case, replace(FORM, title="北门货物丢失"), by="drafter")

    assert [frozen(desk, round=number)["caseTitle"] for number in (0, 1)] == [TITLE, "北门货物丢失"]
    assert desk.the(Application).title == "北门货物丢失"


@pytest.mark.parametrize("title", ["长" * 61, "两行\n标题", "两行\u2028标题", "零\x00"])
def test_a_title_is_one_short_line(desk: ReviewDesk, title: str) -> None:
    with pytest.raises(Refused) as refused:
        desk.submitted(title=title)
    assert (refused.value.code, refused.value.field) == ("title-too-long", "title")
    desk.submitted(title="长" * 60)


def test_the_application_form_shows_a_title_where_there_is_one(desk: ReviewDesk) -> None:
    for title in (TITLE, None):
        desk.submitted(title=title)
    with_title, without = (row.form for row in sorted(desk.all(Revision), key=lambda row: row.form["number"]))
    assert f'<th>标题</th><td colspan="3">{TITLE}' in " ".join(printed(with_title).split()).replace("> ", ">")
    assert "标题" not in printed(without)


def printed(form: dict[str, Any]) -> str:
    of_filing = {"decisions": [], "findings": [], "granted": {"items": []}, "importance": "ordinary", "filedAt": None}
    return render_page("application-form", "SQ-1", "0" * 64, form | of_filing)


@pytest.mark.requirement("R16")
async def test_the_title_is_typed_on_the_form_and_shown_with_the_case(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        browser = await portal.signed_in("drafter")
        case = await saved(browser, filled(title=TITLE))
        assert value_of((await browser.get(f"/applications/{case}/edit")).text, "title") == TITLE
        summary = await browser.get(f"/applications/{case}/summary")
        assert TITLE in summary.text
        version = value_of(summary.text, "version")
        await browser.post(f"/applications/{case}/submit", data={"version": version})
        assert TITLE in (await browser.get(f"/cases/{case}")).text
        assert (await browser.get(f"/api/cases/{case}")).json()["application"]["title"] == TITLE
        reviewer = await portal.signed_in("head")
        review = desk.opened(case, "preliminary")
        assert TITLE in (await reviewer.get(f"/reviews/{review}")).text
        copied = await browser.get(f"/apply?from={case}")
        assert value_of(copied.text, "title") == TITLE
        refused = await browser.post("/apply", data=filled(title="长" * 61, act="save"))
        assert (refused.status_code, "最多 60 个字符" in refused.text) == (422, True)


async def test_the_api_takes_a_title_and_gives_it_back(desk: ReviewDesk) -> None:
    form = {"title": TITLE, "reason": FORM.reason}
    async with Portal(desk) as portal:
        browser = await portal.signed_in("drafter")
        draft = (await browser.post("/api/applications", json=form)).json()["id"]
        assert (await browser.get(f"/api/applications/{draft}/form")).json()["form"]["title"] == TITLE
        for wrong in ("长" * 61, "两行\n标题"):
            assert (await browser.post("/api/applications", json={"title": wrong})).status_code == 422
