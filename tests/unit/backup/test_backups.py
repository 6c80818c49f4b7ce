"""What a backup holds, what it refuses, and that nothing of one that failed stays."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from small_installation import SmallInstallation, rewrite

from services.backup import create as backing_up
from services.backup import key_archive
from services.backup.bundle import Bundle, new_bundle
from services.backup.engine_data import locked
from services.backup.restore import check
from services.database.engine import connect
from services.engine.errors import DataDirectoryInUse
from services.engine.server import EngineServer
from services.runtime.clock import SystemClock
from services.runtime.errors import Fatal
from services.vault.keys.vault_keys import ESCROW_FILE, ESCROW_RECIPIENT_FILE


@pytest.mark.requirement("R40")
def test_a_backup_is_encrypted_and_nobody_else_reads_it(installation: SmallInstallation) -> None:
    backup = installation.back_up()
    files = {path.name: path.read_bytes() for path in installation.unpacked(backup).rglob("*") if path.is_file()}

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert b"wulei" in files["people.jsonl"]
    assert b"wulei" not in backup.read_bytes()
    opened = subprocess.run(
        ["age", "--decrypt", "--identity", installation.identity, backup], capture_output=True, check=True
    )
    with zipfile.ZipFile(io.BytesIO(opened.stdout)) as archive:
        assert archive.testzip() is None
        assert archive.read("database/people.jsonl") == files["people.jsonl"]


def test_without_a_recipient_the_escrow_key_opens_the_backup(installation: SmallInstallation) -> None:
    backup = installation.back_up(recipients=())
    vault = installation.root / "var" / "keys" / "vault"

    assert Bundle(backup, vault / ESCROW_FILE).manifest["format"] == 2
    with pytest.raises(Fatal, match="was not encrypted to"):
        installation.bundle(backup)
    with pytest.raises(Fatal, match=r"it is encrypted .* --identity: the escrow identity from the safe"):
        Bundle(backup)
    (vault / ESCROW_RECIPIENT_FILE).unlink()
    with pytest.raises(Fatal, match="name an age1… recipient with --recipient"):
        installation.back_up("second", recipients=())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["folder", "one.zip"])
def test_a_backup_of_the_first_release_in_clear_is_read_as_before(name: str, installation: SmallInstallation) -> None:
    folder = installation.unpacked(installation.back_up())
    if name == "one.zip":
        folder = Path(shutil.make_archive(str(installation.root / "one"), "zip", folder))

    check(folder, installation.said.append)
    with pytest.raises(Fatal, match=r"it is in clear, .* name it with --sha256"):
        installation.restore(folder, sha256=None)
    installation.restore(folder, sha256=Bundle(folder).sha256.upper())


@pytest.mark.parametrize("packed", ["folder", "zip"])
def test_a_backup_of_this_format_in_clear_is_refused(packed: str, installation: SmallInstallation) -> None:
    """Whoever made it knows neither recipient nor identity."""
    folder = installation.unpacked(installation.back_up())
    rewrite(folder, format=2)
    if packed == "zip":
        folder = Path(shutil.make_archive(str(installation.root / "one"), "zip", folder))

    with pytest.raises(Fatal, match="a backup of format 2 is encrypted: somebody has opened it, or made it"):
        check(folder, installation.said.append, installation.identity)


def test_another_backup_than_the_one_that_was_written_down_is_refused(installation: SmallInstallation) -> None:
    """Anybody who knows the recipient, which is public, can make one."""
    written_down = installation.bundle(installation.back_up()).sha256
    forged = installation.root / "safe" / "forged"
    with new_bundle(forged, (installation.recipient,)) as out:
        manifest = installation.bundle(installation.root / "safe" / "backup").manifest
        with out.member("objects.jsonl"):
            pass
        out.finish({**manifest, "tables": {}})

    installation.bundle(forged).verify()
    with pytest.raises(Fatal, match=f"and {written_down} is named"):
        installation.restore(forged, sha256=written_down)
    assert not (installation.root / "new").exists()
    installation.restore(installation.root / "safe" / "backup", sha256=written_down)


@pytest.mark.parametrize(
    "name", ["../outside.jsonl", "database/../../outside.jsonl", "/etc/hostname", "keys/vault", "manifest.json/.."]
)
def test_a_member_that_leads_out_of_the_backup_is_refused(name: str, installation: SmallInstallation) -> None:
    folder = installation.unpacked(installation.back_up())
    (folder.parent / "outside.jsonl").write_bytes(b"")
    manifest = Bundle(folder).manifest
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    rewrite(folder, members={**manifest["members"], name: empty})

    with pytest.raises(Fatal, match="no backup has a member of this name"):
        check(folder, installation.said.append)
    rewrite(folder, members=manifest["members"], tables={**manifest["tables"], "../../outside": 0})
    with pytest.raises(Fatal, match="no backup has a member of this name"):
        check(folder, installation.said.append)


@pytest.mark.parametrize("link", ["database", "objects.jsonl"])
def test_a_link_that_leads_out_of_the_backup_is_not_followed(link: str, installation: SmallInstallation) -> None:
    folder = installation.unpacked(installation.back_up())
    check(folder, installation.said.append)
    shutil.move(folder / link, installation.root / "outside")
    (folder / link).symlink_to(installation.root / "outside")

    with pytest.raises(Fatal, match="it is missing"):
        check(folder, installation.said.append)


def test_a_file_of_loan_keys_brings_no_other_key(installation: SmallInstallation) -> None:
    for name in ("seal/seal-key.pem", "vault/copy-1.key", "loans/copy-1.key/..", "loans/older/copy-1.key"):
        file = installation.root / name.replace("/", "-")
        key_archive.write(file, key_archive.LOANS, {name: ("x", 0o600)}, (installation.recipient,), "2031-01-01")
        with pytest.raises(Fatal, match=r"is none of the loan-keys|outside the keys folder"):
            key_archive.read(file, key_archive.LOANS, installation.identity)


def test_a_backup_is_entered_in_the_trail_under_the_hash_of_its_manifest(installation: SmallInstallation) -> None:
    backup = installation.back_up(keys="keys.age")

    [database], [keys] = installation.events("database-backed-up"), installation.events("keys-backed-up")
    assert database.subject_id == keys.subject_id == installation.bundle(backup).sha256
    assert json.loads(keys.entry)["detail"] == {
        "keys": True,
        "loan_keys": False,
        "recipients": [installation.recipient],
    }


def test_a_backup_of_the_books_is_in_the_trail_though_the_keys_were_not_written(
    installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Fatal("the disk is full")

    monkeypatch.setattr(key_archive, "write", full)
    with pytest.raises(Fatal, match="the disk is full"):
        installation.back_up(keys="keys.age")

    assert len(installation.events("database-backed-up")) == 1
    assert installation.events("keys-backed-up") == []


def test_no_key_is_in_the_backup_and_the_escrow_key_is_in_none(installation: SmallInstallation) -> None:
    installation.loan_keys.create("copy-1")
    backup = installation.back_up(keys="keys.age", loan_keys="loans.age")

    text = b"".join(path.read_bytes() for path in installation.unpacked(backup).rglob("*") if path.is_file())
    assert b"AGE-SECRET-KEY" not in text
    keys = key_archive.read(installation.root / "safe" / "keys.age", key_archive.LASTING, installation.identity)
    assert "vault/vault-identity.txt" in keys.files
    assert not [name for name in keys.files if name.endswith(ESCROW_FILE) or name.startswith("loans")]
    assert "is still on this machine and in no backup: take it offline" in installation.output()


def test_the_age_command_opens_the_keys(installation: SmallInstallation) -> None:
    installation.back_up(keys="keys.age")

    opened = subprocess.run(
        ["age", "--decrypt", "--identity", installation.identity, installation.root / "safe" / "keys.age"],
        capture_output=True,
        check=True,
    )
    assert "AGE-SECRET-KEY-1" in json.loads(opened.stdout)["files"]["vault/vault-identity.txt"][0]


def test_loan_keys_replace_those_before_and_lasting_keys_do_not(installation: SmallInstallation) -> None:
    installation.loan_keys.create("copy-1")
    installation.back_up("first", keys="keys.age", loan_keys="loans.age")
    before = (installation.root / "safe" / "loans.age").read_bytes()
    installation.loan_keys.destroy("copy-1")
    installation.loan_keys.create("copy-2")
    installation.back_up("second", loan_keys="loans.age")

    living = key_archive.read(installation.root / "safe" / "loans.age", key_archive.LOANS, installation.identity)
    assert list(living.files) == ["loans/copy-2.key"]
    assert (installation.root / "safe" / "loans.age").read_bytes() != before
    with pytest.raises(Fatal, match="never overwritten"):
        installation.back_up("third", keys="keys.age")
    assert not (installation.root / "safe" / "third").exists()


def test_writers_go_on_while_the_books_are_read(
    installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = backing_up.inventory.write

    def take_late(*given: object) -> object:
        engine = connect(installation.settings().database_address)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM posts")
        engine.dispose()
        return taken(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(backing_up.inventory, "write", take_late)
    backup = installation.back_up()

    assert installation.bundle(backup).manifest["tables"]["posts"] > 0


async def test_a_running_engine_is_left_alone(installation: SmallInstallation) -> None:
    server = EngineServer(
        installation.root / "var" / "engine", SystemClock(), f"unix:{installation.root}/gateway.socket"
    )
    await server.start()
    try:
        with pytest.raises(Fatal, match="the engine runs"):
            installation.back_up()
        assert list((installation.root / "safe").glob("*")) == []
        installation.back_up("alone", without_engine=True)
        assert "cannot continue from this backup alone" in installation.output()
    finally:
        await server.stop()
    assert installation.bundle(installation.back_up("whole")).manifest["engine"]


async def test_no_engine_starts_while_its_file_is_copied(installation: SmallInstallation) -> None:
    folder = installation.root / "var" / "engine"
    server = EngineServer(folder, SystemClock(), f"unix:{folder}/gateway.socket")
    await server.start()
    await server.stop()
    with locked(folder) as path:
        assert path is not None
        with pytest.raises(DataDirectoryInUse):
            await EngineServer(folder, SystemClock(), f"unix:{folder}/gateway.socket").start()


def test_what_is_there_is_never_overwritten(installation: SmallInstallation) -> None:
    backup = installation.back_up()
    before = backup.read_bytes()

    with pytest.raises(Fatal, match="never overwritten"):
        installation.back_up()
    assert backup.read_bytes() == before


def test_nothing_stays_of_a_backup_that_failed(
    installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> object:
        raise Fatal("the store is away")

    monkeypatch.setattr(installation.stores["primary"], "list_keys", away)
    with pytest.raises(Fatal, match="the store is away"):
        installation.back_up(keys="keys.age")
    assert list((installation.root / "safe").iterdir()) == []
    assert installation.events("database-backed-up") == []


@pytest.mark.parametrize("files", [{"keys": "one.age", "loan_keys": "one.age"}, {"loan_keys": "backup"}])
def test_no_file_of_a_backup_takes_the_place_of_another(files: dict[str, str], installation: SmallInstallation) -> None:
    with pytest.raises(Fatal, match="one would replace the other"):
        installation.back_up(**files)
    assert not (installation.root / "safe").exists()


def test_keys_want_a_recipient(installation: SmallInstallation) -> None:
    with pytest.raises(Fatal, match="--recipient"):
        installation.back_up(keys="keys.age", recipients=())
    with pytest.raises(Fatal, match="age1…"):
        installation.back_up(keys="keys.age", recipients=("age1nobody",))


def test_books_that_are_not_there_or_not_the_newest_are_refused(installation: SmallInstallation) -> None:
    with pytest.raises(Fatal, match="there is no database"):
        installation.back_up(data="nowhere")
    assert not (installation.root / "nowhere").exists()
    with closing(sqlite3.connect(installation.root / "var" / "database.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(Fatal, match="run footage-desk migrate"):
        installation.back_up()


def test_what_the_books_name_and_the_store_lacks_is_said(installation: SmallInstallation) -> None:
    sealed = {"bucket": "quarantine", "key": "quarantine/uploads/1", "versionId": "v", "size": 1, "sha256Cipher": "00"}
    installation.enter("uploads", id="1", sealed=json.dumps(sealed))

    installation.back_up()

    assert "quarantine/uploads/1 is in the database and not in its store." in installation.said


@pytest.mark.parametrize("packed", ["encrypted", "folder", "zip"])
def test_a_changed_bit_is_seen(packed: str, installation: SmallInstallation) -> None:
    backup = installation.back_up()
    path, place = backup, backup.stat().st_size // 2
    if packed != "encrypted":
        backup = installation.unpacked(backup)
        path, place = backup / "database" / "people.jsonl", 100
    if packed == "zip":
        backup = path = Path(shutil.make_archive(str(installation.root / "one"), "zip", backup))
        with zipfile.ZipFile(backup) as archive:
            member = archive.getinfo("database/people.jsonl")
        place = member.header_offset + member.compress_size // 2 + 100
    check(backup, installation.said.append, installation.identity)
    with path.open("r+b") as file:
        [byte] = os.pread(file.fileno(), 1, place)
        os.pwrite(file.fileno(), bytes([byte ^ 1]), place)

    with pytest.raises(Fatal, match="nothing was restored"):
        check(backup, installation.said.append, installation.identity)
