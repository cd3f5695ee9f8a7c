"""`evalscope perf`: benchmark_summary.json with the files beside it (read of 1.14.1).

Keys are names with their unit, which older releases wrote in other words and in seconds. An open
loop has a concurrency of −1, a closed one a rate of −1. Percentiles are of the nearest rank. Its
'Spec. Accept Rate' is 1 − 1 / (tokens of a step), so the tokens of a step are read instead.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from specc.loadtest.base import (
    Distribution,
    Fields,
    Lengths,
    LoadTest,
    LoadTestError,
    ResultFile,
    SentLoad,
)

NAME = "evalscope perf"
SUMMARY = "benchmark_summary.json"
_SCALES = {"ms": 1e-3, "s": 1.0}
# What the mean of a metric is called, in this and in older releases, without the unit.
_MEANS = {
    "ttft": ("Avg TTFT", "Average time to first token", "Average TTFT"),
    "tpot": ("Avg TPOT", "Average time per output token", "Average TPOT"),
    "itl": ("Avg ITL", "Average inter-token latency", "Average ITL"),
    "latency": ("Avg Latency", "Average latency"),
}
_RANKED = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "latency": "Latency"}


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    return any(re.match(r"(Avg|Average) (TTFT|time to first token) \(m?s\)", key) for key in data)


def read(file: ResultFile) -> list[LoadTest]:
    """Read a run.

    Raises:
        LoadTestError: it lacks something.
    """
    said = file.fields
    arguments, rows = Fields(_beside(file, "benchmark_args.json", dict), "benchmark_args.json"), {}
    for row in _beside(file, "benchmark_percentile.json", list):
        if isinstance(row, Mapping):
            rows[str(row.get("Percentiles"))] = Fields(row, "benchmark_percentile.json")
    requests = round(_first(said, "Success Requests", "Succeed requests", "Total Requests"))
    failed = _maybe(said, "Failed Requests", "Failed requests")
    duration = _first(said, "Test Duration (s)", "Time taken for tests (s)")
    output = _first(said, "Avg Output Tokens", "Average output tokens per request")
    prompt = _first(said, "Avg Input Tokens", "Average input tokens per request")
    step = said.number("Avg Decoded Tok/Iter")
    return [
        LoadTest(
            tool=NAME,
            name=file.path.parent.name if file.path.name == SUMMARY else "",
            model=arguments.text("model_id") or arguments.text("model"),
            load=_load(file.data, arguments.data),
            input=_lengths(prompt, rows, "Input tokens"),
            output=_lengths(output, rows, "Output tokens"),
            requests=requests,
            failed=None if failed is None else round(failed),
            duration=duration,
            tokens=output * requests,
            ttft=_distribution(said, rows, "ttft"),
            tpot=_distribution(said, rows, "tpot"),
            itl=_distribution(said, rows, "itl"),
            latency=_distribution(said, rows, "latency"),
            tokens_per_step=step if step and step > 1 else None,
            notes=("percentiles are those of the nearest rank",) if rows else (),
        )
    ]


def _beside(file: ResultFile, name: str, kind: type) -> Any:
    """Return what another file of the run holds, empty if there is none."""
    text = file.text_beside(name)
    if text is None:
        return kind()
    try:
        found = json.loads(text)
    except ValueError:
        raise LoadTestError(f"'{name}' is not JSON") from None
    if not isinstance(found, kind):
        raise LoadTestError(f"'{name}' is not as evalscope writes it")
    return found


def _maybe(said: Fields, *keys: str) -> float | None:
    return next((value for key in keys if (value := said.number(key)) is not None), None)


def _first(said: Fields, *keys: str) -> float:
    found = _maybe(said, *keys)
    return said.needed(keys[0]) if found is None else found


def _load(data: Mapping[str, Any], arguments: Mapping[str, Any]) -> SentLoad:
    clients = _positive(data.get("Concurrency", data.get("Number of concurrency")))
    clients = clients or _positive(arguments.get("parallel"))
    rate = _positive(data.get("Request Rate (req/s)")) or _positive(arguments.get("rate"))
    most = None if clients is None or arguments.get("open_loop") else round(clients)
    if rate is not None:
        return SentLoad(process="poisson", clients=most, rate=rate)
    return SentLoad(process="clients" if most else "burst", clients=most)


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _distribution(said: Fields, rows: Mapping[str, Fields], metric: str) -> Distribution | None:
    found = {
        "mean": next(
            (
                value
                for name in _MEANS[metric]
                for unit, scale in _SCALES.items()
                if (value := said.number(f"{name} ({unit})", scale)) is not None
            ),
            None,
        )
    }
    for rank, name in (
        ("50%", "p50"),
        ("90%", "p90"),
        ("95%", "p95"),
        ("99%", "p99"),
        ("max", "max"),
    ):
        if rank in rows:
            found[name] = _ranked(rows[rank], _RANKED[metric])
    return Distribution(**found) if any(v is not None for v in found.values()) else None


def _ranked(row: Fields, name: str) -> float | None:
    for unit, scale in _SCALES.items():
        if (value := row.number(f"{name} ({unit})", scale)) is not None:
            return value
    return None


def _lengths(mean: float, rows: Mapping[str, Fields], name: str) -> Lengths:
    ends = [rows[rank].count(name) if rank in rows else None for rank in ("min", "max")]
    return Lengths(mean, ends[0], ends[1])
