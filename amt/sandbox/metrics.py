"""What a server of the sandbox counts, in the form of Prometheus."""

from collections.abc import Callable
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from amt.sandbox.judging import Judged

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Bounds of the histogram: from one quick test to many slow ones."""


class Metrics:
    """
    Args:
        running: submissions that have a worker.
        waiting: submissions that have none yet.
        workers_lost: workers that were given up so far.
    """

    def __init__(self, running: Callable[[], int], waiting: Callable[[], int], workers_lost: Callable[[], int]):
        self._registry = CollectorRegistry()
        labelled = {"labelnames": ("language", "outcome"), "registry": self._registry}
        self._submissions = Counter("amt_sandbox_submissions", "Submissions judged; error: could not be.", **labelled)
        self._tests = Counter("amt_sandbox_tests", "Tests run.", ("language",), registry=self._registry)
        self._cpu = Counter("amt_sandbox_cpu_seconds", "CPU time of tests.", ("language",), registry=self._registry)
        self._seconds = Histogram(
            "amt_sandbox_seconds", "Of a submission, from getting a worker to its verdict.",
            ("language",), registry=self._registry, buckets=SECONDS,
        )  # fmt: skip
        self._refused = Counter(
            "amt_sandbox_refused", "Requests without a verdict, by reason.", ("reason",), registry=self._registry
        )
        Gauge("amt_sandbox_running", "Submissions that have a worker.", registry=self._registry).set_function(running)
        Gauge("amt_sandbox_waiting", "Submissions in the queue.", registry=self._registry).set_function(waiting)
        self._registry.register(_WorkersLost(workers_lost))

    def judged(self, judged: Judged, language: str, seconds: float) -> None:
        self._submissions.labels(language, judged.outcome).inc()
        self._tests.labels(language).inc(judged.tests)
        self._cpu.labels(language).inc(judged.cpu_seconds)
        self._seconds.labels(language).observe(seconds)

    def refused(self, reason: Literal["queue_full", "malformed", "other_code", "client_gone"]) -> None:
        self._refused.labels(reason).inc()

    def text(self) -> tuple[bytes, str]:
        """The content of /metrics and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _WorkersLost(Collector):
    def __init__(self, count: Callable[[], int]):
        self._count = count

    def collect(self) -> list[CounterMetricFamily]:
        told = "Workers that died, went silent or could not be cleaned, each replaced by a new one."
        return [CounterMetricFamily("amt_sandbox_workers_lost", told, value=self._count())]
