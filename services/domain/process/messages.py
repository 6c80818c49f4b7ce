"""The names of the messages to the process, and the keys that they are sent with; the BPMN waits for exactly these."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

APPLICATION_SUBMITTED = "application-submitted"
APPLICATION_CORRECTED = "application-corrected"
APPLICATION_WITHDRAWN = "application-withdrawn"
REVIEW_DECIDED = "review-decided"
COPY_RETURNED = "copy-returned"
USE_PERIOD_CHANGED = "use-period-changed"
LOAN_CLOSED = "loan-closed"
COPY_LOST = "copy-lost"
MATTER_ASKED = "matter-asked"
MATTER_MOOT = "matter-moot"
PROBLEM_REPORTED = "problem-reported"
URGENT_CALLED = "urgent-called"
APPLICATION_APPROVED = "application-approved"
APPLICATION_REFUSED = "application-refused"
VIOLATION_OPENED = "violation-opened"
VIOLATION_REPLIED = "violation-replied"
REFERRAL_RECEIVED = "referral-received"
LOSS_SETTLED = "loss-settled"
INSPECTION_DUE = "inspection-due"
WORK_ORDER_OPENED = "work-order-opened"
WORK_ORDER_DONE = "work-order-done"
WORK_ORDER_CANCELLED = "work-order-cancelled"

LOAN_OUTCOMES = ("lost", "recalled", "replace", "provided")
"""Why a loan is closed before its return: what ``loan-closed`` carries as ``loanOutcome``."""

STARTS = frozenset({MATTER_ASKED, PROBLEM_REPORTED, URGENT_CALLED, VIOLATION_OPENED})
"""Messages that start the process of a matter."""

OLDER = frozenset({COPY_LOST})
"""Messages that models of earlier releases wait for. Cases that began on one keep it, so they are still sent."""


@dataclass(frozen=True)
class Sent:
    """How a message is sent: ``key`` names, in order and joined by colons, what its correlation key is made of.

    ``application``, ``round`` (of corrections, from 1), ``hand-over``, ``review``, ``matter``, ``work-order`` and its
    ``attempt``, and the ``period`` of an inspection are those of the database.
    """

    key: tuple[str, ...]


SENT: Mapping[str, Sent] = {
    APPLICATION_SUBMITTED: Sent(("application",)),
    APPLICATION_CORRECTED: Sent(("application", "round")),
    APPLICATION_WITHDRAWN: Sent(("application",)),
    REVIEW_DECIDED: Sent(("review",)),
    COPY_RETURNED: Sent(("hand-over",)),
    USE_PERIOD_CHANGED: Sent(("hand-over",)),
    LOAN_CLOSED: Sent(("hand-over",)),
    COPY_LOST: Sent(("hand-over",)),
    MATTER_ASKED: Sent(("matter",)),
    MATTER_MOOT: Sent(("matter",)),
    PROBLEM_REPORTED: Sent(("matter",)),
    URGENT_CALLED: Sent(("matter",)),
    APPLICATION_APPROVED: Sent(("application",)),
    APPLICATION_REFUSED: Sent(("application",)),
    VIOLATION_OPENED: Sent(("matter",)),
    VIOLATION_REPLIED: Sent(("matter",)),
    REFERRAL_RECEIVED: Sent(("matter",)),
    LOSS_SETTLED: Sent(("matter",)),
    INSPECTION_DUE: Sent(("period",)),
    WORK_ORDER_OPENED: Sent(("work-order",)),
    WORK_ORDER_DONE: Sent(("work-order", "attempt")),
    WORK_ORDER_CANCELLED: Sent(("work-order",)),
}
"""Every message that the portal sends; tests hold it against what the outbox has held."""


def written(moment: datetime) -> str:
    """Return a moment as the process reads it in a variable: ISO 8601 with Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
