"""Results as long tables, for notebooks and spreadsheets; pandas is imported here alone."""

from typing import Any

import pandas as pd
from attrs import asdict

from specc.ir import facts
from specc.results.candidates import (
    Band,
    BoundShares,
    Candidate,
    Configuration,
    Instance,
    Miss,
)
from specc.results.files import rounded
from specc.results.studies import Results, StudyResult


def candidates(results: Results) -> pd.DataFrame:
    """Return a row for each candidate, in SI units, the best of a study first."""
    rows = [{**_study(s), **_candidate(c)} for s in results.studies for c in s.candidates]
    if not rows:  # measured servers have no candidates, and their table the same columns
        return pd.DataFrame(columns=["study", "deployment", *_columns()])
    return pd.DataFrame(rows)


def _columns() -> list[str]:
    return [fact.name for fact in facts.FACTS if fact.instance]


def listed(results: Results) -> pd.DataFrame:
    """Return what reports list: configurations where any has several instances, or candidates."""
    rows: list[dict[str, Any]] = []
    for study in results.studies:
        if study.is_plain:
            rows += [{**_study(study), **_candidate(c)} for c in study.candidates]
        else:
            rows += [{**_study(study), **_configuration(c)} for c in study.configurations]
    return pd.DataFrame(rows)


def _study(study: StudyResult) -> dict[str, Any]:
    return {"study": study.study.name, **dict(study.study.settings)}


def _candidate(candidate: Candidate) -> dict[str, Any]:
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


def _configuration(found: Configuration) -> dict[str, Any]:
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
