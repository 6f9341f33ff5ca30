"""The control plane's state as Prometheus metrics, read from the database when asked.

Nothing is counted in a process: every web worker gives the same answer, and none forgets
anything when it is restarted. A handful of indexed queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from etl.replicate.status import Standing
from lakehouse_admin.models import Alert, Pipeline, PipelineRun, TableResult, TableState
from lakehouse_admin.models.alert import UNRESOLVED
from lakehouse_admin.models.pipeline import MAINTENANCE_KEY
from lakehouse_admin.states import AlertRule, Health, Reconciliation, RunState, TablePhase
from lakehouse_admin.status.follower import Follower, follower_now
from lakehouse_admin.status.overview import Overview, overview
from lakehouse_admin.status.replication import ABSENT, Replication


def exposition(*, now: datetime, replication: Replication = ABSENT) -> bytes:
    """Return the metrics in Prometheus's text format, version 0.0.4.

    Args:
        now: The time (UTC).
        replication: What the replicator says of itself.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ControlPlane(now, replication))
    return generate_latest(registry)


class _ControlPlane(Collector):
    """Every pipeline as it is at one moment."""

    def __init__(self, now: datetime, replication: Replication) -> None:
        self._now = now
        self._replication = replication

    def collect(self) -> Iterator[Metric]:
        """Yield the families, each with a sample a pipeline."""
        seen = [
            (pipeline.key, overview(pipeline, now=self._now, replication=self._replication))
            for pipeline in Pipeline.objects.exclude(key=MAINTENANCE_KEY).order_by("key")
        ]
        yield from _health(seen)
        yield from _publications(seen)
        yield from _runs()
        yield from _newest_runs(seen)
        yield from _replication(self._replication)
        yield from _follower(follower_now(now=self._now))
        yield from _tables()
        yield from _alerts()


def _health(seen: list[tuple[str, Overview]]) -> Iterator[Metric]:
    health = GaugeMetricFamily(
        "lakeside_pipeline_health",
        "1 for the health that the pipeline has, 0 for the others.",
        labels=["pipeline", "health"],
    )
    for key, found in seen:
        for each in Health:
            health.add_metric([key, each.value], float(found.health is each))
    yield health


def _publications(seen: list[tuple[str, Overview]]) -> Iterator[Metric]:
    number = GaugeMetricFamily(
        "lakeside_publication_number", "Number of the publication that readers see.", labels=["pipeline"]
    )
    age = GaugeMetricFamily(
        "lakeside_freshness_seconds", "Age of the newest data that readers see, in seconds.", labels=["pipeline"]
    )
    for key, found in seen:
        if found.publication is not None and found.freshness_seconds is not None:
            number.add_metric([key], found.publication.number)
            age.add_metric([key], found.freshness_seconds)
    yield number
    yield age


def _runs() -> Iterator[Metric]:
    runs = CounterMetricFamily("lakeside_runs", "Runs by the state they are in.", labels=["pipeline", "state"])
    counted = PipelineRun.objects.order_by().values_list("pipeline__key", "state").annotate(Count("pk"))
    for key, state, count in sorted(counted):
        runs.add_metric([key, state], count)
    yield runs


def _newest_runs(seen: list[tuple[str, Overview]]) -> Iterator[Metric]:
    """Tell how long the stages of the newest successful run took, and what it found in each table."""
    stages = GaugeMetricFamily(
        "lakeside_stage_seconds",
        "Seconds that a stage of the newest successful run took.",
        labels=["pipeline", "stage"],
    )
    rows = GaugeMetricFamily(
        "lakeside_table_rows", "Rows in silver after the newest successful run.", labels=["pipeline", "table"]
    )
    rejects = GaugeMetricFamily(
        "lakeside_table_rejected_rows",
        "Rows that the newest successful run put into quarantine.",
        labels=["pipeline", "table"],
    )
    different = GaugeMetricFamily(
        "lakeside_table_different",
        "1 if the newest run found silver different from the source.",
        labels=["pipeline", "table"],
    )
    for key, found in seen:
        newest = next((run for run in found.runs if run.state == RunState.SUCCEEDED), None)
        if newest is not None:
            for attempt in newest.stage_runs.all():
                if attempt.started_at and attempt.finished_at:
                    stages.add_metric([key, attempt.stage], (attempt.finished_at - attempt.started_at).total_seconds())
            for result in newest.table_results.all():
                rows.add_metric([key, result.table], result.silver_rows or 0)
                rejects.add_metric([key, result.table], result.rejected_rows or 0)
        if found.runs:
            for result in TableResult.objects.filter(run=found.runs[0]):
                different.add_metric([key, result.table], float(result.reconciliation == Reconciliation.DIFFERENT))
    yield stages
    yield rows
    yield rejects
    yield different


def _replication(replication: Replication) -> Iterator[Metric]:
    standing = GaugeMetricFamily(
        "lakeside_replicator_standing",
        "1 for how the replicator stands, 0 for the others.",
        labels=["standing"],
    )
    for each in Standing:
        standing.add_metric([each.value], float(replication.standing is each))
    yield standing
    if replication.standing is not Standing.ABSENT:
        yield GaugeMetricFamily(
            "lakeside_replication_lag_bytes",
            "Bytes of the source's log that are not durable in bronze yet.",
            value=replication.lag_bytes,
        )
    if replication.log_left_bytes is not None:
        yield GaugeMetricFamily(
            "lakeside_replication_slot_left_bytes",
            "Bytes that the source may still write before it gives up the slot.",
            value=replication.log_left_bytes,
        )


def _follower(follower: Follower) -> Iterator[Metric]:
    standing = GaugeMetricFamily(
        "lakeside_follower_standing", "1 for how the follower stands, 0 for the others.", labels=["standing"]
    )
    for each in Standing:
        standing.add_metric([each.value], float(follower.standing is each))
    yield standing
    if follower.standing is not Standing.ABSENT:
        yield GaugeMetricFamily(
            "lakeside_follower_lag_bytes",
            "Bytes of the source's log in bronze that are not published yet.",
            value=follower.lag_bytes,
        )
        yield GaugeMetricFamily(
            "lakeside_follower_failed_models",
            "Gold models of which readers see an older version, because the newer one failed.",
            value=len(follower.failed_models),
        )


def _tables() -> Iterator[Metric]:
    tables = GaugeMetricFamily("lakeside_tables", "Source tables by the state they are in.", labels=["state"])
    counted = dict(TableState.objects.order_by().values_list("state").annotate(Count("pk")))
    for phase in TablePhase:
        tables.add_metric([phase.value], counted.get(phase.value, 0))
    yield tables


def _alerts() -> Iterator[Metric]:
    alerts = GaugeMetricFamily("lakeside_alerts", "Alerts that are not resolved, by their rule.", labels=["rule"])
    unresolved = Alert.objects.filter(state__in=UNRESOLVED).order_by()
    counted = dict(unresolved.values_list("rule").annotate(Count("pk")))
    for rule in AlertRule:
        alerts.add_metric([rule.value], counted.get(rule.value, 0))
    yield alerts
