"""Who may do a work order, verify it, open and cancel one: pure functions over values loaded once (R11, R64)."""

from collections.abc import Collection
from dataclasses import dataclass

from services.domain.access.directory import LEADERS, Directory
from services.domain.access.work_orders import TECHNICAL
from services.domain.work_orders import roles
from services.domain.work_orders.roles import Role
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

OF_ROWS = (
    "check-in",
    "hold-review",
    "agreement-renewal",
    "access-review",
    "group-term",
    "download-account",
    "difference",
    "access-inquiry",
)
"""Kinds about a loan, a hold, an agreement, a department, the group or findings: opened by the system alone."""

HAS_A_PART = (
    "has-a-part",
    Message("You have a part in what this is about: another person has to do and to verify it."),
)


@dataclass(frozen=True)
class Parts:
    """Who has had a part in a work order: its doers in all attempts, those in whose place they acted, its opener.

    ``concerned``: the people whom its case concerns (T8). ``witnesses``: before whom the present attempt was done.
    ``unfit``: who has a part in what it is about, such as the accused of a case that is put right.
    """

    doers: Collection[str]
    opener: str | None
    concerned: Collection[str] = ()
    witnesses: Collection[str] = ()
    unfit: Collection[str] = ()

    @property
    def barred(self) -> set[str]:
        """Return who does not verify it, as substitute either."""
        opener = [self.opener] if self.opener is not None else []
        return {*self.doers, *self.concerned, *self.witnesses, *self.unfit, *opener}


def doer_refusal(
    directory: Directory, role: Role, person_id: str, *, late: bool, unfit: Collection[str] = ()
) -> Refused | None:
    """Return why the person must not do the work order; None where they may. ``unfit``: by their part in its case."""
    if person_id in directory.administrators:
        return _administrator()
    if person_id in unfit:
        return _refused(*HAS_A_PART)
    if person_id in roles.acting(directory, role, without=unfit, all_groups=late):
        return None
    if any(person_id in group for group in roles.pools(directory, role)):
        return _not_yet()
    return _refused("not-the-doer", Message("This work order is for another person: ask that person to do it."))


def verifiers(directory: Directory, role: Role, parts: Parts, *, late: bool) -> list[str]:
    """List who may verify the work order now; the absent of a group as well."""
    return roles.acting(directory, role, without=parts.barred, all_groups=late)


def verifier_refusal(
    directory: Directory, role: Role, parts: Parts, person_id: str, *, agreed: bool, late: bool
) -> Refused | None:
    """Return why the person must not verify the work order; None where they may."""
    barred = _barred(directory, parts, person_id)
    if barred is not None:
        return barred
    if not any(person_id in group for group in roles.pools(directory, role)):
        return _refused(
            "not-the-verifier", Message("Another person verifies this work order: ask that person to do it.")
        )
    if not agreed:
        return _refused("agreement-missing", Message("You have no valid confidentiality agreement: sign it first."))
    if person_id not in verifiers(directory, role, parts, late=late):
        return _not_yet()
    return None


def opens(directory: Directory, person_id: str, kind: str) -> bool:
    """Return whether the person may open a work order of this kind by hand.

    Security and supervision open all that follows no row of the register; the storage office what is about its
    recorders, devices and sites. What follows a loan or a hold changes it when it is done, so that nobody opens it.
    """
    if person_id in directory.administrators or kind in OF_ROWS:
        return False
    if oversees(directory, person_id):
        return True
    storage = directory.holds(person_id, "storage-operator") or directory.holds_in(person_id, "storage", *LEADERS)
    return storage and kind in TECHNICAL


def oversees(directory: Directory, person_id: str) -> bool:
    """Return whether the person watches over all work orders: who leads Security, and supervisors."""
    leads = directory.holds_in(person_id, "security", *LEADERS) or directory.holds(person_id, "supervisor")
    return leads and person_id not in directory.administrators


def cancels(directory: Directory, role: Role, person_id: str, parts: Parts) -> bool:
    """Return whether the person may cancel it: its opener, and who oversees; never a doer, nor who has a part in it.

    ``role``: who is to do it. Who holds that post cancels nothing that somebody else has asked of it, and their
    substitutes do not either.
    """
    if person_id in parts.doers or person_id in parts.unfit:
        return False
    if person_id == parts.opener:
        return True
    is_asked = any(person_id in group for group in roles.pools(directory, role))
    return oversees(directory, person_id) and not is_asked


def _barred(directory: Directory, parts: Parts, person_id: str) -> Refused | None:
    """Return why the person verifies it in no role, as substitute either."""
    if person_id in directory.administrators:
        return _administrator()
    reasons: tuple[tuple[Collection[str], str, Text], ...] = (
        (
            parts.concerned,
            "subject",
            Message("You are a person concerned in this case and cannot decide in it: another person has to do this."),
        ),
        (
            parts.doers,
            "was-doer",
            Message("You did this, or it was done in your place: another person has to verify it."),
        ),
        (
            parts.witnesses,
            "was-witness",
            Message("You are named here as a witness: another person has to confirm what you saw."),
        ),
        (parts.unfit, *HAS_A_PART),
        (
            () if parts.opener is None else (parts.opener,),
            "was-opener",
            Message("You opened this work order: another person has to verify it."),
        ),
    )
    return next((_refused(code, message) for people, code, message in reasons if person_id in people), None)


def _not_yet() -> Refused:
    return _refused(
        "not-yet",
        Message("You are a substitute: you can do this when the people in charge are absent, or it is overdue."),
    )


def _administrator() -> Refused:
    return _refused("administrator", Message("Administrators do no work orders: another person has to do this."))


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
