"""How the recommendation moves with its inputs, and where another configuration is better."""

from collections.abc import Iterator

from specc.report.charts.tornado import moved, moving, tornado, turn_text
from specc.report.columns import number, table, text
from specc.report.document import Chart, Heading, ReportBlock, Text
from specc.report.findings import objective_name
from specc.report.study import ReportedStudy
from specc.report.words import FACTORS
from specc.results import Factor

_NOTE = (
    "By closed form, with the best batch size and the fewest instances at each point; what was "
    "simulated is moved by as much. One input at a time; another configuration was looked for "
    "from 20 % less to 25 % more."
)


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture and the table of sensitivity."""
    found = study.result.sensitivity
    if found is None or not found.factors:
        return
    what = objective_name(study.study.objective, study.best)
    shown = moving(found)
    still = [FACTORS[f.name] for f in found.factors if f not in shown]
    note = f"Without effect: {', '.join(still)}. {_NOTE}" if still else _NOTE
    yield Heading(id=study.id("sensitivity-heading"), text="Sensitivity")
    if not shown:
        yield Text(id=study.id("sensitivity"), text=note)
        return
    yield Chart(
        id=study.id("sensitivity"),
        title=f"Change of {what} with 10 % less, and 10 % more, of an input",
        alt=f"{what} moves most with {FACTORS[shown[0].name]}",
        tornado=tornado(found),
    )
    yield table(
        study.id("sensitivity-inputs"),
        "What moves the recommendation",
        [
            text("Input", lambda f: FACTORS[f.name]),
            number("10 % less", "", lambda f: moved(f.low, found)),
            number("10 % more", "", lambda f: moved(f.high, found)),
            text("Another configuration is better", _turns),
        ],
        shown,
        note=note,
    )


def _turns(factor: Factor) -> str:
    return "; ".join(turn_text(turn.times, turn.winner) for turn in factor.turns) or "no"
