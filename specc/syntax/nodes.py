"""The syntax tree. Every node carries its span; comparisons ignore it."""

from typing import Any

from attrs import field, frozen

from specc.diagnostics import Source, Span
from specc.records import Record


@frozen(eq=False, repr=False)
class SyntaxNode(Record):
    """What all nodes have: the text they came from."""

    span: Span = field(eq=False)


@frozen(eq=False, repr=False)
class Name(SyntaxNode):
    """An identifier."""

    text: str


@frozen(eq=False, repr=False)
class Path(SyntaxNode):
    """Names joined by dots: `chat.slo.tpot`."""

    names: tuple[Name, ...]

    @property
    def text(self) -> str:
        """The path as written, without spaces."""
        return ".".join(name.text for name in self.names)


@frozen(eq=False, repr=False)
class Number(SyntaxNode):
    """A number with its multiplier and unit, as written."""

    text: str


@frozen(eq=False, repr=False)
class String(SyntaxNode):
    """A text in quotes; `value` is without them, escapes resolved."""

    value: str


@frozen(eq=False, repr=False)
class Boolean(SyntaxNode):
    """`true` or `false`."""

    value: bool


@frozen(eq=False, repr=False)
class List(SyntaxNode):
    """`[a, b, c]`."""

    items: tuple["Expression", ...]


@frozen(eq=False, repr=False)
class Range(SyntaxNode):
    """`low .. high`, `low .. high by step`, or `low .. high by *factor` (geometric)."""

    low: "Expression"
    high: "Expression"
    step: "Expression | None"
    geometric: bool


@frozen(eq=False, repr=False)
class Unary(SyntaxNode):
    """`-x` or `not x`."""

    operator: str
    operand: "Expression"


@frozen(eq=False, repr=False)
class Binary(SyntaxNode):
    """`x operator y`; operators are + - * / == != < <= > >= and or."""

    operator: str
    left: "Expression"
    right: "Expression"


@frozen(eq=False, repr=False)
class Argument(SyntaxNode):
    """One argument of a call, with its name if it has one."""

    name: Name | None
    value: "Expression"


@frozen(eq=False, repr=False)
class Call(SyntaxNode):
    """`poisson(12 req/s)`."""

    function: Path
    arguments: tuple[Argument, ...]


@frozen(eq=False, repr=False)
class Given(SyntaxNode):
    """A value that was computed, not written: one step of a sweep over a range."""

    value: Any


@frozen(eq=False, repr=False)
class ColumnHeading(SyntaxNode):
    """Words in a table cell that are no expression: `prefix hit`."""

    words: tuple[Name, ...]


Expression = Path | Number | String | Boolean | List | Range | Unary | Binary | Call | Given
Cell = Expression | ColumnHeading


@frozen(eq=False, repr=False)
class Use(SyntaxNode):
    """`use std.devices`, `use "./common.spec" as common`."""

    target: Path | String
    alias: Name | None


@frozen(eq=False, repr=False)
class Let(SyntaxNode):
    """`let nodes = 2`."""

    name: Name
    value: Expression


@frozen(eq=False, repr=False)
class Block(SyntaxNode):
    """`kind name extends base { body }`. `doc` is the `##` comment above it."""

    kind: Name
    name: Name | None
    base: Path | None
    body: tuple["Statement", ...]
    doc: str = ""

    def texts(self, field: str) -> list[str]:
        """Return what a field of the block lists as texts."""
        return [
            item.value
            for statement in self.body
            if isinstance(statement, Field) and statement.path.text == field
            if isinstance(statement.value, List)
            for item in statement.value.items
            if isinstance(item, String)
        ]


@frozen(eq=False, repr=False)
class Field(SyntaxNode):
    """`path = value`."""

    path: Path
    value: Expression


@frozen(eq=False, repr=False)
class Constraint(SyntaxNode):
    """`ttft.p90 <= 2 s`."""

    path: Path
    operator: str
    bound: Expression


@frozen(eq=False, repr=False)
class TableRow(SyntaxNode):
    """One line of a table."""

    cells: tuple[Cell, ...]


@frozen(eq=False, repr=False)
class Sweep(SyntaxNode):
    """`sweep chat.slo.tpot in [30 ms, 50 ms]`."""

    path: Path
    values: Expression


@frozen(eq=False, repr=False)
class SweepZip(SyntaxNode):
    """`sweep zip { … }`: sweeps that advance together."""

    sweeps: tuple[Sweep, ...]


@frozen(eq=False, repr=False)
class Assertion(SyntaxNode):
    """`assert condition else "why"`: a fact of the spec."""

    condition: Expression
    reason: String | None


@frozen(eq=False, repr=False)
class Expectation(SyntaxNode):
    """`expect condition else "why"`: a fact of the result."""

    condition: Expression
    reason: String | None


Statement = (
    Use | Let | Block | Field | Constraint | TableRow | Sweep | SweepZip | Assertion | Expectation
)


@frozen(eq=False, repr=False)
class File(Record):
    """A parsed file."""

    source: Source = field(eq=False, repr=False)
    statements: tuple[Statement, ...]
