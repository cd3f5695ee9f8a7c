"""What is wrong with a table, and where."""

from collections.abc import Iterable
from typing import Any

from specc.diagnostics import Diagnostic, Label, Span, visible_line

_LONGEST = 40  # characters of a cell or of a name that a message repeats
_MOST_NAMES = 12


class TableError(ValueError):
    """A table that cannot be read.

    Attributes:
        file: its name, as the user wrote it.
        line: where the row begins, from 1; None if the whole file is meant.
        column: the name of the column as the file writes it; empty if no one column is meant.
        message: one sentence that names these three.
        why: what stands there.
        help: what to write instead.
    """

    def __init__(
        self,
        file: str,
        message: str,
        *,
        line: int | None = None,
        column: str = "",
        why: str = "",
        help: str = "",
    ) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.why = why
        self.help = help

    def diagnostic(self, code: str, span: Span | None = None, help: str = "") -> Diagnostic:
        """Return it as a diagnostic: at the text that names the file, or without a place.

        `help` is the remedy where the error itself knows none.
        """
        labels = (Label(span),) if span is not None else ()
        return Diagnostic(code, self.message, labels, self.why, self.help or help)


def in_line(file: str, line: int, message: str, why: str = "", help: str = "") -> TableError:
    """Return the error for a row as a whole; the message goes on after the name of the line."""
    return TableError(file, f"line {line} of '{file}' {message}", line=line, why=why, help=help)


def in_cell(file: str, line: int, column: str, expected: str, found: Any) -> TableError:
    """Return the error for a cell that is not what its column holds."""
    return TableError(
        file,
        f"line {line} of '{file}': '{shortened(column)}' is not a {expected}",
        line=line,
        column=column,
        why=f"it is {shown(found)}",
    )


def shown(cell: Any) -> str:
    """Return how a message shows a cell: its kind, or the beginning of its text."""
    match cell:
        case None:
            return "not there"
        case bool():
            return str(cell).lower()
        case list():
            return "a list"
        case dict():
            return "an object"
    text = str(cell)
    return f"'{shortened(text)}'" if text.strip() else "empty"


def shortened(text: str) -> str:
    """Return the beginning of a text, without characters that would move a terminal's cursor."""
    return visible_line(text[:_LONGEST]) + ("…" if len(text) > _LONGEST else "")


def listed(names: Iterable[str]) -> str:
    """Return names of columns in a row, the first of them if there are many."""
    found = [shortened(name) for name in names]
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return ", ".join(found[:_MOST_NAMES]) + more
