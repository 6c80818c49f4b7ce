"""Downloads that nobody has accounted for once a loan is over: somebody is asked what became of each (T2, R38, R39)."""

from collections.abc import Callable, Sequence

from sqlalchemy import select

from services.database.tables.copies import Download
from services.database.tables.custody import HandOver
from services.database.tables.returns import Return
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import copies

Ask = Callable[[UnitOfWork, HandOver, Sequence[Download]], object]

_ASKED: dict[str, Ask] = {}


def register(name: str, ask: Ask) -> None:
    """Register who asks the custodian for an account; again is no error. Called by ``services.domain.wiring``."""
    _ASKED[name] = ask


def list_unattested(uow: UnitOfWork, hand_over: HandOver) -> list[Download]:
    """List the downloads of a loan that its return does not name, oldest first; all where nobody has returned it."""
    returned = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over.id))
    attested = returned.attestation["downloads"] if returned is not None else {}
    return [download for download in copies.list_downloads(uow, hand_over.id) if download.id not in attested]


def ask(uow: UnitOfWork, hand_over: HandOver, downloads: Sequence[Download]) -> None:
    """Have these downloads of a loan that is over accounted for; nothing where there are none, or once it is asked."""
    if downloads:
        for one in _ASKED.values():
            one(uow, hand_over, downloads)
