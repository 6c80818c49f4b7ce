"""``footage-desk backup`` and ``restore`` as operators type them: sentences, and exit codes that a script can ask."""

import io
from pathlib import Path

import pytest
from chart_render import parts
from small_installation import SmallInstallation
from typer.testing import CliRunner, Result

from services.cli import main as cli_main


@pytest.fixture
def typed(installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch) -> "Typed":
    monkeypatch.setenv("FOOTAGE_DESK_STORE__FOLDER", str(installation.root / "store"))
    monkeypatch.setenv("FOOTAGE_DESK_REPLICA__FOLDER", str(installation.root / "replica"))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return Typed(installation, monkeypatch)


class Typed:
    def __init__(self, installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installation = installation
        self.monkeypatch = monkeypatch

    def __call__(self, data: str, *arguments: str) -> Result:
        self.monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(self.installation.root / data))
        return CliRunner().invoke(cli_main.app, list(arguments))


def opened_by(typed: Typed) -> tuple[str, str]:
    return "--identity", str(typed.installation.identity)


def test_a_backup_and_a_restore_end_with_zero_and_say_what_was_done(typed: Typed) -> None:
    safe = typed.installation.root / "safe"
    made = typed(
        "var", "backup", str(safe / "b.age"), "--keys", str(safe / "k"), "--recipient", typed.installation.recipient
    )
    assert made.exit_code == 0, made.output
    assert f"The backup is {safe / 'b.age'}, encrypted to {typed.installation.recipient}." in made.output

    identity = str(typed.installation.identity)
    checked = typed("new", "restore", str(safe / "b.age"), "--check", "--identity", identity)
    assert checked.exit_code == 0, checked.output
    assert not (typed.installation.root / "new" / "database.sqlite3").exists()

    back = typed("new", "restore", str(safe / "b.age"), "--keys", str(safe / "k"), "--identity", identity)
    assert back.exit_code == 0, back.output
    assert "The database is restored, and at the newest schema." in back.output


def test_a_restore_beside_stores_that_lack_something_ends_with_three(typed: Typed) -> None:
    stored = typed.installation.put("quarantine", "quarantine/a/1")
    backup = typed.installation.back_up()
    typed.installation.stores["primary"].delete("quarantine", stored.key, stored.version_id)

    back = typed("new", "restore", str(backup), *opened_by(typed))
    assert back.exit_code == 3
    assert "quarantine/a/1 is missing." in back.output


def test_a_check_reads_both_stores_to_the_last_byte_and_writes_nothing(typed: Typed) -> None:
    installation = typed.installation
    for name in ("store", "replica"):
        # The settings' own prefixes; nobody makes the buckets but whoever works with them.
        typed.monkeypatch.setenv(f"FOOTAGE_DESK_{name.upper()}__PREFIX", "test")
    installation.put("documents", "SQ-2031-000001.json", b"{}")
    installation.stores["replica"].put("replicas", "replicas/a/1", io.BytesIO(b"sealed"), metadata={})
    backup = installation.back_up()
    whole = typed("new", "restore", str(backup), "--check", "--read-all", *opened_by(typed))
    assert whole.exit_code == 0, whole.output
    assert "2 objects are unchanged (every byte was read)." in whole.output

    rotten = installation.root / "replica" / "test-replicas" / "objects" / "replicas%2Fa%2F1" / "data"
    rotten.write_bytes(b"sealeD")
    checked = typed("new", "restore", str(backup), "--check", "--read-all", *opened_by(typed))
    assert checked.exit_code == 3
    assert "replicas/a/1 in the replica store has changed: it has another SHA-256." in checked.output
    assert not (installation.root / "new").exists()


def test_a_check_beside_a_store_without_our_buckets_makes_none(typed: Typed, tmp_path: Path) -> None:
    backup = typed.installation.back_up()
    typed.monkeypatch.setenv("FOOTAGE_DESK_STORE__FOLDER", str(tmp_path / "elsewhere"))

    checked = typed("new", "restore", str(backup), "--check", "--read-all", *opened_by(typed))
    assert checked.exit_code == 1
    assert len(checked.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_the_charts_job_backs_up_with_nothing_but_a_link_to_the_loan_keys(typed: Typed) -> None:
    installation = typed.installation
    installation.loan_keys.create("copy-1")
    keys, volume = installation.root / "pod-keys", installation.root / "var" / "keys" / "loans"
    keys.mkdir(mode=0o700)
    (keys / "loans").symlink_to(volume)
    typed.monkeypatch.setenv("FOOTAGE_DESK_KEYS_DIR", str(keys))
    typed.monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", installation.settings().database_address)
    typed.monkeypatch.setenv("ZEEBE_ADDRESS", "zeebe:26500")
    places = {
        "/backup/$(POD_NAME)": f"{installation.root}/safe/pod-1",
        "/loan-keys-backup": f"{installation.root}/apart",
    }
    pod = parts("city")["backup"].pod["containers"][0]
    arguments = [word if not word.startswith("age1") else installation.recipient for word in pod["args"]]
    for place, here in places.items():
        arguments = [word.replace(place, here) for word in arguments]

    made = typed("pod", *arguments)

    assert made.exit_code == 0, made.output
    assert "1 current loan keys are in" in made.output
    assert "The engine at zeebe:26500 keeps its own data" in made.output
    assert sorted(path.name for path in keys.iterdir()) == ["loans"]
    assert typed("new", "restore", f"{installation.root}/safe/pod-1.age", "--check", *opened_by(typed)).exit_code == 0


def test_what_is_refused_is_one_sentence_and_ends_with_one(typed: Typed) -> None:
    refused = typed("var", "restore", str(typed.installation.back_up()), *opened_by(typed))

    assert refused.exit_code == 1
    assert "it is not empty" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
