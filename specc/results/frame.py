"""Results as long tables, for notebooks and spreadsheets; pandas is imported here alone."""

from typing import Any

import pandas as pd
from attrs import asdict

from specc.results.candidates import Candidate, Configuration, Miss
from specc.results.files import rounded
from specc.results.studies import Results, StudyResult


def candidates(results: Results) -> pd.DataFrame:
    """Return a row for each candidate, in SI units, the best of a study first."""
    return pd.DataFrame(
        [{**_study(s), **_candidate(c)} for s in results.studies for c in s.candidates]
    )


def listed(results: Results) -> pd.DataFrame:
    """Return what reports list: configurations where any has several instances, or candidates."""
    rows: list[dict[str, Any]] = []
    for study in results.studies:
        if study.is_plain:
            rows += [{**_study(study), **_candidate(c)} for c in study.candidates]
        else:
            rows += [{**_study(study), **_configuration(c)} for c in study.configurations]
    return pd.DataFrame(rows)


def to_csv(results: Results) -> str:
    """Return what reports list as CSV."""
    return listed(results).to_csv(index=False, lineterminator="\n")


def _study(study: StudyResult) -> dict[str, Any]:
    return {"study": study.study.name, **dict(study.study.settings)}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    instance = candidate.instance
    point = asdict(instance.point)
    nested = {
        f"{group}_{name}": value
        for group in ("bands", "memory", "prefill", "decode")
        for name, value in (point.pop(group) or {}).items()
    }
    sizes = asdict(instance.layout)
    row: dict[str, Any] = rounded(
        {
            "deployment": candidate.deployment,
            "phase": instance.phase,
            "device": instance.device,
            "devices": instance.devices,
            "model": instance.model,
            "quantisation": instance.quantisation,
            **{name: sizes[name] for name in ("tp", "pp", "dp", "cp", "dcp", "ep")},
            **{name: sizes[name] for name in ("moe_tp", "moe_dp")},
            "drafted": instance.engine.drafted,
            "calibration": candidate.calibration,
            "parallel": instance.parallel,
            "method": candidate.method,
            "input": candidate.input,
            "output": candidate.output,
            "effective_input": candidate.effective_input,
            "chunk_budget": instance.engine.chunk_budget,
            "chunks": candidate.chunks,
            "feasible": candidate.feasible,
            "stopped_by": instance.stopped_by,
            "probes": candidate.probes,
            "task": instance.task,
            **point,
            **nested,
            "misses": _text(candidate.misses),
        }
    )
    return row


def _configuration(found: Configuration) -> dict[str, Any]:
    data = asdict(found)
    for name in ("instances", "misses", "bins", "timeline"):
        del data[name]
    bands = {f"bands_{name}": value for name, value in data.pop("bands").items()}
    instances = {
        f"{i.phase}_{name}": value for i in found.instances for name, value in _of_instance(i)
    }
    own: dict[str, Any] = {}
    for name, value in data.items():
        own[name] = value
        if name == "devices":
            own["instances"] = found.instance_count
    row: dict[str, Any] = rounded({**own, **bands, **instances, "misses": _text(found.misses)})
    return row


def _of_instance(instance: Any) -> list[tuple[str, Any]]:
    names = ("count", "spare", "device", "devices", "parallel")
    of_point = ("batch", "concurrency", "rate")
    return [
        *((name, getattr(instance, name)) for name in names),
        ("drafted", instance.engine.drafted),
        *((name, getattr(instance.point, name)) for name in of_point),
    ]


def _text(misses: tuple[Miss, ...]) -> str:
    return "; ".join(f"{m.limit} {m.excess:+.3g}" for m in misses)
