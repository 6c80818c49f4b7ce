"""A small installation to back up and restore: a database with people, keys, objects in folders; no engine."""

import io
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whole_footage import MADE_FOR

from services.backup.bundle import MANIFEST, Bundle
from services.backup.create import BackupRequest, back_up
from services.backup.installation import ACTOR, Installation
from services.backup.restore import RestoreRequest, RestoreResult, restore
from services.database.tables.audit import AuditEvent
from services.runtime.clock import FixedClock
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.vault.age import generate_identity
from services.vault.keys.vault_keys import LoanKeys, ensure_keys
from services.vault.store.opening import open_store
from services.vault.store.protocol import Stored

MADE_UP = {"DATETIME": "2031-01-01 00:00:00.000000", "JSON": "{}", "INTEGER": 1, "BIGINT": 1, "BOOLEAN": 0}


@dataclass
class SmallInstallation:
    """``root/var`` has its data, ``root/store`` and ``root/replica`` its stores, ``root/safe`` where backups go."""

    root: Path
    database: Path  # made once and copied
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FixedClock(MADE_FOR)
        self.stores = {
            name: open_store(FolderStore(self.root / folder, "test"), self.clock)
            for name, folder in (("primary", "store"), ("replica", "replica"))
        }
        for store in self.stores.values():
            store.ensure()
        (self.root / "var").mkdir(parents=True)
        shutil.copy(self.database, self.root / "var" / "database.sqlite3")
        ensure_keys(self.root / "var" / "keys" / "vault")
        identity, self.recipient = generate_identity()
        self.identity = self.root / "identity.txt"
        self.identity.touch(0o600)
        self.identity.write_text(identity)

    def settings(self, data: str = "var", **changes: Any) -> Settings:
        return Settings.load(data_dir=self.root / data, rules={"max_use_days": 30}, **changes)

    def installation(self, data: str = "var", **changes: Any) -> Installation:
        return Installation(self.settings(data, **changes), self.clock, self.stores)

    @property
    def loan_keys(self) -> LoanKeys:
        return LoanKeys(self.root / "var" / "keys" / "loans")

    def put(self, bucket: str, key: str, content: bytes = b"sealed", **facts: Any) -> Stored:
        return self.stores["primary"].put(bucket, key, io.BytesIO(content), metadata={}, **facts)

    def back_up(self, name: str = "backup", **changes: Any) -> Path:
        """Back up database and stores; and keys, if ``keys`` and ``loan_keys`` are file names below ``safe``."""
        safe = self.root / "safe"
        files = {key: safe / changes.pop(key) for key in ("keys", "loan_keys") if key in changes}
        data = changes.pop("data", "var")
        request = BackupRequest(
            safe / name, **files, recipients=changes.pop("recipients", (self.recipient,)), **changes
        )
        back_up(self.installation(data), request, self.said.append)
        return safe / name

    def bundle(self, backup: Path) -> Bundle:
        return Bundle(backup, self.identity)

    def unpacked(self, backup: Path) -> Path:
        """A backup as a folder in clear, as the first release made it."""
        folder = backup.with_name(f"{backup.name}-unpacked")
        bundle = self.bundle(backup)
        for name in (MANIFEST, *bundle.manifest["members"]):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with bundle._raw(name) as member:
                (folder / name).write_bytes(member.read())
        rewrite(folder, format=1)
        return folder

    def restore(self, backup: Path, data: str = "new", **named: Any) -> RestoreResult:
        """Restore; ``settings`` are the new installation's."""
        settings = named.pop("settings", {})
        if backup.is_dir() or backup.suffix == ".zip":  # one in clear wants it
            named.setdefault("sha256", Bundle(backup).sha256)
        request = RestoreRequest(backup, identity=self.identity, **named)
        return restore(self.installation(data, **settings), request, self.said.append)

    def enter(self, table: str, **given: Any) -> None:
        """Insert a row; required columns that are not given are made up, and refer to the first row of a table."""
        with closing(sqlite3.connect(self.root / "var" / "database.sqlite3")) as connection, connection:
            connection.row_factory = sqlite3.Row
            foreign_keys = {key["from"]: key for key in connection.execute(f"PRAGMA foreign_key_list({table})")}
            for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
                name = column["name"]
                if name in given or not column["notnull"]:
                    continue
                if (other := foreign_keys.get(name)) is not None:
                    first = f"SELECT {other['to']} FROM {other['table']}"  # noqa: S608 - the schema's own names
                    [given[name]] = connection.execute(first).fetchone()
                else:
                    given[name] = MADE_UP.get(column["type"], "other")
            marks = ", ".join("?" * len(given))
            row = f"INSERT INTO {table} ({', '.join(given)}) VALUES ({marks})"  # noqa: S608 - the schema's own names
            connection.execute(row, list(given.values()))

    def events(self, action: str, data: str = "var", **settings: Any) -> list[AuditEvent]:
        with self.installation(data, **settings).database() as database:
            return database.run_now(ACTOR, lambda uow: list(uow.session.query(AuditEvent).filter_by(action=action)))

    def output(self) -> str:
        return "\n".join(self.said)


def rewrite(backup: Path, **changes: Any) -> None:
    """Change the manifest of a backup in a folder."""
    path = backup / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
