"""The inspection of a return: what was lent, what came back, what the hashes say, what the inspector decides (R39)."""

from collections.abc import AsyncIterator

import pytest
from lent_case import offered
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk
from review_pages import HOSTILE, Lens, decision, text_of

from services.database.tables.reviews import Decision
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import hand_overs, returns, viewings
from services.domain.custody.returns import AttestedFate
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.vault.age import generate_identity


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    lens = Lens()
    async with Portal(desk, recorders=lambda _kind, _configuration: lens) as opened:
        yield opened


def came_back(desk: ReviewDesk, *, matches: bool = True, by: str = "drafter") -> str:
    """A case whose one copy was downloaded and returned; the id of its open inspection."""
    application_id = desk.submitted(by=by)
    desk.approved(application_id)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download")
    release = desk.opened(application_id, "storage-release")
    desk.decide(release, "operator")
    _, copy_id, hand_over_id = desk.run(offered, application_id)
    desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    proof, version = Proof(desk.form_sha256(release), PASSWORD), desk.rules.policy_version
    desk.run(hand_overs.accept, hand_over_id, conditions_version=version, proof=proof, by="keeper")
    recipient = generate_identity()[1]
    wish = {"recipient": recipient, "medium": f"移动硬盘 7 {HOSTILE}", "address": "x"}
    download = desk.run(viewings.list_download, copy_id, **wish, by="keeper")
    desk.run(
        returns.return_copies,
        hand_over_id,
        return_to="security",
        fates=[AttestedFate(download.id, "destroyed", f"已粉碎 {HOSTILE}")],
        no_other_copies=True,
        proof=Proof(password=PASSWORD),
        by="keeper",
    )
    desk.run(returns.record_inspection, application_id, hand_over_id, {copy_id: matches})
    return desk.opened(application_id, "return-inspection", hand_over_id=hand_over_id)


@pytest.mark.requirement("R39")
async def test_an_inspector_sees_what_was_lent_what_was_attested_and_what_the_hashes_say(
    desk: ReviewDesk, portal: Portal
) -> None:
    review_id = came_back(desk)
    inspector = await portal.signed_in("inspector")

    page = await inspector.get(f"/reviews/{review_id}")
    sheet = (await inspector.get(f"/api/reviews/{review_id}/return")).json()

    shown = text_of(page)
    for wanted in (
        "keeper",
        "移动硬盘 7",
        "已销毁",
        "已粉碎",
        "与封存时一致",
        "未发现问题",
        "全部副本是否已归还或销毁？",
    ):
        assert wanted in shown
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert (sheet["copies"][0]["matches"], sheet["downloads"][0]["fate"]) == (True, "destroyed")

    done = await inspector.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "in-order"))
    assert done.status_code == 303
    assert desk.the(Decision, stage="return-inspection").outcome == "in-order"


@pytest.mark.requirement("R39", refuses=True)
@pytest.mark.requirement("R40")
async def test_a_copy_that_differs_is_told_and_a_discrepancy_needs_its_reason(desk: ReviewDesk, portal: Portal) -> None:
    review_id = came_back(desk, matches=False)
    inspector = await portal.signed_in("inspector")
    typed = {**decision(desk, review_id, "discrepancy"), "answers-all-accounted": "false"}

    page = text_of(await inspector.get(f"/reviews/{review_id}"))
    silent = await inspector.post(f"/reviews/{review_id}/decide", data=typed)
    told = await inspector.post(f"/reviews/{review_id}/decide", data={**typed, "reason": "少一个硬盘"})

    assert "与封存时不一致" in page
    assert "副本与封存时不一致" in page
    assert (silent.status_code, "请写明理由" in text_of(silent)) == (422, True)
    assert told.status_code == 303
    assert desk.the(Decision, stage="return-inspection").reason == "少一个硬盘"


@pytest.mark.requirement("R39", refuses=True)
async def test_whoever_drafted_the_case_does_not_inspect_its_return(desk: ReviewDesk, portal: Portal) -> None:
    review_id = came_back(desk, by="keeper")
    desk.post("keeper", "return-inspector", "security")
    keeper = await portal.signed_in("keeper")

    page = text_of(await keeper.get("/inbox"))

    assert "您是本案的申请人" in page.partition("须由他人办理的审核")[2]
    assert "inspector" in page.partition("可办理人：")[2]
    refused = await keeper.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "in-order"))
    assert refused.status_code == 403
    assert desk.all(Decision, stage="return-inspection") == []
