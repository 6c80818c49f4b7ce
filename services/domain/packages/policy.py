"""Who may ask for an evidence package, approve one and fetch it: pure functions over the organisation (R2, R58, R67).

A package leaves the rules of this desk behind, so it is for those who answer for the footage: Security, and who leads
Legal. Footage in clear takes both: one side asks, and who leads the other one approves.
"""

from datetime import timedelta

from services.domain.access.directory import LEADERS, Directory

KEPT_FOR = timedelta(days=7)  # after it was made; then it is deleted, and a new one has to be asked for
WAITS_FOR = timedelta(days=7)  # for the approval
MOST_WAITING = 3  # of one person
CLEAR, SEALED, HASH = "clear", "sealed", "hash"
# Footage in clear goes to no others: these get what a disclosure allows, such as a redacted copy.
CLEAR_FOR = ("inside", "authority")


def may_ask(directory: Directory, person_id: str) -> bool:
    """Return whether the person may ask for packages: Security's reviewers, and who leads Security or Legal."""
    if person_id in directory.administrators:
        return False
    return directory.holds(person_id, "security-reviewer") or leads(directory, person_id)


def leads(directory: Directory, person_id: str) -> bool:
    """Return whether the person leads Security or Legal."""
    led = directory.holds_in(person_id, "legal", *LEADERS) or directory.holds_in(person_id, "security", *LEADERS)
    return led and person_id not in directory.administrators


def may_approve(directory: Directory, person_id: str, asked_by: str) -> bool:
    """Return whether the person is a second person for what ``asked_by`` asks: leading, and of another department.

    Nobody is one for who has no post any more, and so no right to the package.
    """
    if asked_by not in directory.people or not leads(directory, person_id):
        return False
    apart = directory.departments_of(person_id).isdisjoint(directory.departments_of(asked_by))
    return person_id != asked_by and apart


def approvers(directory: Directory, asked_by: str) -> list[str]:
    """List who may be the second person, whatever their part in the case."""
    return sorted(person for person in directory.people if may_approve(directory, person, asked_by))
