"""The accounts of deploy/compose.yaml: each does its work, and nothing that another is there for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg
import pytest
from compose_database import ComposeDatabase, compose_database
from compose_file import DEPLOY
from psycopg.errors import InsufficientPrivilege
from review_desk import ReviewDesk
from sqlalchemy import create_engine

from services.backup.database_export import check_may_load
from services.database import schema
from services.database.unit_of_work import Actor
from services.domain.audit import checkpoint_publisher, trail
from services.domain.retrieval import uploads
from services.domain.retrieval.uploads import Facts
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.vault.store.protocol import BUCKETS

pytestmark = pytest.mark.slow

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
# What the portal writes in the store.
UPLOADS = "arn:aws:s3:::footage-desk-quarantine/quarantine/uploads/*"
ATTACHMENTS = "arn:aws:s3:::footage-desk-documents/attachments/*"
HEADS = "arn:aws:s3:::footage-desk-documents/checkpoints/*"
FORBIDDEN = (
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "TRUNCATE audit_events",
    "DROP TABLE audit_events",
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "COPY audit_events TO '/tmp/events'",
    "CREATE ROLE another LOGIN",
    "ALTER ROLE desk_owner PASSWORD 'mine'",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ComposeDatabase]:
    with compose_database(tmp_path / "postgresql") as server:
        yield server


def migrate(server: ComposeDatabase, account: str) -> None:
    engine = create_engine(server.url(account))
    schema.migrate(engine)
    engine.dispose()


def write_an_event(server: ComposeDatabase, account: str) -> None:
    database = open_database(server.url(account), FixedClock(NOON), Rules(max_use_days=30))
    database.run_now(Actor("system", "test"), lambda uow: trail.record(uow, "backup-made", "installation", "1"))
    database.close()


@pytest.mark.postgres
def test_who_owns_the_tables_restores_into_them_and_a_part_is_told_so(server: ComposeDatabase) -> None:
    server.set_up()
    engine = create_engine(server.url("desk_parts"))
    with pytest.raises(Fatal, match="may not make tables"):
        check_may_load(engine)
    engine.dispose()
    engine = create_engine(server.url("desk_owner"))
    check_may_load(engine)
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.requirement("R52", refuses=True)
def test_parts_write_rows_and_change_no_table_and_no_event(server: ComposeDatabase) -> None:
    server.set_up()
    migrate(server, "desk_owner")
    write_an_event(server, "desk_parts")

    with server.connect("desk_parts") as connection:
        for statement in FORBIDDEN:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement)
        for statement in ("UPDATE audit_events SET action = 'x'", "DELETE FROM audit_events"):
            with pytest.raises(psycopg.errors.RaiseException, match="audit"):
                connection.execute(statement)


@pytest.mark.postgres
def test_no_account_enters_what_belongs_to_another(server: ComposeDatabase) -> None:
    server.set_up()

    for account, database in [
        ("camunda", "footage_desk"),
        ("camunda", "postgres"),
        ("desk_parts", "camunda"),
        ("desk_owner", "camunda"),
        ("desk_owner", "postgres"),
    ]:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            server.connect(account, database)
    with server.connect("camunda", "camunda") as connection:
        connection.execute("CREATE TABLE theirs (id int)")


@pytest.mark.postgres
def test_a_volume_of_before_goes_on_with_the_new_accounts(server: ComposeDatabase) -> None:
    """Its superuser was called footage_desk, owned everything, and was every part's account."""
    with server.connect("postgres", "postgres") as connection:
        connection.execute("CREATE ROLE footage_desk LOGIN SUPERUSER")
        connection.execute("CREATE DATABASE footage_desk OWNER footage_desk")
        connection.execute("CREATE DATABASE camunda OWNER footage_desk")
    with server.connect("footage_desk", "camunda") as connection:
        connection.execute("CREATE TABLE theirs (id serial)")
    migrate(server, "footage_desk")
    write_an_event(server, "footage_desk")

    for _ in range(2):
        server.set_up("footage_desk")

    migrate(server, "desk_owner")
    write_an_event(server, "desk_parts")
    with server.connect("desk_parts") as connection:
        assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (2,)
    with server.connect("desk_owner") as connection:
        owned = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> %s::regrole"
        assert connection.execute(owned, ["desk_owner"]).fetchall() == []
        connection.execute("ALTER FUNCTION audit_only_grows() RENAME TO audit_only_grows_")
    with server.connect("camunda", "camunda") as connection:
        connection.execute("INSERT INTO theirs DEFAULT VALUES")
        connection.execute("ALTER TABLE theirs ADD name text")


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (DEPLOY / "compose" / "store" / f"{name}.json").read_text(encoding="utf-8")
    )["Statement"]
    assert {one["Effect"] for one in found} == {"Allow"}
    return found


def policy(name: str) -> dict[str, tuple[set[str], set[str]]]:
    """Statements by their name: what they allow, and on what."""
    found = statements(name)
    return {one["Sid"]: (set(one["Action"]), set(one["Resource"])) for one in found}


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("portal", "footage-desk"), ("workers", "footage-desk"), ("replica-workers", "footage-desk-replica")],
)
def test_an_account_of_a_store_knows_its_buckets_and_cannot_change_them(name: str, prefix: str) -> None:
    allowed = policy(name)
    buckets = {f"arn:aws:s3:::{prefix}-{bucket}" for bucket in BUCKETS}

    assert allowed["LookAtBuckets"][1] == buckets
    assert allowed["ReadObjects"][1] == {f"{bucket}/*" for bucket in buckets}
    for actions, resources in allowed.values():
        assert not any("*" in action or "Bypass" in action or "Policy" in action for action in actions)
        assert not any(action.startswith(("s3:PutBucket", "s3:CreateBucket", "s3:DeleteBucket")) for action in actions)
        assert {resource.split("/")[0] for resource in resources} <= buckets


def test_the_portal_deletes_nothing_and_writes_no_master_and_no_copy() -> None:
    allowed = policy("portal")
    writing = {
        action for actions, _ in allowed.values() for action in actions if not action.startswith(("s3:Get", "s3:List"))
    }

    assert not any("Delete" in action for action in writing)
    assert {resource for actions, resources in allowed.values() if actions & writing for resource in resources} == {
        UPLOADS,
        ATTACHMENTS,
        HEADS,
    }


def test_the_portal_locks_signed_heads_alone_and_lifts_no_hold() -> None:
    """A hold is laid on an upload at its put, which S3 and MinIO allow by the same action as to lift it."""
    locking = {
        action: (one["Resource"], one.get("Condition"))
        for one in statements("portal")
        for action in one["Action"]
        if action in ("s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention")
    }

    assert locking == {
        "s3:PutObjectRetention": ([HEADS], None),
        "s3:PutObjectLegalHold": ([UPLOADS], {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}),
    }


@pytest.mark.requirement("R8")
def test_the_portal_writes_where_uploads_and_signed_heads_are_stored(tmp_path: Path) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    upload = desk.run(uploads.announce, Facts("meeting", "a", "b", "c", "d", "e", "UTC"), 6, by="keeper")
    desk.close()

    assert fnmatchcase(f"arn:aws:s3:::footage-desk-{uploads.BUCKET}/{upload.key}", UPLOADS)
    assert fnmatchcase(f"arn:aws:s3:::footage-desk-{checkpoint_publisher.BUCKET}/{checkpoint_publisher.FOLDER}7", HEADS)
