"""Which cases broke which requirement, as the register has it: counted and listed in SQL (R62, R63).

violation  one was opened, unless it was found to be unfounded
refusal    a decision refused what was asked for
finding    an automatic check found that the form, or the people named in it, do not meet the requirement
problem    a problem report named it
footage    footage lacks, or cannot be read
event      the audit trail has a refused job, a notice that did not arrive, a preservation that failed, a late review,
           a stored object that is not what was sealed
inspection the supervision group has answered a question with no; it broke what the question stood for at that time
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    String,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    values,
)

from services.database.keyset import Page, Section, page_of
from services.database.listing import Listing
from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.inspections import GroupInspection, InspectionFinding
from services.database.tables.matters import Matter
from services.database.tables.reviews import REJECTED, Decision, Finding
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.supervision import checklists, readers
from services.domain.supervision.audit_schemas import BreachLine

NOTHING = (null(), null())
CLEARED = "cleared"  # the end of a violation that was unfounded
# by source, and by what the register calls it: the requirements that it broke
VIOLATIONS: Mapping[str, str] = {
    "overdue": "R38 R51",
    "loss": "R45 R48",
    "leak": "R5 R42 R48 R57 R58",
    "discrepancy": "R39 R45",
    "breach": "R41",
    "finding": "R63",
    "ghost-export": "R2 R52",
    "urgent-not-ratified": "R2 R4",
    "refusal-pattern": "R4",
}
REFUSALS: Mapping[str, str] = {
    "preliminary": "R4 R22",
    "security": "R24",
    "security-signature": "R25",
    "management": "R27",
    "storage-release": "R31",
    "partial-footage": "R32",
    "return-inspection": "R39",
}
FINDINGS: Mapping[str, str] = {
    "span-wide": "R4",
    "reason-too-short": "R4 R19",
    "reason-is-purpose": "R19",
    "purpose-too-short": "R19",
    "category-unknown": "R19",
    "place-of-use-missing": "R21",
    "way-not-argued": "R21",
    "legal-basis-unknown": "R3",
    "authority-reference-missing": "R3",
    "letter-incomplete": "R3",
    "letter-not-attached": "R3",
    "consent-to-verify": "R3",
    "camera-sensitive": "R5 R26",
    "security-involved": "R26",
    "management-involved": "R26",
    "custodian-missing": "R46",
    "custodian-elsewhere": "R46",
    "custodian-agreement-missing": "R59",
    "custodian-agreement-ends": "R59",
    "operator-agreement-missing": "R59",
    "recipient-agreement-missing": "R59",
    "recipient-left": "R57",
    "recipient-is-subject": "R57",
    "recipient-is-administrator": "R57",
    "use-period-too-long": "R50",
    "span-in-future": "R20",
    "span-too-long": "R20",
    "span-not-storable": "R20",
    "span-overwritten": "R20",
    "items-overlap": "R20",
    "recorder-clock-too-far": "R34",
    "file-incomplete": "R8 R32",
}
PROBLEMS: Mapping[str, str] = {
    "wrong-camera": "R34 R43",
    "wrong-span": "R34 R43",
    "unplayable": "R32 R43",
    "gap": "R32 R43",
    "damaged": "R6 R43",
    "leaked": "R5 R43 R57",
    "other": "R43",
}
FOOTAGE: Mapping[str, str] = {"partial": "R32", "missing": "R32", "unreadable": "R32"}
EVENTS: Mapping[str, str] = {
    "job-refused": "R2 R34",
    "delivery-escalated": "R30",
    "delivery-given-up": "R30",
    "preservation-failed": "R20 R31",
    "review-escalated": "R30",
    "object-damaged": "R6",
}
INSPECTION = "inspection"
SOURCES: Mapping[str, Mapping[str, str]] = {
    "violation": VIOLATIONS,
    "refusal": REFUSALS,
    "finding": FINDINGS,
    "problem": PROBLEMS,
    "footage": FOOTAGE,
    "event": EVENTS,
}


@dataclass(frozen=True)
class Question:
    """A question that an inspection has answered with no: the requirements that it stood for, and its words."""

    requirements: str
    zh: str
    en: str


def count_cases(uow: UnitOfWork) -> dict[str, int]:
    """Count the cases that broke each requirement, each case once, in one statement, of those that the reader sees."""
    readers.require_reader(uow)
    named = [
        (source, code, requirement)
        for (source, code), requirements in _requirements(_list_questions(uow)).items()
        for requirement in requirements.split()
    ]
    rows = _select_all(uow, {(source, code) for source, code, _ in named}).subquery()
    columns = (column(name, String) for name in ("source", "code", "requirement"))
    broken = values(*columns, name="broken_values").data(named).cte("broken")
    counted = (
        select(broken.c.requirement, func.count(rows.c.application_id.distinct()).label("cases"))
        .join(rows, and_(rows.c.source == broken.c.source, rows.c.code == broken.c.code))
        .group_by(broken.c.requirement)
    )
    counts = dict.fromkeys((requirement for _, _, requirement in named), 0)
    return counts | {row.requirement: row.cases for row in uow.session.execute(counted)}


def read_page(uow: UnitOfWork, requirement: str, *, limit: int, place: str = "") -> Page[BreachLine]:
    """Read a page of what broke the requirement, the newest first."""
    readers.require_reader(uow)
    questions = _list_questions(uow)
    codes = {code for code, numbers in _requirements(questions).items() if requirement in numbers.split()}
    if not codes:
        return Page([])
    found = _select_all(uow, codes).subquery()
    query = select(found, Application.number, Application.title).join(
        Application, Application.id == found.c.application_id
    )
    listing = Listing(descending=True, limit=limit, place=place)
    page = page_of(uow.session, query, (Section((found.c.at, found.c.key)),), listing)
    return page.showing([_line(row, questions) for row in page.lines])


def list_of_case(uow: UnitOfWork, application_id: str) -> dict[str, list[BreachLine]]:
    """List what broke each requirement in one case, the oldest first, for one who supervises and sees the case."""
    questions = _list_questions(uow, application_id)
    requirements = _requirements(questions)
    found = _select_all(uow, requirements, application_id).subquery()
    query = select(found, Application.number, Application.title).join(
        Application, Application.id == found.c.application_id
    )
    by_number: dict[str, list[BreachLine]] = {}
    for row in uow.session.execute(query.order_by(found.c.at, found.c.key)):
        for number in requirements[row.source, row.code].split():
            by_number.setdefault(number, []).append(_line(row, questions))
    return by_number


def _requirements(questions: Mapping[str, Question]) -> dict[tuple[str, str], str]:
    """Map what can break a requirement, by source and code, to the requirements that it breaks."""
    codes = {(source, code): numbers for source, of_source in SOURCES.items() for code, numbers in of_source.items()}
    return codes | {(INSPECTION, code): question.requirements for code, question in questions.items()}


def _list_questions(uow: UnitOfWork, application_id: str | None = None) -> dict[str, Question]:
    """Read what inspections, or those of one case, have answered with no, by inspection and question.

    Once the group has answered the report, which has the checklists as they were. Earlier releases have not written
    into it what a question stands for: then it is what the question stands for now.
    """
    found = select(InspectionFinding.id).where(InspectionFinding.inspection_id == GroupInspection.id)
    if application_id is not None:
        found = found.where(InspectionFinding.application_id == application_id)
    query = select(GroupInspection.id, GroupInspection.report["checklists"]).where(
        GroupInspection.signed_as.is_not(None), found.exists()
    )
    present = {code: question.requirements for code, (_, question) in checklists.load().questions().items()}
    return {
        f"{inspection_id}/{one['code']}": Question(
            " ".join(one.get("requirements", present.get(one["code"], ()))), one["zh"], one["en"]
        )
        for inspection_id, asked in uow.session.execute(query)
        for one in asked
        if one["no"]
    }


def _line(row: Row[*tuple[Any, ...]], questions: Mapping[str, Question]) -> BreachLine:
    if row.source == INSPECTION:
        question = questions[row.code]
        code, zh, en = row.code.partition("/")[2], question.zh, question.en
    else:
        code, zh, en = row.code, row.zh, row.en
    return BreachLine(
        source=row.source,
        code=code,
        at=row.at,
        application_id=row.application_id,
        number=row.number or row.application_id,
        title=row.title,
        zh=zh,
        en=en,
    )


def _select_all(
    uow: UnitOfWork, codes: Iterable[tuple[str, str]], application_id: str | None = None
) -> CompoundSelect[*tuple[Any, ...]]:
    """Select what broke something, of these sources and codes, in cases that the reader sees, or in one of them."""
    by_source: dict[str, list[str]] = {}
    for source, code in sorted(codes):
        by_source.setdefault(source, []).append(code)
    parts = {
        "violation": _violations(uow),
        "refusal": _part("refusal", Decision, Decision.stage, Decision.decided_at).where(
            _is_one_of(Decision.outcome.expression, REJECTED)
        ),
        "finding": _part("finding", Finding, Finding.code, Finding.found_at, (Finding.zh, Finding.en)).where(
            Finding.severity != "informs"
        ),
        "problem": _problems(),
        "footage": _part("footage", Item, Item.outcome, Application.submitted_at)
        .join(Application, Application.id == Item.application_id)
        .where(_is_one_of(Item.outcome.expression, tuple(FOOTAGE)), Application.submitted_at.is_not(None)),
        "event": _events(),
        INSPECTION: _inspections(uow),
    }
    chosen = []
    for source, named in by_source.items():
        query, column, of_case = parts[source], _code_of(source), _case_of(source)
        of_one = [of_case == application_id] if application_id is not None else []
        chosen.append(query.where(column.in_(named), visibility.is_of_visible(uow, of_case), *of_one))
    return union_all(*chosen)


def _is_one_of(of: ColumnElement[Any], words: Sequence[str]) -> ColumnElement[bool]:
    """Build the condition with the words in it: with parameters no database sees that its partial index has them."""
    return of.in_(bindparam(None, words, expanding=True, literal_execute=True, unique=True))


def _code_of(source: str) -> ColumnElement[Any]:
    columns: dict[str, ColumnElement[Any]] = {
        "violation": Violation.kind.expression,
        "refusal": Decision.stage.expression,
        "finding": Finding.code.expression,
        "problem": _problem(),
        "footage": Item.outcome.expression,
        "event": AuditEvent.action.expression,
        INSPECTION: _question(),
    }
    return columns[source]


def _case_of(source: str) -> Any:
    tables: dict[str, Any] = {
        "violation": Violation,
        "refusal": Decision,
        "finding": Finding,
        "problem": Matter,
        "footage": Item,
        "event": AuditEvent,
        INSPECTION: InspectionFinding,
    }
    return tables[source].application_id.expression


def _part(source: str, table: Any, code: Any, at: Any, said: tuple[Any, Any] = NOTHING) -> Select[*tuple[Any, ...]]:
    return select(
        literal(source, String).label("source"),
        code.label("code"),
        literal(f"{source}:").concat(table.id).label("key"),
        at.label("at"),
        table.application_id.label("application_id"),
        *(cast(text, String).label(name) for name, text in zip(("zh", "en"), said, strict=True)),
    )


def _violations(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select violations but those that were unfounded, and those that the reader is heard about."""
    heard = select(Hearing.matter_id).where(Hearing.person_id == uow.actor.id)
    return _part("violation", Violation, Violation.kind, Violation.opened_at).where(
        or_(Violation.closed_as.is_(None), Violation.closed_as != CLEARED),
        or_(Violation.matter_id.is_(None), Violation.matter_id.not_in(heard)),
    )


def _question() -> ColumnElement[Any]:
    return InspectionFinding.inspection_id.concat("/").concat(InspectionFinding.question)


def _inspections(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select what inspections found, but what the reader is heard about."""
    heard = (
        select(Violation.id)
        .join(Hearing, Hearing.matter_id == Violation.matter_id)
        .where(Hearing.person_id == uow.actor.id)
    )
    return _part(INSPECTION, InspectionFinding, _question(), InspectionFinding.found_at).where(
        or_(InspectionFinding.violation_id.is_(None), InspectionFinding.violation_id.not_in(heard))
    )


def _problem() -> ColumnElement[Any]:
    problem: ColumnElement[Any] = Matter.facts["asked"]["problem"].as_string()
    return problem


def _problems() -> Select[*tuple[Any, ...]]:
    return _part("problem", Matter, _problem(), Matter.opened_at).where(Matter.kind == "problem")


def _events() -> Select[*tuple[Any, ...]]:
    return select(
        literal("event", String).label("source"),
        AuditEvent.action.label("code"),
        literal("event:").concat(AuditEvent.leaf_sha256).label("key"),
        AuditEvent.at.label("at"),
        AuditEvent.application_id.label("application_id"),
        cast(null(), String).label("zh"),
        cast(null(), String).label("en"),
    ).where(AuditEvent.application_id.is_not(None))
