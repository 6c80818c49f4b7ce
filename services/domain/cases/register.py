"""The register as Security reads it: search, copies out, what is overwritten next; reading it is an event (R20, R47).

Whoever asks finds the cases that ``visibility`` lets that person see, and no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Row, Select, String, cast, func, or_, select
from sqlalchemy.orm import aliased, joinedload, subqueryload

from services.database.listing import EVERYTHING, LONGEST_TEXT, Listing
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Person
from services.database.tables.reviews import Decision, Finding, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.cases import queries, states, timeline
from services.domain.cases.schemas import CameraNamed, CaseLine, DepartmentNamed, OutLine, RiskLine, StageLine
from services.domain.retrieval import preservations
from services.domain.stages.catalogue import STAGES
from services.runtime.models import Model

Sort = Literal["submitted", "number", "state", "department", "due"]
SORTS: tuple[Sort, ...] = get_args(Sort)
OutSort = Literal["due", "number", "custodian", "department", "accepted"]
RiskSort = Literal["overwrite", "camera", "start", "number", "state"]
LONGEST_SEARCH = LONGEST_TEXT
KEEPER = aliased(Person)
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


@dataclass(frozen=True)
class Search:
    """What is searched; ``text`` in numbers, people, departments, cameras, places and reasons."""

    text: str = ""
    state: str = ""
    department_id: str = ""
    purpose_category: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: Sort = "submitted"
    descending: bool = True


def list_cases(uow: UnitOfWork, wanted: Search, *, limit: int, offset: int = 0) -> list[CaseLine]:
    """List the cases that match, in the order that is wished."""
    state = states.code(uow.now).label("state")
    query = _matching(uow, wanted, state).order_by(*_order(wanted, state)).limit(limit).offset(offset)
    audit_trail.record(uow, "register-read", "register", "cases", state=wanted.state, offset=offset)
    rows = uow.session.execute(query).all()
    footage = queries.footage(uow, [row[0] for row in rows])
    return [_line(row, footage[row[0].id]) for row in rows]


def count_by_state(uow: UnitOfWork) -> dict[str, int]:
    """Count the cases by state, of those that the actor may see; drafts are their drafters' own."""
    state = states.code(uow.now).label("state")
    seen = visibility.select_visible(uow).with_only_columns(state).order_by(None).subquery()
    counted = uow.session.execute(select(seen.c.state, func.count()).group_by(seen.c.state))
    counts: dict[str, int] = {str(code): int(number) for code, number in counted}
    return {code: counts.get(code, 0) for code in states.STATES}


def list_copies_out(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, overdue: bool = False, department_id: str = ""
) -> list[OutLine]:
    """List who holds copies, what is due first comes first; with ``overdue`` only what should be back."""
    seen = visibility.select_visible(uow).with_only_columns(Application.id)
    number, name = cast(Application.number, String), Person.name
    query = (
        select(HandOver, Application, Person, Department)
        .join(Application, Application.id == HandOver.application_id)
        .join(Person, Person.id == HandOver.custodian_id)
        .join(Department, Department.id == Application.department_id)
        .where(
            HandOver.accepted_at.is_not(None),
            HandOver.returned_at.is_(None),
            HandOver.ended_at.is_(None),
            Application.id.in_(seen),
            listing.mentioned(number, name, Department.name_zh, Department.name_en),
        )
    )
    if overdue:
        query = query.where(HandOver.due_at <= uow.now)
    if department_id:
        query = query.where(Application.department_id == department_id)
    columns = {
        **{"due": HandOver.due_at, "number": Application.number, "custodian": name},
        **{"department": listing.name(Department), "accepted": HandOver.accepted_at},
    }
    return [
        OutLine(
            application_id=application.id,
            hand_over_id=hand_over.id,
            number=application.number,
            custodian=custodian.name,
            department=DepartmentNamed.model_validate(department),
            way_of_use=application.granted_way_of_use or application.way_of_use,
            accepted_at=hand_over.accepted_at,
            due_at=hand_over.due_at,
            suspended_at=hand_over.suspended_at,
            overdue=hand_over.due_at is not None and hand_over.due_at <= uow.now,
        )
        for hand_over, application, custodian, department in uow.session.execute(
            listing.part(query, columns, HandOver.due_at, HandOver.id)
        )
    ]


def list_next_overwritten(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[RiskLine]:
    """List what lies on recorders alone, the first to be overwritten first (T4).

    It costs by the cases that are under way.
    """
    state = states.code(uow.now).label("state")
    query = (
        visibility.select_visible(uow)
        .join(Item, Item.application_id == Application.id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(states.is_under_way(), Item.dropped_in_round.is_(None), ~queries.is_safe())
        .with_only_columns(Application, Item, Camera, state)
    )
    lines = [
        RiskLine(
            application_id=application.id,
            number=application.number,
            state=code,
            camera=CameraNamed.model_validate(camera),
            start=item.asked_start,
            end=item.asked_end,
            zone=item.zone,
            overwrite_at=moment,
        )
        for application, item, camera, code in uow.session.execute(query)
        if (moment := preservations.overwrite_moment(camera, item.asked_start)) is not None
    ]
    return listing.of(
        sorted(lines, key=lambda line: (line.overwrite_at, line.start, line.camera.id)),
        {
            "overwrite": lambda line: line.overwrite_at,
            "camera": lambda line: listing.name(line.camera),
            "start": lambda line: line.start,
            "number": lambda line: line.number,
            "state": lambda line: states.STATES.index(line.state),
        },
        lambda line: (
            *(line.number, line.camera.name_zh, line.camera.name_en),
            *(line.camera.place_zh, line.camera.place_en),
        ),
    )


def _matching(uow: UnitOfWork, wanted: Search, state: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        visibility.select_visible(uow)
        .join(Department, Department.id == Application.department_id)
        .join(Person, Person.id == Application.drafter_id)
        .outerjoin(KEEPER, KEEPER.id == Application.custodian_id)
        .outerjoin(HandOver, HandOver.application_id == Application.id)
        .with_only_columns(Application, Department, state, Person.name, KEEPER.name, HandOver.due_at)
    )
    if wanted.text.strip():
        query = query.where(_mentions(wanted.text.strip()[:LONGEST_SEARCH]))
    if wanted.state:
        query = query.where(state == wanted.state)
    if wanted.department_id:
        query = query.where(Application.department_id == wanted.department_id)
    if wanted.purpose_category:
        query = query.where(Application.purpose_category == wanted.purpose_category)
    if wanted.since is not None:
        query = query.where(Application.submitted_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Application.submitted_at < wanted.until)
    return query


def _mentions(text: str) -> ColumnElement[bool]:
    cameras = (
        select(Item.application_id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            or_(
                *(
                    column.icontains(text, autoescape=True)
                    for column in (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en)
                )
            )
        )
    )
    columns = (
        cast(Application.number, String),
        Application.reason,
        Application.incident_reference,
        Department.name_zh,
        Department.name_en,
        Person.name,
        KEEPER.name,
    )
    return or_(*(column.icontains(text, autoescape=True) for column in columns), Application.id.in_(cameras))


def _order(wanted: Search, state: ColumnElement[str]) -> tuple[ColumnElement[Any], ...]:
    columns: dict[Sort, ColumnElement[Any]] = {
        "submitted": func.coalesce(Application.submitted_at, Application.created_at),
        "number": Application.number.expression,
        "state": state,
        "department": Department.name_zh.expression,
        "due": HandOver.due_at.expression,
    }
    column = columns[wanted.sort]
    return (column.desc() if wanted.descending else column.asc()).nulls_last(), Application.id.expression


def _line(row: Row[*tuple[Any, ...]], footage: queries.Footage) -> CaseLine:
    application, department, state, drafter, custodian, due_at = row
    return CaseLine(
        id=application.id,
        number=application.number,
        state=state,
        outcome=application.closed_as,
        department=DepartmentNamed.model_validate(department),
        drafter=drafter,
        custodian=custodian,
        purpose_category=application.purpose_category,
        importance=application.importance,
        items=footage.items,
        submitted_at=application.submitted_at,
        overwrite_at=footage.overwrite_at,
        due_at=due_at,
        closed_at=application.closed_at,
    )


def list_stage_times(
    uow: UnitOfWork, models: Mapping[str, Model], since: datetime, until: datetime, *, department_id: str | None = None
) -> list[StageLine]:
    """Sum up the stages that began from ``since`` up to ``until``, in their order.

    Only cases that the actor may see are counted.
    """
    query = visibility.select_visible(uow).where(
        Application.submitted_at.is_not(None), Application.submitted_at < until
    )
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
    return [_summed(stage, took[stage], lasting.get(stage, 0)) for stage in stage_order() if stage in took]


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
