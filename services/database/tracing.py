"""A span for each statement, with its text and without its parameters (``services.runtime.tracing``).

The library that does this for SQLAlchemy gives a failed span the database's own words, and they quote values.
"""

from typing import Any

from opentelemetry.trace import SpanKind, TracerProvider
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from services.runtime.tracing import TRACER, fail

LONGEST_STATEMENT = 2000  # characters; an insert of many rows repeats itself
_SPAN = "footage_desk_span"


def trace_statements(engine: Engine, provider: TracerProvider) -> None:
    """Trace each statement of an engine, with the beginning of its text and without its parameters."""
    tracer = provider.get_tracer(TRACER)

    def begin(  # the signature is SQLAlchemy's
        connection: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
    ) -> None:
        operation = statement.split(None, 1)[0].upper() if statement.strip() else ""
        attributes = {
            "db.system.name": engine.dialect.name,
            "db.operation.name": operation,
            "db.query.text": statement[:LONGEST_STATEMENT],
        }
        connection.info[_SPAN] = tracer.start_span(
            operation or "statement", kind=SpanKind.CLIENT, attributes=attributes
        )

    def end(connection: Connection, *_: Any) -> None:
        if (running := connection.info.pop(_SPAN, None)) is not None:
            running.end()

    def end_failed(context: ExceptionContext) -> None:
        if context.connection is None or context.connection.closed or context.connection.invalidated:
            return
        if (running := context.connection.info.pop(_SPAN, None)) is not None:
            fail(running, context.original_exception)
            running.end()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", end_failed, insert=True)
