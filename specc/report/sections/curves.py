"""Throughput over latency: how each layout trades one for the other."""

from collections.abc import Iterator

from specc.ir.load import planned_workload
from specc.report.charts.latencies import latency_charts
from specc.report.charts.shapes import LineChart
from specc.report.document import Chart, ReportBlock
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture of throughput over latency."""
    lines = tuple(_lines(study))
    if not lines:
        return
    yield Chart(
        id=study.id("curves"),
        title="Throughput over latency",
        alt="Throughput over latency of every layout; the dot is the best batch size",
        note="Along a curve the batch grows. The dot is the best batch size; dotted parts miss a "
        "limit.",
        lines=lines,
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
