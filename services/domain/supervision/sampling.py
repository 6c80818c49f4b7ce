"""The sample of an inspection: what must be looked at, and of the rest what the seed chooses (R63).

Nobody can choose, and everybody can compute it again: of the cases that need not be inspected those are taken whose
HMAC-SHA256 with the seed as key is the smallest. The seed is the SHA-256 of the signed note of the first audit
checkpoint after the end of the period: nobody knows it while cases of the period can still be closed, nobody without
the log's key can compute it before it is signed, and nobody can change it since.

Before that the seed was the root of the last checkpoint before the end, which whoever reads the trail knew until the
end came. What was drawn by that rule says so, and is computed again by it.
"""

import base64
import hashlib
import heapq
import hmac
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, String, Subquery, and_, literal, select, union, union_all
from sqlalchemy.orm import InstrumentedAttribute

from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint
from services.database.tables.custody import HandOver
from services.database.tables.disclosures import Disclosure
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision.periods import Period
from services.verifier import notes
from services.verifier.invalid import Invalid

LEAST, SHARE = 5, 0.1
# How the seed is found; inspections name theirs, so a rule is never changed, and never taken away.
ROOT_BEFORE, NOTE_AFTER = 1, 2
# Why a case must be inspected, in this order.
REASONS = ("urgent", "disputed", "lost", "violation", "provided", "substitute")
READ_AT_ONCE = 2000


@dataclass(frozen=True)
class Seed:
    """The key in base64, how many events its checkpoint covers, and the rule by which it was found."""

    value: str
    size: int
    rule: int

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.value)


@dataclass(frozen=True)
class Member:
    """One case of the population: why it must be inspected, in the order of ``REASONS``; usually nothing."""

    application_id: str
    number: str
    because: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """What was drawn, by number, of how many cases; ``sha256`` is the digest of the population."""

    chosen: Sequence[Member]
    population: int
    sha256: str


def find_seed(uow: UnitOfWork, end: datetime, rule: int = NOTE_AFTER) -> Seed | None:
    """Return the seed of a period that ends at this moment, or None where its checkpoint is not signed."""
    before, after = AuditCheckpoint.signed_at < end, AuditCheckpoint.signed_at >= end
    if rule == ROOT_BEFORE:
        query = select(AuditCheckpoint).where(before).order_by(AuditCheckpoint.size.desc())
    else:
        query = select(AuditCheckpoint).where(after).order_by(AuditCheckpoint.size)
    row = uow.session.scalar(query.limit(1))
    return None if row is None else Seed(seed_of(row, rule), row.size, rule)


def seed_of(checkpoint: AuditCheckpoint, rule: int) -> str:
    """Return the seed that a checkpoint gives, in base64."""
    return checkpoint.root if rule == ROOT_BEFORE else _digest_of(checkpoint.note)


def seed_of_note(note: str, rule: int) -> str | None:
    """Return the seed that the signed note of a checkpoint gives, in base64; None where it is no checkpoint."""
    if rule != ROOT_BEFORE:
        return _digest_of(note)
    try:
        return notes.read_checkpoint(note).root_base64
    except Invalid:
        return None


def _digest_of(note: str) -> str:
    return base64.b64encode(hashlib.sha256(note.encode()).digest()).decode()


def read_population(uow: UnitOfWork, period: Period, as_of: datetime) -> list[Member]:
    """Read the cases of a period by number, as the register had them at ``as_of``: two statements.

    Those that were closed in it, and those in which something has happened in it that must be inspected, closed or not.
    """
    base = _base(period, as_of)
    because: dict[str, set[str]] = defaultdict(set)
    for application_id, reason in uow.session.execute(_reasons(base, as_of)):
        because[application_id].add(reason)
    cases = select(Application.id, Application.number).where(Application.id.in_(select(base.c.id)))
    rows = uow.session.execute(cases.order_by(Application.number).execution_options(yield_per=READ_AT_ONCE))
    return [Member(row.id, str(row.number), _ordered(because.get(row.id, ()))) for row in rows]


def draw(population: Sequence[Member], seed: Seed) -> Sample:
    """Draw the sample, by number. It depends on the population and the seed alone."""
    rest = [one for one in population if not one.because]
    drawn = heapq.nsmallest(quota(len(rest)), rest, key=lambda one: (mark(seed, one.number), one.number))
    chosen = sorted([*(one for one in population if one.because), *drawn], key=lambda one: one.number)
    return Sample(chosen, len(population), digest(population))


def quota(rest: int) -> int:
    """Return how many are drawn of so many that need not be inspected."""
    return min(rest, max(LEAST, math.ceil(rest * SHARE)))


def mark(seed: Seed, number: str) -> bytes:
    """Return what the cases are ordered by."""
    return hmac.new(seed.key, number.encode(), hashlib.sha256).digest()


def digest(population: Iterable[Member]) -> str:
    """Return the SHA-256 of the population: each number with its reasons, a line each, ordered by number."""
    value = hashlib.sha256()
    for one in sorted(population, key=lambda one: one.number):
        value.update(f"{one.number}\t{','.join(one.because)}\n".encode())
    return value.hexdigest()


def parse_reasons(text: str) -> tuple[str, ...]:
    return _ordered(text.split(",")) if text else ()


def _ordered(reasons: Iterable[str]) -> tuple[str, ...]:
    held = set(reasons)
    return tuple(reason for reason in REASONS if reason in held)


def _base(period: Period, as_of: datetime) -> Subquery:
    """Build the query of the ids of a period's cases."""

    def within(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return and_(column >= period.start, column < period.end, column <= as_of)

    closed = select(Application.id.label("id")).where(Application.number.is_not(None), within(Application.closed_at))
    happened = (
        select(Violation.application_id).where(within(Violation.opened_at)),
        select(Matter.application_id).where(Matter.kind == "urgent", within(Matter.opened_at)),
        select(Disclosure.application_id).where(within(Disclosure.allowed_at)),
    )
    return union(closed, *happened).subquery("population")


def _reasons(base: Subquery, as_of: datetime) -> CompoundSelect[Any, Any]:
    """Build the query of why cases must be inspected; a case has a row for each time that something happened."""

    def rows(reason: str, column: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> Select[Any, Any]:
        found = select(column, literal(reason, String))
        return found.where(column.in_(select(base.c.id)), *conditions)

    return union_all(
        rows("urgent", Matter.application_id, Matter.kind == "urgent", Matter.opened_at <= as_of),
        rows(
            "disputed",
            Decision.application_id,
            Decision.stage == "return-inspection",
            Decision.outcome == "discrepancy",
            Decision.decided_at <= as_of,
        ),
        rows("lost", HandOver.application_id, HandOver.lost_at <= as_of),
        rows("violation", Violation.application_id, Violation.opened_at <= as_of),
        rows("provided", Disclosure.application_id, Disclosure.allowed_at <= as_of),
        rows("substitute", Decision.application_id, Decision.stands_in_for.is_not(None), Decision.decided_at <= as_of),
    )
