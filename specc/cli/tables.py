"""Plain tables on standard output."""

import sys
from collections.abc import Sequence
from typing import TextIO

from specc.diagnostics import visible_line


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    texts: int = 1,
    stream: TextIO | None = None,
) -> None:
    """Print rows below a header; the first `texts` columns are texts, the others numbers."""
    header, *rows = [[visible_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if i < texts else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip(), file=stream or sys.stdout)
