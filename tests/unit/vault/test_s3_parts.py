"""A put through minio-py's own call: in order, with little read ahead, and never on once it has failed."""

import random
from functools import partial
from typing import BinaryIO

import pytest

from services.vault.sealing import FASTEST_CAMERA
from services.vault.store import s3_parts
from services.vault.store.protocol import StoreRefused

PART = s3_parts.PART_BYTES
SIZE = 3 * PART + 5


class Source:
    """Gives ``data`` in rooms of any size, and raises ``failure`` at its end."""

    def __init__(self, data: bytes, failure: BaseException | None = None) -> None:
        self.data = memoryview(data)
        self.given = 0
        self._failure = failure
        self._chance = random.Random(1)  # noqa: S311 - sizes, no secret

    def readinto(self, room: memoryview, /) -> int:
        size = min(self._chance.randint(1, len(room)), len(self.data) - self.given)
        if not size and self._failure is not None:
            raise self._failure
        room[:size] = self.data[self.given : self.given + size]
        self.given += size
        return size


def test_what_is_sent_is_what_the_source_gave() -> None:
    data, sent = random.Random(2).randbytes(SIZE), []  # noqa: S311 - only to be told apart

    def put_object(file: BinaryIO) -> None:
        sent.append(file.read(PART + 1))
        while more := file.read(PART):
            sent.append(more)

    assert s3_parts.put(Source(data), put_object, PART) == (None, SIZE)
    assert [len(one) for one in sent] == [PART + 1, PART, PART, 4]
    assert b"".join(sent) == data


def test_a_source_whose_upload_has_failed_is_read_no_further() -> None:
    source = Source(bytes(SIZE))

    def put_object(file: BinaryIO) -> None:
        file.read(1000)
        raise OSError("the server went away")

    with pytest.raises(OSError, match="the server went away"):
        s3_parts.put(source, put_object, PART)
    assert source.given < PART


def read_all(seen: list[Exception], file: BinaryIO) -> None:
    """Read part by part to the end; what is raised on the way is seen."""
    try:
        while file.read(PART):
            pass
    except Exception as error:
        seen.append(error)
        raise


@pytest.mark.parametrize("failure", [OSError("the recorder went away"), KeyboardInterrupt()])
def test_what_the_source_raises_ends_the_upload_and_is_raised(failure: BaseException) -> None:
    seen: list[Exception] = []

    with pytest.raises(type(failure)) as raised:
        s3_parts.put(Source(bytes(SIZE), failure), partial(read_all, seen), PART)
    assert raised.value is failure
    assert [type(one) for one in seen] == [s3_parts.SourceFailed]


def test_parts_are_as_large_as_what_is_expected_needs() -> None:
    for expected in (0, 1, 8 << 30, 100 << 30):
        assert s3_parts.part_bytes(expected) == PART
    for hours in (10, 24, 40):
        expected = hours * 3600 * FASTEST_CAMERA
        part = s3_parts.part_bytes(expected)
        assert PART < part <= s3_parts.LARGEST_PART
        assert part * s3_parts.MOST_PARTS > expected
    assert s3_parts.part_bytes(1 << 50) == s3_parts.LARGEST_PART


def test_more_than_the_parts_hold_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_parts, "MOST_PARTS", 2)
    seen: list[Exception] = []

    source = Source(bytes(SIZE))
    with pytest.raises(StoreRefused, match="in shorter spans"):
        s3_parts.put(source, partial(read_all, seen), PART)
    assert source.given <= 2 * PART + (1 << 20)
    assert [type(one) for one in seen] == [s3_parts.SourceFailed]
