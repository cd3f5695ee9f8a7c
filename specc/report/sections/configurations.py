"""The configurations of a study whose candidates do not stand alone: fleets, pairs of phases."""

from collections.abc import Iterator, Sequence

from specc.report import format as show
from specc.report.columns import MONEY, columns, metrics, number, of_configuration, table, text
from specc.report.document import ReportBlock
from specc.report.format import limit_name
from specc.report.headline import under_given_load
from specc.report.study import ReportedStudy
from specc.report.words import limited_by, misses_text
from specc.results import Configuration

MOST_CONFIGURATIONS = 20


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of configurations."""
    found, omitted = study.result.configurations, study.result.omitted
    if study.result.is_plain or not found:
        return
    cells = [
        *([text("Deployment", lambda c: c.deployment)] if study.several else []),
        text("Instances", lambda c: c.layout),
        number("Devices", "", lambda c: show.integer(c.devices)),
        *metrics(of_configuration, found),
        *columns(of_configuration, MONEY, found),
        text(_limit_title(found), _limited_by),
    ]
    yield table(
        study.id("configurations"),
        "Configurations",
        cells,
        found,
        lambda c: c is found[0] and c.feasible,
        note=f"{omitted} lower-ranked configurations omitted." if omitted else "",
        most=MOST_CONFIGURATIONS,
        depth=study.summary,
    )


def _limit_title(found: Sequence[Configuration]) -> str:
    """Title what limits: of figures under a given load, what would at full load."""
    return "At full load limited by" if any(map(under_given_load, found)) else "Limited by"


def _limited_by(found: Configuration) -> str:
    if found.misses:
        return misses_text(found.misses)
    groups = [g for g in found.instances if found.bottleneck in ("", g.phase)]
    if not groups:  # what lies between the instances: the transfer of the cache
        return limit_name(found.bottleneck)
    reason = limited_by(groups[0].stopped_by)
    return f"{found.bottleneck}, {reason}" if found.bottleneck else reason
