"""Packages that somebody with the seal key has changed and sealed anew: what contradicts the audit tree is found."""

import json
from pathlib import Path
from typing import Any

import package_tampering as tampering
import pytest
from evidence_case import Made
from older_package import Older, open_older
from package_changes import (
    CHANGES,
    COPY,
    MASTER,
    Change,
    a_label_that_says,
    edited,
    one,
    the_earlier_checkpoint,
    the_earlier_checkpoint_alone,
)
from package_tampering import Contents, relabelled, resealed

from services.verifier import layout
from services.verifier.examination import examine
from services.verifier.notes import read_checkpoint


@pytest.fixture(scope="module")
def contents(made: Made) -> Contents:
    return tampering.read(made.clear)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Older:
    return open_older(tmp_path_factory.mktemp("older"))


@pytest.mark.requirement("R47", "R52", refuses=True)
@pytest.mark.parametrize(("change", "check"), CHANGES, ids=[f"{n}-{check}" for n, (_, check) in enumerate(CHANGES, 1)])
def test_what_was_changed_before_it_was_sealed_again_is_found(
    made: Made, contents: Contents, tmp_path: Path, change: Change, check: str
) -> None:
    target = tampering.write(tmp_path / "changed.zip", resealed(change(contents, made), made.seal))

    report = examine(target, [made.fingerprints["root"]])

    assert report.exit_code == 1
    assert check in {line.check for line in report.failed}
    assert not {"structure", "manifest", "manifest-signed", "bytes"} & {line.check for line in report.failed}


@pytest.mark.parametrize("change", [the_earlier_checkpoint, the_earlier_checkpoint_alone])
def test_an_older_checkpoint_in_a_package_that_is_signed_over_it_lacks_what_came_since(
    made: Made, contents: Contents, tmp_path: Path, change: Change
) -> None:
    earlier = read_checkpoint(made.earlier)
    stated = {"origin": earlier.origin, "size": earlier.size, "root": earlier.root_base64}
    changed = resealed(change(contents, made), made.seal, checkpoint=stated)

    report = examine(tampering.write(tmp_path / "changed.zip", changed), [made.fingerprints["root"]])

    assert report.exit_code == 1
    assert "consistency" in {line.check for line in report.failed}


def test_an_older_checkpoint_without_a_new_seal_is_named(made: Made, contents: Contents, tmp_path: Path) -> None:
    for change in (the_earlier_checkpoint, the_earlier_checkpoint_alone):
        report = examine(tampering.write(tmp_path / "changed.zip", change(contents, made)))
        assert report.exit_code == 1
        assert any(
            line.check in ("bytes", "manifest") and layout.CHECKPOINT in line.of + line.found for line in report.failed
        )


@pytest.mark.parametrize("name", ["audit/", "documents/", "decisions/", "footage/", "custody/"])
def test_what_another_case_has_is_not_this_cases_even_under_the_seal(
    made: Made, contents: Contents, tmp_path: Path, name: str
) -> None:
    others = tampering.read(made.other)
    for member, data in others.items():
        if member.startswith(name) and member in contents and contents[member] != data:
            changed = resealed({**contents, member: data}, made.seal)
            report = examine(tampering.write(tmp_path / "changed.zip", changed))
            assert report.exit_code == 1, member
            assert not {"manifest-signed", "bytes"} & {line.check for line in report.failed}


def noted(contents: Contents, older: Older, path: Path) -> list[tuple[str, str, str]]:
    """What the report on the changed package has to say, nothing in it failing."""
    report = examine(tampering.write(path, resealed(contents, older.seal)), [older.root])
    assert report.failed == []
    return [(line.check, line.of, line.found) for line in report.lines if line.status == "note"]


@pytest.mark.parametrize("name", [MASTER, COPY])
def test_a_label_that_names_no_checkpoint_though_there_was_one_is_noted(
    made: Made, contents: Contents, tmp_path: Path, name: str
) -> None:
    def labels_noted(contents: Contents) -> set[str]:
        report = examine(tampering.write(tmp_path / "changed.zip", resealed(contents, made.seal)))
        return {line.of for line in report.lines if (line.check, line.status) == ("label", "note")}

    assert labels_noted(contents) == set()
    assert labels_noted(a_label_that_says("auditCheckpoint", None, name)(contents, made)) == {name}


def test_a_name_that_stands_beside_an_older_signature_alone_is_not_the_signers(older: Older, tmp_path: Path) -> None:
    contents = older.contents
    name = one(contents, "decisions/", "preliminary.json")
    [own] = json.loads(contents[name])["people"].values()

    def change(told: Any) -> None:
        told["people"] = dict.fromkeys(told["people"], "Mallory")

    told = noted(edited(contents, name, change), older, tmp_path / "changed.zip")

    [found] = [text for check, of, text in told if (check, of) == ("decision", name)]
    assert found.startswith(f"{own} (called 'Mallory' beside the signature alone)")


def test_the_same_contents_sealed_again_hold(made: Made, contents: Contents, tmp_path: Path) -> None:
    target = tampering.write(tmp_path / "again.zip", resealed(contents, made.seal))

    assert examine(target, [made.fingerprints["seal"]]).exit_code == 0


@pytest.mark.requirement("R37")
def test_what_an_older_release_did_not_name_is_said_and_no_fault(older: Older, tmp_path: Path) -> None:
    told = noted(older.contents, older, tmp_path / "older.zip")

    [found] = [text for check, _, text in told if check == "older"]
    assert "whether the holder of the seal key alone has changed them is not seen" in found
    for name, change in (
        (MASTER, {"examined": []}),
        (one(older.contents, "documents/SQ", ".label.json"), {"madeAt": "2031-03-04T11:00:00+00:00"}),
    ):
        changed = {**older.contents, name: relabelled(older.contents[name], older.seal, **change)}
        assert [text for check, _, text in noted(changed, older, tmp_path / "changed.zip") if check == "older"] == [
            found
        ]


def test_the_mark_of_a_demonstration_stays_by_the_documents(older: Older, tmp_path: Path) -> None:
    changed = resealed(older.contents, older.seal, demo=False)

    report = examine(tampering.write(tmp_path / "changed.zip", changed), [older.root])

    assert "demo" in {line.check for line in report.lines if line.status == "note"}
