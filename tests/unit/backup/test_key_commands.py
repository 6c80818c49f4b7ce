"""`footage-desk keys`: what is said of keys, what the audit trail gets, and what the escrow key opens by itself."""

import asyncio
import hashlib
import io
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from custody_desk import Desk, film
from seals import seal
from typer.testing import CliRunner

from services.app import doctor as app_doctor
from services.backup import key_archive
from services.backup.drill import drill
from services.backup.installation import Installation
from services.cli import main as cli_main
from services.database.tables.audit import AuditEvent
from services.database.tables.masters import Master
from services.domain.audit import key_events
from services.runtime.errors import Fatal
from services.runtime.settings import Settings
from services.vault.age import generate_identity
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signing_key import CHAIN_FILE, KEY_FILE, ROOT_FILE, FileSigningKey, ensure_signing_key
from services.vault.keys.vault_keys import ESCROW_FILE
from services.vault.labels import label_key
from services.workers import retrieve_footage


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def desk(tmp_path: Path, footage: Path) -> Desk:
    """One master in the vault."""
    desk = Desk(tmp_path / "desk", footage)
    case = desk.case("gate").approve()
    asyncio.run(desk.work(retrieve_footage, application_id=case.id, item_id=case.item()))
    return desk


@pytest.fixture
def place(desk: Desk) -> Installation:
    """The installation of the drill: keys without the vault's own; the escrow key is in a safe."""
    keys = desk.root / "data" / "keys"
    (keys / "seal").mkdir(parents=True, mode=0o700)
    shutil.copytree(desk.root / "keys", keys / "vault")
    shutil.copy(desk.root / "seal" / CHAIN_FILE, keys / "seal" / CHAIN_FILE)
    (keys / "vault" / ESCROW_FILE).rename(desk.root / "escrow.txt")
    (keys / "vault" / "vault-identity.txt").unlink()
    settings = Settings.load(data_dir=desk.root / "data", database_url=f"sqlite:///{desk.root / 'books.db'}")
    return Installation(settings, desk.clock, {"primary": desk.store, "replica": desk.replica_store})


def events(desk: Desk, action: str) -> list[dict[str, Any]]:
    rows = [row for row in desk.rows(AuditEvent) if row.action == action]
    return [json.loads(row.entry)["detail"] for row in rows]


def relabel(desk: Desk, content: bytes) -> None:
    [master] = desk.rows(Master)
    key = label_key(master.sealed["key"])
    desk.remove_as_root("masters", key)
    desk.store.put("masters", key, io.BytesIO(content), metadata={})


@pytest.mark.requirement("R6", "R53")
def test_the_escrow_key_alone_opens_masters_and_the_trail_says_so(desk: Desk, place: Installation) -> None:
    [master] = desk.rows(Master)

    [tried] = drill(place, desk.root / "escrow.txt", [])

    assert (tried.master_id, tried.result) == (master.id, "held")
    [told] = events(desk, "escrow-drilled")
    assert (told["masters"], told["failed"]) == ({master.id: "held"}, [])
    assert desk.do(key_events.get_last_drill) == desk.clock.now()


@pytest.mark.requirement("R6")
@pytest.mark.usefixtures("place")
def test_stock_age_opens_a_master_with_the_escrow_key(desk: Desk) -> None:
    [master] = desk.rows(Master)
    sealed = desk.root / "master.age"
    sealed.write_bytes(b"".join(desk.store.get("masters", master.sealed["key"])))

    opened = subprocess.run(
        ["age", "--decrypt", "--identity", desk.root / "escrow.txt", sealed], capture_output=True, check=True
    ).stdout

    assert hashlib.sha256(opened).hexdigest() == master.sealed["sha256Plain"]


@pytest.mark.requirement("R53")
def test_what_does_not_hold_is_named_and_is_no_drill_that_held(desk: Desk, place: Installation) -> None:
    [master] = desk.rows(Master)
    statement = desk.label_of(master.sealed)
    for content, result in (
        (seal("a stranger").sign(statement), "sealed by somebody else"),
        (b"{}", "its label is invalid"),
        (
            desk.signer.sign({**statement, "subject": [{"name": "x#footage", "digest": {"sha256": "0" * 64}}]}),
            "is not the footage of its label",
        ),
    ):
        relabel(desk, content)
        [tried] = drill(place, desk.root / "escrow.txt", [master.id])
        assert result in tried.result
        assert not tried.held
    desk.damage("masters", master.sealed["key"])
    relabel(desk, desk.signer.sign(statement))
    [tried] = drill(place, desk.root / "escrow.txt", [])
    assert tried.result.startswith("not opened")
    assert desk.do(key_events.get_last_drill) is None
    assert [one["failed"] for one in events(desk, "escrow-drilled")] == [[master.id]] * 4


def test_another_key_and_another_master_are_refused_before_anything_is_read(desk: Desk, place: Installation) -> None:
    other = desk.root / "other.txt"
    other.touch(0o600)
    other.write_text(generate_identity()[0])

    with pytest.raises(Fatal, match="masters are not sealed to this key"):
        drill(place, other, [])
    with pytest.raises(Fatal, match="there is no such master"):
        drill(place, desk.root / "escrow.txt", ["nobody"])
    assert events(desk, "escrow-drilled") == []


async def test_the_doctor_says_when_the_last_drill_was_and_warns_after_a_year(tmp_path: Path, footage: Path) -> None:
    desk = Desk(tmp_path / "desk", footage)
    case = desk.case("gate").approve()
    await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    # Its masters are of 2031, and the doctor's clock is the machine's.
    settings = Settings.load(data_dir=tmp_path / "data", database_url=f"sqlite:///{desk.root / 'books.db'}")

    assert "has opened no masters yet; try it once a year" in str(await app_doctor._drilled(settings))
    [master] = desk.rows(Master)
    desk.change(Master, master.id, retrieved_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(Fatal, match=r"has never opened masters, .* footage-desk keys drill --identity FILE"):
        await app_doctor._drilled(settings)
    desk.do(key_events.record_drill, "age1…", {master.id: "held"})
    assert "opened masters on 2031-03-04" in str(await app_doctor._drilled(settings))


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("FOOTAGE_DESK_ORGANISATION", "某某局")
    return CliRunner()


def test_keys_are_made_listed_and_replaced_and_the_trail_tells_of_it(runner: CliRunner, tmp_path: Path) -> None:
    keys = tmp_path / "var" / "keys"
    made = runner.invoke(cli_main.app, ["keys", "make"])
    assert made.exit_code == 0, made.output
    before = FileSigningKey(keys / "seal").chain
    assert f"seal    sha256:{before.seal_fingerprint}" in made.stdout
    assert f"root    sha256:{before.root_fingerprint}" in made.stdout
    assert f"Take {keys / 'vault' / ESCROW_FILE} offline" in made.stdout
    assert f"Take {keys / 'seal' / ROOT_FILE} offline" in made.stdout
    assert before.organisation == "某某局"
    assert runner.invoke(cli_main.app, ["keys", "list"]).stdout == made.stdout
    assert runner.invoke(cli_main.app, ["keys", "rotate", "seal"]).exit_code == 1, "there is no database to tell of it"
    assert runner.invoke(cli_main.app, ["migrate"]).exit_code == 0

    for which in ("seal", "vault", "log"):
        ended = runner.invoke(cli_main.app, ["keys", "rotate", which])
        assert ended.exit_code == 0, ended.output

    after = FileSigningKey(keys / "seal").chain
    assert after.root_fingerprint == before.root_fingerprint
    assert after.seal_fingerprint != before.seal_fingerprint
    listed = runner.invoke(cli_main.app, ["keys", "list"]).stdout
    assert listed.count("log     sha256:") == 2
    assert "PRIVATE" not in listed
    assert "SECRET" not in listed


def test_a_rotation_without_the_root_says_what_to_name(runner: CliRunner, tmp_path: Path) -> None:
    runner.invoke(cli_main.app, ["keys", "make"])
    runner.invoke(cli_main.app, ["migrate"])
    (tmp_path / "var" / "keys" / "seal" / ROOT_FILE).unlink()

    ended = runner.invoke(cli_main.app, ["keys", "rotate", "seal"])

    assert ended.exit_code == 1
    assert "seal-root-TAKE-OFFLINE.pem cannot be read" in ended.stderr


def test_the_backup_of_keys_has_the_seal_and_the_log_and_nothing_that_belongs_offline(tmp_path: Path) -> None:
    ensure_signing_key(tmp_path / "seal", "某某局", datetime.now(UTC))
    ensure_log_key(tmp_path / "log")
    (tmp_path / "loans").mkdir(mode=0o700)
    (tmp_path / "loans" / "copy.key").write_text("AGE-SECRET-KEY-1")

    kept = key_archive.lasting_keys(tmp_path)

    assert set(kept) == {f"seal/{KEY_FILE}", f"seal/{CHAIN_FILE}", "log/log-key.pem", "log/log-vkeys.txt"}
    assert key_archive.offline_files(tmp_path) == [tmp_path / "seal" / ROOT_FILE]
    key_archive.restore_lasting_keys(tmp_path / "again", key_archive.KeyArchive("", kept))
    assert FileSigningKey(tmp_path / "again" / "seal").sign(bytes(32))
