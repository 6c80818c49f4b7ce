"""Who keeps the registers of storage, who reads them, who may keep a site: pure functions over the organisation."""

from services.domain.access.directory import LEADERS, Directory
from services.runtime.translations import Message


def works_in_storage(directory: Directory, person_id: str) -> bool:
    """Return whether the person operates the storage, or leads the office that does."""
    operates = directory.holds(person_id, "storage-operator") or directory.holds_in(person_id, "storage", *LEADERS)
    return operates and person_id not in directory.administrators


def leads_storage(directory: Directory) -> list[str]:
    """List who leads the storage office, else who operates it."""
    leaders = directory.holders_in("storage", *LEADERS) or directory.holders(None, "storage-operator")
    return [person_id for person_id in leaders if person_id not in directory.administrators]


def may_change(directory: Directory, person_id: str) -> bool:
    """Return whether the person may change the registers: the storage office and administrators."""
    return works_in_storage(directory, person_id) or person_id in directory.administrators


def may_read(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read the registers: also supervision, and those who lead Security."""
    watches = directory.holds(person_id, "supervisor") or directory.holds_in(person_id, "security", *LEADERS)
    return watches or may_change(directory, person_id)


def may_read_disposals(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read what is disposed of; administrators read nothing about cases."""
    return may_read(directory, person_id) and person_id not in directory.administrators


def keeper_refusal(directory: Directory, person_id: str) -> Message | None:
    """Return why the person cannot keep a site, or keep it any longer; None where all is right (R13)."""
    if person_id not in directory.people:
        return Message("This person has left, or no longer holds a post.")
    if not works_in_storage(directory, person_id):
        return Message("A site is kept by a member of the storage office: give the person the post first.")
    if person_id not in directory.agreed:
        return Message("This person has no valid confidentiality agreement: it has to be signed first.")
    return None


def may_read_reconciliations(directory: Directory, person_id: str) -> bool:
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
