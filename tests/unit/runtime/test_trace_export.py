"""Spans reach a collector by OTLP over HTTP, and the sampler is the one of the settings."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import trace

from services.runtime import trace_export
from services.runtime.settings import Settings

received: list[tuple[str, bytes]] = []


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("sampled", "calls"), [(1.0, 1), (0.0, 0)])
def test_spans_are_sent_when_the_process_ends_at_the_latest(
    monkeypatch: pytest.MonkeyPatch, sampled: float, calls: int
) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda provider: None)
    received.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        settings = Settings.load(tracing={"endpoint": endpoint, "sampled": sampled})
        provider = trace_export.start(settings, endpoint)
        provider.get_tracer("test").start_span("job retrieve-footage").end()
        provider.shutdown()
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

    assert [path for path, _ in received] == ["/v1/traces"] * calls
    assert all(b"job retrieve-footage" in body and b"footage-desk" in body for _, body in received)
