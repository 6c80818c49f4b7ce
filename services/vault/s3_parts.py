"""A put of unknown length to an S3 server, in parts: one is filled while another is sent, and no more are held.

minio-py's own ``put_object`` reads a part, copies it several times and only then sends it; with more threads it would
go on reading a source whose upload has failed. What it has no public call for is called by its private name.
"""

import contextlib
import mmap
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from minio import Minio
from minio.datatypes import Part
from minio.helpers import genheaders

from services.vault.s3_answers import answers
from services.vault.store import Source, StoreDown, StoreRefused

PART_BYTES = 16 << 20  # 10 000 parts make 156 GiB; 8 to 64 MiB were equally fast, memory grows with it
_READ = 2 << 20


@dataclass(frozen=True)
class Put:
    """What the server said of it; ``version_id`` is None where it said nothing."""

    version_id: str | None
    etag: str
    size: int


class Upload:
    """One object on its way to ``name`` (a bucket as the server knows it) and ``key``; ``act`` is for errors."""

    def __init__(self, client: Minio, server: str, name: str, key: str, act: str) -> None:
        self._client = client
        self._server = server
        self._name = name
        self._key = key
        self._act = act

    def put(self, source: Source, *, metadata: Mapping[str, str], legal_hold: bool, content_type: str) -> Put:
        """Raises the store's errors, and whatever the source raises as it is; then no upload is left behind."""
        headers = genheaders(dict(metadata), None, None, None, legal_hold) | {"Content-Type": content_type}
        buffer = _buffer()
        filled = _fill(buffer, source)
        if filled < PART_BYTES:
            with answers(self._server, self._act):
                result = self._client._put_object(self._name, self._key, bytes(buffer[:filled]), headers)
            return Put(result.version_id, result.etag or "", filled)
        with answers(self._server, self._act):
            upload_id = self._client._create_multipart_upload(self._name, self._key, headers)
        try:
            parts, size = self._send(upload_id, buffer, source)
            with answers(self._server, self._act):
                done = self._client._complete_multipart_upload(self._name, self._key, upload_id, parts)
        except BaseException:
            with contextlib.suppress(StoreDown, StoreRefused), answers(self._server, self._act):
                self._client._abort_multipart_upload(self._name, self._key, upload_id)
            raise
        return Put(done.version_id, done.etag or "", size)

    def _send(self, upload_id: str, first: memoryview, source: Source) -> tuple[list[Part], int]:
        """Send ``first``, which is full, and all that follows it."""
        parts: list[Part] = []
        size = 0
        buffer, other = first, _buffer()
        filled = PART_BYTES
        with ThreadPoolExecutor(1, thread_name_prefix="vault-part") as sender:
            while filled:
                number = len(parts) + 1
                sending = sender.submit(self._send_part, upload_id, buffer[:filled], number)
                size += filled
                filled = _fill(other, source, until=_failed(sending)) if filled == PART_BYTES else 0
                parts.append(Part(number, sending.result()))
                buffer, other = other, buffer
        return parts, size

    def _send_part(self, upload_id: str, part: memoryview, number: int) -> str:
        body = cast(bytes, part)  # hashed and sent as it lies there
        with answers(self._server, self._act):
            return str(self._client._upload_part(self._name, self._key, body, None, upload_id, number))


def _buffer() -> memoryview:
    # Of the system: what a small object does not fill is never taken, and all of it is given back.
    return memoryview(mmap.mmap(-1, PART_BYTES))


def _failed(sending: "Future[str]") -> Callable[[], bool]:
    return lambda: sending.done() and sending.exception() is not None


def _fill(buffer: memoryview, source: Source, *, until: Callable[[], bool] = lambda: False) -> int:
    """How many bytes the source had for the buffer; fewer than fit only at its end, or where ``until`` says so."""
    filled = 0
    while filled < len(buffer) and not until() and (piece := source.read(min(_READ, len(buffer) - filled))):
        buffer[filled : filled + len(piece)] = piece
        filled += len(piece)
    return filled
