"""Whatever is done to a package, ``verify`` names it and ends with 1 (R47, R52); the untouched one is sound."""

from pathlib import Path

import amount
import package_tampering as tampering
import pytest
from evidence_case import Made
from tampered_packages import packed_by_others

from services.verifier import layout
from services.verifier.examination import examine
from services.verifier.members import Archive
from services.verifier.report import Report

EVERY = 31  # of the places in the ZIP's own structure is tried


def named(report: Report, name: str) -> bool:
    """Whether a line that fails names the member."""
    return any(name in (line.of, *line.found.replace(",", "").split()) for line in report.failed)


def untrusted(path: Path) -> Report:
    report = examine(path)
    assert report.exit_code == 1
    return report


@pytest.fixture(scope="session")
def contents(made: Made) -> tampering.Contents:
    return tampering.read(made.clear)


@pytest.fixture(scope="session")
def others(made: Made) -> tampering.Contents:
    return tampering.read(made.other)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "changed.zip"


@pytest.mark.slow
@pytest.mark.requirement("R28", "R35", "R37", "R47", "R52")
@pytest.mark.parametrize("how", ["clear", "sealed", "hash", "other"])
def test_an_untouched_package_is_sound_and_trusted_by_its_fingerprint(made: Made, how: str) -> None:
    path = getattr(made, how)

    assert [line for line in examine(path).lines if line.status == "fail"] == []
    assert examine(path).exit_code == 2
    for name in ("root", "seal"):
        assert examine(path, [made.fingerprints[name]]).exit_code == 0
    assert examine(path, [made.fingerprints["log"]]).exit_code == 2
    assert examine(path, [made.fingerprints["root"], "0" * 64]).exit_code == 1


def test_a_changed_byte_in_any_member_is_named(made: Made, target: Path) -> None:
    whole = made.clear.read_bytes()
    with Archive(made.clear) as archive:
        members = archive.members
    for number, member in enumerate(members):
        assert member.size > 0, member.name
        places = (0, member.size // 2, member.size - 1)
        for place in {*places} if amount.all_of_it() else {places[number % 3]}:
            at = member.start + place
            target.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert named(untrusted(target), member.name), (member.name, place)


def test_a_changed_byte_anywhere_in_the_zip_itself_is_found(made: Made, target: Path) -> None:
    whole = made.clear.read_bytes()
    with Archive(made.clear) as archive:
        inside = [range(member.start, member.start + member.size) for member in archive.members]
    structure = sorted(set(range(len(whole))).difference(*inside))
    for at in [*structure[:60], *structure[60:-60:EVERY], *structure[-60:]]:
        target.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        assert [line.check for line in untrusted(target).failed] == ["structure"], at


def test_a_member_that_was_removed_is_named(contents: tampering.Contents, target: Path) -> None:
    for name in contents:
        tampering.write(target, {one: data for one, data in contents.items() if one != name})
        assert named(untrusted(target), name), name


def test_a_member_that_is_there_twice_is_named(contents: tampering.Contents, target: Path) -> None:
    for name, data in contents.items():
        members = [*contents.items()]
        members.insert(members.index((name, data)), (name, data))
        tampering.write(target, members)
        assert named(untrusted(target), name), name


def test_a_member_out_of_its_place_is_named(contents: tampering.Contents, target: Path) -> None:
    names = list(contents)
    for at in range(len(names) - 1):
        order = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]
        tampering.write(target, {name: contents[name] for name in order})
        report = untrusted(target)
        assert named(report, names[at]) or named(report, names[at + 1]), names[at]


def test_a_member_of_another_cases_package_is_named(
    contents: tampering.Contents, others: tampering.Contents, target: Path
) -> None:
    for name, data in others.items():
        if contents.get(name) == data:
            continue
        tampering.write(target, {**contents, name: data} if name in contents else added(contents, name, data))
        report = untrusted(target)
        assert named(report, name) or {line.check for line in report.failed} & {"manifest", "manifest-signed"}, name


def added(contents: tampering.Contents, name: str, data: bytes) -> tampering.Contents:
    """With one member more, before the manifest."""
    rest = {one: contents[one] for one in contents if one not in tampering.MANIFESTS}
    return {**rest, name: data, **{one: contents[one] for one in tampering.MANIFESTS}}


def test_the_whole_manifest_of_another_case_is_of_another_case(
    contents: tampering.Contents, others: tampering.Contents, target: Path
) -> None:
    tampering.write(target, {**contents, **{name: others[name] for name in tampering.MANIFESTS}})

    assert named(untrusted(target), layout.MANIFEST)


@pytest.mark.slow
def test_a_manifest_that_another_key_has_signed_is_found_without_knowing_either(
    made: Made, forged: Made, contents: tampering.Contents, target: Path
) -> None:
    tampering.write(target, tampering.resealed(contents, forged.seal))

    report = untrusted(target)

    assert named(report, layout.CHAIN)
    assert "label" in {line.check for line in report.failed}
    assert examine(target, [made.fingerprints["root"]]).exit_code == 1


@pytest.mark.requirement("R52", refuses=True)
def test_a_forgers_own_package_is_sound_by_itself_and_not_under_the_true_fingerprint(made: Made, forged: Made) -> None:
    assert examine(forged.clear).exit_code == 2
    for fingerprint in made.fingerprints.values():
        report = examine(forged.clear, [fingerprint])
        assert report.exit_code == 1
        assert [line.check for line in report.failed] == ["trust"]


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: b"\0" + whole,
        lambda whole: whole + b"\0",
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"PK\x03\x04" + whole,
        lambda whole: b"",
    ],
)
def test_bytes_before_behind_or_missing_are_found(made: Made, target: Path, change: object) -> None:
    target.write_bytes(change(made.clear.read_bytes()))  # type: ignore[operator]

    assert [line.check for line in untrusted(target).failed] == ["structure"]


def test_what_is_no_package_gets_a_sentence(made: Made, target: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.zip", tmp_path):
        [line] = untrusted(path).failed
        assert "name the package" in line.found
    contents = tampering.read(made.hash)
    packed = packed_by_others(contents)
    told = dict.fromkeys(packed, "it was unpacked and packed again: take the file as you received it")
    told["wrapped"] = "this ZIP holds another ZIP: unpack it once, and choose the one inside"
    told["another ZIP"] = "the ZIP's directory is not as it follows from its members: a byte of it was changed"
    for name, data in packed.items():
        target.write_bytes(data)
        report = untrusted(target)
        assert (report.exit_code, [line.found for line in report.failed]) == (1, [told[name]]), name
    package = made.hash.read_bytes()
    directory = package.rindex(b"PK\x01\x02")  # of a package in which a byte was changed it is said as before
    target.write_bytes(package[: directory + 16] + bytes([package[directory + 16] ^ 1]) + package[directory + 17 :])
    [line] = untrusted(target).failed
    assert line.found.startswith("the header of the member manifest.dsse.json differs")
