"""Tables in files: `rows_from("steps.csv")` gives a table the rows that a block would write down.

The columns are those of the table, the cells are written as in a spec: `25 ms`, `2Ki .. 8Ki`.
"""

from typing import Any

import attrs

from specc.check.convert import convert
from specc.check.evaluate import Called, Interval, Symbol, Value
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span
from specc.ir.vocabulary import BooleanType, ChoiceType, FieldType, Node, TextType, entries
from specc.syntax import Name, Path
from specc.tables import ColumnSchema, Schema, TableError, TypedTable, read_table
from specc.units import NumberError, UnknownUnitError, parse_quantity
from specc.workspace import UnreadableError, Workspace

LARGEST_TABLE_BYTES = 256 * 2**20


def rows_from(cls: type[Node], call: Called, workspace: Workspace, field: str) -> tuple[Any, ...]:
    """Return the rows of the file that a call of `rows_from` names.

    Raises:
        ProblemError: the file cannot be read, or does not hold such rows.
    """
    name, text = text_of(call, workspace)
    span = call.arguments["file"][1]
    return nodes_of(cls, table_of(name, text, span, node_schema(cls, f"the table '{field}'")), span)


def text_of(call: Called, workspace: Workspace) -> tuple[str, str]:
    """Return the name and the text of the file that a call names.

    Raises:
        ProblemError: the call names none, or it cannot be read.
    """
    if "file" not in call.arguments:
        raise problem(call.span, "E0401", f"'{call.function}' lacks the name of a file")
    value, span = call.arguments["file"]
    name: str = convert(TextType(), value, span, "file")
    try:
        path = workspace.folder_of(call.span.source) / name
        return name, workspace.read(path, span, LARGEST_TABLE_BYTES, unpack=True).text
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None


def table_of(name: str, text: str, span: Span, *schemas: Schema) -> TypedTable:
    """Read a table; what is wrong with it is said at the text that names the file.

    Raises:
        ProblemError: it follows none of the schemas.
    """
    try:
        return read_table(name, text, *schemas)
    except TableError as error:
        raise ProblemError(error.diagnostic("E0004", span)) from None


def node_schema(cls: type[Node], what: str) -> Schema:
    """Return the schema of a table whose rows are nodes of a class."""
    columns = tuple(
        ColumnSchema(name, required=attribute.default is attrs.NOTHING)
        for name, (attribute, _) in entries(cls).items()
    )
    return Schema(what, columns, closed=True)


def nodes_of(cls: type[Node], table: TypedTable, span: Span) -> tuple[Any, ...]:
    """Return a node for each row of a table.

    Raises:
        ProblemError: a cell does not fit its column.
    """
    known = entries(cls)
    nodes = []
    for line, cells in table.rows():
        values = {
            key: _value(known[key][1].type, cell, span, f"{key} of line {line} of {table.name}")
            for key, cell in cells.items()
            if cell is not None
        }
        nodes.append(cls(spans=dict.fromkeys(["", *values], span), **values))
    return tuple(nodes)


def _value(type_: FieldType, text: str, span: Span, what: str) -> Any:
    if isinstance(type_, TextType):
        return text
    converted = convert(type_, _evaluated(type_, text.strip(), span, what), span, what)
    if converted is None:
        raise _unclear(text, span, what)
    return converted


def _evaluated(type_: FieldType, text: str, span: Span, what: str) -> Value:
    """Return what a cell means where no expression is calculated."""
    if isinstance(type_, ChoiceType):
        return Symbol(Path(span, (Name(span, text),)))
    if isinstance(type_, BooleanType) and text in ("true", "false"):
        return text == "true"
    try:
        ends = [parse_quantity(part.strip()) for part in text.split("..")]
    except (UnknownUnitError, NumberError):
        raise _unclear(text, span, what) from None
    if len(ends) > 2:
        raise _unclear(text, span, what)
    return ends[0] if len(ends) == 1 else Interval(ends[0], ends[1], None, False)


def _unclear(text: str, span: Span, what: str) -> ProblemError:
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return problem(
        span,
        "E0004",
        f"{what} is not understood",
        why=f"it is '{shown}'" if shown else "it is empty",
        help="write it as in a spec: 25 ms, 60%, 2Ki .. 8Ki",
    )
