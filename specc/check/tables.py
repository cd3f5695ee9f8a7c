"""Tables: a header of column names in any order, and rows whose cells are checked one by one."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import attrs

from specc.check.convert import convert
from specc.check.evaluate import Evaluator
from specc.check.modules import Module
from specc.check.problems import AlreadyReportedError, ProblemError, Problems, problem
from specc.diagnostics import Label, Span, did_you_mean
from specc.ir import LengthBin
from specc.ir.vocabulary import Entry, Node, entries
from specc.syntax import ColumnHeading, Path, TableRow
from specc.syntax.nodes import Cell


def check_rows(
    cls: type[Node],
    rows: list[TableRow],
    block: Span,
    module: Module,
    evaluator: Evaluator,
    problems: Problems,
) -> list[Any]:
    """Check a table whose rows are nodes of a class; return those without problems."""
    if len(rows) < 2:
        needed = [n for n, (a, _) in entries(cls).items() if a.default is attrs.NOTHING]
        what = "bins" if cls is LengthBin else "rows"
        problems.report(
            problem(
                block,
                "E0401",
                f"the table has no {what}",
                help=f"write a header | {' | '.join(needed)} | and at least one row under it",
            )
        )
        return []
    columns = _header(rows[0], cls, problems)
    if columns is None:
        return []
    required = {n for n, (a, _) in entries(cls).items() if a.default is attrs.NOTHING}
    found: list[Any] = []
    for row in rows[1:]:
        values = _row(row, columns, module, required, evaluator, problems)
        if values is not None:
            spans = {
                "": row.span,
                **{name: cell.span for (name, _), cell in zip(columns, row.cells, strict=True)},
            }
            found.append(cls(spans=spans, **values))
    return found


def check_requests(
    rows: list[TableRow], block: Span, module: Module, evaluator: Evaluator, problems: Problems
) -> list[LengthBin]:
    """Check the table of request lengths; return its bins, those without problems."""
    bins: list[LengthBin] = check_rows(LengthBin, rows, block, module, evaluator, problems)
    for first, second in overlaps(bins):
        problems.report(
            problem(
                second.spans["input"],
                "E0414",
                "two bins overlap",
                label="these lengths",
                second=Label(first.spans["input"], "overlap with these"),
                help="a range is half open, so the next may begin where this one ends",
            )
        )
    return bins


def _header(row: TableRow, cls: type[Node], problems: Problems) -> list[tuple[str, Entry]] | None:
    """Return the columns in their order; None if one is unknown, doubled or missing."""
    known = entries(cls)
    columns: list[tuple[str, Entry]] = []
    seen: dict[str, Span] = {}
    failed = False
    for cell in row.cells:
        name = _column_name(cell)
        if name in seen:
            problems.report(
                problem(
                    cell.span,
                    "E0204",
                    f"the column '{cell.span.text}' is given twice",
                    second=Label(seen[name], "first here"),
                )
            )
            failed = True
        elif name not in known:
            shown = [field.replace("_", " ") for field in known]
            problems.report(
                problem(
                    cell.span,
                    "E0202",
                    f"there is no column '{cell.span.text}'",
                    help=did_you_mean(cell.span.text, shown, "column", at=cell.span),
                )
            )
            failed = True
        else:
            seen[name] = cell.span
            columns.append((name, known[name][1]))
    missing = [
        f"'{name}'"
        for name, (attribute, _) in known.items()
        if name not in seen and attribute.default is attrs.NOTHING
    ]
    if missing and not failed:
        problems.report(
            problem(row.span, "E0401", f"the table lacks the column {', '.join(missing)}")
        )
    return None if failed or missing else columns


def _column_name(cell: Cell) -> str:
    words = (
        cell.words
        if isinstance(cell, ColumnHeading)
        else cell.names
        if isinstance(cell, Path)
        else ()
    )
    return "_".join(word.text for word in words)


def _row(
    row: TableRow,
    columns: list[tuple[str, Entry]],
    module: Module,
    required: set[str],
    evaluator: Evaluator,
    problems: Problems,
) -> dict[str, Any] | None:
    if len(row.cells) != len(columns):
        problems.report(
            problem(
                row.span,
                "E0101",
                f"this row has {len(row.cells)} cells, the header {len(columns)}",
            )
        )
        return None
    values: dict[str, Any] = {}
    for cell, (name, entry) in zip(row.cells, columns, strict=True):
        title = name.replace("_", " ")
        try:
            if isinstance(cell, ColumnHeading):
                raise problem(cell.span, "E0301", f"'{title}' takes a value, not words")
            value = evaluator.value(cell, module)
            values[name] = convert(entry.type, value, cell.span, title)
            if values[name] is None and name in required:
                raise problem(cell.span, "E0301", f"'{title}' cannot be 'auto'")
        except ProblemError as error:
            problems.report(error)
        except AlreadyReportedError:
            continue
    return values if len(values) == len(columns) else None


def overlaps(bins: Sequence[LengthBin]) -> list[tuple[LengthBin, LengthBin]]:
    """Return pairs of bins that share prompt lengths and output lengths."""
    return [
        (first, second)
        for first, second in combinations(bins, 2)
        if _meet(first.input, second.input) and _meet(first.output, second.output)
    ]


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return max(a[0], b[0]) < min(a[1], b[1])
