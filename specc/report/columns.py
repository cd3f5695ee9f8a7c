"""Tables from columns: the text of a cell for each row, and the facts that any row has."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve, frozen

from specc.ir import facts
from specc.ir.facts import Fact
from specc.records import Record
from specc.report import format as show
from specc.report.document import Column, Depth, Row, Table
from specc.results import Candidate, Configuration, Statistics

MOST_ROWS = 40  # rows of a table of candidates; the rest is in the result file

# The metrics of a table of configurations, candidates or points, those that any row has.
METRICS = ("rate", "throughput", "throughput_per_device", "ttft", "tpot", "decode_step")
MONEY = ("cost_per_million_tokens", "energy_per_thousand_tokens")
# Tells what a fact is for a row.
Reader = Callable[[Fact, Any], Any]


@frozen(eq=False, repr=False)
class Cells(Record):
    """A column with the text of its cell for each row."""

    column: Column
    text: Callable[[Any], str]


def table(
    id_: str,
    title: str,
    cells: Sequence[Cells],
    rows: Sequence[Any],
    is_best: Callable[[Any], bool] = lambda row: False,
    *,
    note: str = "",
    most: int = MOST_ROWS,
    depth: Depth = Depth.REPORT,
) -> Table:
    """Build a table with a row for each of `rows`, as many as it may have."""
    left_out = len(rows) - most
    if left_out > 0:
        note = f"{note} {left_out} more are in the result file.".strip()
    return Table(
        id=id_,
        depth=depth,
        title=title,
        columns=tuple(c.column for c in cells),
        rows=tuple(Row(tuple(c.text(row) for c in cells), is_best(row)) for row in rows[:most]),
        note=note,
    )


def text(title: str, of: Callable[[Any], str]) -> Cells:
    """Return a column of texts."""
    return Cells(Column(title, numeric=False), of)


def number(title: str, unit: str, of: Callable[[Any], str]) -> Cells:
    """Return a column of numbers."""
    return Cells(Column(title, unit), of)


def detailed(cells: Sequence[Cells]) -> list[Cells]:
    """Return columns that an output with little width leaves out."""
    return [evolve(c, column=evolve(c.column, detail=True)) for c in cells]


def metrics(read: Reader, rows: Sequence[Any], without: Sequence[str] = ()) -> list[Cells]:
    """Return the columns of the metrics that any row has."""
    return columns(read, [name for name in METRICS if name not in without], rows)


def columns(read: Reader, names: Sequence[str], rows: Sequence[Any]) -> list[Cells]:
    """Return the columns of facts, but for those that no row has."""
    cells = []
    for name in names:
        fact = facts.fact(name)
        if any(read(fact, row) is not None for row in rows):
            currency = next((row.currency for row in rows if getattr(row, "currency", "")), "")
            unit = fact.unit.format(currency=currency)
            cells.append(Cells(Column(fact.title, unit, fact.is_number), _cell(read, fact)))
    return cells


def _cell(read: Reader, fact: Fact) -> Callable[[Any], str]:
    def cell(row: Any) -> str:
        value = read(fact, row)
        return "–" if value is None else show.cell(fact.digits, value)

    return cell


def of_configuration(fact: Fact, found: Configuration) -> Any:
    """Return what a fact is for a configuration."""
    return facts.value(fact.configuration, found)


def of_candidate(fact: Fact, candidate: Candidate) -> Any:
    """Return what a fact is for a candidate."""
    return facts.value(fact.instance, candidate.instance)


def milliseconds(value: float | None) -> str:
    """Return a time in ms, or a dash."""
    return "–" if value is None else show.milliseconds(value)


def statistic(found: Statistics | None, name: str) -> str:
    """Return a statistic in ms, or a dash."""
    return milliseconds(None if found is None else getattr(found, name))
