"""What the encryptor writes, the reader gives back from any place, and every change to it is seen."""

import io
import random
from collections.abc import Callable
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vault.age import (
    Corrupt,
    Encryptor,
    KeyInvalid,
    MacMismatch,
    NotARecipient,
    PassphraseIdentity,
    Reader,
    Truncated,
    X25519Identity,
    bech32,
    generate_identity,
)
from services.vault.age.header import Header
from services.vault.age.identities import wrap
from services.vault.age.stream import ChunkCipher

CHUNK = 65536
SEALED = CHUNK + 16
IDENTITY, RECIPIENT = generate_identity()
KEY = X25519Identity(IDENTITY)
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 77]


def encrypt(data: bytes, *recipients: str) -> tuple[bytes, bytes]:
    """The header and the sealed chunks."""
    encryptor = Encryptor(recipients or (RECIPIENT,))
    return encryptor.header, encryptor.update(data) + encryptor.finish()


def at(sealed: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: sealed[offset : offset + length]


def reader(sealed: bytes, key: X25519Identity = KEY) -> Reader:
    return Reader(at(sealed), len(sealed), key)


@pytest.fixture(scope="module")
def data() -> bytes:
    return random.Random(7).randbytes(3 * CHUNK + 77)  # noqa: S311 - the same bytes in every run


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_comes_back(data: bytes, size: int) -> None:
    header, chunks = encrypt(data[:size])
    opened = reader(header + chunks)
    assert opened.size == size
    assert opened.read() == data[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("feed", [1000, CHUNK - 1, CHUNK, CHUNK + 1, 1 << 20])
def test_the_size_of_the_feeds_changes_nothing(data: bytes, size: int, feed: int) -> None:
    encryptor = Encryptor([RECIPIENT])
    sealed = encryptor.header
    for start in range(0, size, feed):
        sealed += encryptor.update(memoryview(data)[start : min(start + feed, size)])
    sealed += encryptor.finish()
    chunks = max(1, -(-size // CHUNK))
    assert len(sealed) == len(encryptor.header) + size + 16 * chunks
    assert reader(sealed).read() == data[:size]


@given(
    st.lists(st.sampled_from([0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5]), max_size=8),
    st.lists(st.sampled_from([SEALED - 1, SEALED, SEALED + 1, 2 * SEALED, 5 * SEALED]), min_size=1, max_size=4),
)
def test_the_size_of_the_rooms_changes_nothing(pieces: list[int], rooms: list[int]) -> None:
    plain = random.Random(3).randbytes(sum(pieces))  # noqa: S311 - the same bytes in every run
    encryptor = Encryptor([RECIPIENT])
    sealed, left = encryptor.header, memoryview(plain)
    sizes = cycle([*rooms, SEALED])
    for size in pieces:
        piece, left = left[:size], left[size:]
        while piece:
            buffer = memoryview(bytearray(next(sizes)))
            consumed, written = encryptor.update_into(piece, buffer)
            assert written % SEALED == 0
            sealed += bytes(buffer[:written])
            piece = piece[consumed:]
    assert reader(sealed + encryptor.finish()).read() == plain


def test_every_recipient_can_open_it(data: bytes) -> None:
    pairs = [generate_identity() for _ in range(3)]
    header, chunks = encrypt(data, *(recipient for _, recipient in pairs))
    for identity, _ in pairs:
        assert reader(header + chunks, X25519Identity(identity)).read() == data


@pytest.mark.requirement("R54", refuses=True)
def test_another_key_does_not_open_it(data: bytes) -> None:
    header, chunks = encrypt(data)
    with pytest.raises(NotARecipient, match="open it with the key"):
        reader(header + chunks, X25519Identity(generate_identity()[0]))


@given(st.lists(st.tuples(st.integers(0, 3 * CHUNK + 200), st.integers(0, 2 * CHUNK)), min_size=1, max_size=8))
def test_any_part_can_be_read_in_any_order(ranges: list[tuple[int, int]]) -> None:
    opened = io.BufferedReader(reader(b"".join(PARTS)))
    for offset, length in ranges:
        opened.seek(offset)
        assert opened.read(length) == PLAIN[offset : offset + length]


def test_seeking_is_as_in_a_file() -> None:
    opened = reader(b"".join(PARTS))
    assert opened.seek(-5, io.SEEK_END) == len(PLAIN) - 5
    assert opened.read(100) == PLAIN[-5:]
    assert opened.read(100) == b""
    assert opened.seek(10) == 10
    assert opened.seek(5, io.SEEK_CUR) == opened.tell() == 15
    with pytest.raises(ValueError, match="before its start"):
        opened.seek(-1)


def test_one_byte_far_inside_is_read_without_what_lies_before() -> None:
    data = bytes(64 * CHUNK)
    sealed = b"".join(encrypt(data))
    asked: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append(length)
        return sealed[offset : offset + length]

    opened = Reader(read_at, len(sealed), KEY)
    asked.clear()
    opened.seek(40 * CHUNK)
    opened.read(1)
    assert asked == [SEALED]


def test_reading_in_order_asks_for_ever_larger_parts() -> None:
    data = bytes(200 * CHUNK)
    sealed = b"".join(encrypt(data))
    asked: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append(length)
        return sealed[offset : offset + length]

    opened = Reader(read_at, len(sealed), KEY)
    asked.clear()
    assert opened.read() == data
    assert len(asked) <= 10
    assert max(asked) <= 64 * SEALED


def test_a_file_cut_between_chunks_is_truncated(data: bytes) -> None:
    header, chunks = encrypt(data)
    for kept in (1, 2, 3):
        with pytest.raises(Truncated, match="rest is missing"):
            reader(header + chunks[: kept * SEALED])


@pytest.mark.parametrize("cut", [1, 16, 77, 78, SEALED, SEALED + 5, 3 * SEALED + 90])
def test_a_file_cut_anywhere_is_refused_when_it_is_opened(data: bytes, cut: int) -> None:
    header, chunks = encrypt(data)
    with pytest.raises(Corrupt):
        reader(header + chunks[:-cut])


def test_an_encryption_that_was_not_finished_is_truncated(data: bytes) -> None:
    encryptor = Encryptor([RECIPIENT])
    sealed = encryptor.header + encryptor.update(data)
    with pytest.raises(Truncated):
        reader(sealed)


def test_a_store_that_gives_less_than_it_was_asked_for_is_noticed(data: bytes) -> None:
    header, chunks = encrypt(data)
    sealed = header + chunks
    with pytest.raises(Truncated, match="bytes at"):
        Reader(lambda offset, length: sealed[offset : offset + length][: length - 1], len(sealed), KEY).read()


def test_chunks_in_another_order_are_refused(data: bytes) -> None:
    header, chunks = encrypt(data)
    swapped = chunks[SEALED : 2 * SEALED] + chunks[:SEALED] + chunks[2 * SEALED :]
    opened = reader(header + swapped)
    with pytest.raises(Corrupt, match="chunk 0 "):
        opened.read()


def test_a_chunk_that_is_left_out_or_doubled_is_refused(data: bytes) -> None:
    header, chunks = encrypt(data)
    for changed in (chunks[SEALED:], chunks[:SEALED] + chunks):
        with pytest.raises(Corrupt):
            reader(header + changed).read()


def test_a_chunk_of_another_file_is_refused(data: bytes) -> None:
    header, chunks = encrypt(data)
    _, other = encrypt(data)
    opened = reader(header + chunks[:SEALED] + other[SEALED : 2 * SEALED] + chunks[2 * SEALED :])
    assert opened.read(CHUNK) == data[:CHUNK]
    with pytest.raises(Corrupt, match="chunk 1 "):
        opened.read(1)


def test_an_empty_last_chunk_after_others_is_refused() -> None:
    header, file_key, nonce = sealed_by_hand()
    cipher = ChunkCipher(file_key, nonce)
    sealed = header + cipher.seal(0, bytes(CHUNK), last=False) + cipher.seal(1, b"", last=True)
    with pytest.raises(Corrupt, match="empty chunk"):
        reader(sealed)


@pytest.mark.parametrize("place", [0, CHUNK, SEALED + 5, -1, -17])
def test_one_flipped_bit_is_refused(data: bytes, place: int) -> None:
    header, chunks = encrypt(data)
    changed = bytearray(chunks)
    changed[place] ^= 1
    with pytest.raises(Corrupt):
        reader(header + changed).read()


def test_a_header_that_was_changed_is_refused(data: bytes) -> None:
    header, chunks = encrypt(data, RECIPIENT, generate_identity()[1])
    lines = header.split(b"\n")
    first, second = lines[1:3], lines[3:5]
    swapped = b"\n".join([lines[0], *second, *first, *lines[5:]])
    with pytest.raises(MacMismatch):
        reader(swapped + chunks)


def test_a_finished_encryption_takes_nothing_more() -> None:
    encryptor = Encryptor([RECIPIENT])
    encryptor.finish()
    with pytest.raises(ValueError, match="finished"):
        encryptor.update(b"more")
    with pytest.raises(ValueError, match="finished"):
        encryptor.finish()


def test_encrypting_to_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one recipient"):
        Encryptor([])


# The keys are made anew in each process: a test's id must not hold one.
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("", id="empty"),
        pytest.param("age1", id="prefix"),
        pytest.param(IDENTITY, id="identity"),
        pytest.param(RECIPIENT.upper(), id="upper case"),
        pytest.param(RECIPIENT[:-1], id="cut"),
        pytest.param(RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p"), id="last letter changed"),
        pytest.param(RECIPIENT[:10] + RECIPIENT[10:].upper(), id="mixed case"),
        pytest.param(bech32.encode("age", bytes(31)), id="too short"),
        pytest.param(bech32.encode("bge", bytes(32)), id="other prefix"),
        pytest.param(bech32.encode("age", bytes(32)), id="point of low order"),
    ],
)
def test_what_is_no_recipient_is_refused_before_anything_is_written(wrong: str) -> None:
    with pytest.raises(KeyInvalid):
        Encryptor([wrong])


@pytest.mark.parametrize(
    "wrong",
    ["", RECIPIENT, IDENTITY.lower(), IDENTITY[:-2], IDENTITY + "Q"],
    ids=["empty", "recipient", "lower case", "cut", "too long"],
)
def test_what_is_no_identity_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(KeyInvalid) as refused:
        X25519Identity(wrong)
    assert not wrong or wrong not in str(refused.value)


@pytest.mark.parametrize("valid", ["A12UEL5L", "a12uel5l", "?1ezyfcl"])
def test_bech32_reads_the_samples_of_its_standard(valid: str) -> None:
    assert bech32.encode(*bech32.decode(valid)) == valid.lower()


@pytest.mark.parametrize("wrong", ["A12uEL5L", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8"])
def test_bech32_refuses_the_wrong_samples_of_its_standard(wrong: str) -> None:
    with pytest.raises(KeyInvalid):
        bech32.decode(wrong)


def sealed_by_hand() -> tuple[bytes, bytes, bytes]:
    file_key, nonce = bytes(16), bytes(16)
    return Header.make([wrap(file_key, RECIPIENT)], file_key).encode() + nonce, file_key, nonce


PLAIN = random.Random(8).randbytes(3 * CHUNK + 77)  # noqa: S311 - the same bytes in every run
PARTS = encrypt(PLAIN)


def test_a_passphrase_opens_what_was_encrypted_for_it_and_another_does_not(data: bytes) -> None:
    encryptor = Encryptor.for_passphrase("ABCD-2345")
    sealed = encryptor.header + encryptor.update(data) + encryptor.finish()

    assert Reader(at(sealed), len(sealed), PassphraseIdentity("ABCD-2345")).read() == data
    with pytest.raises(NotARecipient):
        Reader(at(sealed), len(sealed), PassphraseIdentity("ABCD-2346"))


@pytest.mark.parametrize("size", SIZES)
def test_the_length_of_the_file_is_known_before_it_is_made(data: bytes, size: int) -> None:
    encryptor = Encryptor([RECIPIENT])

    expected = encryptor.size_of(size)

    assert len(encryptor.header + encryptor.update(data[:size]) + encryptor.finish()) == expected


def test_a_secret_is_the_same_for_whoever_opens_the_file_and_another_for_each_purpose_and_file(data: bytes) -> None:
    one, other = (b"".join(encrypt(data[:9])) for _ in range(2))

    assert reader(one).export_secret(b"a") == reader(one).export_secret(b"a")
    assert (
        len({reader(one).export_secret(b"a"), reader(one).export_secret(b"b"), reader(other).export_secret(b"a")}) == 3
    )
