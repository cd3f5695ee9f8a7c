"""The variants of a swept study beside each other; stands before the first of them."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from specc.report import format as show
from specc.report.charts.sweep import heat_map, sweep_chart
from specc.report.columns import METRICS, MONEY, columns, of_configuration
from specc.report.document import Chart, Column, Depth, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, sized
from specc.results import StudyResult


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table and the picture of a sweep."""
    if not study.is_variant or not study.is_first:
        return
    table = _table(study.id("sweep-variants"), study.variants)
    yield evolve(table, note=_whole(study)) if len(study.whole) < len(study.variants) else table
    swept = len(study.study.settings)
    drawn = sweep_chart(study.variants) if swept == 1 else None
    if drawn is not None:
        yield Chart(
            id=study.id("sweep"),
            title="Throughput over the swept field",
            alt="Throughput over the swept field",
            lines=(drawn,),
        )
    if swept == 2:
        heat = heat_map(study.variants)
        yield Chart(
            id=study.id("sweep"),
            title=heat.title,
            alt="Throughput over the swept fields",
            heat=heat,
        )


def _whole(study: ReportedStudy) -> str:
    """Say which of many variants the report shows whole."""
    settings = ", ".join(f"{path} = {value}" for path, value in study.study.settings)
    best = "the best of them" if study.best is not None else "the first of them"
    return (
        f"Of these {len(study.variants)} variants the report shows {best} whole: {settings}. The "
        "result file has all of them; to see another one whole, leave it alone in the sweep."
    )


def _table(id_: str, results: Sequence[StudyResult]) -> Table:
    names = [path for path, _ in results[0].study.settings]
    best = [result.best for result in results if result.best is not None]
    cells = columns(of_configuration, (*METRICS, *MONEY), best)
    rows = []
    for result in results:
        values = tuple(value for _, value in result.study.settings)
        own = result.best
        if own is None:
            blanks = ["–"] * (len(cells) + 1)
            # Measured servers have no layout; what they do is simulated.
            found = result.simulations[0].name if result.simulations else NOTHING_FITS
            rows.append(Row((*values, found, *blanks)))
            continue
        where = f"{own.deployment}, {sized(own)}"
        rows.append(Row((*values, where, show.integer(own.devices), *(c.text(own) for c in cells))))
    return Table(
        id=id_,
        depth=Depth.SUMMARY,
        title="Sweep",
        columns=(
            *(Column(name, numeric=False) for name in names),
            Column("Recommended", numeric=False),
            Column("Devices"),
            *(c.column for c in cells),
        ),
        rows=tuple(rows),
    )
