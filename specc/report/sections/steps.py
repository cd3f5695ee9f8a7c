"""A prefill and a decode step of the recommendation, by operator."""

import math
from collections.abc import Iterator

from specc.report import format as show
from specc.report.charts.bars import step_bars
from specc.report.document import Chart, ReportBlock
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield a picture for each kind of step."""
    best = study.best
    if best is None:
        return
    for step in best.steps:
        whole = math.fsum(part.time for part in step.parts)
        yield Chart(
            id=study.id(f"{step.phase}-step"),
            title=f"A {step.phase} step by operator: {show.duration(whole)}",
            alt=f"Time of a {step.phase} step by operator, {step.parts[0].name} first",
            note="In brackets stands what bounds an operator.",
            bars=step_bars(step),
            beside=True,
        )
