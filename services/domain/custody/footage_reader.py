"""Footage on its way to a reader: decrypted range by range under a grant that is checked again and again (F18)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from services.runtime.errors import Refused
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.vault.age import AgeError, Encryptor, KeyInvalid, Reader, Unwrapper
from services.vault.keys.vault_keys import KeyGone, LoanKeys
from services.vault.sealing import open_sealed
from services.vault.store.protocol import Location, Store

log = get_logger(__name__)

PIECE = 1 << 18
# A long answer outlives a grant that ends meanwhile by no more than this.
CHECKED_EVERY = 8 << 20
OPEN_SECONDS = 60

Check = Callable[[int, int], Awaitable[object]]
Finish = Callable[[], Awaitable[object]]


class SendingStopped(Exception):
    """Footage stopped on its way: the connection breaks, so that nobody takes what came for the whole."""


class OpenCopies:
    """Copies that a player is reading: each of its many ranges needs the same first and last bytes of the object.

    What opens a copy is forgotten after ``OPEN_SECONDS``, and is of no use once the loan key is destroyed.
    """

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str, str], Reader] = {}

    async def open(self, store: Store, loan_keys: LoanKeys, copy_id: str, sealed: dict[str, Any]) -> Reader:
        """As ``open_copy``."""
        name = (copy_id, sealed["key"], sealed["versionId"])
        known = self._readers.get(name)
        if known is None:
            known = self._readers[name] = await open_copy(store, loan_keys, copy_id, sealed)
            asyncio.get_running_loop().call_later(OPEN_SECONDS, self._readers.pop, name, None)
        else:
            await run_in_thread(_unwrapper, loan_keys, copy_id)
        return known.clone()


async def open_copy(store: Store, loan_keys: LoanKeys, copy_id: str, sealed: dict[str, Any]) -> Reader:
    """Open the copy's plaintext; Refused when its key is destroyed or its bytes were changed."""
    location = Location(sealed["bucket"], sealed["key"], sealed["versionId"], sealed["size"])
    try:
        return await run_in_thread(lambda: open_sealed(store, location, _unwrapper(loan_keys, copy_id)))
    except AgeError as error:
        raise _damaged() from error


async def read_range(reader: Reader, start: int, end: int, check: Check) -> AsyncIterator[bytes]:
    """Return the bytes from ``start`` to ``end``. ``check(offset, length)`` runs before each stretch, and may refuse:
    then, and where the copy is damaged, SendingStopped is raised."""
    position = start
    while position < end:
        stretch = min(CHECKED_EVERY, end - position)
        await allow(check, position, stretch)
        stop = position + stretch
        while position < stop:
            try:
                piece = await run_in_thread(_read, reader, position, min(PIECE, stop - position))
            except AgeError as error:
                raise damaged_at(position) from error
            if not piece:
                raise SendingStopped(f"the copy ends at byte {position} of its footage")
            position += len(piece)
            yield piece


async def send_whole(blocks: AsyncIterator[bytes], finish: Finish) -> AsyncIterator[bytes]:
    """Return the blocks; ``finish`` runs once all but the last were taken, and may refuse: then SendingStopped.

    The last is held back, because who has everything may hang up before anything else is done here.
    """
    held: bytes | None = None
    async for block in blocks:
        if held is not None:
            yield held
        held = block
    try:
        await finish()
    except Refused as refusal:
        raise SendingStopped(refusal.en) from refusal
    if held is not None:
        yield held


async def allow(check: Check, position: int, stretch: int) -> None:
    """Run the check before a stretch; SendingStopped where it refuses."""
    try:
        await check(position, stretch)
    except Refused as refusal:
        log.info("sending stopped", code=refusal.code, position=position)
        raise SendingStopped(refusal.en) from refusal


def damaged_at(position: int) -> SendingStopped:
    return SendingStopped(f"the copy is damaged near byte {position} of its footage")


async def read_bytes(reader: Reader, start: int, length: int) -> bytes:
    """Return bytes of a copy that may be read now; Refused where the copy is damaged there."""
    try:
        return await run_in_thread(_read, reader, start, length)
    except AgeError as error:
        raise _damaged() from error


async def encrypt(reader: Reader, encryptor: Encryptor, check: Check) -> AsyncIterator[bytes]:
    """Return the whole copy as an age file."""
    yield encryptor.header
    async for piece in read_range(reader, 0, reader.size, check):
        ciphertext = await run_in_thread(encryptor.update, piece)
        if ciphertext:
            yield bytes(ciphertext)
    yield encryptor.finish()


def check_recipient(recipient: str) -> None:
    """Raise Refused unless it is an age X25519 recipient."""
    try:
        Encryptor([recipient])
    except KeyInvalid as error:
        raise Refused(
            "recipient-wrong",
            "Enter your own age public key (it begins with age1): the file is encrypted for this key only.",
            status=422,
            field="recipient",
        ) from error


def _unwrapper(loan_keys: LoanKeys, copy_id: str) -> Unwrapper:
    try:
        return loan_keys.unwrapper(copy_id)
    except KeyGone as error:
        raise Refused(
            "key-destroyed",
            "The loan key is destroyed: the copy can no longer be opened.",
            status=403,
        ) from error


def _read(reader: Reader, position: int, length: int) -> bytes:
    reader.seek(position)
    return reader.read(length)


def _damaged() -> Refused:
    return Refused(
        "copy-damaged",
        "The copy is damaged: report the problem and do not try to repair it yourself.",
        status=500,
    )
