"""The time that cases stay in each stage (R62): of those that have ended added up once, of the others derived.

What ends a case is followed by the end of its last step, so its visits are added up ``SETTLED`` later, and never
change then.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, load_only

from services.database.tables.applications import Application, Revision
from services.database.tables.process_steps import ProcessStep
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

Row = TypeVar("Row", Review, ProcessStep, Finding, Revision)
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
FINDING = (Finding.application_id, Finding.round, Finding.check, Finding.severity, Finding.found_at)
REVISION = (Revision.application_id, Revision.round, Revision.submitted_at)


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
    """Load each case of the query with its models: eight statements at most, however many cases there are.

    What belongs to the cases is looked up by their ids: joined with the query, as a relationship would load it, SQLite
    reads whole tables in the order of the cases.
    """
    applications = uow.session.scalars(query.options(joinedload(Application.hand_over))).all()
    ids = query.with_only_columns(Application.id.expression, maintain_column_froms=True)
    reviews = _by_case(
        uow,
        select(Review)
        .where(Review.application_id.in_(ids), Review.matter_id.is_(None))
        .options(joinedload(Review.decision).load_only(*DECISION))
        .order_by(Review.opened_at, Review.id),
    )
    steps = _by_case(
        uow,
        select(ProcessStep)
        .where(ProcessStep.application_id.in_(ids))
        .order_by(ProcessStep.began_at, ProcessStep.element_instance_key),
    )
    findings = _by_case(uow, select(Finding).where(Finding.application_id.in_(ids)).options(load_only(*FINDING)))
    revisions = _by_case(
        uow,
        select(Revision).where(Revision.application_id.in_(ids)).options(load_only(*REVISION)).order_by(Revision.round),
    )
    known = case_models.load(uow, library, [(row, steps.get(row.id, ())) for row in applications])
    for application in applications:
        of_case = reviews.get(application.id, [])
        history = timeline.History(
            application=application,
            reviews=of_case,
            decisions=[review.decision for review in of_case if review.decision is not None],
            steps=steps.get(application.id, []),
            findings=findings.get(application.id, []),
            revisions=revisions.get(application.id, []),
            hand_over=application.hand_over,
        )
        yield history, CaseModels(known, application, history.steps)


def _by_case(uow: UnitOfWork, query: Select[Row]) -> dict[str, list[Row]]:
    """Load what belongs to cases, in its order, by the id of the case; one statement."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in uow.session.scalars(query):
        found[row.application_id].append(row)
    return found


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
