"""What runs in the steps of a batch."""

import math
from collections.abc import Sequence

from specc.report.charts.plot import Line, plotted
from specc.report.charts.shapes import LineChart
from specc.results import Timeline

MOST_RUNS = 300  # runs of steps in a timeline


def timeline_charts(timeline: Timeline) -> list[LineChart]:
    """Draw what ran in each step: prompt tokens, sequences that decode, tokens in the cache."""
    drawn = (
        ("Prompt tokens in a step", "Tokens", timeline.prefilled),
        ("Sequences that decode", "Sequences", timeline.decoding),
        ("Tokens in the KV cache", "Tokens", timeline.cached),
    )
    charts = []
    for title, unit, values in drawn:
        x: list[float] = []
        y: list[float] = []
        for start, end, value in _thinned(timeline, values):
            x += [start, end]
            y += [value, value]
        charts.append(plotted((title, "Time since arrival (s)", unit), [Line("", x, y)]))
    return charts


def _thinned(timeline: Timeline, values: Sequence[int]) -> list[tuple[float, float, float]]:
    """Return runs of steps as (start, end, mean value), not more than a picture shows."""
    runs: list[tuple[float, float, float]] = list(
        zip(timeline.start, timeline.end, values, strict=True)
    )
    if len(runs) <= MOST_RUNS:
        return runs
    width = timeline.end[-1] / MOST_RUNS
    slots: dict[int, list[tuple[float, float, float]]] = {}
    for run in runs:
        slots.setdefault(int(run[0] / width), []).append(run)
    return [
        (
            own[0][0],
            own[-1][1],
            math.fsum((end - start) * value for start, end, value in own)
            / math.fsum(end - start for start, end, _ in own),
        )
        for own in slots.values()
    ]
