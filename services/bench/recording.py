"""A recorder to measure with, a process of its own: ``python -m services.bench.recording <segment> [<certificate>]``.

``/segments/<number>`` is the segment, as often as it is asked for; ``/recording/<count>`` so many of them as one
fragmented MP4, as a user's ``curl`` would take it: the decoding times of each fragment go on where the last one ended.
The first line of its output is the port. It ends with its standard input.
"""

import os
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from services.bench.camera import SECONDS
from services.runtime.boxes import Box, boxes, descend, read_movie

PIECE = 1 << 20


class Recording:
    """One segment of video without sound, in memory, that can be repeated."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        top = [box for box in boxes(data) if box.kind in ("ftyp", "moov", "moof", "mdat")]
        moov = next(box for box in top if box.kind == "moov")
        movie = read_movie(data[moov.start : moov.end])
        self._ticks = SECONDS * next(iter(movie.tracks.values())).timescale
        self._fragments = [box for box in top if box.kind in ("moof", "mdat")]
        self._init = data[: moov.end]
        self._length = sum(box.end - box.start for box in self._fragments)

    def size(self, count: int) -> int:
        """Of so many repetitions as one recording."""
        return len(self._init) + count * self._length

    def repeated(self, count: int) -> Iterator[bytes | memoryview]:
        """The bytes of that recording."""
        yield self._init
        whole = memoryview(self.data)
        for number in range(count):
            for box in self._fragments:
                yield self._moved(box, number) if box.kind == "moof" else whole[box.start : box.end]

    def _moved(self, moof: Box, number: int) -> bytes:
        data = bytearray(self.data[moof.start : moof.end])
        for box in descend(self.data, moof, "traf", "tfdt"):
            layout = ">Q" if self.data[box.body] else ">I"
            at = box.body + 4 - moof.start
            struct.pack_into(layout, data, at, struct.unpack_from(layout, data, at)[0] + number * self._ticks)
        return bytes(data)


def handler_of(recording: Recording) -> type[BaseHTTPRequestHandler]:
    """What answers each request for it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            what, number = self.path.strip("/").split("/")
            if what == "segments":
                self._answer(len(recording.data), iter([memoryview(recording.data)]))
            else:
                self._answer(recording.size(int(number)), recording.repeated(int(number)))

        def _answer(self, size: int, pieces: Iterator[bytes | memoryview]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            for piece in pieces:
                for start in range(0, len(piece), PIECE):
                    self.wfile.write(piece[start : start + PIECE])

        def log_message(self, *_: object) -> None:
            """Nothing is logged while something is measured."""

    return Handler


def main() -> None:
    """Serve until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(Recording(Path(sys.argv[1]).read_bytes())))
    if len(sys.argv) > 2:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # do not wait for open connections


if __name__ == "__main__":
    main()
