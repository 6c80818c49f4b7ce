"""An urgent retrieval in a whole case: called by the head of the department, released, and seen."""

from typing import Any

from case_people import People

from services.database.tables.emergency_views import EmergencyCopy, EmergencyGrant
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.matters import urgents
from services.domain.reviews import service as review_service

ASKED = {"ground": "missing-person", "reason": "一名儿童在东门走失。"}


async def call(desk: People) -> tuple[str, str]:
    """An application that is called urgently by the head of its department: its id, and the matter's."""
    case = await desk.apply("cam1", requested_use_days=5)
    review = await desk.review(case, "preliminary")
    head = desk.candidates(review)[0]

    def act(uow: UnitOfWork) -> str:
        return urgents.call(uow, case, ASKED, Proof("", f"demo-{head}")).id

    return case, await desk.as_person(head, act)


async def release(desk: People, matter_id: str, outcome: str = "approved") -> None:
    def open_one(uow: UnitOfWork) -> Review | None:
        return uow.session.query(Review).filter_by(matter_id=matter_id, closed_at=None).one_or_none()

    review = await desk.until(open_one, "the release")
    login = desk.candidates(review)[0]
    given: dict[str, Any] = {
        "answers": {"urgent": True, "smallest": True},
        "proof": Proof(desk.rows(Matter, id=matter_id)[0].facts_sha256, f"demo-{login}"),
        **({"reason": "不紧急"} if outcome == "rejected" else {}),
    }
    await desk.as_person(login, review_service.decide, review.id, outcome=outcome, **given)


async def shown(desk: People) -> tuple[str, str]:
    case, matter_id = await call(desk)
    await release(desk, matter_id)
    await desk.until(lambda _: desk.rows(EmergencyGrant, matter_id=matter_id), "the emergency view")
    assert len(desk.rows(EmergencyCopy)) == 1
    return case, matter_id
