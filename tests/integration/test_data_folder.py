"""The data folder is for its account alone, and what belongs to it is never made anew in silence."""

import asyncio
import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from installation_fixture import BACKUP, FOLDERS, IDENTITY, KEPT, KEYS, LOAN_KEYS, Facts, installation
from typer.testing import CliRunner, Result

from services.app import container as container_module
from services.app import doctor as app_doctor
from services.app import server
from services.app.container import Container, open_container
from services.backup.bundle import Bundle
from services.backup.restore import RestoreRequest, restore
from services.cli import main as cli_main
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Recorder
from services.database.tables.key_fingerprints import KeyFingerprint
from services.database.unit_of_work import Actor, UnitOfWork
from services.engine.state.store import FILE_NAME as ENGINE_FILE
from services.recorders import secrets
from services.recorders.registry import open_recorder
from services.runtime import data_folder
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings import Settings
from services.vault.age import generate_identity
from services.vault.keys.fingerprints import PORTAL_KEY, RECORDERS_KEY, read_keys
from services.vault.keys.secret_box import KeyFileBox
from services.vault.store.opening import open_store

CLERK = Actor("system", "test")
PASSWORD = "clear-in-the-first-release"
DATABASE = "database.sqlite3"


def settings(data: Path, **more: Any) -> Settings:
    return Settings.load(**{"data_dir": data, "rules.max_use_days": 30, "engine.port": 0, **more})


async def run_once(loaded: Settings) -> None:
    """Start as footage-desk run does, with the engine, and stop."""
    container = open_container(loaded)
    try:
        async with server.engine_of(container):
            pass
    finally:
        container.database.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "var"
    asyncio.run(run_once(settings(folder)))
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of another installation."""
    folder = tmp_path_factory.mktemp("other") / "var"
    asyncio.run(run_once(settings(folder)))
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """The data folder of an installation that has run once."""
    return Path(shutil.copytree(made, tmp_path / "var"))


@pytest.fixture
def first_release(tmp_path: Path) -> Settings:
    """The kept installation of the first release, as that release left its modes; a recorder has a password."""
    root = tmp_path / "root"
    with tarfile.open(KEPT / FOLDERS) as archive:
        archive.extractall(root, filter="tar")
    for path in (root / "var").rglob("*"):
        if "keys" not in path.parts:
            path.chmod(0o755 if path.is_dir() else 0o644)
    with closing(sqlite3.connect(root / "var" / DATABASE)) as connection, connection:
        connection.execute(
            "INSERT INTO recorders (id, name, site, kind, configuration, zone, active) VALUES "
            "('nvr', 'nvr', 'gate', 'onvif', ?, 'UTC', 1)",
            (f'{{"address": "http://10.0.0.7", "user": "desk", "password": "{PASSWORD}"}}',),
        )
    stores = {name: {"folder": root / name, "prefix": prefix} for name, prefix in (("store", "main"), ("replica",) * 2)}
    return settings(root / "var", zone="UTC", **stores)


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Mode and content of everything below the folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


def typed(data: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(data))
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return CliRunner().invoke(cli_main.app, list(arguments))


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_nobody_else_reads_what_an_installation_writes(tmp_path: Path) -> None:
    asyncio.run(run_once(settings(tmp_path / "var")))

    assert open_to_others(tmp_path / "var") == []
    assert (tmp_path / "var" / "engine" / ENGINE_FILE).exists()


@pytest.mark.usefixtures("usual_umask")
def test_every_command_writes_for_its_account_alone(tmp_path: Path) -> None:
    program = "import os, sys; from services.cli import entry; sys.argv = ['footage-desk', 'engine', '--unknown']\n"
    program += "try: entry.main()\nexcept SystemExit: pass\nprint(oct(os.umask(0)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "0o77"


def test_a_wider_mode_is_refused_with_the_command_that_mends_it(data: Path) -> None:
    (data / DATABASE).chmod(0o644)

    with pytest.raises(Fatal, match=r"database\.sqlite3 \| it has mode 0644, .* run `chmod -R go= ") as refused:
        open_container(settings(data))
    command = str(refused.value).split("`")[1]
    subprocess.run(command.split(), check=True)
    open_container(settings(data)).database.close()


@pytest.mark.parametrize("wide", ["folder", "file"])
def test_what_is_open_to_others_behind_a_link_is_refused(wide: str, data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(data / "store", elsewhere)
    (data / "store").symlink_to(elsewhere)
    (data / "nowhere").symlink_to(tmp_path / "nothing")
    (elsewhere / "back").symlink_to(data)
    open_container(settings(data)).database.close()
    place = elsewhere if wide == "folder" else next(path for path in elsewhere.rglob("*") if path.is_file())
    place.chmod(place.stat().st_mode | 0o040)

    with pytest.raises(Fatal, match=r"store.* it has mode 0\d40, .* run `chmod -R go= .*elsewhere"):
        open_container(settings(data))
    subprocess.run(["chmod", "-R", "go=", elsewhere], check=True)
    open_container(settings(data)).database.close()


@pytest.fixture
def objects(data: Path) -> Path:
    """The folder of the masters, with one object."""
    store = open_store(settings(data).store_place)
    store.put("masters", "case/1", io.BytesIO(b"sealed"), metadata={})
    return data / "store" / "footage-desk-masters" / "objects"


def test_a_start_does_not_ask_for_the_facts_of_each_object(
    objects: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    stat_of = Path.stat

    def noted(path: Path, **how: bool) -> os.stat_result:
        asked.append(path)
        return stat_of(path, **how)

    monkeypatch.setattr(Path, "stat", noted)

    data_folder.check_modes(data, [objects])
    assert objects in asked
    assert [path for path in asked if objects in path.parents] == []
    data_folder.check_modes(data)
    assert objects / "case%2F1" / "data" in asked


def test_a_wider_file_in_a_folder_of_objects_is_out_of_reach(objects: Path, data: Path) -> None:
    """Nobody else may enter that folder; the doctor, who has time, names the file all the same."""
    (objects / "case%2F1" / "data").chmod(0o444)

    open_container(settings(data)).database.close()
    with pytest.raises(Fatal, match=r"data \| it has mode 0444"):
        data_folder.check_modes(data)


@pytest.mark.parametrize("wide", ["objects", "bucket", "store", "marker"])
def test_a_folder_through_which_others_could_reach_objects_is_refused(wide: str, objects: Path, data: Path) -> None:
    places = {"objects": objects, "bucket": objects.parent, "store": data / "store"}
    place = places.get(wide, objects.parent / "bucket.json")
    place.chmod(place.stat().st_mode | 0o005)

    with pytest.raises(Fatal, match=r"it has mode 0[67]05, and others than its owner can reach it"):
        open_container(settings(data))


@pytest.mark.parametrize("wide", ["keys/seal/seal-key.pem", "keys", "keys/portal", "engine", f"engine/{ENGINE_FILE}"])
def test_wider_keys_and_engine_files_are_refused_at_the_start(wide: str, objects: Path, data: Path) -> None:
    place = data / wide
    place.chmod(place.stat().st_mode | 0o044)

    with pytest.raises(Fatal, match=f"{wide} . it has mode 0"):
        open_container(settings(data))


def test_an_object_that_is_a_link_is_looked_at(objects: Path, data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(objects / "case%2F1", elsewhere)
    (objects / "case%2F1").symlink_to(elsewhere)
    open_container(settings(data)).database.close()
    (elsewhere / "data").chmod(0o444)

    with pytest.raises(Fatal, match=r"data \| it has mode 0444, .* run `chmod -R go= .*elsewhere"):
        open_container(settings(data))


def test_a_folder_of_objects_of_another_account_is_refused(objects: Path, data: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives a folder away")
    os.chown(objects, 54321, -1)

    with pytest.raises(Fatal, match=r"objects . it belongs to another account, of the number 54321"):
        open_container(settings(data))


def test_a_file_of_another_account_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(data / DATABASE, 54321, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 54321)

    with pytest.raises(Fatal, match=r"it belongs to another account, of the number \d+ \| give it to the account"):
        open_container(settings(data))


def test_what_is_open_behind_a_link_is_not_changed(first_release: Settings, tmp_path: Path) -> None:
    """It lies elsewhere, and a link may lead anywhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    (first_release.data_dir / "link").symlink_to(elsewhere)

    with pytest.raises(Fatal, match=r"link \| it has mode 0755"):
        open_container(first_release)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_an_installation_of_the_first_release_is_narrowed_once(
    first_release: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(data_folder.log, "warning", lambda text, **_: logged.append(text))
    for _ in range(2):
        asyncio.run(run_once(first_release))

    assert open_to_others(first_release.data_dir) == []
    assert logged == ["took the rights of others from the data folder"]


def test_what_cannot_be_narrowed_is_refused(first_release: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def owned_by_somebody_else(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", owned_by_somebody_else)
    with pytest.raises(Fatal, match=r"cannot be narrowed \(Operation not permitted\) .* run `chmod -R go= .*owner"):
        open_container(first_release)


def test_a_password_of_the_first_release_stays_nowhere_in_clear(first_release: Settings) -> None:
    container = open_container(first_release)
    with container.database.engine.connect() as connection:
        assert PASSWORD not in str(connection.exec_driver_sql("SELECT configuration FROM recorders").all())
    files = [path for path in first_release.data_dir.rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []

    row = container.database.run_now(CLERK, lambda uow: uow.session.get_one(Recorder, "nvr"))
    box = KeyFileBox(first_release.keys / RECORDERS_KEY)
    assert open_recorder(row.kind, row.configuration, secrets=box) is not None
    events = container.database.run_now(
        CLERK, lambda uow: uow.session.query(AuditEvent).filter_by(action="recorder-secrets-encrypted").all()
    )
    assert [event.subject_id for event in events] == ["nvr"]
    container.database.close()


def test_a_password_is_not_sent_to_an_address_that_only_the_database_names(first_release: Settings) -> None:
    container = open_container(first_release)
    row = container.database.run_now(CLERK, lambda uow: uow.session.get_one(Recorder, "nvr"))
    container.database.close()
    box = KeyFileBox(first_release.keys / RECORDERS_KEY)

    with pytest.raises(Fatal, match="could not decrypt"):
        open_recorder(row.kind, {**row.configuration, "address": "http://10.6.6.6"}, secrets=box)
    with pytest.raises(Fatal, match="this process has no key"):
        open_recorder(row.kind, row.configuration)


def as_before_their_own_key(first_release: Settings) -> None:
    """Encrypt the recorder's password with the portal's key, and forget the recorders' key."""
    container = open_container(first_release)
    portal, recorders = (KeyFileBox(first_release.keys / key) for key in (PORTAL_KEY, RECORDERS_KEY))

    def act(uow: UnitOfWork) -> None:
        row = uow.session.get_one(Recorder, "nvr")
        cipher, places = row.configuration["password"].removeprefix(secrets.MARK), {"address": "http://10.0.0.7"}
        purpose = f"recorder onvif password {json.dumps(places)}"
        assert recorders.decrypt(cipher, purpose) == PASSWORD
        row.configuration = {**row.configuration, "password": secrets.FORMER + portal.encrypt(PASSWORD, purpose)}
        uow.session.delete(uow.session.get_one(KeyFingerprint, "recorders"))

    container.database.run_now(CLERK, act)
    container.database.close()
    shutil.rmtree(first_release.keys / "recorders")
    manifest = first_release.data_dir / "installation.json"
    content = json.loads(manifest.read_text())
    del content["keys"]["recorders"]
    manifest.write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.parametrize("apart", [False, True])
def test_a_password_under_the_portals_key_goes_over_to_the_recorders_own(
    apart: bool, first_release: Settings, tmp_path: Path
) -> None:
    as_before_their_own_key(first_release)
    pod = settings(tmp_path / "pod", database_url=first_release.database_address, keys_dir=first_release.keys)
    worker = settings(
        tmp_path / "worker", database_url=first_release.database_address, keys_dir=tmp_path / "worker-keys"
    )

    def password(loaded: Settings) -> str:
        container = open_container(loaded, apart=True)
        try:
            row = container.database.run_now(CLERK, lambda uow: uow.session.get_one(Recorder, "nvr"))
            box = container.database.recorder_secrets
            return secrets.decrypt(row.kind, row.configuration, box, places={"address"})["password"]
        finally:
            container.database.close()

    with pytest.raises(Retryable, match="start the portal of this release, which encrypts it anew"):
        password(worker)
    open_container(pod if apart else first_release, apart=apart).database.close()
    shutil.copytree(first_release.keys / "recorders", worker.keys / "recorders")
    assert password(worker) == PASSWORD
    assert password(first_release) == PASSWORD


def test_a_worker_that_opens_recorders_reads_no_second_factor(first_release: Settings, tmp_path: Path) -> None:
    """It is given the recorders' key, and neither reads nor writes what is the portal's."""
    open_container(first_release).database.close()
    worker = settings(
        tmp_path / "worker", database_url=first_release.database_address, keys_dir=tmp_path / "worker-keys"
    )
    worker.keys.mkdir(mode=0o700)
    shutil.copytree(first_release.keys / "recorders", worker.keys / "recorders")
    container = open_container(worker, apart=True)
    sealed = KeyFileBox(first_release.keys / PORTAL_KEY).encrypt("secret", "second factor")

    for box in (container.database.secrets, container.database.recorder_secrets):
        with pytest.raises(Fatal, match=r"cannot be read|could not decrypt"):
            box.decrypt(sealed, "second factor")
    container.database.close()
    assert sorted(path.name for path in worker.keys.iterdir()) == ["recorders"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (DATABASE, "the database of this installation is missing or empty | restore the newest backup"),
        (f"engine/{ENGINE_FILE}", "the engine's file is missing or empty, and every open case waits in it"),
        ("keys/vault", "the vault key of this installation is missing"),
        ("keys/vault/vault-identity.txt", "the vault key of this installation is missing"),
        ("keys/seal", "the seal key of this installation is missing"),
        ("keys/seal/seal-key.pem", "the seal key of this installation is missing"),
        ("keys/log", "the log key of this installation is missing"),
        ("keys/portal", "the portal key of this installation is missing"),
        ("keys/recorders", "the recorders key of this installation is missing"),
        ("store", "the primary store"),
        ("replica", "the replica store"),
    ],
)
def test_what_is_missing_stops_the_start_and_is_not_made(lost: str, sentence: str, data: Path) -> None:
    path = data / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = tree(data)

    with pytest.raises(Fatal) as refused:
        open_container(settings(data))
    assert sentence in str(refused.value)
    assert "restore" in str(refused.value)
    assert {name for name in tree(data) if name not in before} <= {f"{DATABASE}-wal", f"{DATABASE}-shm"}


@pytest.mark.parametrize("lost", [DATABASE, f"engine/{ENGINE_FILE}"])
def test_what_is_empty_stops_the_start_and_stays_empty(lost: str, data: Path) -> None:
    (data / lost).write_bytes(b"")

    with pytest.raises(Fatal, match="is missing or empty"):
        open_container(settings(data))
    assert (data / lost).read_bytes() == b""


@pytest.mark.parametrize("part", ["vault", "seal", "log", "portal", "recorders"])
def test_another_key_is_not_taken_for_the_installations(part: str, data: Path, other: Path) -> None:
    shutil.rmtree(data / "keys" / part)
    shutil.copytree(other / "keys" / part, data / "keys" / part)

    with pytest.raises(Fatal, match=f"another key is in the place of the {part} key"):
        open_container(settings(data))


def test_another_database_or_engine_is_not_taken_for_the_installations(data: Path, other: Path) -> None:
    kept = (data / DATABASE).read_bytes()
    shutil.copy(other / DATABASE, data / DATABASE)
    with pytest.raises(Fatal, match="it is not the database of this data folder"):
        open_container(settings(data))

    (data / DATABASE).write_bytes(kept)
    shutil.copy(other / "engine" / ENGINE_FILE, data / "engine" / ENGINE_FILE)
    with pytest.raises(Fatal, match="another engine's file is in its place"):
        open_container(settings(data))

    (data / "engine" / ENGINE_FILE).write_bytes(b"")
    with closing(sqlite3.connect(data / "engine" / ENGINE_FILE)) as connection, connection:
        connection.execute("CREATE TABLE blank (x)")
    with pytest.raises(Fatal, match="another engine's file is in its place"):
        open_container(settings(data))


def test_a_process_apart_makes_no_key_that_the_installation_has(data: Path, tmp_path: Path) -> None:
    pod = settings(tmp_path / "pod", database_url=settings(data).database_address, keys_dir=tmp_path / "no-keys")
    container = open_container(pod, apart=True)
    for name in ("vault_keys", "signer", "log_key"):
        with pytest.raises(Fatal, match="no other is made in its place"):
            getattr(container, name)
    with pytest.raises(Fatal, match="the portal key of this installation is missing"):
        container.portal()
    container.database.close()
    assert not (tmp_path / "no-keys").exists()


def test_the_first_release_without_its_engine_or_keys_is_refused(first_release: Settings) -> None:
    engine, aside = first_release.data_dir / "engine", first_release.data_dir / "aside"
    engine.rename(aside)
    with pytest.raises(Fatal, match=r"\d+ open cases wait in the engine's file, which is missing"):
        open_container(first_release)
    aside.rename(engine)
    shutil.rmtree(first_release.keys / "vault")
    with pytest.raises(Fatal, match=r"the vault key of this installation is missing .* masters"):
        open_container(first_release)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sentence"), [("store", "the primary store"), ("replica", "the replica store")])
@pytest.mark.parametrize("apart", [False, True])
def test_a_store_that_the_audit_trail_knows_is_not_made_anew(
    name: str, sentence: str, apart: bool, first_release: Settings, tmp_path: Path
) -> None:
    """There is no manifest before the first start of this release, nor in a process of several."""
    if apart:
        asyncio.run(run_once(first_release))
    root, pod = tmp_path / "root", first_release
    shutil.move(root / name, root / "unmounted")
    if apart:
        places = {name: getattr(first_release, name) for name in ("store", "replica", "zone")}
        pod = settings(
            tmp_path / "pod", database_url=first_release.database_address, keys_dir=first_release.keys, **places
        )

    def start() -> None:
        container = open_container(pod, apart=apart)
        try:
            _ = container.store, container.replica_store
        finally:
            container.database.close()

    with pytest.raises(Fatal, match=f"{sentence} .* is gone"):
        start()
    assert not (root / name).exists()
    lines = {line.part: line for line in asyncio.run(app_doctor.examine(pod, [], portal=apart))}
    if name == "store" or not apart:
        assert "is gone" in lines[name].sentence

    shutil.move(root / "unmounted", root / name)
    start()


def test_no_backup_makes_a_store_in_the_place_of_a_lost_one(
    first_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(run_once(first_release))
    root = tmp_path / "root"
    shutil.rmtree(root / "store")
    for name in ("store", "replica"):
        monkeypatch.setenv(f"FOOTAGE_DESK_{name.upper()}__FOLDER", str(root / name))
    monkeypatch.setenv("FOOTAGE_DESK_STORE__PREFIX", "main")

    refused = typed(first_release.data_dir, monkeypatch, "backup", str(tmp_path / "backup.age"))
    assert refused.exit_code == 1
    assert "the primary store" in refused.stderr
    assert not (root / "store").exists()


def test_a_lost_store_that_was_accepted_is_made(
    first_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(run_once(first_release))
    root = tmp_path / "root"
    shutil.rmtree(root / "replica")
    done = typed(first_release.data_dir, monkeypatch, "accept-loss", "replica", "--confirm")
    assert done.exit_code == 0, done.output

    open_container(first_release).database.close()
    assert (root / "replica").exists()


LEFT = {"keys": "keys", "store": "store", "loans": "keys/loans"}


@pytest.fixture
def left_behind(request: pytest.FixtureRequest, data: Path) -> Path:
    """A data folder with nothing but the keys or the store of an installation, as where a disk is not mounted."""
    store, loans = open_store(settings(data).store_place), data / "keys" / "loans"
    store.put("documents", "SQ-2031-000001.json", io.BytesIO(b"{}"), metadata={})
    loans.mkdir(mode=0o700, exist_ok=True)
    (loans / "copy-1.destroyed").touch(0o600)
    new = data.parent / "new"
    kept = LEFT[request.param]
    (new / kept).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new.chmod(0o700)
    shutil.move(data / kept, new / kept)
    return new


@pytest.mark.slow
@pytest.mark.parametrize("left_behind", LEFT, indirect=True)
@pytest.mark.parametrize("command", [None, ("administrator", "li.na", "李娜"), ("migrate",)])
def test_no_new_installation_starts_over_the_keys_or_stores_of_an_old_one(
    command: tuple[str, ...] | None, left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command is not None:
        assert typed(left_behind, monkeypatch, *command).exit_code == 0
    before = tree(left_behind)

    with pytest.raises(Fatal, match=r"database is new.* restore the newest backup .* for a new installation name"):
        open_container(settings(left_behind))
    assert {name for name in tree(left_behind) if name not in before} <= {
        *(DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
    }


@pytest.mark.parametrize("left_behind", ["store", "loans"], indirect=True)
def test_a_process_apart_does_not_begin_over_the_store_or_loans_of_an_old_installation(
    left_behind: Path, tmp_path: Path
) -> None:
    places = {"database_url": settings(left_behind).database_address, "keys_dir": left_behind / "keys"}
    for _ in range(2):
        with pytest.raises(Fatal, match="database is new"):
            open_container(settings(tmp_path / "pod", **places, store={"folder": left_behind / "store"}), apart=True)


def test_a_first_start_that_is_killed_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(container_module, "_register", killed)
        with pytest.raises(KeyboardInterrupt):
            open_container(settings(tmp_path / "var"))
    before = read_keys(tmp_path / "var" / "keys").fingerprints

    open_container(settings(tmp_path / "var")).database.close()
    assert read_keys(tmp_path / "var" / "keys").fingerprints == before != {}


def test_keys_that_were_made_before_the_first_start_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = typed(tmp_path / "var", monkeypatch, "keys", "make")
    assert made.exit_code == 0, made.output
    before = read_keys(tmp_path / "var" / "keys").fingerprints

    open_container(settings(tmp_path / "var")).database.close()
    assert read_keys(tmp_path / "var" / "keys").fingerprints.items() >= before.items()


def test_the_first_release_gets_its_manifest_from_what_is_there(first_release: Settings) -> None:
    asyncio.run(run_once(first_release))
    (first_release.data_dir / "engine" / ENGINE_FILE).unlink()

    with pytest.raises(Fatal, match="the engine's file is missing"):
        open_container(first_release)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["engine", "vault", "seal", "log", "portal", "recorders"])
def test_a_loss_is_accepted_by_one_command_that_says_what_it_costs(
    part: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_keys(data / "keys").fingerprints
    lost = {"engine": f"engine/{ENGINE_FILE}", "vault": "keys/vault/vault-identity.txt"}.get(part, f"keys/{part}")
    shutil.rmtree(data / lost) if (data / lost).is_dir() else (data / lost).unlink()

    said = typed(data, monkeypatch, "accept-loss", part)
    assert said.exit_code == 0, said.output
    assert "Nothing was changed." in said.output
    with pytest.raises(Fatal, match="is missing"):
        open_container(settings(data))

    done = typed(data, monkeypatch, "accept-loss", part, "--confirm")
    assert done.exit_code == 0, done.output
    asyncio.run(run_once(settings(data)))
    container = open_container(settings(data))
    events = lost_parts(container)
    container.database.close()
    assert part in events
    assert part == "engine" or read_keys(data / "keys").fingerprints[part] != before[part]


def lost_parts(container: Container) -> list[str]:
    return container.database.run_now(
        CLERK,
        lambda uow: [event.subject_id for event in uow.session.query(AuditEvent).filter_by(action="loss-accepted")],
    )


def test_keys_are_not_made_beside_an_installation_that_has_lost_them(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data / "keys" / "seal")

    made = typed(data, monkeypatch, "keys", "make")
    assert made.exit_code == 1
    assert "the seal key of this installation is missing" in made.stderr
    assert not (data / "keys" / "seal").exists()


def test_a_rotated_key_is_the_installations(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_keys(data / "keys").fingerprints
    for part in ("vault", "seal", "log"):
        rotated = typed(data, monkeypatch, "keys", "rotate", part)
        assert rotated.exit_code == 0, rotated.output

    open_container(settings(data)).database.close()
    after = read_keys(data / "keys").fingerprints
    assert {name for name in after if after[name] != before[name]} == {"vault", "seal", "log"}


def test_lost_keys_are_restored_from_their_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity, recipient = generate_identity()
    file = data.parent / "identity.txt"
    file.touch(0o600)
    file.write_text(identity)
    arguments = ("--keys", str(data.parent / "keys.age"), "--recipient", recipient)
    made = typed(data, monkeypatch, "backup", str(data.parent / "backup.age"), *arguments)
    assert made.exit_code == 0, made.output
    for part in ("seal", "log", "portal", "recorders"):
        shutil.rmtree(data / "keys" / part)

    back = typed(data, monkeypatch, "keys", "restore", str(data.parent / "keys.age"), "--identity", str(file))
    assert back.exit_code == 0, back.output
    open_container(settings(data)).database.close()


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.requirement("R40")
def test_a_restore_writes_for_its_account_alone_and_is_started(first_release: Settings) -> None:
    root, facts = first_release.data_dir.parent, Facts.read()
    identity = root / IDENTITY
    identity.touch(0o600)
    identity.write_bytes((KEPT / IDENTITY).read_bytes())
    restored = first_release.model_copy(update={"data_dir": root / "new"})
    (root / "new").mkdir(mode=0o755)

    request = RestoreRequest(
        KEPT / BACKUP, KEPT / KEYS, KEPT / LOAN_KEYS, identity, sha256=Bundle(KEPT / BACKUP).sha256
    )
    restore(installation(restored, root, facts.moment), request, lambda _: None)

    assert open_to_others(root / "new") == []
    asyncio.run(run_once(restored))
    (root / "new" / "engine" / ENGINE_FILE).unlink()
    with pytest.raises(Fatal, match="the engine's file is missing or empty"):
        open_container(restored)


@pytest.mark.parametrize("command", [("migrate",), ("administrator", "li.na", "李娜"), ("backup", "backup.age")])
def test_no_command_makes_a_database_in_the_place_of_a_lost_one(
    command: tuple[str, ...], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / DATABASE).unlink()

    refused = typed(data, monkeypatch, *command)
    assert refused.exit_code == 1
    assert "the database of this installation is missing or empty" in refused.stderr
    assert not (data / DATABASE).exists()


def killed(data: Path) -> None:
    """Leave what a killed process leaves: a log that is not in the database and the engine's file yet."""
    program = (
        "import os, sqlite3, sys\n"
        "for path, mode in ((sys.argv[1], 'NORMAL'), (sys.argv[2], 'EXCLUSIVE')):\n"
        "    c = sqlite3.connect(path, isolation_level=None)\n"
        "    c.execute(f'PRAGMA locking_mode={mode}'); c.execute('PRAGMA wal_autocheckpoint=0')\n"
        "    c.execute('CREATE TABLE left_over (x)'); globals()[mode] = c\n"
        "os._exit(9)\n"
    )
    files = [str(data / DATABASE), str(data / "engine" / ENGINE_FILE)]
    subprocess.run([sys.executable, "-c", program, *files], check=False)
    assert (data / f"{DATABASE}-wal").stat().st_size
    for path in data.rglob("*.sqlite3-*"):
        path.chmod(0o600)


@pytest.mark.parametrize("state", ["empty", "new", "killed", "lost"])
def test_the_doctor_writes_nothing(state: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "var"
    shutil.copytree(made, data) if state != "empty" else data.mkdir(mode=0o700)
    if state == "killed":
        killed(data)
    if state == "lost":
        for part in ("vault", "seal", "log", "portal"):
            shutil.rmtree(data / "keys" / part)
        shutil.rmtree(data / "store")
    before = tree(tmp_path)

    lines = asyncio.run(app_doctor.examine(settings(data), []))
    said = typed(data, monkeypatch, "doctor")

    assert tree(tmp_path) == before
    assert [line.sentence for line in lines if not line.well] == [] or state == "lost"
    assert said.exit_code in (0, 1)
    if state == "lost":
        assert {"keys", "data folder"} <= {line.part for line in lines if not line.well}
    if state == "empty":
        assert not any(data.iterdir())
