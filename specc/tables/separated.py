"""CSV and TSV: a line of names, then rows of as many cells, quoted where they hold a separator."""

import csv
import io
from collections.abc import Sequence

from specc.tables.error import TableError, in_line
from specc.tables.rows import CellRows


def separated_rows(name: str, text: str, separator: str) -> CellRows:
    """Return the rows of a text whose cells are separated by a character.

    Raises:
        TableError: quotes do not close, or a row has more or fewer cells than the header.
    """
    cells, lines = _records(name, text, separator)
    header, *rows = cells
    wrong = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if wrong is not None:
        raise in_line(
            name,
            lines[wrong + 1],
            f"has not as many cells as line {lines[0]}",
            why=f"it has {len(rows[wrong])}, and there are {len(header)} columns",
        )
    return CellRows(tuple(column.strip() for column in header), lines[1:], rows)


def _records(name: str, text: str, separator: str) -> tuple[list[list[str]], Sequence[int]]:
    """Return the records that are not blank, and the line at which each begins."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        raise TableError(
            name,
            f"line {reader.line_num} of '{name}' is not a {_NAMES[separator]} table: {error}",
            line=reader.line_num,
        ) from None
    if reader.line_num == len(records):
        lines: Sequence[int] = range(1, len(records) + 1)
    else:  # a quoted cell has several lines
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        ends = [0, *(reader.line_num for _ in reader)]
        lines = [end + 1 for end in ends[:-1]]
    if all(records):
        return records, lines
    kept = [i for i, record in enumerate(records) if record]
    if not kept:
        raise TableError(name, f"'{name}' is empty")
    return [records[i] for i in kept], [lines[i] for i in kept]


_NAMES = {",": "CSV", "\t": "TSV"}
