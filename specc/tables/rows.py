"""Rows as a format hands them over, before a schema gives them a meaning."""

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

from attrs import field, frozen

from specc.tables.cells import Cell


class RawRows(Protocol):
    """The rows of a file.

    Attributes:
        header: the names of the columns, as written, in their order.
        lines: the line at which each row begins, from 1.
    """

    @property
    def header(self) -> Sequence[str]:
        """The names of the columns."""

    @property
    def lines(self) -> Sequence[int]:
        """The line of each row."""

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column, None where a row has none."""


@frozen(eq=False)
class CellRows:
    """Rows of as many cells as the header has names."""

    header: tuple[str, ...]
    lines: Sequence[int]
    cells: list[list[str]]

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column."""
        place = self.header.index(name)
        return [row[place] for row in self.cells]


@frozen(eq=False)
class ObjectRows:
    """Rows that name their cells; each may have others."""

    lines: Sequence[int]
    objects: list[dict[str, Cell]]
    header: tuple[str, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        names = tuple(dict.fromkeys(chain.from_iterable(self.objects)))
        object.__setattr__(self, "header", names)

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column."""
        return [row.get(name) for row in self.objects]
