"""What bounds the time of a step: arithmetic, memory traffic, links, or launching."""

from collections.abc import Callable, Iterator

from specc.report import format as show
from specc.report.charts.bars import BOUNDS, share_bars
from specc.report.columns import number, table, text
from specc.report.document import Chart, Depth, ReportBlock
from specc.report.study import ReportedStudy
from specc.results import Candidate

_PHASES = ("prefill", "decode")


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield a picture for each phase, and the table of all."""
    for phase in _PHASES:
        own = [c for c in study.drawn if getattr(c.point, phase)]
        if own:
            yield Chart(
                id=study.id(f"{phase}-bounds"),
                depth=Depth.PAGE,
                title=f"What bounds {phase}",
                alt=f"What bounds {phase}",
                bars=share_bars([(study.label(c), c) for c in own], phase),
                beside=True,
            )
    phases = [p for p in _PHASES if any(getattr(c.point, p) for c in study.feasible)]
    if phases:
        yield table(
            study.id("bounds"),
            "What bounds the time of a step",
            [
                text("Candidate", study.label),
                *(number(name, phase, _share(phase, name)) for phase in phases for name in BOUNDS),
            ],
            study.feasible,
            depth=Depth.PAGE,
            note="Shares of a step's time by what bounds its operators: arithmetic, memory "
            "traffic, links, or the fixed time to launch them.",
        )


def _share(phase: str, name: str) -> Callable[[Candidate], str]:
    def cell(candidate: Candidate) -> str:
        shares = getattr(candidate.point, phase)
        return "–" if shares is None else show.percent(getattr(shares, name))

    return cell
