"""The terminal's summary of a run: the answer and a table of candidates."""

import os
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specc.diagnostics import visible, visible_line
from specc.report.files import MANIFEST
from specc.report.simulation import SimulationView, simulation_view, statistics_table
from specc.report.tables import Table as TableView
from specc.report.tables import verdict_table
from specc.report.view import StudyView, study_views
from specc.results import Metrics, Results

WIDEST_TABLE = 200


def print_summary(results: Results, written: list[Path]) -> None:
    """Print each study's answer, its candidates, and where the report lies."""
    # A row that is too wide for the terminal is better wrapped by it than cut by us.
    console = Console(highlight=False, soft_wrap=True, width=WIDEST_TABLE)
    for study in study_views(results):
        if study.sweep is not None:
            _print_table(console, study.sweep)
        if not study.is_variant:
            _print_study(console, study)
        elif study.expectations is not None and not study.expected:
            console.print(_text(study.question, style="bold red"))
            _print_table(console, study.expectations)
    for path in written:
        if path.suffix != ".svg" and path.name != MANIFEST:
            console.print(_text(visible_line(f"wrote {os.path.relpath(path)}"), style="dim"))


def print_simulations(results: Results) -> None:
    """Print what the simulation of each study says."""
    console = Console(highlight=False, soft_wrap=True, width=WIDEST_TABLE)
    for result in results.studies:
        view = simulation_view(result)
        if view is None:
            console.print(_text(f"{result.study.name}: no layout keeps to the limits"))
            continue
        console.print()
        settings = ", ".join(f"{path} = {value}" for path, value in result.study.settings)
        console.print(_text(f"{result.study.name} {settings}".rstrip(), style="bold"))
        _print_simulation(console, view)
        if result.verdicts:
            console.print()
            _print_table(console, verdict_table(result))


def print_metrics(name: str, metrics: Metrics) -> None:
    """Print what a simulation saw until it was stopped."""
    console = Console(highlight=False, soft_wrap=True, width=WIDEST_TABLE)
    if metrics.finished + metrics.rejected >= metrics.requests:
        what = "the simulation itself was done, the searches after it were not"
    else:
        what = (
            f"{metrics.finished:,} of {metrics.requests:,} requests of '{name}' were served; what "
            "follows is of these alone, and favours what came early"
        )
    console.print(_text(f"interrupted: {what}", style="bold red"))
    _print_table(console, statistics_table("Requests, as far as simulated", metrics))


def _print_study(console: Console, study: StudyView) -> None:
    answer = study.answer
    console.print()
    console.print(_text(f"{study.name}: {study.question}", style="dim"))
    style = "bold green" if answer.feasible else "bold red"
    layout = f"{answer.layout}, " if answer.layout else ""
    console.print(_text(f"{layout}{answer.headline}", style=style))
    if answer.figures:
        console.print(
            _text(" · ".join(f"{f.title} {f.value} {f.unit} ({f.note})" for f in answer.figures))
        )
    for remark in answer.remarks:
        console.print(_text(remark))
    if study.simulation is not None:
        _print_simulation(console, study.simulation)
    for table in (
        study.comparison,
        study.answers,
        *(study.summaries if study.answers is None else ()),
        study.bins,
        study.relaxations,
        study.infeasible if not answer.feasible or study.answers is None else None,
        study.expectations,
    ):
        if table is not None and table.rows:
            console.print()
            _print_table(console, table)
    console.print()


def _print_simulation(console: Console, simulation: SimulationView) -> None:
    console.print()
    console.print(_text(f"simulated: {simulation.question}", style="dim"))
    style = "bold green" if simulation.meets else "bold red"
    console.print(_text(simulation.headline, style=style))
    for remark in simulation.remarks:
        console.print(_text(remark))
    for table in simulation.tables:
        console.print()
        _print_table(console, table)


def _text(text: str, style: str = "") -> Text:
    """Return a text for the terminal, without what an input might do to it."""
    return Text(visible(text), style=style)


def _print_table(console: Console, source: TableView) -> None:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=_text(source.title),
        title_justify="left",
        title_style="",
    )
    for column in source.columns:
        title = _text(f"{column.title}\n{column.unit}")
        table.add_column(title, justify="right" if column.numeric else "left", no_wrap=True)
    for row in source.rows:
        table.add_row(*(_text(cell) for cell in row.cells), style="bold" if row.best else "")
    console.print(table)
