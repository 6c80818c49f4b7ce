"""Points at which a server may be killed: around every commit of register and engine, every act on store and keys.

A point is a label and a visit: ``before store put masters#2`` is the moment before the second master's put, counted
over every life of the server and over all of its processes. Nothing of the product knows of this: its methods are
wrapped before the server is built.
"""

import fcntl
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chaos_plan import Share
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from services.database.unit_of_work import Actor, Database
from services.engine.state import store as engine_state
from services.vault.keys import key_files, vault_keys
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store import folder
from services.vault.store.folder import FolderStore
from services.vault.store.s3 import S3Store

STORE_ACTS = ("put", "delete", "retain", "set_legal_hold", "set_tags", "sweep")
ENGINE_RECORDS = {
    ("JOB", "CREATED"): "type",
    ("JOB_BATCH", "ACTIVATED"): "type",
    ("JOB", "COMPLETED"): "type",
    ("JOB", "TIMED_OUT"): "type",
    ("MESSAGE", "PUBLISHED"): "name",
    ("TIMER", "TRIGGERED"): "targetElementId",
    ("PROCESS_INSTANCE", "ELEMENT_ACTIVATED"): "elementId",
    ("PROCESS_INSTANCE", "ELEMENT_COMPLETED"): "elementId",
    ("PROCESS_INSTANCE", "ELEMENT_TERMINATED"): "elementId",
}


class Points:
    """Counts visits in ``folder``/visits.txt and kills this process at those of the share in ``folder``, if any."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._log = (folder / "visits.txt").open("ab+")
        self._counts: Counter[str] = Counter()
        self._read_to = 0
        self._struck = folder / "struck.txt"
        self._share = Share.read(folder)

    def visit(self, labels: Iterable[str]) -> None:
        """Everything that one moment is called; the process ends here when one of the names is of the share."""
        with self._lock, self._alone():
            points = []
            for label in labels:
                self._counts[label] += 1
                points.append(f"{label}#{self._counts[label]}")
            self._log.write("".join(f"{point}\n" for point in points).encode())
            self._log.flush()
            self._read_to = self._log.tell()
            if self._share is not None and (struck := [point for point in points if point in self._share]):
                with self._struck.open("a", encoding="utf-8") as file:
                    file.write("".join(f"{point}\n" for point in struck))
                os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def _alone(self) -> Any:
        """No other process counts meanwhile, and what others have counted is known."""
        fcntl.flock(self._log, fcntl.LOCK_EX)
        try:
            self._log.seek(self._read_to)
            self._counts.update(line.rpartition("#")[0] for line in self._log.read().decode().splitlines())
            yield
        finally:
            fcntl.flock(self._log, fcntl.LOCK_UN)

    @contextmanager
    def around(self, *what: str) -> Any:
        self.visit([f"before {one}" for one in what])
        yield
        self.visit([f"after {one}" for one in what])

    def wrap(self, owner: Any, name: str, label: Callable[..., str]) -> None:
        """Points before and after ``owner.name``, called ``label(*args)``."""
        original = getattr(owner, name)

        @wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.around(label(*args, **kwargs)):
                return original(*args, **kwargs)

        setattr(owner, name, wrapped)


def install(points: Points) -> None:
    """Wrap what the server will be built of."""
    _register(points)
    _engine(points)
    _store(points)
    _keys(points)


def _register(points: Points) -> None:
    """Commits that write something, called by who acts and the act; and each table of the first migration."""
    acting = threading.local()
    run_now, commit = Database.run_now, Session.commit

    @wraps(run_now)
    def named(self: Database, actor: Actor, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        who = "person" if actor.kind == "person" else actor.id
        called = getattr(act, "func", act)  # what a partial calls
        acting.act = f"register {who} {called.__module__.rpartition('.')[2]}.{called.__qualname__}"
        return run_now(self, actor, act, *args, **kwargs)

    def watched(self: Session) -> None:
        self.flush()
        if not self.info.pop("wrote", False):
            commit(self)
            return
        with points.around(acting.act):
            commit(self)

    def wrote(session: Session, *_: object) -> None:
        session.info["wrote"] = True

    def executed(state: Any) -> None:
        if state.is_update or state.is_delete or state.is_insert:
            state.session.info["wrote"] = True

    def table_made(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith("CREATE TABLE"):
            points.visit(["during migration"])

    Database.run_now = named  # type: ignore[method-assign]
    Session.commit = watched  # type: ignore[method-assign]
    event.listen(Session, "after_flush", wrote)
    event.listen(Session, "do_orm_execute", executed)
    event.listen(Engine, "before_cursor_execute", table_made)


def _engine(points: Points) -> None:
    """Group commits that write records, called by every job, message, timer and ended process in them."""
    commit = engine_state.Store.commit

    @wraps(commit)
    def watched(self: engine_state.Store) -> Any:
        what = dict.fromkeys(name for record in self.records.batch if (name := _called(record)))
        if not what:
            return commit(self)
        points.visit([f"before engine {one}" for one in what])
        records = commit(self)
        points.visit([f"after engine {one}" for one in what])
        return records

    engine_state.Store.commit = watched  # type: ignore[method-assign]


def _called(record: Any) -> str | None:
    if record.value_type in ("PROCESS", "DEPLOYMENT"):
        return f"{record.value_type} {record.intent}"
    field = ENGINE_RECORDS.get((record.value_type, record.intent))
    if field is None or (record.value_type == "PROCESS_INSTANCE" and record.value["bpmnElementType"] != "PROCESS"):
        return None
    return f"{record.value_type} {record.intent} {record.value.get(field)}"


def _store(points: Points) -> None:
    def called(act: str) -> Callable[..., str]:
        return lambda _store, bucket, key, *_a, **_k: f"store {act} {_place(bucket, key)}"

    for kind in (FolderStore, S3Store):
        _break_put(points, kind)
        for act in STORE_ACTS:
            points.wrap(kind, act, called(act))
    removing = SimpleNamespace(rmtree=folder.shutil.rmtree)
    points.wrap(removing, "rmtree", lambda *_a, **_k: "store files removed")
    folder.shutil = removing  # type: ignore[assignment]


def _break_put(points: Points, kind: Any) -> None:
    put = kind.put

    @wraps(put)
    def broken(self: Any, bucket: str, key: str, source: Any, **more: Any) -> Any:
        pieces = 0

        def readinto(room: memoryview, /) -> int:
            nonlocal pieces
            pieces += 1
            if pieces == 2:  # one piece is on the disk, the object is not there yet
                points.visit([f"during store put {_place(bucket, key)}"])
            return int(source.readinto(room))

        return put(self, bucket, key, SimpleNamespace(readinto=readinto), **more)

    kind.put = broken


def _place(bucket: str, key: str) -> str:
    return f"{bucket} label" if key.endswith(".label.json") else bucket


def _keys(points: Points) -> None:
    points.wrap(LoanKeys, "create", lambda *_: "loan-key create")
    points.wrap(LoanKeys, "destroy", lambda *_: "loan-key destroy")
    points.wrap(vault_keys, "shred", lambda *_: "loan-key shred")
    points.wrap(key_files, "sync_folder", lambda *_: "key-file synced")

    class LinkedPath(type(Path())):  # type: ignore[misc]
        def hardlink_to(self, target: Any) -> None:
            with points.around("key-file named"):
                super().hardlink_to(target)

    original = vault_keys.write_key_file

    def write(path: Path, text: str, **more: Any) -> bool:
        return original(LinkedPath(path), text, **more)

    vault_keys.write_key_file = write
