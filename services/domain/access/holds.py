"""Who may ask for, review and read legal holds: pure functions over the organisation (R67, F34).

Placing and lifting are matters, which others decide.
"""

from services.domain.access.directory import LEADERS, Directory

HOLD, LIFT = "hold", "lift-hold"  # of matters
KINDS = (HOLD, LIFT)


def may_lead(directory: Directory, person_id: str) -> bool:
    """Return whether the person leads Legal or Security: such people review holds, and ask that they are lifted."""
    leads = directory.holds_in(person_id, "legal", *LEADERS) or directory.holds_in(person_id, "security", *LEADERS)
    return leads and person_id not in directory.administrators


def may_place(directory: Directory, person_id: str) -> bool:
    """Return whether the person may place a hold, which Legal confirms: those, and Security's reviewers."""
    reviews = directory.holds(person_id, "security-reviewer") and person_id not in directory.administrators
    return reviews or may_lead(directory, person_id)


def may_read(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read the holds, with their reasons: also Security's reviewers and supervisors.

    A reason may say whom the authorities look for, so those whom a case is about learn only that it is held.
    """
    reads = may_place(directory, person_id) or directory.holds(person_id, "supervisor")
    return reads and person_id not in directory.administrators
