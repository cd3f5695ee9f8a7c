"""Results as rows of tables: plain data in SI units, and what the columns of candidates are."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from attrs import asdict, fields, frozen

from specc.ir import facts
from specc.records import Record
from specc.results.candidates import (
    Band,
    BoundShares,
    Candidate,
    Configuration,
    Instance,
    Miss,
)
from specc.results.files import rounded
from specc.results.studies import StudyResult
from specc.units import BYTES, DIMENSIONLESS, REQUESTS, TIME, TOKENS


class CandidateTable(Protocol):
    """A table of all candidates that grows as they are found."""

    def encoded(self, result: StudyResult) -> Any:
        """Return the rows of a study, as small as they are in the file."""

    def write(self, rows: Any) -> None:
        """Add rows."""


@frozen
class TableColumn(Record):
    """A column of the table of all candidates.

    Attributes:
        kind: `text`, `flag`, `count` or `number`.
        unit: of a number; empty for a plain one.
        doc: what it is; empty where the name says it.
    """

    name: str
    kind: str
    unit: str = ""
    doc: str = ""


_UNITS = {
    TIME: "s",
    BYTES: "B",
    TOKENS: "tok",
    TOKENS / TIME: "tok/s",
    REQUESTS / TIME: "req/s",
    DIMENSIONLESS: "",
}


def columns_of(swept: Sequence[str]) -> tuple[TableColumn, ...]:
    """Return the columns of the table of all candidates; `swept` are the fields that studies sweep.

    They are the same whatever the candidates are: what one does not have is empty in its row.
    """
    first = (TableColumn("study", "text"), *(TableColumn(path, "text") for path in swept))
    return (*first, *_of_candidates())


def _of_candidates() -> Iterator[TableColumn]:
    yield from (TableColumn(name, "text") for name in ("deployment", "phase", "parallel"))
    yield TableColumn("feasible", "flag", doc="Whether it keeps all limits.")
    for fact in facts.FACTS:
        if not fact.instance:
            continue
        if fact.dimension is None:
            yield TableColumn(fact.name, "text", doc=fact.definition or fact.title)
            continue
        kind = "count" if fact.digits is facts.Digits.COUNT else "number"
        yield TableColumn(fact.name, kind, _UNITS[fact.dimension], fact.definition or fact.title)
    for field in fields(Band):
        unit = "tok/s" if field.name.startswith("throughput") else "s"
        yield TableColumn(f"bands_{field.name}", "number", unit, "An end of its 80 % interval.")
    for step in ("prefill", "decode"):
        for field in fields(BoundShares):
            doc = f"Share of a {step} step that it bounds."
            yield TableColumn(f"{step}_{field.name}", "number", doc=doc)
    yield TableColumn("prefill_step", "number", "s")
    yield TableColumn("wave_requests", "count")
    for name in ("input", "output", "effective_input"):
        yield TableColumn(name, "number", "tok")
    yield TableColumn("chunks", "count")
    yield from (TableColumn(name, "text") for name in ("method", "calibration", "stopped_by"))
    yield TableColumn("probes", "count", doc="Batch sizes that were evaluated.")
    yield TableColumn("misses", "text", doc="Limits that it misses, and by what share of them.")
    yield TableColumn("task", "text", doc="A hash of all that the row depends on.")


def study_row(study: StudyResult) -> dict[str, Any]:
    """Return what the rows of a study have in common: its name, and what is swept."""
    return {"study": study.study.name, **dict(study.study.settings)}


def candidate_row(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as a row."""
    instance, point = candidate.instance, candidate.point
    row: dict[str, Any] = rounded(
        {
            "deployment": candidate.deployment,
            "phase": instance.phase,
            "parallel": instance.parallel,
            "feasible": candidate.feasible,
            **_facts(instance),
            **_fields("bands", point.bands),
            **_fields("prefill", point.prefill),
            **_fields("decode", point.decode),
            "prefill_step": point.prefill_step,
            "wave_requests": point.wave_requests,
            "input": candidate.input,
            "output": candidate.output,
            "effective_input": candidate.effective_input,
            "chunks": candidate.chunks,
            "method": candidate.method,
            "calibration": candidate.calibration,
            "stopped_by": instance.stopped_by,
            "probes": candidate.probes,
            "misses": _text(candidate.misses),
            "task": instance.task,
        }
    )
    return row


def configuration_row(found: Configuration) -> dict[str, Any]:
    """Return a configuration as a row."""
    row: dict[str, Any] = rounded(
        {
            "deployment": found.deployment,
            "mode": found.mode,
            **{f.name: facts.value(f.configuration, found) for f in facts.FACTS if f.configuration},
            "in_flight": found.in_flight,
            "bottleneck": found.bottleneck,
            "cost_per_second": found.cost_per_second,
            "currency": found.currency,
            **_fields("bands", found.bands),
            **{
                f"{instance.phase}_{name}": value
                for instance in found.instances
                for name, value in _instance(instance).items()
            },
            "misses": _text(found.misses),
        }
    )
    return row


def _instance(instance: Instance) -> dict[str, Any]:
    """Return how many like instances there are, spares, and what one of them is and does."""
    own = {"count": instance.count, "spare": instance.spare, "parallel": instance.parallel}
    return {**own, **_facts(instance)}


def _facts(instance: Instance) -> dict[str, Any]:
    return {f.name: facts.value(f.instance, instance) for f in facts.FACTS if f.instance}


def _fields(name: str, group: Band | BoundShares | None) -> dict[str, Any]:
    return {} if group is None else {f"{name}_{key}": value for key, value in asdict(group).items()}


def _text(misses: tuple[Miss, ...]) -> str:
    return "; ".join(f"{m.limit} {m.excess:+.3g}" for m in misses)
