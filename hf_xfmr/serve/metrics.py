"""What a server counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one server; seconds and rows."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self.requests = Counter(
            "hf_xfmr_requests", "Requests by path and status of the answer", ("path", "status"), registry=own
        )
        self.seconds = Histogram(
            "hf_xfmr_request_seconds",
            "From a request's last header to its answer's end",
            ("path",),
            buckets=SECONDS,
            registry=own,
        )
        self.waiting = Gauge("hf_xfmr_queue_rows", "Texts that wait to be computed", registry=own)
        self.waited = Histogram("hf_xfmr_queue_seconds", "How long a text waited", buckets=SECONDS, registry=own)
        self.batch = Histogram("hf_xfmr_batch_rows", "Texts computed together", buckets=ROWS, registry=own)
        self.computed = Histogram("hf_xfmr_batch_seconds", "How long a batch took", buckets=SECONDS, registry=own)
        self.rows = Counter("hf_xfmr_rows", "Texts computed", registry=own)
        self.refused = Counter("hf_xfmr_refused", "Requests that found the queue full", registry=own)
        self.cancelled = Counter("hf_xfmr_cancelled", "Requests given up: client gone, or out of time", registry=own)
        self.ready = Gauge("hf_xfmr_ready", "1: the model is loaded", registry=own)

    def text(self) -> bytes:
        return generate_latest(self.registry)
