"""What sends spans to a collector, where tracing is on (``services.runtime.tracing``)."""

import os

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from services.runtime.settings import Settings

HIDDEN = "(hidden)"


class _WithoutAddress(SpanProcessor):
    """Hide what FastAPI writes of a request's address: its path names cases, its query is what somebody looks for."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for name in ("url.path", "url.query"):
            if span.attributes is not None and name in span.attributes:
                span.set_attribute(name, HIDDEN)


def start(settings: Settings, endpoint: str) -> TracerProvider:
    """Send the spans of this process to ``endpoint`` from now on; the caller shuts the provider down."""
    provider = new_provider(settings.tracing.sampled)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider


def new_provider(sampled: float = 1.0) -> TracerProvider:
    """Return a provider that sends nothing yet; a trace that was begun elsewhere is sampled as it was there."""
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(sampled)),
        resource=Resource.create({} if os.environ.get(OTEL_SERVICE_NAME) else {"service.name": "footage-desk"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(_WithoutAddress())
    return provider
