"""A put of unknown length to an S3 server, in parts: one is filled while another is sent, and no more are held.

minio-py's own ``put_object`` reads a part, copies it several times and only then sends it; with more threads it would
go on reading a source whose upload has failed. What it has no public call for is called by its private name.

Each part goes with its SHA-256 as a checksum: not every server compares what it gets with the signed hash of it
(SeaweedFS does not), and over TLS minio-py signs none and takes MD5, which is half as fast.
"""

import base64
import contextlib
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from minio import Minio
from minio.datatypes import CompleteMultipartUploadResult
from minio.helpers import genheaders
from minio.xml import Element, SubElement, getbytes

from services.vault.filling import buffer as new_buffer
from services.vault.filling import failed, fill
from services.vault.s3_answers import answers
from services.vault.s3_client import CHECKSUM
from services.vault.store import Source, StoreDown, StoreRefused

PART_BYTES = 6 << 20  # 6 to 64 MiB were equally fast, and two are held
LARGER_FROM = 2000  # later parts are larger, so that the 10 000 that there may be make 129 GiB


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
        buffer = new_buffer(part_bytes(1))
        filled = fill(buffer, source)
        if filled < len(buffer):
            with answers(self._server, self._act):
                whole = bytes(buffer[:filled])
                result = self._client._put_object(self._name, self._key, whole, headers | {CHECKSUM: _sha256(whole)})
            return Put(result.version_id, result.etag or "", filled)
        with answers(self._server, self._act):
            hashed = headers | {"x-amz-checksum-algorithm": "SHA256"}
            upload_id = self._client._create_multipart_upload(self._name, self._key, hashed)
        try:
            parts, size = self._send(upload_id, buffer, source)
            done = self._complete(upload_id, parts)
        except BaseException:
            with contextlib.suppress(StoreDown, StoreRefused), answers(self._server, self._act):
                self._client._abort_multipart_upload(self._name, self._key, upload_id)
            raise
        return Put(done.version_id, done.etag or "", size)

    def _send(self, upload_id: str, first: memoryview, source: Source) -> tuple[list["_Part"], int]:
        """Send ``first``, which is full, and all that follows it."""
        parts: list[_Part] = []
        size = 0
        buffer, other = first, new_buffer(part_bytes(2))
        filled = len(buffer)
        with ThreadPoolExecutor(1, thread_name_prefix="vault-part") as sender:
            while filled:
                number = len(parts) + 1
                sending = sender.submit(self._send_part, upload_id, buffer[:filled], number)
                size += filled
                if len(other) < part_bytes(number + 1):
                    other = new_buffer(part_bytes(number + 1))
                filled = fill(other, source, until=failed(sending)) if filled == len(buffer) else 0
                parts.append(sending.result())
                buffer, other = other, buffer
        return parts, size

    def _send_part(self, upload_id: str, part: memoryview, number: int) -> "_Part":
        checksum = _sha256(part)
        body = cast(bytes, part)  # sent as it lies there
        with answers(self._server, self._act):
            etag = self._client._upload_part(self._name, self._key, body, {CHECKSUM: checksum}, upload_id, number)
        return _Part(number, str(etag), checksum)

    def _complete(self, upload_id: str, parts: list["_Part"]) -> CompleteMultipartUploadResult:
        # minio-py's own leaves the checksums out, without which AWS and MinIO refuse parts that have them.
        root = Element("CompleteMultipartUpload")
        for part in parts:
            entry = SubElement(root, "Part")
            SubElement(entry, "PartNumber", str(part.number))
            SubElement(entry, "ETag", f'"{part.etag}"')
            SubElement(entry, "ChecksumSHA256", part.checksum)
        headers: dict[str, str | list[str] | tuple[str]] = {"Content-Type": "application/xml"}
        with answers(self._server, self._act):
            response = self._client._execute(
                "POST", self._name, self._key, getbytes(root), headers, {"uploadId": upload_id}
            )
            done = CompleteMultipartUploadResult(response)
        if done.etag is None:  # an error may come with the status 200, once the server has begun to answer
            raise StoreDown(
                f"the store at {self._server} could not {self._act} for now: it did not put its parts together."
            )
        return done


@dataclass(frozen=True)
class _Part:
    number: int
    etag: str
    checksum: str


def _sha256(data: bytes | memoryview) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def part_bytes(number: int) -> int:
    """How large the part of that number is, unless it is the last; they count from 1."""
    return PART_BYTES if number < LARGER_FROM else 5 * PART_BYTES // 2
