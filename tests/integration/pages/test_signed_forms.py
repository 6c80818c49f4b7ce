"""Whoever signs a form reads all of it: heads of joint departments and reviewers alike (R17, R22, R25)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from portal_client import Portal
from review_desk import FORM, PASSWORD, ReviewDesk
from review_pages import text_of

from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.domain.applications import service as application_service

SAID: dict[str, Any] = {
    "incident_reference": "事件 2031-17",
    "urgent_because": "货物明日转运",
    "subject_ids": ("reviewer2",),
    "recipient_ids": ("office-head",),
    "sensitivities": ("trade-secret", "minors"),
    "high_impact": True,
}
SHOWN = (
    FORM.reason, FORM.purpose, FORM.place_of_use, "安全事件调查", "内部管理职责", "20 天",
    "事件 2031-17", "货物明日转运", "reviewer2", "office-head", "商业秘密", "未成年人", "较大影响", "大门",
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    desk.post("operator2", "head", "storage")
    yield desk
    desk.close()


def _asked(desk: ReviewDesk) -> str:
    """The id of the consent that the head of the storage office is asked for."""
    application_id = desk.run(
        lambda uow: application_service.create_draft(uow, replace(FORM, **SAID, joint_department_ids=("storage",))).id,
        by="drafter",
    )
    desk.run(application_service.submit, application_id, by="drafter")
    return desk.the(Consent).id


@pytest.mark.requirement("R17", "R26", "R57")
async def test_the_head_who_consents_reads_all_that_the_hash_is_over(desk: ReviewDesk, portal: Portal) -> None:
    consent_id = _asked(desk)
    head = await portal.signed_in("operator2")

    page = text_of(await head.get(f"/consents/{consent_id}"))

    assert [one for one in SHOWN if one not in page] == []
    assert desk.the(Consultation).sha256 in page


@pytest.mark.requirement("R22", "R26", "R57")
async def test_a_reviewer_reads_all_that_the_hash_is_over(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(**SAID), "preliminary")
    head = await portal.signed_in("head")

    page = text_of(await head.get(f"/reviews/{review_id}"))

    assert [one for one in SHOWN if one not in page and one != "大门"] == []


@pytest.mark.requirement("R26")
async def test_the_case_says_how_sensitive_it_was_said_to_be(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted(**SAID)

    page = text_of(await (await portal.signed_in("drafter")).get(f"/cases/{application_id}"))

    for wanted in ("商业秘密", "未成年人", "较大影响"):
        assert wanted in page


@pytest.mark.requirement("R17", refuses=True)
async def test_with_the_last_consent_on_its_page_the_application_is_handed_in(desk: ReviewDesk, portal: Portal) -> None:
    consent_id = _asked(desk)
    head = await portal.signed_in("operator2")
    for page in ("/inbox", "/"):
        assert f"/consents/{consent_id}" in (await head.get(page)).text
    assert "<b>1</b>待我审核" in (await head.get("/")).text
    typed = {"formSha256": desk.the(Consultation).sha256, "reason": "暂不答复"}

    wrong = await head.post(f"/consents/{consent_id}/consent", data={**typed, "password": "wrong"})
    consented = await head.post(f"/consents/{consent_id}/consent", data={**typed, "password": PASSWORD})

    assert wrong.status_code == 403
    assert "暂不答复" in wrong.text  # what was typed stays
    assert consented.status_code == 303
    assert desk.the(Application).number is not None
    assert f"/consents/{consent_id}" not in (await head.get("/inbox")).text


@pytest.mark.requirement("R17", refuses=True)
async def test_a_refusal_on_the_page_needs_a_reason_that_the_drafter_reads(desk: ReviewDesk, portal: Portal) -> None:
    consent_id = _asked(desk)
    head, drafter = await portal.signed_in("operator2"), await portal.signed_in("drafter")
    signed = {"formSha256": desk.the(Consultation).sha256, "password": PASSWORD}

    silent = await head.post(f"/consents/{consent_id}/refuse", data=signed)
    refused = await head.post(f"/consents/{consent_id}/refuse", data={**signed, "reason": "应由我部门申请"})

    assert silent.status_code == 422
    assert "请写明不同意的理由" in silent.text
    assert refused.status_code == 303
    form = (await drafter.get(f"/applications/{desk.the(Application).id}/edit")).text
    assert form.index("联合部门未全部同意") < form.index("时间按摄像头所在时区")  # above all
    assert "应由我部门申请" in (await drafter.get(f"/applications/{desk.the(Application).id}/edit")).text
