"""What the memory of a device holds."""

from collections.abc import Iterator

from specc.report.charts.bars import memory_bar
from specc.report.columns import columns, of_candidate, table, text
from specc.report.document import Chart, ReportBlock
from specc.report.study import ReportedStudy

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


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture and the table of memory."""
    sizes = {instance.device.name: instance.memory for instance in study.study.instances}
    if study.drawn:
        yield Chart(
            id=study.id("memory"),
            title="Memory of a device",
            alt="Memory of a device, by candidate",
            bars=tuple(
                memory_bar(c, sizes[c.instance.device], study.label(c)) for c in study.drawn
            ),
        )
    if study.feasible:
        mixed = len(study.study.workload.shapes()) > 1
        yield table(
            study.id("memory-parts"),
            "Memory of a device by part",
            [text("Candidate", study.label), *columns(of_candidate, _FACTS, study.feasible)],
            study.feasible,
            note="In the tightest step, with the KV cache at the mean context of the batch"
            + (" and the longest request among them." if mixed else "."),
        )
