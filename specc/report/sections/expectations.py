"""What the study expects of its result, and whether it is met."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.document import Column, Depth, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import Verdict


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of expectations; a terminal shows that of a variant if one is not met."""
    verdicts = study.result.verdicts
    met = all(v.met for v in verdicts)
    if not verdicts:
        return
    columns = ("Expectation", "Met", "Margin", "Value", "Reason")
    settings = study.study.variant
    yield Table(
        id=study.id("expectations"),
        depth=study.summary if met else Depth.SUMMARY,
        title=f"Expectations, {settings}" if settings else "Expectations",
        whole=True,
        columns=tuple(Column(title, numeric=False) for title in columns),
        rows=tuple(
            Row((v.expectation, "yes" if v.met else "NO", _margin(v), v.seen, v.reason))
            for v in verdicts
        ),
    )


def _margin(verdict: Verdict) -> str:
    if verdict.margin is None:
        return "–"
    side = "room" if verdict.margin >= 0 else "beyond"
    return f"{show.percent(abs(verdict.margin))} {side}"
