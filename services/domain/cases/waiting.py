"""What waits for whom, of everybody at once: for a demonstration, which says where to begin."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Post
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.cases import inbox

CORRECTION, OVERDUE, STUCK = "correction", "overdue", "stuck"


def count_work(uow: UnitOfWork) -> Mapping[str, Counter[str]]:
    """Count what each person can do now, by person id.

    Codes are the stage of a review, ``correction``, ``overdue`` for a loan, and ``stuck`` for a step that an
    administrator has to retry. As many statements for one case as for thousands.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for person_id, stage in inbox.list_deciders(uow):
        counts[person_id][stage] += 1
    corrections = select(Application.drafter_id).where(
        Application.correction_until.is_not(None), Application.closed_at.is_(None), Application.withdrawn_at.is_(None)
    )
    for person_id in uow.session.scalars(corrections):
        counts[person_id][CORRECTION] += 1
    overdue = select(HandOver.custodian_id).where(
        HandOver.due_at <= uow.now, HandOver.returned_at.is_(None), HandOver.ended_at.is_(None)
    )
    for person_id in uow.session.scalars(overdue):
        counts[person_id][OVERDUE] += 1
    stuck = uow.session.scalar(
        select(func.count())
        .select_from(ProcessStep)
        .where(ProcessStep.stuck_since.is_not(None), ProcessStep.ended_at.is_(None))
    )
    if stuck:
        administrators = select(Post.person_id).where(Post.kind == "administrator", *access_queries.held_now(uow))
        for person_id in uow.session.scalars(administrators):
            counts[person_id][STUCK] = stuck
    return counts
