"""What requests of each length see, in the best configuration."""

import math
from collections.abc import Iterator

from specc.report import format as show
from specc.report.charts.bars import request_bars
from specc.report.columns import milliseconds
from specc.report.document import Chart, Column, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import BinRow, Configuration


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table and the picture of the lengths, where there are several."""
    best = study.best
    if best is None or len(best.bins) < 2:
        return
    yield _table(study, best)
    yield Chart(
        id=study.id("requests"),
        title="Time of a request, by length",
        alt="Time of a request of each length",
        bars=request_bars(_by_length(best), includes_ttft=study.includes_ttft(best)),
    )


def _by_length(best: Configuration) -> list[BinRow]:
    """Return the bins, the shortest prompts first."""
    return sorted(best.bins, key=lambda row: (row.input, row.output))


def _table(study: ReportedStudy, best: Configuration) -> Table:
    """Show the requests as a whole, and then those of each length."""
    metrics = [n for n in ("ttft", "tpot") if any(getattr(r, n) is not None for r in best.bins)]
    whole = (
        "all",
        "100 %",
        show.integer(sum(row.samples for row in best.bins)),
        *(
            show.tokens(math.fsum(row.share * getattr(row, name) for row in best.bins))
            for name in ("input", "cached", "output")
        ),
        *(milliseconds(getattr(best, name)) for name in metrics),
    )
    each = (
        (
            str(number),
            show.percent(row.share),
            show.integer(row.samples),
            *(show.integer(n) for n in (row.input, row.cached, row.output)),
            *(milliseconds(getattr(row, name)) for name in metrics),
        )
        for number, row in enumerate(_by_length(best), start=1)
    )
    return Table(
        id=study.id("lengths"),
        depth=study.summary,
        title="Latency by request length",
        columns=(
            Column("Length", numeric=False),
            Column("Share"),
            Column(_in_flight(best)),
            Column("Prompt", "tok"),
            Column("Cached", "tok"),
            Column("Output", "tok"),
            *(Column(name.upper(), "ms") for name in metrics),
        ),
        rows=(Row(whole, best=True), *(Row(cells) for cells in each)),
        note=_SIMULATED if best.simulated else _PLANNED,
    )


_SIMULATED = (
    "For the best configuration under its load: means over the requests of a length. In flight is "
    "their mean number, rounded to whole requests."
)
_PLANNED = (
    "For the best configuration. Requests in flight are divided among the lengths by share and "
    "rounded to whole requests."
)


def _in_flight(best: Configuration) -> str:
    """Say of what requests in flight are."""
    if best.instance_count == 1:
        return "In flight"
    return "In flight, whole fleet" if best.simulated else "In flight, an instance"
