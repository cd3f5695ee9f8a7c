"""What the memory of a device holds."""

from collections.abc import Iterator

from specc.engines import reserve_of
from specc.report import format as show
from specc.report.charts.bars import memory_bars
from specc.report.columns import columns, number, of_candidate, table, text
from specc.report.document import Chart, Depth, ReportBlock, Table
from specc.report.study import ReportedStudy
from specc.results import Configuration

_FACTS = (
    "weights",
    "kv_cache",
    "activations",
    "reserved",
    "available",
    "available_at_end",
    "cache_tokens",
    "longest_request",
)

_MOST_DRAWN = 8


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture of memory."""
    sizes = {instance.device.name: instance.memory for instance in study.study.instances}
    if study.drawn:
        yield Chart(
            id=study.id("memory"),
            title="Memory of a device",
            alt="Memory of a device, by candidate",
            bars=memory_bars(
                [(study.label(c), c, sizes[c.instance.device]) for c in study.drawn[:_MOST_DRAWN]]
            ),
            beside=True,
        )


def parts(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the tables of memory by part."""
    if study.feasible:
        mixed = len(study.study.workload.shapes()) > 1
        yield table(
            study.id("memory-parts"),
            "Memory of a device by part",
            [text("Candidate", study.label), *columns(of_candidate, _FACTS, study.feasible)],
            study.feasible,
            note="In the tightest step, with the KV cache at the mean context of the batch"
            + (" and the longest request among them." if mixed else "."),
            depth=Depth.PAGE,
        )
    if study.best is not None and study.best.instances:
        yield _reserve(study, study.best)


def _reserve(study: ReportedStudy, best: Configuration) -> Table:
    """Say what the engines of the recommendation keep of a device, and by which source."""
    deployment = study.study.deployment(best.deployment)
    rows = [
        (group.phase, part)
        for phase, group in zip(deployment.mode.phases, best.instances, strict=True)
        for part in reserve_of(deployment.instances(phase)[0], group.layout)
    ]
    return table(
        study.id("memory-reserve"),
        "Reserved memory of the recommendation",
        [
            *([text("Instance", lambda row: row[0])] if len(best.instances) > 1 else []),
            text("Part", lambda row: row[1].name),
            number("Size", "GiB", lambda row: show.gibibytes(row[1].size)),
            text("Source", lambda row: row[1].source),
        ],
        rows,
        depth=Depth.PAGE,
    )
