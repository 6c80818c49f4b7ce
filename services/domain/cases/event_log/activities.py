"""What the activities of an event log are called, in the register's log and in a simulation's alike.

A review is called as its stage is, in English.
"""

SUBMITTED = "application submitted"
CORRECTED = "application corrected"
WITHDRAWN = "application withdrawn"
PRESERVED = "footage preserved"
RETRIEVED = "footage retrieved"
NOT_RETRIEVED = "footage not retrieved"
COPY_MADE = "copy made"
OFFERED = "copies offered"
RETURNED = "copies returned"
LOST = "copies reported lost"
SUSPENDED = "access suspended"
RESUMED = "access resumed"
CHECKED = "return checked"
CLOSED = "case closed"
# The lines of the custody log that say how copies pass from hand to hand; who viewed what, and when, is not exported.
OF_CUSTODY = {
    "offered": OFFERED,
    "received": "copies received",
    "declined": "copies declined",
    "suspended": SUSPENDED,
    "resumed": RESUMED,
    "lost": LOST,
    "returned": RETURNED,
    "inspected": CHECKED,
}


def escalated(activity: str) -> str:
    """Return what the escalation of a review is called."""
    return f"{activity} escalated"
