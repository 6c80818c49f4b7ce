"""What docs/operations.md tells an operator to type is typed here: backup, check, restore and the drill."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from demo_container import prepare_database
from small_installation import SmallInstallation
from typer.testing import CliRunner
from whole_footage import MADE_FOR

from services.cli import main as cli_main
from services.runtime.places import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PLACES = ("/backup/", "/loan-keys/", "/keys-apart/", "/drill")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallInstallation:
    installation = SmallInstallation(tmp_path, prepare_database(tmp_path / "books.db", MADE_FOR))
    for name in ("store", "replica"):  # as the settings make them, under their own prefixes
        monkeypatch.setenv(f"FOOTAGE_DESK_{name.upper()}__FOLDER", str(tmp_path / name))
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return installation


def typed(installation: SmallInstallation, line: str) -> int:
    """The code with which a line of the page ends; its places are folders of the test."""
    line = line.replace("/safe/identity.txt", str(installation.identity)).replace("RECIPIENT", installation.recipient)
    if "SHA256" in line:
        line = line.replace("SHA256", re.findall(r"manifest has the SHA-256 (\w{64})", installation.output())[0])
    for place in PLACES:
        line = line.replace(place, f"{installation.root}{place}")
    words = shlex.split(line)
    given = dict(word.split("=", 1) for word in words if re.match(r"FOOTAGE_DESK_\w+=", word))
    ended = CliRunner().invoke(cli_main.app, words[len(given) + 1 :], env=given)
    installation.said.append(ended.output)
    return ended.exit_code


def lines(heading: str) -> list[str]:
    """What is typed on one machine under a heading: whole lines of it, and calls inside sentences."""
    section = PAGE.partition(f"\n{heading}\n")[2]
    section = re.split(r"^##? ", section, maxsplit=1, flags=re.MULTILINE)[0]
    section = section if heading.startswith("###") else section.partition("\n### ")[0]
    calls = r"(?:FOOTAGE_DESK_\w+=\S+ )?footage-desk (?:backup|restore) /[^`\n]+"
    return [line for line in re.findall(rf"(?:^ +|`)({calls})", section, re.MULTILINE) if "/tmp/" not in line]  # noqa: S108


def test_the_page_is_followed_from_a_backup_to_the_drill(installation: SmallInstallation) -> None:
    backing_up, restoring, drill = lines("## Backup"), lines("## Restore"), lines("### The drill")
    assert [len(found) for found in (backing_up, restoring, drill)] == [4, 2, 1]
    installation.loan_keys.create("nobody-knows-it")

    for line in backing_up:
        assert typed(installation, line) == 0, installation.output()
    assert typed(installation, drill[0]) == 0, installation.output()
    shutil.rmtree(installation.root / "var")
    for line in restoring:
        assert typed(installation, line) == 0, installation.output()

    assert (installation.root / "var" / "keys" / "vault" / "vault-identity.txt").exists()
    assert (installation.root / "drill" / "database.sqlite3").exists()
    assert not (installation.root / "drill" / "keys" / "loans").exists()
    read = [line for line in (*backing_up, *drill, *restoring) if "footage-desk restore" in line]
    assert installation.output().count("are unchanged; it was made") == len(read)
