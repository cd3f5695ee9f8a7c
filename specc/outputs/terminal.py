"""The terminal: the blocks of a document that are a summary."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from specc.diagnostics import visible
from specc.outputs.material import Material
from specc.report.document import (
    Depth,
    Figure,
    Figures,
    Heading,
    Note,
    Remarks,
    ReportBlock,
    Table,
    Text,
)

if TYPE_CHECKING:
    import rich.text
    from rich.console import RenderableType

WIDEST_TABLE = 200
MOST_ROWS = 20
_NARROW = str.maketrans("", "", "·×≤≥±–…→≈")  # what reports use beside ASCII, of usual width


class _Paragraph(NamedTuple):
    text: str = ""
    style: str = ""


class _Grid(NamedTuple):
    """A table, as texts: titles have their unit in a second line."""

    title: str
    heads: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    best: list[bool]


def write(material: Material) -> str:
    """Return the summary of a report."""
    return shown(material.document.blocks)


def shown(blocks: Iterable[ReportBlock]) -> str:
    """Return blocks as a terminal shows them, coloured if standard output is one."""
    parts = [part for block in blocks if block.depth <= Depth.SUMMARY for part in _parts(block)]
    plain = None if _may_be_styled() else _plain(parts)
    return _styled(parts) if plain is None else plain


def _parts(block: ReportBlock) -> Iterator[_Paragraph | _Grid]:
    if isinstance(block, Heading):
        yield _Paragraph()
        yield _Paragraph(visible(block.text), "bold")
    elif isinstance(block, Text):
        yield _Paragraph(visible(block.text), "dim")
    elif isinstance(block, Note):
        yield _Paragraph(visible(block.text), "bold red")
    elif isinstance(block, Figures):
        yield _Paragraph(visible(block.headline), "bold green" if block.good else "bold red")
        yield from _figures(block.figures)
        for finding in block.findings:
            yield _Paragraph(visible(f"{finding.title}: {finding.text}"))
    elif isinstance(block, Remarks):
        yield _Paragraph()
        yield _Paragraph(visible(block.title), "bold")
        for remark in block.remarks:
            yield _Paragraph(visible(remark))
    elif isinstance(block, Table) and block.rows:
        yield _Paragraph()
        yield _grid(block)
        left_out = 0 if block.whole else len(block.rows) - MOST_ROWS
        more = f"{left_out} more rows are in the report." if left_out > 0 else ""
        if more or block.note:
            yield _Paragraph(visible(f"{more} {block.note}".strip()), "dim")


def _figures(figures: Iterable[Figure]) -> Iterator[_Paragraph]:
    """Yield a line for each figure, their parts below each other."""
    rows = [
        (
            figure.title,
            " ".join(
                filter(None, (figure.value, figure.unit, figure.limit and f"of {figure.limit}"))
            ),
            figure.probability and f"likely to hold: {figure.probability}",
            figure.interval and f"8 of 10: {figure.interval}",
            figure.note,
        )
        for figure in figures
    ]
    shown = [[visible(text or "") for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True) if width]
        yield _Paragraph("  " + "   ".join(cells).rstrip())


def _grid(table: Table) -> _Grid:
    places = [place for place, column in enumerate(table.columns) if not column.detail]
    columns = [table.columns[place] for place in places]
    rows = table.rows if table.whole else table.rows[:MOST_ROWS]
    has_units = any(column.unit for column in columns)
    return _Grid(
        visible(table.title),
        [
            visible(f"{column.title}\n{column.unit}" if has_units else column.title)
            for column in columns
        ],
        [column.numeric for column in columns],
        [[visible(row.cells[place]) for place in places] for row in rows],
        [row.best for row in rows],
    )


def _may_be_styled() -> bool:
    """Tell whether rich has to look at standard output; importing it takes 15 ms."""
    asked = any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return asked or sys.stdout.isatty() or not str(sys.stdout.encoding).lower().startswith("utf")


def _plain(parts: list[_Paragraph | _Grid]) -> str | None:
    """Return what rich prints into a file; None if it has to measure or to wrap something."""
    lines: list[str] = []
    for part in parts:
        if isinstance(part, _Grid):
            grid = _plain_grid(part)
            if grid is None:
                return None
            lines += grid
        elif not part.text.isprintable():
            return None
        else:
            lines.append(part.text)
    return "".join(f"{line}\n" for line in lines)


def _plain_grid(grid: _Grid) -> list[str] | None:
    heads = [head.split("\n") for head in grid.heads]
    texts = [grid.title, *(text for cells in (*heads, *grid.rows) for text in cells)]
    of_head = max(map(len, heads), default=0)
    if any(len(head) != of_head for head in heads) or not all(map(_is_narrow, texts)):
        return None
    rows = [*zip(*heads, strict=True), *grid.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    inner = sum(widths) + 3 * (len(widths) - 1)
    fits = 0 < len(grid.title) <= inner + 2 <= WIDEST_TABLE
    if not fits or not all(widths):
        return None
    lines = [
        "   ".join(
            text.rjust(width) if is_numeric else text.ljust(width)
            for text, width, is_numeric in zip(row, widths, grid.numeric, strict=True)
        )
        for row in rows
    ]
    lines = ["", *lines[:of_head], "─" * inner, *lines[of_head:], ""]
    return [grid.title, *(f" {line.ljust(inner)} " for line in lines)]


def _is_narrow(text: str) -> bool:
    """Tell whether each character of a text takes one place, and no blank is to be cut off."""
    rest = text.translate(_NARROW)
    return rest.isascii() and rest.isprintable() and text == text.strip()


def _styled(parts: list[_Paragraph | _Grid]) -> str:
    from rich.console import Console

    # In a file a row that is too wide is better kept whole; a terminal has a width.
    wraps = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if wraps else WIDEST_TABLE
    console = Console(highlight=False, soft_wrap=not wraps, width=width)
    with console.capture() as captured:
        for part in parts:
            console.print(
                _styled_grid(part, wraps=wraps)
                if isinstance(part, _Grid)
                else _text(part.text, part.style)
            )
    return captured.get()


def _styled_grid(grid: _Grid, *, wraps: bool) -> "RenderableType":
    from rich import box
    from rich.table import Table as RichTable

    table = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=_text(grid.title),
        title_justify="left",
        title_style="",
    )
    for head, is_numeric in zip(grid.heads, grid.numeric, strict=True):
        table.add_column(_text(head), justify="right" if is_numeric else "left", no_wrap=not wraps)
    for cells, is_best in zip(grid.rows, grid.best, strict=True):
        table.add_row(*map(_text, cells), style="bold" if is_best else "")
    return table


def _text(text: str, style: str = "") -> "rich.text.Text":
    """Return a text in which nothing is markup."""
    from rich.text import Text as RichText

    return RichText(text, style=style)
