"""What is told of every request: its id, its log lines, its time and its answer, by the template of its route."""

import re
import time
import uuid
from collections.abc import Callable

from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime import metrics
from services.runtime.logs import REQUEST_ID, get_logger, log_context

log = get_logger(__name__)

HEADER = "X-Request-ID"
# A UUID, or as many hexadecimal digits: what proxies make. No other form is taken, as it could name somebody.
FORM = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # methods
UNMATCHED = "unmatched"  # routes
ABORTED = "aborted"  # requests whose client left before the answer began
SLOW_SECONDS = 2.0


class RequestObserver:
    """Give every request an id, and count it. Outside all else, so that it sees the answer to any error.

    The time of a request ends where its answer begins: how long a film takes to go out is the client's affair.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get(HEADER))
        method = scope["method"] if scope["method"] in METHODS else OTHER
        began = self._clock()
        status = ABORTED

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                status = str(message["status"])
                self._record_time(scope, method, status, self._clock() - began)
            await send(message)
            if message["type"] == "http.response.body":
                metrics.HTTP_RESPONSE_BYTES.labels(route_of(scope)).inc(len(message.get("body", b"")))

        trace.get_current_span().set_attribute("footage_desk.request_id", request_id)
        with log_context(**{REQUEST_ID: request_id}), metrics.HTTP_IN_FLIGHT.track_inprogress():
            try:
                await self.app(scope, receive, observed)
            finally:
                metrics.count_request(method, route_of(scope), status)

    @staticmethod
    def _record_time(scope: Scope, method: str, status: str, seconds: float) -> None:
        route = route_of(scope)
        metrics.HTTP_DURATION.labels(method, route).observe(seconds)
        if seconds > SLOW_SECONDS and method == "GET":
            log.info("a page was slow", method=method, route=route, status=status, seconds=round(seconds, 3))


def request_id_of(given: str | None) -> str:
    """Return the id that a caller gives, if it has the form of one, otherwise a new one."""
    return given if given is not None and FORM.fullmatch(given) else uuid.uuid4().hex


def route_of(scope: Scope) -> str:
    """Return the template of the route that answers, never a path, which names cases; ``unmatched`` without one."""
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        return str(route)
    if scope.get("app_root_path") is not None:
        return str(scope.get("root_path"))
    # FastAPI names only routes of its own: one of Starlette's, without parameters, is its own template.
    return str(scope["path"]) if "endpoint" in scope and not scope.get("path_params") else UNMATCHED
