"""The best configuration of each deployment beside the best of all."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import METRICS, MONEY, columns, of_configuration
from specc.report.document import Column, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, sized
from specc.results import Configuration, objective_of


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the comparison of deployments."""
    if not study.several:
        return
    best = study.best
    owns = [(d, study.result.best_of(d.name)) for d in study.study.deployments]
    cells = columns(of_configuration, (*METRICS, *MONEY), [own for _, own in owns if own])
    rows = []
    for deployment, own in owns:
        if own is None or best is None:
            blanks = ["–"] * (len(cells) + 2)
            rows.append(Row((deployment.name, *blanks, NOTHING_FITS)))
            continue
        devices = f"{own.devices} × {own.device}"
        texts = (c.text(own) for c in cells)
        share = _of_best(own, best, study)
        rows.append(Row((deployment.name, devices, sized(own), *texts, share), best=own is best))
    yield Table(
        id=study.id("comparison"),
        depth=study.summary,
        title="Comparison of deployments",
        columns=(
            Column("Deployment", numeric=False),
            Column("Devices", numeric=False),
            Column("Best layout", numeric=False),
            *(c.column for c in cells),
            Column("Relative to best"),
        ),
        rows=tuple(rows),
    )


def _of_best(own: Configuration, best: Configuration, study: ReportedStudy) -> str:
    mine, most = (objective_of(c, study.study.objective) for c in (own, best))
    return show.percent(mine / most if most > 0 else most / mine)
