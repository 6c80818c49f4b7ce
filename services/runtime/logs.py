"""Logs as JSON lines, or readable on a terminal; ids only, no personal data, no secrets.

What a job binds (``application_id``, ``job_key``, ``job_type``, ``process_instance_key``, ``element_id``) is on every
line that is written while it runs, also from libraries. So is the ``request_id`` of a request, and on the lines of the
relay and of the jobs that follow from it.
"""

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from pydantic import SecretStr

REQUEST_ID = "request_id"
BOUND = ("application_id", "job_key", "job_type", "process_instance_key", "element_id")

# These print whole jobs with their variables, request headers or statements with their values at debug level.
_TALKATIVE = ("pyzeebe", "grpc", "urllib3", "httpx", "httpcore", "sqlalchemy", "asyncio", "multipart")

# These log at info level what we log ourselves: each migration, each start of a server.
_CHATTY = ("alembic", "uvicorn")

# services.runtime.jobs.adapter logs the same, with its back-off.
_REPEATED = ("pyzeebe.worker.job_poller",)

_SECRET_WORDS = {"password", "passphrase", "secret", "token", "authorization", "cookie", "totp"}
_SECRET_TEXT = re.compile(r"(?<=://)[^/\s:@]+:[^@\s/]+(?=@)|AGE-SECRET-KEY-1[0-9A-Z]+|(?<=Bearer )\S+")
HIDDEN = "(hidden)"


def _hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide fields named as secrets and texts that look like one, which should not be logged at all."""
    for key, value in event.items():
        if isinstance(value, SecretStr) or _SECRET_WORDS & set(key.lower().split("_")):
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = _SECRET_TEXT.sub(HIDDEN, value)
    return event


def configure_logs(
    level: str = "info", format_: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's log records to ``stream`` (standard error) in one form."""
    out = stream or sys.stderr
    console = format_ == "console" or (format_ == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        # its usual traceback shows local variables, which may be secrets
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in (*_TALKATIVE, *_CHATTY):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _REPEATED:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger for a module: ``log = get_logger(__name__)``; ``log.info("what happened", fact=value)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def log_context(**ids: str | int | None) -> Iterator[None]:
    """Bind ids to every log line inside the block; None is left out."""
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value is not None}):
        yield


def current_request_id() -> str | None:
    """Return the id of the request that is answered now, or that led to the job that runs now."""
    value = structlog.contextvars.get_contextvars().get(REQUEST_ID)
    return value if isinstance(value, str) else None
