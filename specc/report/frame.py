"""Results as one long table, for spreadsheets and notebooks."""

from typing import Any

import pandas as pd
from attrs import asdict

from specc.plan import Answer, Candidate, Results
from specc.report.format import rounded
from specc.report.tables import is_plain


def frame(results: Results) -> pd.DataFrame:
    """Return the long table of results, in SI units, the best of a study first.

    A row is a candidate, or an answer where answers are more than one instance.
    """
    rows: list[dict[str, Any]] = []
    for study in results.studies:
        first = {"study": study.study.name, **dict(study.study.settings)}
        if is_plain(study.answers):
            rows += [{**first, **_row(candidate)} for candidate in study.candidates]
        else:
            rows += [{**first, **_answer(answer)} for answer in study.answers]
    return pd.DataFrame(rows)


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


def _answer(answer: Answer) -> dict[str, Any]:
    data = asdict(answer)
    for name in ("groups", "misses", "bins", "timeline"):
        del data[name]
    bands = {f"bands_{name}": value for name, value in data.pop("bands").items()}
    groups = {
        f"{group.phase}_{name}": getattr(owner, name)
        for group in answer.groups
        for owner, names in ((group, _OF_GROUP), (group.point, ("batch", "concurrency", "rate")))
        for name in names
    }
    misses = "; ".join(f"{m.limit} {m.excess:+.3g}" for m in answer.misses)
    row: dict[str, Any] = rounded({**data, **bands, **groups, "misses": misses})
    return row


_OF_GROUP = ("count", "spare", "device", "devices", "parallel", "drafted")
