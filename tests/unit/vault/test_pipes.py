"""What is lent to a pipe's reader: it reads what was written, whatever its writer does with it afterwards."""

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest

from services.vault.pipes import WIDTH, Outlet


@pytest.mark.parametrize("size", [1, 5_000, 70_001, WIDTH, 3 * WIDTH + 7])
def test_what_was_let_go_of_is_read_as_it_was_written(size: int) -> None:
    reading, writing = os.pipe()
    outlet, given, got = Outlet(writing), hashlib.sha256(), hashlib.sha256()
    chance = random.Random(size)  # noqa: S311 - bytes, no secret

    def write() -> None:
        for _ in range(max(4, 8 * WIDTH // max(size, 40_000))):
            piece = chance.randbytes(size)
            given.update(b"head" + piece[1:] + piece[:1])
            outlet.writelines((b"head", b"", memoryview(piece)[1:], memoryview(piece)[:1]))
            del piece
            bytes(size)  # likely where the piece was
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        while part := pipe.read(100_003):
            got.update(part)
    writer.join()
    assert got.hexdigest() == given.hexdigest()


def test_what_may_change_is_copied() -> None:
    reading, writing = os.pipe()
    room = bytearray(b"a" * 50_000)
    Outlet(writing).writelines((memoryview(room).toreadonly(),))
    room[:] = b"b" * 50_000
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"a" * 50_000


def test_what_cannot_be_lent_to_is_written_to(tmp_path: Path) -> None:
    parts = [bytes([number % 256]) * 40 for number in range(2_000)]
    with (tmp_path / "file").open("wb") as file:
        Outlet(file.fileno()).writelines(parts)
    assert (tmp_path / "file").read_bytes() == b"".join(parts)


def test_a_reader_that_has_gone_is_told() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for size in (10, WIDTH):
        with pytest.raises(BrokenPipeError):
            Outlet(writing).writelines((bytes(size),))
    os.close(writing)
