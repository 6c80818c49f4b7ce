"""The time that cases stay in each stage (R62): of those that have ended added up once, of the others derived.

What ends a case is followed by the end of its last step, so its visits are added up ``SETTLED`` later, and never
change then.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, subqueryload

from services.database.tables.applications import Application, Revision
from services.database.tables.reviews import Decision, Finding, Review
from services.database.tables.stage_visits import StageVisit
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.cases import case_models, timeline
from services.domain.cases.case_models import CaseModels
from services.domain.cases.schemas.lists import StageLine
from services.domain.process.messages import APPLICATION_CORRECTED, COPY_RETURNED
from services.domain.process.model_library import ModelLibrary
from services.domain.stages.catalogue import STAGES
from services.runtime.models import Element

SETTLED = timedelta(hours=1)
AT_ONCE = 200  # cases that one unit of work adds up
# Beside the reviews: the work that takes time, by job type, and what the process waits for elsewhere, by message.
OTHER_STAGES = {
    "preserve-footage": "preservation",
    APPLICATION_CORRECTED: "correction",
    "retrieve-footage": "retrieval",
    "encrypt-copy": "issuing",
    COPY_RETURNED: "in-use",
}

# What a timeline reads of them; their forms and signatures are long.
DECISION = (Decision.round, Decision.outcome, Decision.decided_at)
FINDING = (Finding.round, Finding.check, Finding.severity, Finding.found_at)
REVISION = (Revision.round, Revision.submitted_at)


def list_stage_times(
    uow: UnitOfWork, library: ModelLibrary, since: datetime, until: datetime, *, department_id: str | None = None
) -> list[StageLine]:
    """Sum up the stages that began from ``since`` up to ``until``, in their order.

    Only cases that the actor may see are counted.
    """
    took: dict[str, list[float]] = {}
    for stage, seconds in uow.session.execute(_added_up(uow, since, until, department_id)):
        took.setdefault(stage, []).append(seconds)
    query = visibility.select_visible(uow).where(
        Application.submitted_at < until, Application.visits_added_at.is_(None), Application.submitted_at.is_not(None)
    )
    if department_id is not None:
        query = query.where(Application.department_id == department_id)
    lasting: dict[str, int] = {}
    for history, models in _histories(uow, query, library):
        for stage, visit in _stages(history, models):
            if not since <= visit.since < until:
                continue
            lengths = took.setdefault(stage, [])
            if visit.until is None:
                lasting[stage] = lasting.get(stage, 0) + 1
            else:
                lengths.append((visit.until - visit.since).total_seconds())
    return [_summed(stage, took[stage], lasting.get(stage, 0)) for stage in stage_order() if stage in took]


def add_up(uow: UnitOfWork, library: ModelLibrary) -> bool:
    """Write the visits of cases that have ended, ``AT_ONCE`` at most; return whether more are left."""
    query = (
        select(Application.id)
        .where(Application.visits_added_at.is_(None), Application.closed_at < uow.now - SETTLED)
        .order_by(Application.closed_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = uow.session.scalars(query).all()
    for history, models in _histories(uow, select(Application).where(Application.id.in_(ids)), library):
        application = history.application
        uow.session.add_all(
            StageVisit(
                application_id=application.id,
                place=place,
                stage=stage,
                since=visit.since,
                seconds=(visit.until - visit.since).total_seconds(),
            )
            for place, (stage, visit) in enumerate(_stages(history, models))
            if visit.until is not None
        )
        application.visits_added_at = uow.now
    return len(ids) == AT_ONCE


def _added_up(uow: UnitOfWork, since: datetime, until: datetime, department_id: str | None) -> Select[str, float]:
    query = select(StageVisit.stage, StageVisit.seconds).where(
        StageVisit.since >= since, StageVisit.since < until, visibility.is_of_visible(uow, StageVisit.application_id)
    )
    if department_id is not None:
        of_department = select(Application.id).where(Application.department_id == department_id)
        query = query.where(StageVisit.application_id.in_(of_department))
    return query


def stage_order() -> tuple[str, ...]:
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


def _histories(
    uow: UnitOfWork, query: Select[Application], library: ModelLibrary
) -> Iterator[tuple[timeline.History, CaseModels]]:
    """Load each case of the query with its models: eight statements at most, however many cases there are."""
    loaded = query.options(
        joinedload(Application.hand_over),
        subqueryload(Application.reviews).joinedload(Review.decision).load_only(*DECISION),
        subqueryload(Application.steps),
        subqueryload(Application.findings).load_only(*FINDING),
        subqueryload(Application.revisions).load_only(*REVISION),
    )
    applications = uow.session.scalars(loaded).all()
    known = case_models.load(uow, library, [(application, application.steps) for application in applications])
    for application in applications:
        history = timeline.History(
            application=application,
            reviews=application.reviews,
            decisions=[review.decision for review in application.reviews if review.decision is not None],
            steps=application.steps,
            findings=application.findings,
            revisions=application.revisions,
            hand_over=application.hand_over,
        )
        yield history, CaseModels(known, application, application.steps)


def _stages(history: timeline.History, models: CaseModels) -> Iterator[tuple[str, timeline.Visit]]:
    """List the stages through which the case went, in its own process and in those that it has called."""
    visits = [(models.main.model, timeline.main_visits(history, models))]
    visits += [(drawn.model, timeline.called_visits(history, models, drawn.model)) for drawn in models.called.values()]
    for model, of_model in visits:
        for visit in of_model:
            element = model.elements.get(visit.element_id)
            stage = _stage_of(element) if element is not None else None
            if stage is not None:
                yield stage, visit


def _stage_of(element: Element) -> str | None:
    return element.stage or OTHER_STAGES.get(element.job_type or element.message or "")


def _summed(stage: str, lengths: Sequence[float], lasting: int) -> StageLine:
    ordered = sorted(lengths)
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
