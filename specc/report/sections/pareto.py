"""The Pareto frontier: batch sizes that no other beats in every respect."""

from collections.abc import Iterator, Sequence
from typing import Any

from specc.ir.facts import Fact
from specc.report import format as show
from specc.report.charts.latencies import frontier_chart
from specc.report.charts.shapes import LineChart
from specc.report.columns import Cells, metrics, number, table, text
from specc.report.document import Chart, Depth, ReportBlock
from specc.report.study import ReportedStudy
from specc.results import MOST_POINTS, FrontierPoint
from specc.results.curves import CurveRows, frontier


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture of the frontier, if there is more than one point on it."""
    points = study.result.frontier or _of_curves(study)
    if len(points) < 2:
        return
    drawn = _chart(study, points)
    if drawn is not None:
        yield Chart(
            id=study.id("frontier"),
            title="Pareto frontier and the pick",
            alt="Throughput per device over latency: the frontier, other batch sizes, and the pick",
            note="The star is what is recommended, by closed form.",
            lines=(drawn,),
            beside=True,
        )


def points_of(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of the frontier."""
    points = study.result.frontier or _of_curves(study)
    if len(points) < 2:
        return
    labels = {c.instance.task: study.label(c) for c in study.feasible}
    cells = [
        text("Candidate", lambda p: labels[p.task]),
        number("Batch", "", lambda p: show.integer(p.batch)),
        *metrics(_of_point, points, ("rate", "throughput", "decode_step")),
        number("Available", "GiB", lambda p: show.gibibytes(p.available)),
        *_cost(points),
    ]
    criteria = "throughput per device, TTFT, TPOT and free memory"
    if all(p.cost is not None for p in points):
        criteria = "throughput per device, TTFT, TPOT, free memory and cost"
    yield table(
        study.id("pareto"),
        "Pareto frontier",
        cells,
        points,
        note=f"Feasible batch sizes that no other beats in {criteria} at once; at most "
        f"{MOST_POINTS} are shown.",
        depth=Depth.PAGE,
    )


def _chart(study: ReportedStudy, points: Sequence[FrontierPoint]) -> LineChart | None:
    """Draw the frontier over the latency that the study limits, or over TPOT."""
    slo = study.study.workload.common_slo
    metric = "tpot" if any(p.tpot is not None for p in points) else "ttft"
    limit = slo.tpot if metric == "tpot" else slo.ttft
    pick = next((c for c in study.feasible if study.is_recommended(c)), None)
    best = None
    if pick is not None and getattr(pick.point, metric) is not None:
        value, each = getattr(pick.point, metric), pick.point.throughput_per_device
        text_ = f"{study.label(pick)}: {show.rate(each)} tok/s a device, {show.duration(value)}"
        best = (value * 1e3, each, text_)
    if not any(getattr(p, metric) is not None for p in points):
        return None
    return frontier_chart(points, study.drawn, metric, limit, best)


def _of_curves(study: ReportedStudy) -> Sequence[FrontierPoint]:
    """Return the frontier of a result file that has none, but the curves of all candidates."""
    known = [(c.instance, c.curve) for c in study.feasible if c.curve is not None]
    if len(study.phases) != 1 or len(known) < len(study.feasible):
        return ()
    rows = [CurveRows.of(curve) for _, curve in known]
    return frontier(study.study, [instance for instance, _ in known], rows)


def _of_point(fact: Fact, point: FrontierPoint) -> Any:
    return getattr(point, fact.name)


def _cost(points: Sequence[FrontierPoint]) -> list[Cells]:
    """Return the column of costs, if any point has one."""
    currency = next((p.currency for p in points if p.cost is not None), None)
    if currency is None:
        return []
    return [
        number(
            "Cost",
            f"{currency}/Mtok",
            lambda p: "–" if p.cost is None else show.quantity(p.cost),
        )
    ]
