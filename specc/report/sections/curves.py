"""Throughput over latency: how each layout trades one for the other."""

from collections.abc import Iterator

from specc.ir.load import planned_workload
from specc.report.charts.latencies import concurrency_charts, latency_charts
from specc.report.charts.shapes import LineChart
from specc.report.document import Chart, Depth, ReportBlock
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture of throughput over latency."""
    lines = tuple(_lines(study))
    if not lines:
        return
    yield Chart(
        id=study.id("curves"),
        title="Throughput over latency",
        alt="Throughput over latency of every layout; the star is the best batch size",
        note="Along a curve the batch grows. The star is the best batch size; faint parts miss a "
        "limit.",
        lines=lines,
    )


def over_flight(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture over the requests in flight, of the layouts of what is recommended."""
    best = study.best
    if best is None or len(study.phases) != 1:
        return
    own = [c for c in study.drawn if c.deployment == best.deployment]
    slo = planned_workload(study.study, study.study.deployment(best.deployment)).slo
    yield Chart(
        id=study.id("concurrency"),
        depth=Depth.PAGE,
        title="Throughput and latencies over requests in flight",
        alt="Throughput and latencies over requests in flight, with the limits",
        note="By closed form, of one instance. Faint parts miss a limit.",
        lines=tuple(concurrency_charts(own, (("ttft", slo.ttft), ("tpot", slo.tpot)))),
    )


def _lines(study: ReportedStudy) -> Iterator[LineChart]:
    if not study.drawn:
        return
    slo = planned_workload(study.study, study.study.deployments[0]).slo
    for phase in dict.fromkeys(c.phase for c in study.drawn):
        own = [c for c in study.drawn if c.phase == phase]
        alone = slo.ttft is not None and slo.tpot is None
        by_ttft = any(c.point.tpot is None for c in own) or (phase == "whole" and alone)
        metric, title, limit = ("ttft", "TTFT", slo.ttft) if by_ttft else ("tpot", "TPOT", slo.tpot)
        named = "" if phase == "whole" else f", {phase}"
        yield from latency_charts(own, metric, title, limit, named)
