"""The terminal: the blocks of a document that are a summary."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from specc.diagnostics import visible
from specc.outputs.material import Material
from specc.report.document import Depth, Figures, Heading, Note, ReportBlock, Table, Text

if TYPE_CHECKING:
    import rich.text
    from rich.console import Console, RenderableType

WIDEST_TABLE = 200
MOST_ROWS = 20


def write(material: Material) -> str:
    """Return the summary of a report."""
    return shown(material.document.blocks)


def shown(blocks: Iterable[ReportBlock]) -> str:
    """Return blocks as a terminal shows them, coloured if standard output is one."""
    from rich.console import Console

    # A row that is too wide for the terminal is better wrapped by it than cut by us.
    console = Console(highlight=False, soft_wrap=True, width=WIDEST_TABLE)
    with console.capture() as captured:
        for block in blocks:
            if block.depth <= Depth.SUMMARY:
                _print(console, block)
    return captured.get()


def _print(console: "Console", block: ReportBlock) -> None:
    if isinstance(block, Heading):
        console.print()
        console.print(_text(block.text, style="bold"))
    elif isinstance(block, Text):
        console.print(_text(block.text, style="dim"))
    elif isinstance(block, Note):
        console.print(_text(block.text, style="bold red"))
    elif isinstance(block, Figures):
        _print_figures(console, block)
    elif isinstance(block, Table) and block.rows:
        console.print()
        console.print(_table(block))
        left_out = len(block.rows) - MOST_ROWS
        more = f"{left_out} more rows are in the report." if left_out > 0 else ""
        if more or block.note:
            console.print(_text(f"{more} {block.note}".strip(), style="dim"))


def _print_figures(console: "Console", card: Figures) -> None:
    title = f"{card.title}, " if card.title else ""
    console.print(_text(title + card.headline, style="bold green" if card.good else "bold red"))
    if card.figures:
        texts = (f"{f.title} {f.value} {f.unit} ({f.note})" for f in card.figures)
        console.print(_text(" · ".join(texts)))
    for remark in card.remarks:
        console.print(_text(remark))


def _table(source: Table) -> "RenderableType":
    from rich import box
    from rich.table import Table as RichTable

    table = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=_text(source.title),
        title_justify="left",
        title_style="",
    )
    places = [place for place, column in enumerate(source.columns) if not column.detail]
    for column in (source.columns[place] for place in places):
        title = _text(f"{column.title}\n{column.unit}")
        table.add_column(title, justify="right" if column.numeric else "left", no_wrap=True)
    for row in source.rows[:MOST_ROWS]:
        cells = (_text(row.cells[place]) for place in places)
        table.add_row(*cells, style="bold" if row.best else "")
    return table


def _text(text: str, style: str = "") -> "rich.text.Text":
    """Return a text for the terminal, without what an input might do to it."""
    from rich.text import Text as RichText

    return RichText(visible(text), style=style)
