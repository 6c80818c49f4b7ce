"""The register as Security reads it: search, copies out, what is overwritten next; reading it is an event (R20, R47).

Whoever asks finds the cases that ``visibility`` lets that person see, and no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    SQLColumnExpression,
    String,
    and_,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from services.database.due_rows import due_columns
from services.database.keyset import Page, Section, page_of, read_place, rows_after, rows_at, sections_by
from services.database.listing import EVERYTHING, LONGEST_TEXT, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.case_texts import CaseText
from services.database.tables.custody import HandOver, of_present_issue, present_custodian
from services.database.tables.documents import Document
from services.database.tables.people import Department, Person
from services.database.tables.process_steps import ProcessStep
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as access_holds
from services.domain.access import queries as access_queries
from services.domain.access import violations, visibility
from services.domain.access import work_orders as access_work_orders
from services.domain.audit import trail as audit_trail
from services.domain.cases import footage as case_footage
from services.domain.cases import outside, states
from services.domain.cases.schemas.lists import CaseLine, OutLine, RiskLine, TroubleLine
from services.domain.cases.schemas.names import CameraNamed, DepartmentNamed
from services.domain.custody import suspensions
from services.domain.documents import service as document_service
from services.domain.retrieval import preservations

Sort = Literal["submitted", "number", "state", "department", "due"]
SORTS: tuple[Sort, ...] = get_args(Sort)
OutSort = Literal["due", "number", "custodian", "department", "accepted"]
RiskSort = Literal["overwrite", "camera", "start", "number", "state"]
LONGEST_SEARCH = LONGEST_TEXT
OUT, LATE = "copies-out", "copies-overdue"
FEW_MENTIONS = 500  # of a text that is searched: so many cases are looked up faster than the list is walked
KEEPER, OTHER = aliased(Person), aliased(Application)


@dataclass(frozen=True)
class Search:
    """What is searched; ``text`` in numbers, titles, people, departments, cameras, places and reasons.

    ``footage_since`` and ``footage_until`` are about the footage that is asked for: a case is found of which an item
    reaches into that time; with ``camera_id`` an item of that camera. ``incident`` and ``document`` are whole numbers,
    in capitals or not; a document is any that was filed for the case and that the reader may read.
    """

    text: str = ""
    state: str = ""
    department_id: str = ""
    purpose_category: str = ""
    since: datetime | None = None
    until: datetime | None = None
    camera_id: str = ""
    footage_since: datetime | None = None
    footage_until: datetime | None = None
    incident: str = ""
    document: str = ""
    sort: Sort = "submitted"
    descending: bool = True


def list_cases(uow: UnitOfWork, wanted: Search, *, limit: int, offset: int = 0) -> list[CaseLine]:
    """List the cases that match, in the order that is wished."""
    audit_trail.record(uow, "register-read", "register", "cases", state=wanted.state, offset=offset)
    sections = _sections(wanted, uow)
    rows = rows_after(
        uow.session, _matching(uow, wanted), sections, descending=wanted.descending, limit=limit, offset=offset
    )
    return _lines(uow, [row[0] for row in rows])


def read_page(uow: UnitOfWork, wanted: Search, *, limit: int, place: str = "") -> Page[CaseLine]:
    """Read a page of the same list at a place that an earlier page names; its first for any other text."""
    sections, order = _sections(wanted, uow), f"{wanted.sort}-{'desc' if wanted.descending else 'asc'}"
    begin = read_place(place, order, sections)
    audit_trail.record(uow, "register-read", "register", "cases", state=wanted.state, place=place if begin else "")
    rows, previous, following = rows_at(
        uow.session, _matching(uow, wanted), sections, descending=wanted.descending, limit=limit, place=begin
    )
    lines = _lines(uow, [row[0] for row in rows])
    return Page(lines, *(beside.text(order) if beside else "" for beside in (previous, following)))


def count_by_state(uow: UnitOfWork) -> dict[str, int]:
    """Count the cases by state, of those that the actor may see; drafts are their drafters' own.

    The states of those that are open are derived; those that have ended are only counted.
    """
    return _states(uow, _counted(uow, _opened(uow)))


@dataclass(frozen=True)
class Totals:
    """The cases by state, and the copies on loan with those that should be back, as ``read_copies_out`` lists them."""

    states: dict[str, int]
    copies_out: int
    copies_overdue: int


def count_all(uow: UnitOfWork) -> Totals:
    """Count the cases by state and the copies on loan; as many statements as for the states alone."""
    out = (
        select(literal(OUT, String), func.count())
        .select_from(HandOver)
        .join(Application, Application.id == HandOver.application_id)
        .where(*_is_out(), visibility.is_visible(uow))
    )
    late = out.with_only_columns(literal(LATE, String), func.count()).where(HandOver.due_at <= uow.now)
    counts = _counted(uow, union_all(_opened(uow), out, late))
    return Totals(_states(uow, counts), counts.get(OUT, 0), counts.get(LATE, 0))


def _opened(uow: UnitOfWork) -> Select[str, int]:
    """Select how many cases are in each state, of those that have not ended."""
    state = states.code(uow.now).label("state")
    seen = visibility.is_visible(uow, narrowed=True)
    opened = select(state).where(Application.closed_at.is_(None), seen).subquery()
    return select(opened.c.state, func.count()).group_by(opened.c.state)


def _counted(uow: UnitOfWork, query: Select[str, int] | CompoundSelect[Any]) -> dict[str, int]:
    return {str(code): int(number) for code, number in uow.session.execute(query)}


def _states(uow: UnitOfWork, counts: dict[str, int]) -> dict[str, int]:
    ended = visibility.count_closed(uow)
    return {code: counts.get(code, 0) + (ended if code == "closed" else 0) for code in states.STATES}


def read_copies_out(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, overdue: bool = False, department_id: str = ""
) -> Page[OutLine]:
    """Read who holds copies, what is due first comes first; with ``overdue`` only what should be back."""
    query = (
        select(HandOver, Application, Person, Department, suspensions.suspended_since(uow.now))
        .join(Application, Application.id == HandOver.application_id)
        .join(Person, Person.id == HandOver.custodian_id)
        .join(Department, Department.id == Application.department_id)
        .where(
            *_is_out(),
            visibility.is_visible(uow),
            listing.mentioned(
                *(Application.number, Application.title, Person.name, Department.name_zh, Department.name_en)
            ),
        )
    )
    if overdue:
        query = query.where(HandOver.due_at <= uow.now)
    if department_id:
        query = query.where(Application.department_id == department_id)
    columns: dict[str, ColumnElement[Any]] = {
        **{"due": HandOver.due_at.expression, "number": Application.number.expression},
        **{"custodian": Person.name.expression, "department": listing.name(Department).expression},
        "accepted": HandOver.accepted_at.expression,
    }
    sections = sections_by(columns.get(listing.sort, columns["due"]), HandOver.id.expression)
    page = page_of(uow.session, query, sections, listing)
    footage = case_footage.read(uow, [row[1] for row in page.lines])
    return page.showing(
        [
            OutLine(
                application_id=application.id,
                hand_over_id=hand_over.id,
                number=application.number,
                custodian=custodian.name,
                department=DepartmentNamed.model_validate(department),
                way_of_use=application.granted_way_of_use or application.way_of_use,
                accepted_at=hand_over.accepted_at,
                due_at=hand_over.due_at,
                suspended_at=suspended_at,
                overdue=hand_over.due_at is not None and hand_over.due_at <= uow.now,
                about=footage[application.id].about,
            )
            for hand_over, application, custodian, department, suspended_at, *_ in page.lines
        ]
    )


def select_loans_due(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select what ``read_copies_out`` lists, as ``due_dates`` reads it."""
    return (
        select(
            *due_columns("use-period", HandOver.id, Application.number, HandOver.due_at, page=Application.id, own=False)
        )
        .join(Application, Application.id == HandOver.application_id)
        .where(*_is_out(), visibility.is_visible(uow))
    )


def _is_out() -> tuple[ColumnElement[bool], ...]:
    return HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None), HandOver.ended_at.is_(None)


def read_next_overwritten(uow: UnitOfWork, listing: Listing = EVERYTHING) -> Page[RiskLine]:
    """Read what lies on recorders alone, the first to be overwritten first (T4).

    It costs by the cases that are under way.
    """
    state, moment = states.code(uow.now), preservations.overwrite_order()
    query = (
        visibility.select_visible(uow)
        .join(Item, Item.application_id == Application.id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            states.is_under_way(),
            Item.dropped_in_round.is_(None),
            Camera.overwritten,
            ~case_footage.is_safe(),
            listing.mentioned(
                *(Application.number, Application.title, Camera.name_zh, Camera.name_en),
                *(Camera.place_zh, Camera.place_en),
            ),
        )
        .with_only_columns(Application, Item, Camera, state.label("state"))
    )
    columns: dict[str, ColumnElement[Any]] = {
        **{"overwrite": moment, "camera": listing.name(Camera).expression, "start": Item.asked_start.expression},
        "number": Application.number.expression,
    }
    order = states.place(uow.now) if listing.sort == "state" else columns.get(listing.sort, moment)
    sections = sections_by(order, Item.id.expression)
    page = page_of(uow.session, query, sections, listing)
    return page.showing(
        [
            RiskLine(
                application_id=application.id,
                number=application.number,
                state=code,
                camera=CameraNamed.model_validate(camera),
                start=item.asked_start,
                end=item.asked_end,
                zone=item.zone,
                overwrite_at=when,
                title=application.title,
                purpose_category=application.purpose_category,
            )
            for application, item, camera, code, *_ in page.lines
            if (when := preservations.overwrite_moment(camera, item.asked_start)) is not None
        ]
    )


def list_troubles(uow: UnitOfWork, limit: int) -> list[TroubleLine]:
    """List the open violations of cases under way and the steps that an incident has stopped, the newest first.

    It costs by the cases that are under way.
    """
    seen = visibility.select_visible(uow).where(states.is_under_way()).order_by(None)
    stopped = (
        seen.join(ProcessStep, ProcessStep.application_id == Application.id)
        .where(ProcessStep.stuck_since.is_not(None), ProcessStep.ended_at.is_(None))
        .with_only_columns(
            Application.id, Application.number, literal("stopped").label("kind"), ProcessStep.stuck_since.label("since")
        )
    )
    violated = (
        seen.join(Violation, Violation.application_id == Application.id)
        .where(Violation.closed_at.is_(None))
        .with_only_columns(Application.id, Application.number, Violation.kind, Violation.opened_at)
    )
    found = union_all(stopped, violated).subquery()
    newest = select(found).order_by(found.c.since.desc(), found.c.id).limit(limit)
    return [
        TroubleLine(application_id=id_, number=number, kind=kind, since=since)
        for id_, number, kind, since in uow.session.execute(newest)
    ]


def _matching(uow: UnitOfWork, wanted: Search) -> Select[str]:
    """Select the ids of the cases that match."""
    query = visibility.select_visible(uow).with_only_columns(Application.id)
    if wanted.text.strip():
        query = query.where(_is_mentioning(uow, wanted.text.strip()[:LONGEST_SEARCH]))
    if wanted.state:
        query = query.where(states.is_in(wanted.state, uow.now))
    if wanted.department_id:
        query = query.where(Application.department_id == wanted.department_id)
    if wanted.purpose_category:
        query = query.where(Application.purpose_category == wanted.purpose_category)
    # What was submitted is listed by that moment: so the list begins there, and passes none over.
    if wanted.since is not None:
        query = query.where(Application.submitted_at.is_not(None), Application.listed_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Application.submitted_at.is_not(None), Application.listed_at < wanted.until)
    if wanted.camera_id or wanted.footage_since or wanted.footage_until:
        query = query.where(Application.id.in_(_select_asking(wanted)))
    if wanted.incident.strip():
        written = literal(wanted.incident.strip())
        query = query.where(func.lower(Application.incident_reference) == func.lower(written))
    if wanted.document.strip():
        query = query.where(Application.id.in_(_select_filed(uow, wanted.document.strip())))
    return query


def _select_asking(wanted: Search) -> Select[str]:
    """Select the ids of the cases that ask for footage of the camera and the time."""
    query = select(Item.application_id).where(Item.dropped_in_round.is_(None))
    if wanted.camera_id:
        query = query.where(Item.camera_id == wanted.camera_id)
    if wanted.footage_since is not None:
        query = query.where(Item.asked_end > wanted.footage_since)
    if wanted.footage_until is not None:
        query = query.where(Item.asked_start < wanted.footage_until)
    return query


def _is_mentioning(uow: UnitOfWork, text: str) -> ColumnElement[bool]:
    """Build the condition that a case mentions the text: in its own words, or by a name of people and places.

    The few cases that mention a rare word are found first. A common one, which so many mention, is looked for in each
    case in turn, so that the list ends where its page is full: to find all mentions first would cost by their number.
    """
    mentions = _Mentions.of(uow, text)
    found = uow.session.scalars(mentions.select_cases().limit(FEW_MENTIONS + 1)).all()
    return Application.id.in_(set(found)) if len(found) <= FEW_MENTIONS else mentions.in_case()


@dataclass(frozen=True)
class _Mentions:
    """Where a text is looked for: the text of a case, the ids of what is called by it, and the document of the case."""

    of_case: ColumnElement[bool]
    people: Select[str]
    departments: Select[str]
    cameras: Select[str]
    filed: Select[str | None]

    @classmethod
    def of(cls, uow: UnitOfWork, text: str) -> "_Mentions":
        def named(*columns: SQLColumnExpression[str]) -> ColumnElement[bool]:
            return or_(*(column.icontains(text, autoescape=True) for column in columns))

        cameras = named(Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en)
        return cls(
            CaseText.text.contains(text.lower(), autoescape=True),
            # the list is joined to these tables in some of its orders: what is called by the text is not
            select(Person.id).where(named(Person.name)).correlate(None),
            select(Department.id).where(named(Department.name_zh, Department.name_en)).correlate(None),
            select(Camera.id).where(cameras).correlate(None),
            _select_filed(uow, text),
        )

    def select_cases(self) -> CompoundSelect[str]:
        """Select the ids of all cases that mention it, each as often as it does; no more are read than are fetched."""
        return union_all(
            select(CaseText.application_id).where(self.of_case),
            select(OTHER.id).where(OTHER.drafter_id.in_(self.people)),
            select(OTHER.id).where(OTHER.custodian_id.in_(self.people)),
            # said as the partial index says it: few cases have another custodian than the form says
            select(OTHER.id).where(OTHER.named_custodian_id.is_not(None), OTHER.named_custodian_id.in_(self.people)),
            select(HandOver.application_id).where(HandOver.custodian_id.in_(self.people)),
            select(OTHER.id).where(OTHER.department_id.in_(self.departments)),
            select(Item.application_id).where(Item.camera_id.in_(self.cameras)),
            self.filed,
        )

    def in_case(self) -> ColumnElement[bool]:
        """Build the condition on a case that it mentions it."""
        case = Application.id
        return or_(
            _exists(CaseText.application_id == case, self.of_case),
            Application.drafter_id.in_(self.people),
            Application.custodian_id.in_(self.people),
            Application.named_custodian_id.in_(self.people),
            _exists(HandOver.application_id == case, HandOver.custodian_id.in_(self.people)),
            Application.department_id.in_(self.departments),
            _exists(Item.application_id == case, Item.camera_id.in_(self.cameras)),
            case.in_(self.filed),
        )


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build the condition that there is such a row of the application that is selected."""
    return select(literal(1)).where(*conditions).correlate(Application).exists()


def _select_filed(uow: UnitOfWork, number: str) -> Select[str | None]:
    """Select the id of the case that has this document, unless finding it tells what is hidden from the actor.

    The sheets of violations, holds and work orders have readers of their own, and the case concerns none of them.
    """
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    apart = (
        (document_service.OF_VIOLATIONS, violations.may_read_all(directory, me)),
        (document_service.OF_HOLDS, access_holds.may_read(directory, me)),
        (document_service.OF_WORK_ORDERS, access_work_orders.may_read_all(directory, me)),
    )
    found: ColumnElement[bool] = Document.kind.not_in([kind for kinds, _ in apart for kind in kinds])
    if read := [kind for kinds, reads in apart if reads for kind in kinds]:
        concerned = select(Application.id).where(visibility.concerns(me))
        found |= and_(Document.kind.in_(read), Document.application_id.not_in(concerned))
    return select(Document.application_id).where(Document.number == number.upper(), found)


def _sections(wanted: Search, uow: UnitOfWork) -> tuple[Section, ...]:
    """Return the parts of the list in the order that is wished: what has no value comes last."""
    by_id, number, due_at = Application.id.expression, Application.number.expression, HandOver.due_at.expression
    of_case, of_department = of_present_issue(), Department.id == Application.department_id
    if wanted.sort == "number":
        return Section((number,), number.is_not(None)), Section((by_id,), number.is_(None))
    if wanted.sort == "due":  # by the id that the loan has too: one index has the whole order
        return (
            Section(
                (due_at, HandOver.application_id.expression), due_at.is_not(None), lambda q: q.join(HandOver, of_case)
            ),
            Section((by_id,), due_at.is_(None), lambda q: q.outerjoin(HandOver, of_case)),
        )
    if wanted.sort == "department":
        named = (Department.name_zh.expression, Department.id.expression)
        return (
            Section(
                (*named, Application.listed_at.expression, by_id),
                joined=lambda q: q.join(Department, of_department),
                alike=2,
            ),
        )
    if wanted.sort == "state":
        # derived for what is open; in turn with what is closed, of which the index has the order
        closed, listed = Application.closed_at, (Application.listed_at.expression, by_id)
        open_first = Section((states.place(uow.now), *listed), closed.is_(None)), Section(listed, closed.is_not(None))
        return open_first[::-1] if wanted.descending else open_first
    return (Section((Application.listed_at.expression, by_id)),)


def _lines(uow: UnitOfWork, ids: Sequence[str]) -> list[CaseLine]:
    """Read the lines of a page, in this order; apart from what finds them, which is computed for many more cases."""
    if not ids:
        return []
    query = (
        select(Application, Department, states.code(uow.now), Person.name, KEEPER.name, HandOver.due_at)
        .join(Department, Department.id == Application.department_id)
        .join(Person, Person.id == Application.drafter_id)
        .outerjoin(HandOver, of_present_issue())
        .outerjoin(KEEPER, KEEPER.id == present_custodian())
        .where(Application.id.in_(ids))
    )
    rows = {row[0].id: row for row in uow.session.execute(query)}
    footage = case_footage.read(uow, [rows[id_][0] for id_ in ids])
    return [_line(rows[id_], footage[id_]) for id_ in ids]


def _line(row: Row[*tuple[Any, ...]], footage: case_footage.Footage) -> CaseLine:
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
        awaits_disposal=footage.awaits_disposal,
        about=footage.about,
        incident_reference=application.incident_reference,
        outside_deadlines=outside.list_open(application),
    )
