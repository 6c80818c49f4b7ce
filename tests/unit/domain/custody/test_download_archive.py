"""A download as a ZIP: made while it is sent, of a known length, and nothing that opens where the sending ended."""

import hashlib
import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import pyzipper

from services.domain.custody import download_archive, footage_reader
from services.domain.custody.download_archive import Archive, Source
from services.domain.custody.download_password import LETTERS, password_of
from services.domain.custody.footage_reader import Check, SendingStopped
from services.runtime.errors import Refused
from services.vault.age import Encryptor, PassphraseIdentity, Reader, X25519Identity, generate_identity

IDENTITY, RECIPIENT = generate_identity()
PASSWORD = "7KQM-2XHC-9TRE"
WHEN = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
PAPERS = {"README.txt": b"read me", "empty": b"", "player.html": b"<p>" * 50_000}
FOOTAGE = random.Random(3).randbytes(3_000_017)  # noqa: S311  # the same bytes in every run
SIZES = [0, 1, 65535, 65536, 262_144, len(FOOTAGE)]


def sealed(footage: bytes) -> bytearray:
    encryptor = Encryptor([RECIPIENT])
    return bytearray(encryptor.header + encryptor.update(footage) + encryptor.finish())


def reader(copy: bytes | bytearray) -> Reader:
    return Reader(lambda at, length: bytes(copy[at : at + length]), len(copy), X25519Identity(IDENTITY))


def source(footage: bytes, **changes: Encryptor) -> Source:
    return Source(reader(sealed(footage)), hashlib.sha256(footage).hexdigest(), **changes)


def archive(password: str | None = PASSWORD) -> Archive:
    return Archive("folder", PAPERS, "footage.mp4", WHEN, password)


async def allowed(offset: int, length: int) -> None:
    """A grant that holds."""


async def sent(archive: Archive, source: Source, check: Check = allowed) -> bytes:
    return b"".join([block async for block in download_archive.send(archive, source, check)])


@pytest.mark.requirement("R57", refuses=True)
@pytest.mark.requirement("R42")
@pytest.mark.parametrize("size", SIZES)
async def test_the_zip_opens_with_its_password_alone_and_is_as_long_as_was_said(size: int) -> None:
    footage = source(FOOTAGE[:size])
    length = download_archive.length(archive(), footage.size)

    whole = await sent(archive(), footage)

    assert len(whole) == length
    with pyzipper.AESZipFile(io.BytesIO(whole)) as opened:
        assert {one.filename for one in opened.infolist()} == {f"folder/{name}" for name in (*PAPERS, "footage.mp4")}
        assert all(one.flag_bits & 1 for one in opened.infolist())  # each is encrypted
        opened.setpassword(PASSWORD.encode())
        assert {name: opened.read(f"folder/{name}") for name in PAPERS} == PAPERS
        assert opened.read("folder/footage.mp4") == FOOTAGE[:size]
        opened.setpassword(b"7KQM-2XHC-9TRF")
        with pytest.raises(RuntimeError, match="password"):
            opened.read("folder/footage.mp4")


@pytest.mark.parametrize("size", SIZES)
async def test_an_encrypted_file_in_a_plain_zip_opens_with_the_standard_library(size: int) -> None:
    footage = source(FOOTAGE[:size], encryptor=Encryptor.for_passphrase(PASSWORD))
    length = download_archive.length(archive(None), footage.size)

    whole = await sent(archive(None), footage)

    assert len(whole) == length
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        age = opened.read("folder/footage.mp4")
    assert Reader(lambda at, n: age[at : at + n], len(age), PassphraseIdentity(PASSWORD)).read() == FOOTAGE[:size]


async def test_footage_beyond_four_gibibytes_has_the_fields_of_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_archive, "LARGEST", 1000)
    footage = source(FOOTAGE)
    length = download_archive.length(archive(), footage.size)

    whole = await sent(archive(), footage)

    assert len(whole) == length
    assert b"PK\x06\x06" in whole[-200:]  # ZIP64's end of the directory
    with pyzipper.AESZipFile(io.BytesIO(whole)) as opened:
        assert opened.read("folder/footage.mp4", PASSWORD.encode()) == FOOTAGE


@pytest.mark.requirement("R52", "R55")
@pytest.mark.parametrize("password", [PASSWORD, None])
async def test_each_stretch_is_checked_once_in_order_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    monkeypatch.setattr(footage_reader, "CHECKED_EVERY", 1 << 20)
    asked: list[tuple[int, int]] = []

    async def check(offset: int, length: int) -> None:
        asked.append((offset, length))

    footage = source(FOOTAGE, **({} if password else {"encryptor": Encryptor.for_passphrase(PASSWORD)}))
    await sent(archive(password), footage, check)

    assert asked == [(0, 1 << 20), (1 << 20, 1 << 20), (2 << 20, len(FOOTAGE) - (2 << 20))]


async def stopped(copy: bytearray, check: Check, match: str) -> bytes:
    """What has left before a sending stops."""
    left: list[bytes] = []

    async def send() -> None:
        async for block in download_archive.send(archive(), Source(reader(copy), "0" * 64), check):
            left.append(block)

    with pytest.raises(SendingStopped, match=match):
        await send()
    return b"".join(left)


async def test_a_grant_that_ends_meanwhile_leaves_nothing_that_opens_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(footage_reader, "CHECKED_EVERY", 1 << 20)

    async def ended(offset: int, length: int) -> None:
        if offset:
            raise Refused("grant-ended", "The grant has ended.", status=403)

    left = await stopped(sealed(FOOTAGE), ended, "grant has ended")

    assert 0 < len(left) < 2 << 20
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(left))


def bit_flipped(copy: bytearray) -> None:
    copy[len(copy) // 2] ^= 1


def nothing_changed(copy: bytearray) -> None:
    """It is whole, but not what was sealed."""


@pytest.mark.parametrize(
    ("damage", "match"), [(bit_flipped, "damaged near byte"), (nothing_changed, "not what was sealed")]
)
async def test_a_damaged_copy_breaks_off_before_the_zip_is_complete(
    damage: Callable[[bytearray], None], match: str
) -> None:
    copy = sealed(FOOTAGE)
    damage(copy)

    left = await stopped(copy, allowed, match)

    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(left))


async def test_memory_does_not_grow_with_the_footage() -> None:
    class Endless(Reader):
        """Zeros, as many as are asked for."""

        def __init__(self, size: int) -> None:
            self._size, self._position = size, 0

        def read(self, size: int = -1, /) -> bytes:
            return bytes(size)

    peaks = []
    for size in (8 << 20, 64 << 20):
        digest = hashlib.sha256(bytes(size)).hexdigest()
        tracemalloc.start()
        async for _ in download_archive.send(archive(), Source(Endless(size), digest), allowed):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + (1 << 20)


@pytest.mark.requirement("R42")
def test_a_password_is_the_same_for_one_download_and_another_for_every_other() -> None:
    copy, other = sealed(FOOTAGE[:99]), sealed(FOOTAGE[:99])

    password = password_of(reader(copy), "one")

    assert password == password_of(reader(copy), "one")
    assert len({password, password_of(reader(copy), "two"), password_of(reader(other), "one")}) == 3
    groups = password.split("-")
    assert [len(group) for group in groups] == [4] * 6
    assert set("".join(groups)) <= set(LETTERS)
    assert len(LETTERS) ** sum(map(len, groups)) >= 2**96
    assert not set("01IOilo") & set(LETTERS)
