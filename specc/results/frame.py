"""Results as long tables, for notebooks and spreadsheets; pandas is imported here alone."""

from typing import Any

import pandas as pd

from specc.ir import facts
from specc.results.rows import candidate_row, configuration_row, study_row
from specc.results.studies import Results


def candidates(results: Results) -> pd.DataFrame:
    """Return a row for each candidate, in SI units, the best of a study first."""
    rows = [{**study_row(s), **candidate_row(c)} for s in results.studies for c in s.candidates]
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
            rows += [{**study_row(study), **candidate_row(c)} for c in study.candidates]
        else:
            rows += [{**study_row(study), **configuration_row(c)} for c in study.configurations]
    return pd.DataFrame(rows)
