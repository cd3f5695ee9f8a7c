"""Results as one long table, for spreadsheets and notebooks."""

from typing import Any

import pandas as pd
from attrs import asdict

from specc.plan import Candidate, Results
from specc.report.format import rounded


def frame(results: Results) -> pd.DataFrame:
    """Return a row for each candidate of each study, in SI units, the best of a study first."""
    return pd.DataFrame(
        [
            {"study": study.study.name, **dict(study.study.settings), **_row(candidate)}
            for study in results.studies
            for candidate in study.candidates
        ]
    )


def to_csv(results: Results) -> str:
    """Return the table as CSV."""
    return frame(results).to_csv(index=False, lineterminator="\n")


def _row(candidate: Candidate) -> dict[str, Any]:
    data = asdict(candidate)
    point = data.pop("point")
    for name in ("curve", "misses", "relaxations"):
        del data[name]
    nested = {
        f"{group}_{name}": value
        for group in ("bands", "memory", "prefill", "decode")
        for name, value in (point.pop(group) or {}).items()
    }
    misses = "; ".join(f"{m.limit} {m.excess:+.3g}" for m in candidate.misses)
    row: dict[str, Any] = rounded({**data, **point, **nested, "misses": misses})
    return row
