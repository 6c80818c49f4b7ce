"""The contract's tests run against a recorder that is simulated here; the options name a real one instead."""

import base64
import functools
import http.server
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from services.recorder_contract.plugin import Subject
from services.runtime.spans import Span

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS, FPS = 5, 10
USER, PASSWORD = "desk", "s3cret"


@functools.cache
def film(tint: int) -> bytes:
    """Some seconds of pictures, a key frame each second."""
    target = io.BytesIO()
    flags = {"movflags": "empty_moov+default_base_moof+frag_keyframe"}
    with av.open(target, "w", format="mp4", options=flags) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.gop_size, stream.max_b_frames = FPS, 0
        stream.options = {"preset": "ultrafast", "x264-params": "scenecut=0:repeat-headers=1"}
        for number in range(SECONDS * FPS):
            frame = av.VideoFrame(160, 96, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((number * 5 + tint + byte) % 256 for byte in range(plane.buffer_size)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        right = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {right}":
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="example"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder_subject(tmp_path: Path) -> Iterator[Subject]:
    folder = tmp_path / "recorder"
    folder.mkdir()
    rows = []
    for number in range(2):
        body, name = film(number * 40), f"{number}.mp4"
        (folder / name).write_bytes(body)
        start = (START + timedelta(seconds=number * SECONDS)).isoformat()
        rows.append({"channel": "1", "name": name, "start": start, "seconds": SECONDS, "size": len(body)})
    (folder / "files.json").write_text(json.dumps(rows), encoding="utf-8")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told = {"address": f"http://127.0.0.1:{server.server_port}", "user": USER, "password": PASSWORD}
        yield Subject("example-nvr", told, "1", Span(START, START + timedelta(seconds=2 * SECONDS)))
        server.shutdown()
