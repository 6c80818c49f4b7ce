"""Handling rules of confidentiality levels: changed by two people, never below the floor, and followed (R56)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lent_case import offered
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk
from second_person import asked, confirmed

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.copies import Grant
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.handling import HandlingChange
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import completeness
from services.domain.cases.document_layouts import render_page
from services.domain.change_requests import queries as change_request_queries
from services.domain.change_requests import service as change_requests
from services.domain.custody import grants, hand_overs, holder_entries, queries
from services.domain.handling import service as handling
from services.domain.handling.levels import FLOOR, SHIPPED, Handling
from services.domain.retrieval import preservations
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.reviews.scopes import Granting
from services.domain.work_orders import requested_acts
from services.runtime.errors import Refused

SECRET = "trade-secret"
CLASS = Classification("ordinary", management_needed=False, second_person=False, backup_needed=False, max_use_days=None)
STRICT = replace(
    SHIPPED[SECRET],
    way_of_use="view",
    two_people=True,
    max_use_days=6,
    check_in_days=3,
    rule_title="商业秘密管理办法",
    rule_link="https://rules.example/secrets",
)


def lend_secret(desk: ReviewDesk) -> dict[str, str]:
    """A loan of footage that shows trade secrets, whose level was made stricter after the form was handed in."""
    case = desk.submitted(sensitivities=(SECRET,))
    desk.decide(desk.opened(case, "preliminary"), "head")
    confirmed(desk, handling.change_level, SECRET, STRICT, "保密委员会决定", version=0)
    review = desk.opened(case, "security")
    with pytest.raises(Refused) as refused:
        desk.decide(review, "reviewer", granting=Granting(way_of_use="download"))
    assert refused.value.code == "way-above-level"
    desk.decide(review, "reviewer")
    desk.decide(desk.opened(case, "security-signature"), "security-head")
    desk.run(filing.file, case, CLASS)
    _, copy, loan = desk.run(offered, case)
    receipt = desk.opened(case, "receipt", hand_over_id=loan)
    proof = Proof(desk.form_sha256(receipt), PASSWORD)
    desk.run(hand_overs.accept, loan, conditions_version=desk.rules.policy_version, proof=proof, by="keeper")
    return {"case": case, "copy": copy, "loan": loan}


@pytest.fixture
def lent(any_database_url: str) -> Iterator[tuple[ReviewDesk, dict[str, str]]]:
    desk, ids = prepared_desk(any_database_url, lend_secret)
    yield desk, ids
    desk.close()


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.mark.requirement("R56")
async def test_a_level_changes_by_two_people_and_never_below_the_floor(desk: ReviewDesk) -> None:
    for level in ("important", "sensitive-area"):
        for looser in (
            replace(FLOOR[level], two_people=False),
            replace(FLOOR[level], max_use_days=16),
            replace(FLOOR[level], max_use_days=None),
        ):
            with pytest.raises(Refused) as refused:
                desk.run(handling.change_level, level, looser, "没有理由", version=0, by="admin")
            assert refused.value.code == "handling-below-floor"
    with pytest.raises(Refused, match="No viewing station"):
        desk.run(handling.change_level, SECRET, Handling(way_of_use="on-site"), "现场查看", version=0, by="admin")
    for by in ("security-head", "supervisor", "reviewer"):
        with pytest.raises(Refused, match="Only an administrator"):
            desk.run(handling.change_level, SECRET, STRICT, "保密委员会决定", version=0, by=by)

    request = asked(desk, handling.change_level, SECRET, STRICT, "保密委员会决定", version=0)
    assert desk.run(handling.read_in_force)[SECRET].version == 0
    said = change_request_queries.describe(None, desk.the(ChangeRequest, id=request))  # type: ignore[arg-type]  # unused
    assert "商业秘密" in said.zh
    assert "trade secrets" in said.en
    with pytest.raises(Refused, match="Only another administrator"):
        desk.run(change_requests.confirm, request, by="admin")
    desk.run(change_requests.confirm, request, by="security-head")
    await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)
    found = desk.run(handling.read_in_force)[SECRET]
    assert (found.handling, found.version) == (STRICT, 1)
    assert [event.subject_id for event in desk.all(AuditEvent, action="handling-changed")] == [SECRET]
    with pytest.raises(Refused, match="just changed"):
        desk.run(handling.change_level, SECRET, SHIPPED[SECRET], "旧版本", version=0, by="admin")

    # what is in the database is no way around the floor either
    def loosen(uow: UnitOfWork) -> None:
        values: dict[str, Any] = {"at": uow.now, "changed_by": "admin", "reason": "-", "handling": Handling().as_json()}
        uow.session.add(HandlingChange(level="important", version=1, **values))

    desk.run(loosen)
    assert desk.run(handling.read_in_force)["important"].handling.at_least(FLOOR["important"]).two_people
    assert desk.run(handling.read_in_force)["important"].handling.max_use_days == 15


@pytest.mark.both_databases
@pytest.mark.requirement("R56")
def test_a_form_that_asks_for_more_than_its_level_allows_is_sent_back(desk: ReviewDesk) -> None:
    def blocked(case: str) -> list[str]:
        def read(uow: UnitOfWork) -> list[str]:
            items = preservations.items_in_scope(uow, case)
            found = completeness.check(uow, uow.session.get_one(Application, case), items)
            return [one.code for one in found if one.severity == "blocks"]

        return desk.run(read)

    case, other = desk.submitted(sensitivities=(SECRET,)), desk.submitted()
    assert blocked(case) == []
    confirmed(desk, handling.change_level, SECRET, STRICT, "保密委员会决定", version=0)
    assert blocked(case) == ["way-above-level"]
    assert blocked(other) == []


@pytest.mark.requirement("R56")
def test_the_rules_of_its_level_are_kept_with_the_case_and_printed(lent: tuple[ReviewDesk, dict[str, str]]) -> None:
    desk, ids = lent
    application = desk.the(Application, id=ids["case"])
    assert (application.second_person, application.max_use_days, application.granted_use_days) == (True, 6, 6)
    assert application.granted_way_of_use == "view"
    assert {grant.action for grant in desk.all(Grant)} == {"view"}
    confirmed(desk, handling.change_level, SECRET, SHIPPED[SECRET], "取消限制", version=1)
    kept = desk.the(Application, id=ids["case"]).handling or {}
    assert (kept["wayOfUse"], kept["checkInDays"]) == ("view", 3)
    assert [(one["level"], one["version"]) for one in kept["levels"]] == [("ordinary", 0), (SECRET, 1)]

    view = desk.run(queries.get_mine, ids["loan"], by="keeper")
    assert view.handling is not None
    assert [one.rule_title for one in view.handling.levels] == ["", "商业秘密管理办法"]
    receipt = desk.the(Document, kind="hand-over-receipt")
    page = render_page("hand-over-receipt", receipt.number, receipt.sha256, json.loads(receipt.content))
    assert "密级管理要求" in page
    assert "商业秘密管理办法" in page
    assert SHIPPED[SECRET].instructions_zh in page


@pytest.mark.requirement("R56")
def test_a_download_and_a_missed_check_in_are_refused(lent: tuple[ReviewDesk, dict[str, str]]) -> None:
    desk, ids = lent

    def forge(uow: UnitOfWork) -> None:
        """What a purpose change of an earlier release may have written."""
        uow.session.get_one(HandOver, ids["loan"]).way_of_use = "download"

    desk.run(forge)
    assert desk.run(queries.get_mine, ids["loan"], by="keeper").way_of_use == "view"
    with pytest.raises(Refused, match="Only viewing is granted"):
        desk.run(grants.check, ids["copy"], "download", by="keeper")
    desk.run(grants.check, ids["copy"], "view", by="keeper")
    desk.clock.turn(timedelta(days=3, minutes=1))
    with pytest.raises(Refused) as refused:
        desk.run(grants.check, ids["copy"], "view", by="keeper")
    assert refused.value.code == "check-in-due"
    desk.run(holder_entries.write, ids["loan"], "checked", text="在保密柜中", by="keeper")
    desk.run(grants.check, ids["copy"], "view", by="keeper")
    due = desk.run(queries.get_mine, ids["loan"], by="keeper").handling
    assert due is not None
    assert due.check_in_due == desk.clock.now() + timedelta(days=3)
