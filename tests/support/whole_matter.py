"""Matters of whole cases on a whole desk: asked, and decided stage by stage."""

from typing import Any

from case_people import CUSTODIAN, People

from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.matters import service
from services.domain.reviews import service as review_service
from services.domain.stages.catalogue import STAGES


async def ask(desk: People, case: str, kind: str, by: str = CUSTODIAN, **asked: Any) -> str:
    def act(uow: UnitOfWork) -> str:
        proof = Proof(password=f"demo-{by}") if kind == "custody-transfer" else None
        return service.open_matter(uow, kind, case, {"reason": "原用途尚未完成。", **asked}, proof).id

    matter_id: str = await desk.as_person(by, act)
    return matter_id


async def decide(desk: People, matter_id: str, stage: str, outcome: str | None = None, by: str | None = None) -> None:
    """Wait for the stage of the matter and decide it, as the first who may."""

    def open_one(uow: UnitOfWork) -> Review | None:
        return uow.session.query(Review).filter_by(matter_id=matter_id, stage=stage, closed_at=None).one_or_none()

    review = await desk.until(open_one, f"the stage {stage} of the matter")
    given = STAGES[stage]
    outcome = outcome or given.favourable
    login = by or desk.candidates(review)[0]
    await desk.as_person(
        login,
        review_service.decide,
        review.id,
        outcome=outcome,
        answers={question.code: True for question in given.questions},
        reason="理由" if outcome in given.reason_for else None,
        opinion="同意。" if given.opinion_needed else None,
        proof=Proof(desk.rows(Matter, id=matter_id)[0].facts_sha256, f"demo-{login}"),
    )
