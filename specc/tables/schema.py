"""What a table holds: its columns, under the names that tools give them."""

from collections.abc import Iterable, Mapping

from attrs import Factory, field, frozen

from specc.records import Record
from specc.tables.cells import Kind, TextCells


@frozen(eq=False, repr=False)
class ColumnSchema(Record):
    """A column.

    Attributes:
        name: what a file calls it.
        kind: what its cells hold.
        names: other names that a file may give it; the first that is there counts.
        required: whether every row needs it; a cell of an optional column may be empty.
        key: what the program calls it, if that is another name.
    """

    name: str
    kind: Kind = TextCells()
    names: tuple[str, ...] = ()
    required: bool = True
    key: str = field(default=Factory(lambda self: self.name, takes_self=True))

    def written(self, header: Mapping[str, str]) -> str | None:
        """Return the name that a file gives the column, of its names by their folded form."""
        return next(
            (header[folded(n)] for n in (self.name, *self.names) if folded(n) in header), None
        )


@frozen(eq=False, repr=False)
class Schema(Record):
    """A kind of table.

    Attributes:
        what: what it is, as a message says it: "a trace".
        columns: those that count.
        others: what other columns hold, which are kept under their own names; None leaves them out.
        closed: whether other columns are an error, as they may be misspelt ones.
    """

    what: str
    columns: tuple[ColumnSchema, ...]
    others: Kind | None = None
    closed: bool = False

    def lacks(self, header: Mapping[str, str]) -> list[str]:
        """Return the names of required columns that a header does not have."""
        return [c.name for c in self.columns if c.required and c.written(header) is None]

    def found(self, header: Mapping[str, str]) -> int:
        """Return how many of the columns a header has."""
        return sum(c.written(header) is not None for c in self.columns)

    @property
    def needs(self) -> Iterable[str]:
        """The names of the required columns."""
        return (column.name for column in self.columns if column.required)


def folded(name: str) -> str:
    """Return the form in which names of columns are compared: `prefix hit` is `prefix_hit`."""
    return "_".join(name.split())
