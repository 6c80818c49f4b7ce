"""The ZIP of a package: written and read as one structure, in which no byte is free."""

import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.evidence.archive import StreamWriter, new_archive
from services.runtime.errors import Fatal
from services.verifier import members
from services.verifier.invalid import Invalid
from services.verifier.members import Archive, Member

CONTENTS = {"README.txt": b"read me", "keys/chain.pem": b"", "footage/1-master.mp4": bytes(range(256)) * 5}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "case.zip"
    with new_archive(path) as writer:
        for name, data in CONTENTS.items():
            writer.add(name, data)
        writer.finish()
    return path


def test_what_was_written_is_read(package: Path) -> None:
    with Archive(package) as archive:
        assert {name: archive.read(name, 5000) for name in archive.by_name} == CONTENTS
        assert b"".join(map(bytes, archive.blocks(archive.by_name["footage/1-master.mp4"]))) == bytes(range(256)) * 5


def test_others_read_it_too(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENTS
    told = subprocess.run([sys.executable, "-m", "zipfile", "--test", package], check=False, capture_output=True)
    assert (told.returncode, told.stdout) == (0, b"Done testing\n")


def test_a_stream_that_nobody_can_go_back_in_has_the_same_bytes(package: Path) -> None:
    sent, read = bytearray(), 0

    def footage() -> Iterator[bytes]:
        nonlocal read
        for _ in range(0, 1280, 256):
            read += 256
            yield bytes(range(256))

    writer = StreamWriter(sent.extend)
    for name, data in CONTENTS.items():
        if name == "footage/1-master.mp4":
            writer.stream(name, len(data), footage)
        else:
            writer.add(name, data)
    writer.finish()
    assert bytes(sent) == package.read_bytes()
    assert read == 2 * 1280

    changing = iter([b"one", b"two"])
    with pytest.raises(Fatal, match="its bytes changed while it was read"):
        writer.stream("footage/2-master.mp4", 3, lambda: [next(changing)])


def test_no_byte_of_the_structure_is_free(package: Path, tmp_path: Path) -> None:
    whole = package.read_bytes()
    with Archive(package) as archive:
        content = {place for member in archive.members for place in range(member.start, member.start + member.size)}
    changed = tmp_path / "changed.zip"
    for place in sorted(set(range(len(whole))) - content):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x21]) + whole[place + 1 :])
        with pytest.raises(Invalid):
            Archive(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole + b"\0",
        lambda whole: b"\0" + whole,
        lambda whole: whole[:-1],
        lambda whole: b"",
        lambda whole: b"<html>sign in</html>" * 9,
        lambda whole: whole[:-2] + b"\x03\0abc",
        lambda whole: whole + whole,
    ],
)
def test_nothing_is_added_and_nothing_cut_off(package: Path, tmp_path: Path, change: object) -> None:
    changed = tmp_path / "changed.zip"
    changed.write_bytes(change(package.read_bytes()))  # type: ignore[operator]

    with pytest.raises(Invalid):
        Archive(changed)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b/c", "a\\b", "", "a/", ".hidden", "录像", "x" * 121])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        members.check_name(name)


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "double.zip"
    with new_archive(path) as writer:
        writer.add("a.txt", b"1")
        writer.add("A.txt", b"2")
        writer.finish()

    with pytest.raises(Invalid, match="twice"):
        Archive(path)


def test_large_members_are_told_as_zip64_does(tmp_path: Path) -> None:
    size = 5 << 30
    path = tmp_path / "large.zip"
    first, second = Member("a.mp4", size, 0, 0), Member("b.txt", 0, 0, size + len(members.local("a.mp4", size, 0)))
    offset = second.offset + len(members.local("b.txt", 0, 0))
    with path.open("wb") as file:  # a file with a hole: it takes no room
        file.write(members.local("a.mp4", size, 0))
        file.seek(second.offset)
        file.write(members.local("b.txt", 0, 0))
        directory = members.directory([first, second])
        file.write(directory + members.end(2, len(directory), offset))

    with Archive(path) as archive:
        assert [member.size for member in archive.members] == [size, 0]
    with zipfile.ZipFile(path) as archive_elsewhere:
        assert [one.file_size for one in archive_elsewhere.infolist()] == [size, 0]
    with path.open("r+b") as file:
        file.seek(-22 - 20 - 8, 2)
        file.write(struct.pack("<Q", offset - 1))
    with pytest.raises(Invalid):
        Archive(path)
