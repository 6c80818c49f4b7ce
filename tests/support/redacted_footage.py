"""A redacted copy of real footage on a desk of custody, made as the part that makes them does."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from custody_desk import Desk

from services.database.leases import Lease
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative
from services.database.unit_of_work import UnitOfWork
from services.domain.matters import service
from services.workers import redactions
from services.workers.redactions import RedactionMaker

# All but the upper left quarter is black.
REGION = {"start": 0, "end": 30_000, "keyframes": [{"at": 0, "x": 0, "y": 0, "width": 80, "height": 48}]}
RECIPE: dict[str, Any] = {"mode": "keep-one", "picture": {"width": 160, "height": 96}, "regions": [REGION]}


def make(desk: Desk, copy_id: str) -> Derivative:
    """Let the custodian ask for one of this copy, and make it."""
    asked = {"copyId": copy_id, "reason": "申请复制。", "recipe": RECIPE}

    def ask(uow: UnitOfWork) -> None:
        service.open_matter(uow, "redaction", uow.session.get_one(Copy, copy_id).application_id, asked, None)

    desk.as_person("custodian", ask)
    lease = Lease(desk.database, redactions.LEASE, redactions.LENGTH)
    maker = RedactionMaker(desk.database, desk.store, desk.loan_keys, lambda: desk.signer, lease=lease)
    with ThreadPoolExecutor(1) as aside:  # a test's own loop may run in this thread
        assert aside.submit(asyncio.run, maker.run()).result()
    [row] = [one for one in desk.rows(Derivative) if one.copy_id == copy_id]
    return row
