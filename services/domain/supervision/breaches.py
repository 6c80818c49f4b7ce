"""Which cases broke which requirement, as the register has it: counted and listed in SQL (R62, R63).

violation  one was opened, unless it was found to be unfounded
refusal    a decision refused what was asked for
finding    an automatic check found that the form, or the people named in it, do not meet the requirement
problem    a problem report named it
footage    footage lacks, or cannot be read
event      the audit trail has a refused job, a notice that did not arrive, a preservation that failed, a late review
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
from services.database.tables.matters import Matter
from services.database.tables.reviews import REJECTED, Decision, Finding
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.supervision import readers
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
}
SOURCES: Mapping[str, Mapping[str, str]] = {
    "violation": VIOLATIONS,
    "refusal": REFUSALS,
    "finding": FINDINGS,
    "problem": PROBLEMS,
    "footage": FOOTAGE,
    "event": EVENTS,
}


@dataclass(frozen=True)
class BrokenBy:
    """What the register calls something that broke a requirement."""

    source: str
    code: str


def broken_by(requirement: str) -> list[BrokenBy]:
    """List what breaks the requirement."""
    return [
        BrokenBy(source, code)
        for source, codes in SOURCES.items()
        for code, requirements in codes.items()
        if requirement in requirements.split()
    ]


def count_cases(uow: UnitOfWork) -> dict[str, int]:
    """Count the cases that broke each requirement, each case once, in one statement, of those that the reader sees."""
    readers.require_reader(uow)
    named = [
        (source, code, requirement)
        for source, codes in SOURCES.items()
        for code, requirements in codes.items()
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
    codes = {(one.source, one.code) for one in broken_by(requirement)}
    if not codes:
        return Page([])
    found = _select_all(uow, codes).subquery()
    query = select(found, Application.number, Application.title).join(
        Application, Application.id == found.c.application_id
    )
    listing = Listing(descending=True, limit=limit, place=place)
    page = page_of(uow.session, query, (Section((found.c.at, found.c.key)),), listing)
    return page.showing([_line(row) for row in page.lines])


def list_of_case(uow: UnitOfWork, application_id: str) -> list[BreachLine]:
    """List what broke any requirement in one case, the oldest first, for one who supervises and sees the case."""
    codes = {(source, code) for source, of_source in SOURCES.items() for code in of_source}
    found = _select_all(uow, codes, application_id).subquery()
    query = select(found, Application.number, Application.title).join(
        Application, Application.id == found.c.application_id
    )
    return [_line(row) for row in uow.session.execute(query.order_by(found.c.at, found.c.key))]


def _line(row: Row[*tuple[Any, ...]]) -> BreachLine:
    return BreachLine(
        source=row.source,
        code=row.code,
        at=row.at,
        application_id=row.application_id,
        number=row.number or row.application_id,
        title=row.title,
        zh=row.zh,
        en=row.en,
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
