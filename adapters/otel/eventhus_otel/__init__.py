"""OpenTelemetry for eventhus: spans, metrics, and traces that go from process to process."""

from eventhus_otel.observer import OtelObserver

__all__ = ["OtelObserver"]
