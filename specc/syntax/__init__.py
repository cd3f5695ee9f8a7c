"""Syntax: text → syntax tree with spans. Nothing here knows what a word means.

In: a `Source`. Out: a `File` of nodes and the diagnostics of what could not be parsed; after an
error parsing goes on at the next statement. Read `nodes.py` first, then `parser.py`.
"""

from specc.syntax.library import parse_library
from specc.syntax.nodes import (
    Assertion,
    Binary,
    Block,
    Boolean,
    Call,
    ColumnHeading,
    Constraint,
    Expectation,
    Expression,
    Field,
    File,
    Given,
    Let,
    List,
    Name,
    Number,
    Path,
    Range,
    Statement,
    String,
    Sweep,
    SweepZip,
    TableRow,
    Unary,
    Use,
)
from specc.syntax.parser import parse

__all__ = [
    "Assertion",
    "Binary",
    "Block",
    "Boolean",
    "Call",
    "ColumnHeading",
    "Constraint",
    "Expectation",
    "Expression",
    "Field",
    "File",
    "Given",
    "Let",
    "List",
    "Name",
    "Number",
    "Path",
    "Range",
    "Statement",
    "String",
    "Sweep",
    "SweepZip",
    "TableRow",
    "Unary",
    "Use",
    "parse",
    "parse_library",
]
