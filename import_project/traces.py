"""Spans for OpenTelemetry, an extra. Without it, or without a collector that is named, nothing is done here."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from import_project.errors import ConfigError

_tracers: dict[str, Any] = {}


def send_traces(collector: str) -> None:
    """Send spans to a collector (OTLP over HTTP) from now on. Raises ConfigError when the extra is missing."""
    if collector in _tracers:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ConfigError(f"traces need {error.name}", do="pip install 'import_project[traces]'") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "import_project"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces")))
    _tracers[collector] = provider.get_tracer("import_project")  # the provider flushes itself when the process ends


@contextmanager
def span(name: str, run: str, **attributes: str | int | bool) -> Iterator[None]:
    """Trace what is done in the block. All spans of a run are of one trace, whichever process they are made in."""
    if not _tracers:
        yield
        return
    from opentelemetry import trace

    digest = sha256(run.encode()).digest()
    parent = trace.SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    (tracer, *_) = _tracers.values()
    words = {"record_exception": False, "set_status_on_exception": False}  # an error's words may hold customer data
    with tracer.start_as_current_span(name, context=context, attributes={"run": run, **attributes}, **words) as made:
        try:
            yield
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)
            made.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
