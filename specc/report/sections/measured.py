"""What load tests measured of a configuration, beside what was predicted of the same load."""

from collections.abc import Iterator, Sequence

from specc.report.document import Column, Depth, Heading, Note, ReportBlock, Row, Table, Text
from specc.report.words import capital
from specc.results import Comparison, Looks

_FIGURES = (
    ("TTFT", "ttft", "ms", 1e3),
    ("TPOT", "tpot", "ms", 1e3),
    ("ITL", "itl", "ms", 1e3),
    ("latency", "latency", "s", 1.0),
    ("throughput", "throughput", "tok/s", 1.0),
    ("requests", "rate", "req/s", 1.0),
)
_STATISTICS = ("mean", "p50", "p99")


def blocks(comparisons: Sequence[Comparison]) -> Iterator[ReportBlock]:
    """Yield a chapter with a table for each run; nothing where nothing was measured."""
    if not comparisons:
        return
    yield Heading(id="measured", text="Measured", level=2)
    for number, found in enumerate(comparisons, 1):
        yield from _run(found, f"measured-{number}")


def _run(found: Comparison, id_: str) -> Iterator[ReportBlock]:
    yield Text(id=f"{id_}-load", text=_sentence(found), lead=True)
    yield Table(
        id=id_,
        depth=Depth.SUMMARY,
        title=f"Measured and predicted: {found.load}",
        columns=(
            Column("Figure", numeric=False),
            Column("Unit", numeric=False),
            *(Column(name) for name in ("Measured", "Predicted", "p10", "p90", "Difference")),
            Column("Interval", numeric=False),
        ),
        rows=tuple(Row(cells) for cells in figures(found)),
        note="The prediction simulates the same load as the test. p10 to p90 holds eight of ten "
        "such runs.",
    )
    for place, look in enumerate(found.looks, 1):
        yield Text(id=f"{id_}-look-{place}", text=_text(look))
    if found.memory:
        yield Table(
            id=f"{id_}-memory",
            title="Memory by the log of the start",
            columns=(
                Column("Figure", numeric=False),
                Column("Unit", numeric=False),
                Column("Log"),
                Column("specc"),
            ),
            rows=tuple(
                Row((one.name, one.unit, shown(one.logged), shown(one.predicted)))
                for one in found.memory
            ),
        )
    for place, note in enumerate(found.notes, 1):
        yield Note(id=f"{id_}-note-{place}", text=f"{capital(note)}.")


def _sentence(found: Comparison) -> str:
    tool = " ".join(filter(None, (found.tool, found.version, found.name)))
    failed = "an unknown number" if found.failed is None else f"{found.failed:,}"
    verdict = {
        "inside": "The means of TTFT, TPOT and throughput lie inside of their intervals.",
        "outside": "At least one mean of TTFT, TPOT and throughput lies outside of its interval.",
        "": "",
    }[found.verdict]
    return (
        f"{tool}, {found.load}, {found.duration:,.4g} s: {found.requests:,} requests of "
        f"{found.input:,.4g} prompt and {found.output:,.4g} output tokens succeeded, {failed} "
        f"failed. {verdict}"
    ).rstrip()


def _text(look: Looks) -> str:
    return f"The difference looks like {look.kind}: {look.why}. To try: {look.remedy}."


def figures(found: Comparison) -> list[tuple[str, ...]]:
    """Return the rows of a comparison: measured, predicted, p10, p90, difference, interval."""
    rows = []
    for title, metric, unit, scale in _FIGURES:
        for statistic in _STATISTICS:
            measured = found.measured.get(metric, {}).get(statistic)
            predicted = found.predicted.get(metric, {}).get(statistic)
            if measured is None and predicted is None:
                continue
            ends = found.interval.get(metric, {}).get(statistic, (None, None))
            inside = found.inside(metric, statistic)
            rows.append(
                (
                    title if metric in ("throughput", "rate") else f"{title} {statistic}",
                    unit,
                    *(shown(value, scale) for value in (measured, predicted, *ends)),
                    _difference(measured, predicted),
                    "–" if inside is None else "inside" if inside else "outside",
                )
            )
    return rows


def shown(value: float | None, scale: float = 1.0) -> str:
    """Return a figure in four digits; a dash where it is not known."""
    if value is None:
        return "–"
    scaled = value * scale
    return f"{scaled:,.0f}" if scaled >= 1000 else f"{scaled:.4g}"


def _difference(measured: float | None, predicted: float | None) -> str:
    if measured is None or not predicted:
        return "–"
    return f"{100 * (measured / predicted - 1):+.1f} %"
