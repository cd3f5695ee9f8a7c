"""The throughput of the best configuration over the fields that a study sweeps."""

from collections.abc import Sequence

from specc.report import format as show
from specc.report.charts.plot import Line, plotted
from specc.report.charts.shapes import HeatCell, HeatMap, LineChart
from specc.report.words import NOTHING_FITS
from specc.results import StudyResult
from specc.units import UNITS, NumberError, Quantity, UnknownUnitError, parse_quantity


def sweep_chart(results: Sequence[StudyResult]) -> LineChart | None:
    """Draw the best throughput of each deployment over the one field that a study sweeps."""
    path = results[0].study.settings[0][0]
    texts = [result.study.settings[0][1] for result in results]
    numbers = [_number_of(text, texts[0]) for text in texts]
    if any(number is None for number in numbers) or len(set(numbers)) < 2:
        return None
    known = [number for number in numbers if number is not None]
    points: dict[str, list[tuple[float, float]]] = {}
    for number, result in zip(known, results, strict=True):
        for deployment in result.study.deployments:
            best = result.best_of(deployment.name)
            if best is not None:
                points.setdefault(deployment.name, []).append((number, best.throughput))
    if not points:
        return None
    unit = _unit_of(results[0].study.settings[0][1])
    lines = []
    for name, own in points.items():
        own.sort()
        lines.append(Line(name, [x for x, _ in own], [y for _, y in own]))
    title = f"{path} ({unit})" if unit else path
    return plotted(("", title, "Throughput (tok/s)"), lines)


def heat_map(results: Sequence[StudyResult]) -> HeatMap:
    """Draw the best throughput over the two fields that a study sweeps."""
    (y_path, _), (x_path, _) = results[0].study.settings
    columns = list(dict.fromkeys(r.study.settings[1][1] for r in results))
    rows = list(dict.fromkeys(r.study.settings[0][1] for r in results))
    best = {(r.study.settings[0][1], r.study.settings[1][1]): r.best for r in results}
    most = max((a.throughput for a in best.values() if a is not None), default=1.0)

    def cell(row: str, column: str) -> HeatCell:
        found = best.get((row, column))
        if found is None:
            return HeatCell("–", NOTHING_FITS, 0.0)
        return HeatCell(
            show.rate(found.throughput),
            f"{found.deployment}, {found.layout}",
            round(found.throughput / most, 3),
        )

    return HeatMap(
        "Throughput of the best configuration (tok/s)",
        x_path,
        y_path,
        tuple(columns),
        tuple((row, tuple(cell(row, column) for column in columns)) for row in rows),
    )


def _number_of(text: str, first: str) -> float | None:
    """Return a quantity as a number of the unit in which the first one is written."""
    try:
        quantity, unit = parse_quantity(text), parse_quantity(first)
    except (UnknownUnitError, NumberError):
        return None
    return float(quantity.value) / _scale_of(unit)


def _scale_of(quantity: Quantity) -> float:
    return float(UNITS[quantity.unit].scale) if quantity.unit in UNITS else 1.0


def _unit_of(text: str) -> str:
    return parse_quantity(text).unit
