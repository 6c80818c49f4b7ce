"""The register of rules that apply: entered by Legal and a second person, kept with each application (R3)."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from second_person import asked

from services.database.tables.agreements import Agreement
from services.database.tables.applicable_rules import ApplicableRule
from services.database.tables.applications import Application, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.documents import Document
from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.applicable_rules import service
from services.domain.applicable_rules.entries import Entry, shipped
from services.domain.cases.document_layouts import render_page
from services.domain.change_requests import queries as change_request_queries
from services.domain.change_requests import service as change_requests
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.work_orders import requested_acts
from services.runtime.errors import Refused

CHECKED = replace(shipped()["order-799"], to_check=False, text="第十六条第二款")
MINORS = Entry("own", "未成年人录像管理规定", issuer="本单位", since="2031-01-01", levels=("minors",))


def with_legal(desk: ReviewDesk) -> None:
    """A department of Legal with its head and a member."""

    def act(uow: UnitOfWork) -> None:
        uow.session.add(Department(id="law", name_zh="法务部", name_en="Legal", kind="legal", superior_id="board"))
        uow.session.flush()
        pattern = uow.session.get_one(Person, "office-head")
        for person_id in ("legal-head", "lawyer"):
            uow.session.add(
                Person(
                    id=person_id,
                    login=person_id,
                    name=person_id,
                    department_id="law",
                    password_hash=pattern.password_hash,
                )
            )
            uow.session.flush()
            signed = uow.session.query(Agreement).filter_by(person_id="office-head").one()
            uow.session.add(
                Agreement(
                    person_id=person_id,
                    version=signed.version,
                    signed_at=signed.signed_at,
                    expires_at=signed.expires_at,
                )
            )

    desk.run(act)
    desk.post("legal-head", "head", "law")
    desk.post("lawyer", "member", "law")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, with_legal)
    yield desk
    desk.close()


async def entered(desk: ReviewDesk, rule_id: str | None, entry: Entry, version: int = 0) -> str:
    """Enter a rule as Legal's head, confirmed by Security's; its id."""
    request = asked(desk, service.change_rule, rule_id, entry, "年度核对", version=version, by="legal-head")
    desk.run(change_requests.confirm, request, by="security-head")
    await requested_acts.carry_out(desk.database, Actor("person", "legal-head"), request)
    return desk.all(ApplicableRule)[-1].rule_id


@pytest.mark.both_databases
@pytest.mark.requirement("R3", verb="recorded")
async def test_legal_enters_a_rule_with_a_second_person_of_another_department(desk: ReviewDesk) -> None:
    for by in ("lawyer", "admin", "security-head", "supervisor", "drafter"):
        with pytest.raises(Refused, match="Only the head of Legal"):
            desk.run(service.change_rule, None, MINORS, "年度核对", version=0, by=by)
    request = asked(desk, service.change_rule, "order-799", CHECKED, "年度核对", version=0, by="legal-head")
    assert desk.run(service.read_all)["order-799"].entry.to_check
    said = change_request_queries.describe(None, desk.the(ChangeRequest, id=request))  # type: ignore[arg-type]  # unused
    assert "公共安全视频图像信息系统管理条例" in said.zh
    for by in ("legal-head", "admin", "drafter"):
        with pytest.raises(Exception, match=r"Only another administrator|request"):
            desk.run(change_requests.confirm, request, by=by)
    # waiting takes nobody's place
    with pytest.raises(Refused) as waiting:
        desk.run(service.change_rule, "order-799", CHECKED, "年度核对", version=0, by="legal-head")
    assert waiting.value.code == "second-person-awaited"
    assert [one.id for one in desk.run(change_request_queries.list_open, by="legal-head").requests] == [request]
    desk.run(change_requests.confirm, request, by="security-head")
    with pytest.raises(Refused, match=r"Only the requester|Only an administrator"):
        await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)
    await requested_acts.carry_out(desk.database, Actor("person", "legal-head"), request)

    found = desk.run(service.read_all)["order-799"]
    assert (found.version, found.entry) == (1, CHECKED)
    [version] = desk.run(service.list_versions, "order-799")
    assert (version.by, version.reason) == ("legal-head", "年度核对")
    assert [one.subject_id for one in desk.all(AuditEvent, action="applicable-rule-changed")] == ["order-799"]
    with pytest.raises(Refused, match="just changed"):
        desk.run(service.change_rule, "order-799", MINORS, "旧版本", version=0, by="legal-head")
    reversed_days = replace(MINORS, since="2031-02-01", until="2031-01-01")
    for wrong in (reversed_days, replace(MINORS, since="2031-02-30"), replace(MINORS, levels=("secret",))):
        with pytest.raises(Refused):
            desk.run(service.change_rule, None, wrong, "年度核对", version=0, by="legal-head")


@pytest.mark.requirement("R3", verb="recorded")
async def test_an_application_keeps_the_rules_that_applied_when_it_was_submitted(desk: ReviewDesk) -> None:
    own = await entered(desk, None, MINORS)
    await entered(desk, None, replace(MINORS, title="已失效的规定", until="2031-03-01", levels=()))
    with pytest.raises(Refused, match="applicable rule"):
        desk.submitted(rule_ids=("no-such-rule",))
    case = desk.submitted(sensitivities=("minors",), rule_ids=("order-799",))
    plain = desk.submitted()
    await entered(desk, "order-799", CHECKED)
    await entered(desk, own, replace(MINORS, title="新规定"), version=1)

    def kept(application_id: str) -> dict[str, dict[str, object]]:
        form = desk.the(Revision, application_id=application_id).form
        return {one["id"]: one for one in form["applicableRules"]}

    rules = kept(case)
    assert (rules["order-799"]["version"], rules["order-799"]["basis"], rules["order-799"]["toCheck"]) == (
        0,
        True,
        True,
    )
    assert (rules[own]["version"], rules[own]["title"], rules[own]["basis"]) == (1, "未成年人录像管理规定", False)
    assert "已失效的规定" not in {one["title"] for one in rules.values()}
    assert "police-administrative" not in rules  # it bears on what an authority asks for
    assert own not in kept(plain)

    desk.approved(case)
    desk.run(filing.file, case, Classification("ordinary", False, False, False, None))
    document = desk.the(Document, kind="application-form")
    page = render_page("application-form", document.number, document.sha256, json.loads(document.content))
    assert "适用规定" in page
    assert "国务院令第799号" in page
    assert "作为调取依据" in page
    assert "待法务核对" in page
    assert "新规定" not in page
    assert desk.the(Application, id=case).rule_ids == ["order-799"]


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[tuple[ReviewDesk, Portal]]:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/books.db")
    with_legal(desk)
    async with Portal(desk) as portal:
        yield desk, portal
    desk.close()


@pytest.mark.requirement("R3", "R56", "R1")
async def test_the_pages_of_rules_levels_and_reports_in_both_languages(portal: tuple[ReviewDesk, Portal]) -> None:
    desk, pages = portal
    review = desk.opened(desk.submitted(rule_ids=("order-799",)), "preliminary")
    desk.decide(review, "head")
    security = desk.opened(desk.all(Application)[0].id, "security")
    desk.clock.turn(datetime(2031, 4, 2, tzinfo=UTC) - desk.clock.now())
    legal, admin = await pages.signed_in("legal-head"), await pages.signed_in("admin")
    supervisor, reviewer = await pages.signed_in("supervisor"), await pages.signed_in("reviewer")
    drafter = await pages.signed_in("drafter")
    csrf = {"csrf_token": supervisor.headers["X-CSRF-Token"]}
    made = await supervisor.post("/supervision/use-reports", data={"period": "2031-Q1", **csrf})
    assert made.status_code == 303, made.text[:2000]
    again = await supervisor.post("/supervision/use-reports", data={"period": "2031-Q1", **csrf})
    assert "AY-2031-000001" in again.text
    body = {"kind": "own", "title": "值班室规定", "version": "0", "reason": "年度核对"}
    entered = await legal.post("/applicable-rules/new", data={**body, "csrf_token": legal.headers["X-CSRF-Token"]})
    assert entered.status_code == 409, entered.text[:2000]
    level = {"wayOfUse": "view", "twoPeople": "true", "maxUseDays": "5", "version": "0", "reason": "保密委员会决定"}
    changed = await admin.post(
        "/admin/handling/trade-secret", data={**level, "csrf_token": admin.headers["X-CSRF-Token"]}
    )
    assert changed.status_code == 409, changed.text[:2000]
    assert {one.kind for one in desk.all(ChangeRequest)} == {"applicable-rule", "handling"}
    answer = await legal.get("/api/applicable-rules/order-799")
    assert (answer.json()["version"], answer.json()["toCheck"]) == (0, True)
    assert (await admin.get("/api/admin/handling")).json()[0]["level"] == "ordinary"
    assert (await supervisor.get("/api/use-reports")).json()[0]["period"] == "2031-Q1"

    for client, address, chinese, english in (
        (legal, "/applicable-rules", "待法务核对", "to be checked by Legal"),
        (legal, "/applicable-rules/order-799", "国务院令第799号", "Regulations on public security video"),
        (legal, "/applicable-rules/new", "录入规定", "Enter a rule"),
        (legal, "/requests", "值班室规定", "值班室规定"),
        (admin, "/admin/handling", "商业秘密", "trade secrets"),
        (admin, "/admin/handling/trade-secret", "内置要求", "Built in"),
        (reviewer, f"/reviews/{security}", "适用规定", "Rules that apply"),
        (drafter, "/apply", "所依据的法律", "Laws, standards"),
        (supervisor, "/supervision/use-reports", "生成报告", "Make the report"),
        (supervisor, "/supervision/use-reports/AY-2031-000001", "期末在借", "on loan at the end of the period"),
    ):
        for language, word in (("zh", chinese), ("en", english)):
            client.cookies.set("footage_desk_language", language, domain="footage.example", path="/")
            shown = await client.get(address, follow_redirects=True)
            assert shown.status_code == 200, (address, shown.text[:2000])
            assert word in shown.text, (address, language)
