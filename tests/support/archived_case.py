"""A case whose loan is over and whose master is past its retention, with real objects in two stores."""

import io
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from lent_case import Parts, lend
from loan_matter import LoanDesk
from review_desk import ReviewDesk
from sqlalchemy import insert, select

from services.database.base import new_id
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DisposalItem
from services.database.tables.masters import Master
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import disposals
from services.runtime.settings.stores import FolderStore
from services.vault.labels import label_key
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, Stored
from services.workers.disposals import Disposer

RETAINED = timedelta(days=366)
PROPOSER, CONFIRMER = "operator2", "security-head"


def archived(desk: ReviewDesk) -> dict[str, str]:
    """Lay out the case, for ``prepared_desk``: returned, re-archived, its retention over for a day."""
    ids = lend(desk, Parts())
    desk.run(_archive)
    return ids


def _archive(uow: UnitOfWork) -> None:
    for loan in uow.session.scalars(select(HandOver)):
        loan.returned_at = loan.ended_at = uow.now - RETAINED
        application = uow.session.get_one(Application, loan.application_id)
        application.closed_at, application.closed_as = uow.now - RETAINED, "footage-re-archived"
    for master in uow.session.scalars(select(Master)):
        master.archived_at = uow.now - RETAINED
        master.dispose_after = master.retain_until = uow.now - timedelta(days=1)


@dataclass
class LoanKeysOfPaper:
    """The loan keys that were destroyed."""

    gone: list[str] = field(default_factory=list)

    def destroy(self, copy_id: str) -> None:
        self.gone.append(copy_id)


@dataclass
class DisposalDesk(LoanDesk):
    """A desk with one case whose master can be disposed of, once ``stored`` has put its objects there."""

    keys: LoanKeysOfPaper = field(default_factory=LoanKeysOfPaper)

    def stored(self, root: Path) -> "DisposalDesk":
        self.store = open_store(FolderStore(root / "store", "t"), self.desk.clock)
        self.replica_store = open_store(FolderStore(root / "replica", "r"), self.desk.clock)
        for store in (self.store, self.replica_store):
            store.ensure()
        for master in self.desk.all(Master):
            replica = _put(self.replica_store, "replicas", master.id)
            there = {"bucket": "replicas", "key": replica.key, "versionId": replica.version_id}
            _put(self.store, "masters", label_key(master.sealed["key"]))
            self.change(
                Master,
                master.id,
                sealed=self._sealed(master.sealed),
                replica={**there, "sha256Cipher": "b" * 64},
            )
        for copy in self.desk.all(Copy):
            self.change(Copy, copy.id, sealed=self._sealed(copy.sealed))
        return self

    def _sealed(self, sealed: dict[str, Any]) -> dict[str, Any]:
        stored = _put(self.store, sealed["bucket"], sealed["key"])
        return {**sealed, "versionId": stored.version_id}

    def change(self, table: type, row_id: str, **values: Any) -> None:
        def act(uow: UnitOfWork) -> None:
            row = uow.session.get_one(table, row_id)
            for name, value in values.items():
                setattr(row, name, value)

        self.desk.run(act)

    def list_due(self) -> int:
        return self.desk.run(disposals.list_disposals)

    @property
    def batch(self) -> str:
        """The matter of the only batch."""
        [matter_id] = {item.matter_id for item in self.items}
        return matter_id

    @property
    def items(self) -> list[DisposalItem]:
        return sorted(self.desk.all(DisposalItem), key=lambda item: item.position)

    @property
    def states(self) -> list[str]:
        return [item.state for item in self.items]

    def agree(self, matter_id: str | None = None) -> None:
        """Both decide for the batch."""
        self.agreed(matter_id or self.batch, ("disposal", PROPOSER), ("disposal-confirm", CONFIRMER))

    def disposer(self, *, store: Store | None = None, replica: Store | None = None) -> Disposer:
        keys: Any = self.keys
        return Disposer(self.desk.database, store or self.store, replica or self.replica_store, lambda: keys)

    def left(self) -> list[str]:
        """What lies in both stores."""
        places = [(self.store, "masters"), (self.store, "copies"), (self.replica_store, "replicas")]
        return [key for store, bucket in places for key in store.list_keys(bucket)]


def further(uow: UnitOfWork, number: int) -> None:
    """Add as many archived cases like the first one, on paper."""
    master = uow.session.scalars(select(Master)).first()
    assert master is not None
    models = (Application, Revision, Item, UploadAttempt, Master)
    first = {
        Application: uow.session.get_one(Application, master.application_id),
        Revision: uow.session.scalars(select(Revision).filter_by(application_id=master.application_id)).one(),
        Item: uow.session.get_one(Item, master.item_id),
        UploadAttempt: uow.session.get_one(UploadAttempt, master.attempt_id),
        Master: master,
    }
    rows: dict[type, list[dict[str, Any]]] = {model: [] for model in models}
    for position in range(number):
        ids = {model: new_id() for model in models}
        links = {
            "application_id": ids[Application],
            "item_id": ids[Item],
            "attempt_id": ids[UploadAttempt],
            "number": f"SQ-2031-1{position:05d}",
            "key": f"{ids[Master]}.age",
        }
        for model, row in first.items():
            values = {column.key: getattr(row, column.key) for column in model.__mapper__.column_attrs}  # type: ignore[attr-defined]  # every table has one
            known = {name: value for name, value in links.items() if name in values}
            rows[model].append({**values, **known, "id": ids[model]})
    for model in models:
        uow.session.execute(insert(model), rows[model])


def _put(store: Store, bucket: str, key: str) -> Stored:
    return store.put(bucket, key, io.BytesIO(b"sealed footage"), metadata={})
