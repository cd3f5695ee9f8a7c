"""Sources and spans: where in which file a piece of text stands."""

import bisect
from typing import NamedTuple

from attrs import field, frozen


@frozen(eq=False)
class Source:
    """The text of an input. `name` is what messages call it, never an absolute path."""

    name: str
    text: str = field(repr=False)
    _line_starts: list[int] = field(init=False, repr=False, factory=list)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset, both counted from 1."""
        if not self._line_starts:
            self._line_starts.append(0)
            self._line_starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line (from 1) without its end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else None].rstrip("\r")


class Span(NamedTuple):
    """The half-open range [start, end) of character offsets in a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line where the span starts, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column where the span starts, from 1."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The text that the span covers."""
        return self.source.text[self.start : self.end]

    def to(self, other: "Span") -> "Span":
        """Return the span from the start of this one to the end of the other."""
        return Span(self.source, self.start, other.end)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"
