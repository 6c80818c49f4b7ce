"""The evidence packages that this desk has made of a case, by the digests that were recorded at that time (R67)."""

import json
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Refused

MADE = "package-made"
DIGESTS = ("file_sha256", "manifest_sha256")  # of its event; older releases recorded that of the manifest alone


@dataclass(frozen=True)
class Named:
    """A package by its SHA-256: whether this desk made it of this case, and where it comes from otherwise."""

    sha256: str
    made_here: bool
    because: str | None


def name(uow: UnitOfWork, application_id: str, sha256: str, because: str) -> Named:
    """Compare a SHA-256 with the packages of the case; Refused for an unknown one without a sentence about it."""
    wanted, said = sha256.lower(), because.strip()
    query = select(AuditEvent.entry).where(AuditEvent.application_id == application_id, AuditEvent.action == MADE)
    for entry in uow.session.scalars(query):
        detail = json.loads(entry)["detail"]
        if wanted in (detail.get(digest) for digest in DIGESTS):
            return Named(wanted, True, None)
    if not said:
        raise Refused(
            "package-unknown",
            "This is not a package of this case that was made here: check the SHA-256, or confirm it and say in a "
            "sentence where the package comes from.",
            status=422,
            field="unknownPackageBecause",
        )
    return Named(wanted, False, said)
