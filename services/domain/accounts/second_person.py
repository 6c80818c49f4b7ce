"""Sign what a second person confirms: an administrator's change, or that somebody signs again (R2, R25, R52).

Each is worth a signature, so it takes what a signature takes: an unlocked screen must not be a second person.
"""

from collections.abc import Mapping
from typing import Any

from services.database.tables.change_requests import ChangeRequest, SignatureHold
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.change_requests import holds
from services.domain.change_requests import service as change_requests
from services.domain.stages.schema import Level

LEVEL: Level = "password+totp"


def confirm(uow: UnitOfWork, change_id: str, proof: Proof) -> ChangeRequest:
    """Confirm a change as its second person, signed. Refused as by ``change_requests.confirm``."""
    request = change_requests.confirm(uow, change_id)
    statement = {
        "kind": "change-confirmation",
        "request": request.id,
        "change": request.kind,
        "concerns": request.person_id,
        "payload": request.payload,
    }
    _sign(uow, request, statement, proof)
    return request


def release_signatures(uow: UnitOfWork, hold_id: str, proof: Proof) -> SignatureHold:
    """Confirm that a person signs again, signed. Refused as by ``holds.release``."""
    hold = holds.release(uow, hold_id)
    statement = {
        "kind": "signature-release",
        "hold": hold.id,
        "concerns": hold.person_id,
        "reason": hold.reason,
    }
    _sign(uow, hold, statement, proof)
    return hold


def _sign(uow: UnitOfWork, row: ChangeRequest | SignatureHold, statement: Mapping[str, Any], proof: Proof) -> None:
    moment = signature_signing.signing_moment(uow, proof).isoformat()
    whole = {**statement, "person": uow.actor.id, "decidedAt": moment}
    row.signature = signature_signing.sign(uow, whole, proof, level=LEVEL).signature
