"""What the jobs of a review do where it is one of an inspection: a case of its sample, or its report."""

from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.unit_of_work import UnitOfWork
from services.domain.reviews.tasks import Opened
from services.domain.supervision import case_reviews, service, signing


def open_review(uow: UnitOfWork, inspection_id: str, stage: str, position: int | None, *, job_key: int) -> Opened:
    """Open the review of a case, or of the report. NotPermitted for another stage, or without a place in the sample."""
    if stage == signing.STAGE:
        return signing.open_review(uow, inspection_id, job_key=job_key)
    if stage != case_reviews.STAGE or position is None:
        inspection = service.lock(uow, inspection_id, f"open the review {stage}")
        raise service.not_permitted(
            inspection, f"open the review {stage}", "an inspection asks the stages supervision and inspection-signature"
        )
    return case_reviews.open_review(uow, inspection_id, position, job_key=job_key)


def remind(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """Remind of a review of an inspection."""
    row = case_reviews.find(uow, review_id)
    if row is not None:
        case_reviews.remind(uow, row, job_key)
    else:
        signing.remind(uow, signing.find(uow, review_id), job_key)


def escalate(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """Escalate a review of an inspection. NotPermitted before its limit."""
    row = case_reviews.find(uow, review_id)
    if row is not None:
        case_reviews.escalate(uow, row, job_key)
    else:
        signing.escalate(uow, signing.find(uow, review_id), job_key)


def is_of_inspection(uow: UnitOfWork, review_id: str) -> bool:
    """Return whether a review is one of an inspection."""
    return any(uow.session.get(table, review_id) is not None for table in (InspectedCase, GroupInspection))
