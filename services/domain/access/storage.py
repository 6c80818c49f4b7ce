"""Who reads the reconciliations, and who explains what they have found: pure functions (R62).

The storage office reads them. It explains nothing: it is the one that keeps what was compared.
"""

from services.domain.access.policy import LEADERS, Directory


def may_read(directory: Directory, person_id: str) -> bool:
    """Return whether the person is of the storage office, of Security, or supervises; no administrator is."""
    reads = (
        directory.holds(person_id, "supervisor", "storage-operator", "security-reviewer")
        or directory.holds_in(person_id, "storage", *LEADERS)
        or directory.holds_in(person_id, "security", *LEADERS)
    )
    return reads and person_id not in directory.administrators


def may_explain(directory: Directory, person_id: str) -> bool:
    """Return whether the person leads Security or supervises, and does not keep what was compared."""
    explains = directory.holds(person_id, "supervisor") or directory.holds_in(person_id, "security", *LEADERS)
    keeps = directory.holds(person_id, "storage-operator") or directory.holds_in(person_id, "storage", *LEADERS)
    return explains and not keeps and person_id not in directory.administrators
