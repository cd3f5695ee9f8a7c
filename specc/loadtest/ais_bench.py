"""`ais_bench --mode perf`: <dataset>.json with <dataset>.csv beside it (read of 3.1.20260630).

Times and rates are texts with a unit, counts are numbers. The stage `total` counts: `stable` may
hold a single request. Its ITL has gaps of about 0 ms for chunks without a token, so it is not used.
"""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from specc.loadtest.base import (
    Distribution,
    Lengths,
    LoadTest,
    LoadTestError,
    ResultFile,
    SentLoad,
)

NAME = "ais_bench"
_SCALES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}
_STAGE = "total"
_COLUMNS = {"Average": "mean", "Median": "p50", "P90": "p90", "P99": "p99", "Max": "max"}


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    return isinstance(data.get("Benchmark Duration"), Mapping)


def read(file: ResultFile) -> list[LoadTest]:
    """Read a run.

    Raises:
        LoadTestError: it lacks something, or a value has a unit that is not known.
    """
    name = file.path.name
    requests = round(_value(file.data, "Success Requests", {"": 1.0}, name))
    failed = round(_value(file.data, "Failed Requests", {"": 1.0}, name))
    duration = _value(file.data, "Benchmark Duration", _SCALES, name)
    outputs = _value(file.data, "Total Generated Tokens", {"": 1.0}, name)
    prompts = _value(file.data, "Total Input Tokens", {"": 1.0}, name)
    clients = round(_value(file.data, "Max Concurrency", {"": 1.0}, name))
    rows = _table(file)
    return [
        LoadTest(
            tool=NAME,
            name=file.path.stem,
            load=SentLoad(process="clients", clients=clients),
            input=_lengths(rows.get("InputTokens"), prompts / max(1, requests)),
            output=_lengths(rows.get("OutputTokens"), outputs / max(1, requests)),
            requests=requests,
            failed=failed,
            duration=duration,
            tokens=outputs,
            ttft=_distribution(rows, "TTFT"),
            tpot=_distribution(rows, "TPOT"),
            latency=_distribution(rows, "E2EL"),
            notes=(
                "the load is taken as a closed loop: its rate is in a file of its configuration",
                "ITL is not compared: its gaps count chunks without a token",
                *(
                    ()
                    if rows
                    else (f"'{file.path.stem}.csv' is not beside it, so there are no times",)
                ),
            ),
        )
    ]


def _value(data: Mapping[str, Any], key: str, scales: Mapping[str, float], where: str) -> float:
    stages = data.get(key)
    found = stages.get(_STAGE) if isinstance(stages, Mapping) else None
    if found is None:
        raise LoadTestError(
            f"'{where}' has no '{key}' of the stage '{_STAGE}'",
            help="give the file as the tool wrote it",
        )
    return quantity(found, scales, f"'{key}' of '{where}'")


def quantity(value: Any, scales: Mapping[str, float], what: str) -> float:
    """Return a number with its unit, such as `722.22 ms`, in SI units.

    Raises:
        LoadTestError: it is none, or its unit is not one of `scales`.
    """
    text = str(value).strip()
    found = re.fullmatch(r"([0-9][0-9.,]*(?:e[+-]?\d+)?)\s*([A-Za-z/]*)", text)
    if found is None or found[2] not in scales:
        known = ", ".join(filter(None, scales)) or "a plain number"
        raise LoadTestError(f"{what} is '{text[:40]}'", help=f"known: {known}")
    try:
        return float(found[1].replace(",", "")) * scales[found[2]]
    except ValueError:
        raise LoadTestError(f"{what} is '{text[:40]}', not a number") from None


def _table(file: ResultFile) -> dict[str, Mapping[str, str]]:
    """Return the rows of the table beside it, by their names."""
    text = file.text_beside(f"{file.path.stem}.csv")
    if text is None:
        return {}
    rows = csv.DictReader(io.StringIO(text))
    return {
        row["Performance Parameters"]: row
        for row in rows
        if row.get("Stage") == _STAGE and row.get("Performance Parameters")
    }


def _distribution(rows: Mapping[str, Mapping[str, str]], name: str) -> Distribution | None:
    row = rows.get(name)
    if row is None:
        return None
    return Distribution(
        **{
            statistic: quantity(row[column], _SCALES, f"'{column}' of {name}")
            for column, statistic in _COLUMNS.items()
            if row.get(column)
        }
    )


def _lengths(row: Mapping[str, str] | None, mean: float) -> Lengths:
    if row is None:
        return Lengths(mean)
    ends = [
        round(quantity(row[name], {"": 1.0}, f"'{name}' of lengths")) for name in ("Min", "Max")
    ]
    return Lengths(mean, ends[0], ends[1])
