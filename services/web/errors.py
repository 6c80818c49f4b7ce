"""Every error as one JSON object in both languages, {code, zh, en, field}, with its HTTP status."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from services.runtime.errors import Busy, Fatal, Refused, Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.translations import Bilingual, Message, Text
from services.web.problem import Problem
from services.web.refused_access import remember

log = get_logger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# Pydantic's kinds of error, as sentences; the rest say what pydantic says.
SENTENCES: Mapping[str, Message] = {
    "missing": Message("Enter {field}."),
    "string_too_short": Message("{field} is too short: at least {min_length} characters."),
    "string_too_long": Message("{field} is too long: at most {max_length} characters."),
    "too_short": Message("{field} needs at least {min_length} entries."),
    "too_long": Message("{field} takes at most {max_length} entries."),
    "extra_forbidden": Message("There is no field {field}: remove it."),
    "timezone_aware": Message("{field} needs a time zone."),
    "greater_than_equal": Message("{field} must be {ge} or more."),
    "less_than_equal": Message("{field} must be {le} or less."),
    "int_parsing": Message("{field} must be a whole number."),
    "control_character": Message("{field} contains a control character: remove it."),
    "nothing_visible": Message("{field} has no visible character: enter text."),
    "hidden_character": Message("{field} contains a character that nobody sees: remove it."),
    "moment_format": Message("Enter {field} as a date and time with time zone, such as 2026-01-31T08:00:00+08:00."),
    "moment_range": Message("{field} must be between 1970 and 2199."),
    "json_invalid": Message("The body is not valid JSON: correct it."),
}
FALLBACK = Message("{field} is not valid: {message}.")


WHEN = {
    401: "Nobody is signed in, or the session is over",
    403: "The rules do not allow it to this person",
    404: "There is no such thing, or not for this person",
    409: "The state of the case does not allow it",
    413: "The body is too large",
    422: "A field is missing or wrong",
    429: "Too many attempts: try again later",
    503: "A part that is needed is away: try again later",
}
USUAL = (401, 403, 404, 409)
LONGEST_TEXT = 500
JSON_PATHS = ("/api/", "/static/")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route for OpenAPI; every route has 413, 422 and 503."""
    return {status: {"model": Problem, "description": WHEN[status]} for status in (*statuses, 413, 422, 503)}


def problems_beside(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``problems`` for a route that does not answer JSON: FastAPI would give refusals the route's type."""
    refusal = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {
        status: {"description": problem["description"], "content": refusal}
        for status, problem in problems(*statuses).items()
    }


class RefusalResponse(JSONResponse):
    """A refusal as JSON, with its message for a page in the reader's language."""

    message: Text


class _Cleaned(Text):
    """A message without what no answer can hold."""

    def __init__(self, message: Text) -> None:
        self._message = message

    def translate(self, language: str) -> str:
        return _clean(self._message.translate(language))


def answer(
    code: str, message: Text, status: int, field: str | None = None, *, headers: Mapping[str, str] | None = None
) -> RefusalResponse:
    """A refusal in the one shape; whatever of it a caller has typed may be no proper Unicode and is cleaned."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": "10", **(headers or {})}
    shown = _Cleaned(message)
    content = {"code": code, "zh": shown.zh, "en": shown.en, "field": None if field is None else _clean(field)}
    answered = RefusalResponse(content, status, headers=headers)
    answered.message = shown
    return answered


def _clean(text: str) -> str:
    """Remove lone surrogates and cut to ``LONGEST_TEXT`` characters."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def too_large() -> RefusalResponse:
    return answer("too-large", Message("The body is too large: send a shorter one."), 413)


def _refused(request: Request, error: Exception) -> RefusalResponse:
    assert isinstance(error, Refused)  # noqa: S101  registered for this class alone
    remember(request.scope, code=error.code)
    return answer(error.code, error.message, error.status, error.field)


def delayed(error: Exception) -> RefusalResponse:
    """Answer that it can be asked again later."""
    log.warning("call_delayed", error=str(error))
    if isinstance(error, Busy):
        return answer("busy", Message("The system is busy: try again in a few seconds."), 503)
    if isinstance(error, Retryable) and error.away == "store":
        return answer(
            "try-again",
            Message(
                "The object storage is not responding: footage and files cannot be read or stored at the moment. "
                "Everything else works. Try again later."
            ),
            503,
        )
    return answer("try-again", Message("A component of the system is unavailable: try again later."), 503)


def _retryable(_request: Request, error: Exception) -> RefusalResponse:
    return delayed(error)


def _fatal(_request: Request, error: Exception) -> RefusalResponse:
    # other texts than our own may hold what was entered, as pydantic's do
    cause = str(error) if isinstance(error, Fatal) else type(error).__name__
    log.error("call_failed", error=cause, stack=stack(error))
    return answer(
        "broken",
        Message("An error occurred and nothing was changed: contact the administrator."),
        500,
        headers={**SECURITY_HEADERS, "Cache-Control": "no-store"},  # this answer does not pass the middleware
    )


def _http(_request: Request, error: Exception) -> RefusalResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this class alone
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer("not-found", Message("This address does not exist: check it."), 404)
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large()
    if error.status_code == HTTPStatus.REQUEST_TIMEOUT:
        return answer(
            "too-slow", Message("The request took too long to arrive: send it again."), 408, headers=error.headers
        )
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's word for a body that is not even text
        return answer("json-invalid", SENTENCES["json_invalid"], 422, "body")
    reason = Bilingual(str(error.status_code), HTTPStatus(error.status_code).phrase)  # the phrase is English only
    return answer(
        "http",
        Message("The request was rejected: {reason}.", reason=reason),
        error.status_code,
        headers=error.headers,
    )


def _invalid(_request: Request, error: Exception) -> RefusalResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this class alone
    first = error.errors()[0]
    # loc is ("body", "items", 0, "start"): the part of the request, then the path of the field.
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    message = sentence(first["type"], {**first.get("ctx", {}), "field": field, "message": first["msg"]})
    return answer(first["type"].replace("_", "-"), message, 422, field)


def sentence(kind: str, values: Mapping[str, Any]) -> Text:
    """Pydantic's kind of error as a message; ``values`` are its context with ``field`` and ``message``."""
    return SENTENCES.get(kind, FALLBACK).with_values(**values)


def install(app: FastAPI, as_page: Callable[[Request, Refused], Response]) -> None:
    """Answer every error as JSON under ``/api``, and as a page elsewhere (``as_page``)."""

    def shown(handler: Callable[[Request, Exception], RefusalResponse]) -> Callable[[Request, Exception], Response]:
        def handle(request: Request, error: Exception) -> Response:
            answered = handler(request, error)
            if request.url.path.startswith(JSON_PATHS):
                return answered
            content = json.loads(bytes(answered.body))
            refusal = Refused(content["code"], answered.message, status=answered.status_code, field=content["field"])
            page = as_page(request, refusal)
            for name in ("retry-after", "allow", *(key.lower() for key in SECURITY_HEADERS), "cache-control"):
                if name in answered.headers:
                    page.headers[name] = answered.headers[name]
            return page

        return handle

    app.add_exception_handler(Refused, shown(_refused))
    app.add_exception_handler(Retryable, shown(_retryable))
    app.add_exception_handler(Fatal, shown(_fatal))
    app.add_exception_handler(HTTPException, shown(_http))
    app.add_exception_handler(RequestValidationError, shown(_invalid))
    app.add_exception_handler(Exception, shown(_fatal))
