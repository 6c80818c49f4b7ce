"""What the custodian's pages show beside the views: spans, loans in order of urgency, clearer refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.database.unit_of_work import UnitOfWork
from services.domain.custody import grants, queries
from services.domain.custody.grants import Action
from services.domain.custody.queries import NamedCopy, NamedLoan
from services.domain.custody.schemas import (
    DerivativeView,
    EmergencyCopyView,
    HandOverView,
    IssuedCopy,
    MarkedMoment,
    ShownLoan,
)
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span
from services.runtime.translations import Message
from services.vault.coverage import span_from_json

# A field that was left out, by its last word: the sentence that names it as the page does.
MISSING = {
    "password": Message("Enter your password."),
    "conditionsVersion": Message("Tick that you have read the conditions."),
    "reason": Message("Enter a reason for declining the copies."),
    "kind": Message("Only a loss ends the loan at once: report damage or a leak as a problem."),
    "whatHappened": Message("Describe what happened."),
    "returnTo": Message("Choose whether to return to Security or to the storage office."),
    "fate": Message("For each download, choose whether it was destroyed or given back."),
    "recipient": Message("Enter your own age public key."),
    "event": Message("Choose what was done: moved, lent inside or checked."),
    "text": Message("Describe what was done."),
    "medium": Message("Choose the numbered medium on which the file will be kept, or name the computer."),
}


Shown = tuple[HandOverView | ShownLoan | NamedLoan, IssuedCopy | NamedCopy]
"""A copy with its loan; where it does not open, as much of both as says which they are."""


@dataclass(frozen=True)
class CopyTimes:
    """A copy's footage on its time line: ``whole`` from the first picture to the last, lead-in and tail included."""

    asked: Span
    whole: Span
    covered: list[Span]
    gaps: list[Span]


def moment_data(marked: Sequence[MarkedMoment]) -> list[dict[str, Any]]:
    """Return bookmarks and stills as a page tells its script of them."""
    return [moment.model_dump(mode="json", by_alias=True) for moment in marked]


def copy_times(copy: IssuedCopy | EmergencyCopyView | DerivativeView) -> CopyTimes:
    """Return the spans of a copy, whose coverage is stored as JSON."""
    coverage: dict[str, Any] = copy.coverage
    covered = [span_from_json(span) for span in coverage["covered"]]
    first, last = (datetime.fromisoformat(coverage[name]) for name in ("firstFrame", "lastFrame"))
    ends = [last, *(span.end for span in covered)]
    return CopyTimes(
        asked=span_from_json(coverage["asked"]),
        whole=Span(min([first, *(span.start for span in covered)]), max(ends)),
        covered=covered,
        gaps=[span_from_json(gap) for gap in coverage["gaps"]],
    )


def remarks(detail: Mapping[str, Any]) -> str:
    """Return what a person wrote in an entry of the log, with the moment and the people that it names, if any."""
    to: Mapping[str, str] = detail.get("to") or {}
    present: Sequence[str] = detail.get("present") or ()
    at = str(detail.get("at") or "").replace("T", " ")
    written = (detail.get(name) for name in ("text", "document", "sitting", "place"))
    said = (at, *written, to.get("name"), *present)
    return " · ".join(text for text in said if text)


def clarify(refusal: Refused) -> Refused:
    """Return the refusal of a form; where a field was left out, in the words of the page and not of the field."""
    words = MISSING.get((refusal.field or "").rpartition("-")[2])
    if words is None or refusal.code not in {"missing", "literal-error"}:
        return refusal
    return Refused(refusal.code, words, status=refusal.status, field=refusal.field)


def open_copy(
    uow: UnitOfWork, copy_id: str, action: Action, *, address: str | None = None
) -> tuple[HandOverView | ShownLoan, IssuedCopy]:
    """Return the copy as ``read_copy`` does, where the actor may do this with it now; Refused as ``grants.check``."""
    opened = grants.check(uow, copy_id, action, address=address)
    return read_copy(uow, opened.copy_id)


def read_copy(uow: UnitOfWork, copy_id: str) -> tuple[HandOverView | ShownLoan, IssuedCopy]:
    """Return the copy as its custodian sees it, or as a recipient does who may view it."""
    try:
        return queries.get_copy(uow, copy_id)
    except NotFound:
        return queries.get_shown_copy(uow, copy_id)


def read_barred(uow: UnitOfWork, copy_id: str, refusal: Refused) -> tuple[NamedLoan, NamedCopy]:
    """Return to its custodian which copy it is that does not open now.

    A recipient is told ``refusal`` and nothing else of the loan.
    """
    try:
        return queries.get_barred_copy(uow, copy_id)
    except NotFound:
        raise refusal from None
