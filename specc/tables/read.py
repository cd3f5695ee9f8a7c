"""The reader: from the text of a file to typed columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from specc.tables.cells import Cell, Kind, TextCells
from specc.tables.error import TableError, in_cell, listed, shortened
from specc.tables.formats import format_of
from specc.tables.rows import RawRows
from specc.tables.schema import ColumnSchema, Schema, folded


@frozen(eq=False)
class TypedTable:
    """What was read.

    Attributes:
        name: the file.
        schema: the one of the given schemas that the file follows.
        lines: the line at which each row begins, from 1.
        columns: values by the key of their column in the schema; only columns that are there.
        written: the name that the file gives each of these columns.
    """

    name: str
    schema: Schema
    lines: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    written: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the line of each row, and its values by column."""
        names = list(self.columns)
        for line, values in zip(self.lines, zip(*self.columns.values(), strict=True), strict=True):
            yield line, dict(zip(names, values, strict=True))


def read_table(name: str, text: str, *schemas: Schema) -> TypedTable:
    """Read a table that follows the first schema whose required columns it has.

    Args:
        name: the name of the file; its ending tells the format.
        text: what the file holds, unpacked.
        schemas: at least one.

    Raises:
        TableError: it is no table of its format, has no rows, lacks a column, has one twice, or a
            cell is not what its column holds.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(name, f"line {line} of '{name}' is binary, not text", line=line)
    if not text.strip():
        raise TableError(name, f"'{name}' is empty")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    rows = format_of(name, text)(name, text)
    if not rows.lines:
        raise TableError(name, f"'{name}' has no rows")
    header = _header(name, rows)
    schema = next((schema for schema in schemas if not schema.lacks(header)), None)
    if schema is None:
        raise _lacking(name, rows.header, header, schemas)
    return _typed(name, rows, schema, header)


def _header(name: str, rows: RawRows) -> dict[str, str]:
    """Return the columns by their folded names; columns without a name are none."""
    header: dict[str, str] = {}
    for column in rows.header:
        key = folded(column)
        if key and key in header:
            raise TableError(
                name,
                f"'{name}' has the column '{shortened(column)}' twice",
                line=1,
                column=column,
            )
        if key:
            header[key] = column
    return header


def _lacking(
    name: str, written: Sequence[str], header: Mapping[str, str], schemas: Sequence[Schema]
) -> TableError:
    """Say what the nearest schema needs, and what there is instead."""
    nearest = max(schemas, key=lambda schema: schema.found(header))
    missing = nearest.lacks(header)
    columns = f"column{'s' if len(missing) > 1 else ''} {listed(missing)}"
    others = [s for s in schemas if s is not nearest]
    help_ = "; ".join(f"{s.what} has the columns {listed(s.needs)}" for s in others)
    if len(written) == 1 and ";" in written[0]:
        help_ = "its cells seem to be separated by ';': save it with commas"
    return TableError(
        name,
        f"'{name}' lacks the {columns}; it has {listed(written) or 'none'}",
        column=missing[0],
        why=f"{nearest.what} has the columns {listed(nearest.needs)}",
        help=help_,
    )


def _typed(name: str, rows: RawRows, schema: Schema, header: Mapping[str, str]) -> TypedTable:
    columns: dict[str, Sequence[Any]] = {}
    written: dict[str, str] = {}
    for column in schema.columns:
        found = column.written(header)
        if found is not None:
            written[column.key] = found
            columns[column.key] = _values(name, rows, column, found)
    rest = [title for title in header.values() if title not in written.values()]
    if rest and schema.closed:
        known = listed(column.name for column in schema.columns)
        raise TableError(
            name,
            f"'{name}' has a column '{shortened(rest[0])}' that is not known",
            column=rest[0],
            why=f"{schema.what} has the columns {known}",
        )
    if schema.others is not None:
        for title in rest:
            written[title] = title
            columns[title] = _values(name, rows, ColumnSchema(title, schema.others), title)
    return TypedTable(name, schema, rows.lines, columns, written)


def _values(name: str, rows: RawRows, column: ColumnSchema, title: str) -> Sequence[Any]:
    """Return the values of a column; None where a cell of an optional one is empty or missing."""
    cells = rows.column(title)
    blank = None in cells or "" in cells
    try:
        if not blank:
            return column.kind.many(cells)
    except (ValueError, RecursionError):
        pass
    return [
        None
        if not column.required and (cell is None or cell == "")
        else _value(name, line, column.kind, title, cell)
        for line, cell in zip(rows.lines, cells, strict=True)
    ]


def _value(name: str, line: int, kind: Kind, title: str, cell: Cell) -> Any:
    if cell is None and not isinstance(kind, TextCells):
        raise TableError(
            name,
            f"line {line} of '{name}' lacks '{shortened(title)}'",
            line=line,
            column=title,
        )
    try:
        return kind.one(cell)
    except (ValueError, RecursionError):
        raise in_cell(name, line, title, kind.expected, cell) from None
