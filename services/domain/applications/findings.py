"""Findings of the automatic checks: stored for each round, so that a second run changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select

from services.database.tables.reviews import Finding
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.translations import Text, Worded

Severity = Literal["blocks", "warns", "informs"]


@dataclass(frozen=True)
class CheckFinding(Worded):
    """One finding: a stable code and a sentence in each language that says what to do."""

    code: str
    severity: Severity
    message: Text
    item_id: str | None = None


def store(uow: UnitOfWork, application_id: str, round_: int, check: str, found: Sequence[CheckFinding]) -> None:
    """Replace what this check found in this round."""
    uow.session.execute(
        delete(Finding).where(Finding.application_id == application_id, Finding.round == round_, Finding.check == check)
    )
    for finding in found:
        uow.session.add(
            Finding(
                application_id=application_id,
                round=round_,
                check=check,
                code=finding.code,
                severity=finding.severity,
                zh=finding.zh,
                en=finding.en,
                item_id=finding.item_id,
                found_at=uow.now,
            )
        )
    audit_trail.record(
        uow,
        f"{check}-checked",
        "application",
        application_id,
        application_id=application_id,
        round=round_,
        codes=[finding.code for finding in found],
    )


def list_of_round(uow: UnitOfWork, application_id: str, round_: int, *checks: str) -> list[Finding]:
    """Return the round's findings, the blocking ones first."""
    query = select(Finding).where(Finding.application_id == application_id, Finding.round == round_)
    if checks:
        query = query.where(Finding.check.in_(checks))
    return sort(uow.session.scalars(query))


def sort(found: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the blocking ones first."""
    order = ("blocks", "warns", "informs")
    return sorted(found, key=lambda finding: (order.index(finding.severity), finding.code))
