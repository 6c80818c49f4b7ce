"""What docs/operations.md tells an operator to type is typed here: backup, check, restore and the drill."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from safe_house import SafeHouse
from typer.testing import CliRunner
from whole_footage import MADE_FOR
from whole_house import prepare_books

from services.cli import main as cli_main
from services.runtime.places import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PLACES = ("/backup/", "/loan-keys/", "/keys-apart/", "/drill")


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SafeHouse:
    container = SafeHouse(tmp_path, prepare_books(tmp_path / "books.db", MADE_FOR))
    for name in ("store", "replica"):  # as the settings make them, under their own prefixes
        monkeypatch.setenv(f"FOOTAGE_DESK_{name.upper()}__FOLDER", str(tmp_path / name))
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return container


def typed(container: SafeHouse, line: str) -> int:
    """The code with which a line of the page ends; its places are folders of the test."""
    line = line.replace("/safe/identity.txt", str(container.identity)).replace("RECIPIENT", container.recipient)
    for place in PLACES:
        line = line.replace(place, f"{container.root}{place}")
    words = shlex.split(line)
    given = dict(word.split("=", 1) for word in words if re.match(r"FOOTAGE_DESK_\w+=", word))
    ended = CliRunner().invoke(cli_main.app, words[len(given) + 1 :], env=given)
    container.said.append(ended.output)
    return ended.exit_code


def lines(heading: str) -> list[str]:
    """What is typed on one machine under a heading: whole lines of it, and calls inside sentences."""
    section = PAGE.partition(f"\n{heading}\n")[2]
    section = re.split(r"^##? ", section, maxsplit=1, flags=re.MULTILINE)[0]
    section = section if heading.startswith("###") else section.partition("\n### ")[0]
    calls = r"(?:FOOTAGE_DESK_\w+=\S+ )?footage-desk (?:backup|restore) /[^`\n]+"
    return [line for line in re.findall(rf"(?:^ +|`)({calls})", section, re.MULTILINE) if "/tmp/" not in line]  # noqa: S108


def test_the_page_is_followed_from_a_backup_to_the_drill(container: SafeHouse) -> None:
    backing_up, restoring, drill = lines("## Backup"), lines("## Restore"), lines("### The drill")
    assert [len(found) for found in (backing_up, restoring, drill)] == [4, 2, 1]
    container.loan_keys.create("nobody-knows-it")

    for line in backing_up:
        assert typed(container, line) == 0, container.told()
    assert typed(container, drill[0]) == 0, container.told()
    shutil.rmtree(container.root / "var")
    for line in restoring:
        assert typed(container, line) == 0, container.told()

    assert (container.root / "var" / "keys" / "vault" / "vault-identity.txt").exists()
    assert (container.root / "drill" / "register.db").exists()
    assert not (container.root / "drill" / "keys" / "loans").exists()
    read = [line for line in (*backing_up, *drill, *restoring) if "footage-desk restore" in line]
    assert container.told().count("as they were written") == len(read)
