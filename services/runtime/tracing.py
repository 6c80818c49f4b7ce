"""Traces by OpenTelemetry, off unless an address is set: a span for each request, statement, message and job.

A span says what was done and how long it took, by names that we have given: templates of routes and statements, names
of messages and types of jobs, and keys. It has no parameter of a statement, no body, no query and no text of an error,
because these may be personal data.

A message and a job have traces of their own, which link to that of the request: a case waits for people for weeks.
What sends spans is in ``services.runtime.trace_export``, which is imported only where tracing is on.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE_PARENT = "traceparent"
TRACER = "footage-desk"
PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def span(name: str, cause: str | None, kind: SpanKind, attributes: Mapping[str, str | int | None]) -> Iterator[None]:
    """Trace a block, linked to what ``cause``, a ``traceparent``, names; does nothing where tracing is off."""
    linked = trace.get_current_span(PROPAGATOR.extract({TRACE_PARENT: cause} if cause else {}, Context()))
    context = linked.get_span_context()
    tracer = trace.get_tracer(TRACER)
    with tracer.start_as_current_span(
        name,
        context=Context(),
        kind=kind,
        links=[Link(context)] if context.is_valid else [],
        attributes={name: value for name, value in attributes.items() if value is not None},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except Exception as error:
            fail(current, error)
            raise


def current_trace_parent() -> str | None:
    """Return the ``traceparent`` (W3C Trace Context) of the span that runs now, or None."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get(TRACE_PARENT)


def fail(current: Span, error: BaseException) -> None:
    """Mark a span as failed by the kind of its error, whose text may hold values."""
    current.set_attribute("error.type", type(error).__qualname__)
    current.set_status(StatusCode.ERROR)
