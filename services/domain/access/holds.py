"""Who may place, lift and read legal holds: pure functions over the organisation (R67, F34)."""

from services.domain.access.directory import LEADERS, Directory


def placers(directory: Directory) -> list[str]:
    """List who may place a hold and take part in lifting one: those who lead Legal or Security."""
    leaders = {*directory.holders_in("legal", *LEADERS), *directory.holders_in("security", *LEADERS)}
    return sorted(leaders - directory.administrators)


def may_place(directory: Directory, person_id: str) -> bool:
    """Return whether the person may place a hold, and take part in lifting one."""
    leads = directory.holds_in(person_id, "legal", *LEADERS) or directory.holds_in(person_id, "security", *LEADERS)
    return leads and person_id not in directory.administrators


def may_read(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read the holds, with their reasons: also Security's reviewers and supervisors.

    A reason may say whom the authorities look for, so those whom a case is about learn only that it is held.
    """
    reads = may_place(directory, person_id) or directory.holds(person_id, "security-reviewer", "supervisor")
    return reads and person_id not in directory.administrators
