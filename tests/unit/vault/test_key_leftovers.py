"""A process that dies while it writes a key leaves nothing that opens anything once the key is gone."""

from pathlib import Path

import pytest

from services.vault.keys.vault_keys import ESCROW_FILE, LoanKeys, ensure_keys


class Died(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def leave_the_second_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies after the file has its name and before the temporary one is gone."""

    def die(_path: Path, *, missing_ok: bool = False) -> None:
        raise Died

    monkeypatch.setattr(Path, "unlink", die)


@pytest.mark.requirement("R36", "R40", refuses=True)
def test_destroying_a_loan_key_destroys_what_a_dead_writer_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = LoanKeys(tmp_path / "loans")
    with monkeypatch.context() as dying:
        leave_the_second_name(dying)
        with pytest.raises(Died):
            keys.create("copy-1")
    assert len(names(tmp_path / "loans")) == 2
    assert keys.destroy("copy-1")
    assert names(tmp_path / "loans") == ["copy-1.destroyed"]


def test_a_start_leaves_the_escrow_key_one_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_keys(tmp_path / "keys")
    escrow = tmp_path / "keys" / ESCROW_FILE
    (tmp_path / "keys" / f".{ESCROW_FILE}.0123456789abcdef").hardlink_to(escrow)
    ensure_keys(tmp_path / "keys")
    assert not [name for name in names(tmp_path / "keys") if name.startswith(".")]
    assert escrow.exists()
