"""Reads tables: CSV, TSV, JSON lines, lists of JSON objects and rows of YAML, by a schema.

In: the name and the text of a file, and the schemas it may follow. Out: a `TypedTable`, columns of
values with the line of every row, or a `TableError` that names file, line and column and says what
stands there. Read `schema.py` for how a table is declared, `read.py` for the reading; `cells.py`
has the kinds of cells, and the other files one format each.
"""

from specc.tables.cells import Cell, Date, Kind, Real, TextCells, Whole, Wholes
from specc.tables.error import TableError
from specc.tables.read import TypedTable, read_table
from specc.tables.schema import ColumnSchema, Schema

__all__ = [
    "Cell",
    "ColumnSchema",
    "Date",
    "Kind",
    "Real",
    "Schema",
    "TableError",
    "TextCells",
    "TypedTable",
    "Whole",
    "Wholes",
    "read_table",
]
