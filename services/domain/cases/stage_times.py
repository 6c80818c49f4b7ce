"""How long cases stay in each stage: the register's statistics (R62)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Select
from sqlalchemy.orm import joinedload, subqueryload

from services.database.tables.applications import Application, Revision
from services.database.tables.reviews import Decision, Finding, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.cases import timeline
from services.domain.cases.schemas import StageLine
from services.domain.stages.catalogue import STAGES
from services.runtime.models import Model

# Beside the reviews: what the process waits for elsewhere, and the work that takes time. By element of the model.
OTHER_STAGES = {
    "Task_PreserveFootage": "preservation",
    "Task_AwaitCorrection": "correction",
    "Task_RetrieveFootage": "retrieval",
    "Task_EncryptCopy": "issuing",
    "Task_AwaitReturn": "in-use",
}

# What a timeline reads of them; their forms and signatures are long.
DECISION = (Decision.round, Decision.outcome, Decision.decided_at)
FINDING = (Finding.round, Finding.check, Finding.severity, Finding.found_at)
REVISION = (Revision.round, Revision.submitted_at)


def stage_times(
    uow: UnitOfWork, models: Mapping[str, Model], since: datetime, until: datetime, *, department_id: str | None = None
) -> list[StageLine]:
    """Sum up the stages that began from ``since`` up to ``until``, in their order.

    Only cases that the acting person may see are counted.
    """
    query = visibility.seen(uow).where(Application.submitted_at.is_not(None), Application.submitted_at < until)
    if department_id is not None:
        query = query.where(Application.department_id == department_id)
    took: dict[str, list[timedelta]] = {}
    lasting: dict[str, int] = {}
    for history in _histories(uow, query):
        for stage, visit in _stages(history, models[timeline.MAIN]):
            if not since <= visit.since < until:
                continue
            took.setdefault(stage, [])
            if visit.until is None:
                lasting[stage] = lasting.get(stage, 0) + 1
            else:
                took[stage].append(visit.until - visit.since)
    return [_summed(stage, took[stage], lasting.get(stage, 0)) for stage in order() if stage in took]


def order() -> tuple[str, ...]:
    """List reviews and other stages as a case meets them."""
    release, *retrieval = STAGES.of_phase("retrieval")
    return (
        "preservation",
        *STAGES.of_phase("approval"),
        "correction",
        release,
        "retrieval",
        *retrieval,
        "issuing",
        *STAGES.of_phase("custody"),
        "in-use",
        *STAGES.of_phase("return"),
    )


def _histories(uow: UnitOfWork, query: Select[Application]) -> Iterator[timeline.History]:
    """Load the history of each case of the query: six statements, however many cases there are."""
    loaded = query.options(
        joinedload(Application.hand_over),
        subqueryload(Application.reviews).joinedload(Review.decision).load_only(*DECISION),
        subqueryload(Application.steps),
        subqueryload(Application.findings).load_only(*FINDING),
        subqueryload(Application.revisions).load_only(*REVISION),
    )
    for application in uow.session.scalars(loaded):
        yield timeline.History(
            application=application,
            reviews=application.reviews,
            decisions=[review.decision for review in application.reviews if review.decision is not None],
            steps=application.steps,
            findings=application.findings,
            revisions=application.revisions,
            hand_over=application.hand_over,
        )


def _stages(history: timeline.History, model: Model) -> Iterator[tuple[str, timeline.Visit]]:
    for visit in timeline.main_visits(history, model):
        element = model.elements.get(visit.element_id)
        stage = element.stage if element is not None and element.stage else OTHER_STAGES.get(visit.element_id)
        if stage is not None:
            yield stage, visit


def _summed(stage: str, lengths: Sequence[timedelta], lasting: int) -> StageLine:
    ordered = sorted(length.total_seconds() for length in lengths)
    if not ordered:
        return StageLine(stage=stage, ended=0, open=lasting, median=0, ninetieth=0, longest=0)
    return StageLine(
        stage=stage,
        ended=len(ordered),
        open=lasting,
        median=(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2,
        ninetieth=ordered[max(0, ceil(0.9 * len(ordered)) - 1)],  # nearest rank
        longest=ordered[-1],
    )
