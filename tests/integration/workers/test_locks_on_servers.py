"""The administrator of a store tries to delete what an open case has there, on S3 and in a folder (R6, R52, F12)."""

import secrets
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from custody_desk import Desk, film
from minio import Minio

from services.bench.s3_server import S3Server
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.people import Department, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.matters import held as holds
from services.vault.labels import label_key
from services.vault.store.opening import open_store
from services.vault.store.protocol import StoreLocked
from services.workers import release_preservation

TERM = timedelta(days=63)


async def lent(desk: Desk) -> None:
    """A case whose copy is lent, with its backup."""
    case = desk.case("gate").approve(backup_needed=True)
    await case.retrieve()
    await case.back_up()
    await case.encrypt()
    case.accept(await case.offer_made_copies())
    await desk.keep_locks()


def versions(desk: Desk) -> dict[tuple[str, str], str]:
    """The version of each master, label, replica and document, by bucket and key."""
    [master] = desk.rows(Master)
    found = {
        ("masters", master.sealed["key"]): master.sealed["versionId"],
        ("masters", label_key(master.sealed["key"])): master.label_version,
    }
    for document in desk.rows(Document):
        for form in ("json", "pdf", "label.json"):
            key = f"{document.number}.{form}"
            found["documents", key] = desk.store.stat("documents", key).version_id  # type: ignore[union-attr]  # it is filed
    return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, film(tmp_path / "filmed"))


@pytest.mark.s3
@pytest.mark.requirement("R6", "R52", refuses=True)
async def test_the_administrator_cannot_delete_the_master_of_a_lent_case(desk: Desk, s3_server: S3Server) -> None:
    prefix, second = f"locks-{secrets.token_hex(4)}", f"second-{secrets.token_hex(4)}"
    desk.store, desk.replica_store = (open_store(s3_server.place(name)) for name in (prefix, second))
    desk.store.ensure()
    desk.replica_store.ensure()
    await lent(desk)
    administrator = Minio(s3_server.endpoint, s3_server.access_key, s3_server.secret_key, secure=False)
    [master] = desk.rows(Master)
    kept = {(prefix, *where): version for where, version in versions(desk).items()}
    kept[second, "replicas", master.replica["key"]] = master.replica["versionId"]

    for (name, bucket, key), version in kept.items():
        with pytest.raises(Exception, match=r"AccessDenied|InvalidRequest"):
            administrator.remove_object(f"{name}-{bucket}", key, version)

    administrator.remove_object(f"{prefix}-masters", master.sealed["key"])  # hides it, and deletes nothing
    assert desk.store.stat("masters", master.sealed["key"], master.sealed["versionId"]) is not None


@pytest.mark.s3
@pytest.mark.requirement("R67")
async def test_the_administrator_cannot_delete_what_is_held_and_has_no_term(desk: Desk, s3_server: S3Server) -> None:
    prefix = f"held-{secrets.token_hex(4)}"
    desk.store = open_store(s3_server.place(prefix))
    desk.store.ensure()
    administrator = Minio(s3_server.endpoint, s3_server.access_key, s3_server.secret_key, secure=False)
    case = desk.case("gate").approve()
    with patch.object(type(desk.store), "retain"):  # as if every term had ended
        await case.retrieve()
        desk.do(lead_security)
        desk.as_person("security", holds.place, case.application.number, cause="manual", reason="保留备查")
        await desk.keep_locks()
    kept = versions(desk)

    for (bucket, key), version in kept.items():
        with pytest.raises(Exception, match=r"AccessDenied|InvalidRequest"):
            administrator.remove_object(f"{prefix}-{bucket}", key, version)
    desk.do(lambda uow: [setattr(row, "lifted_at", uow.now) for row in uow.session.query(Hold)])
    desk.change(Master, desk.rows(Master)[0].id, lock_due_since=desk.clock.now())
    with patch.object(type(desk.store), "retain"):
        await desk.keep_locks()
    for (bucket, key), version in kept.items():
        if bucket == "masters":
            administrator.remove_object(f"{prefix}-{bucket}", key, version)


def lead_security(uow: UnitOfWork) -> None:
    uow.session.add(Department(id="security", name_zh="安全", name_en="Security", kind="security"))
    uow.session.flush()
    uow.session.add(Post(person_id="security", department_id="security", kind="head", since=uow.now))


@pytest.mark.requirement("R6", "R52", refuses=True)
async def test_a_folder_refuses_too_and_says_that_it_cannot_withstand_root(desk: Desk) -> None:
    await lent(desk)

    for (bucket, key), version in versions(desk).items():
        with pytest.raises(StoreLocked):
            desk.store.delete(bucket, key, version)

    assert not desk.store.withstands_administrator
    assert "cannot resist the machine's administrator (root)" in str(desk.store.describe())


@pytest.mark.s3
@pytest.mark.requirement("R52", refuses=True)
async def test_a_store_disposes_by_its_own_clock_whatever_the_desks_says(desk: Desk, s3_server: S3Server) -> None:
    desk.store = open_store(s3_server.place(f"turned-{secrets.token_hex(4)}"))
    desk.store.ensure()
    case = desk.case("gate")
    await case.approve().retrieve()
    case.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")
    [master] = desk.rows(Master)

    desk.clock.turn(2 * TERM)
    await desk.keep_locks()

    assert desk.rows(Master)[0].awaits_disposal, "the server keeps real time, by which the lock has not ended"
    assert desk.store.stat("masters", master.sealed["key"]) is not None
