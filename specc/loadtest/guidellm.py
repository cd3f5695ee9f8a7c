"""`guidellm run` (or `benchmark`): benchmarks.json (read of 0.8.1).

Its `time_per_output_token_ms` includes TTFT; its `inter_token_latency_ms` is (last − first token) /
(output tokens − 1), as TPOT of others, with each request weighted by its tokens. The mean of
`requests_per_second` may be wrong: counts over the duration are used. Incomplete requests are those
that the end of a run cut off; figures of `successful` ones count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from specc.loadtest.base import (
    Distribution,
    Fields,
    Lengths,
    LoadTest,
    LoadTestError,
    RequestLog,
    ResultFile,
    SentLoad,
)

NAME = "guidellm"
_MS = 1e-3
_PROCESSES = {"poisson": "poisson", "constant": "constant", "async": "poisson"}


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    about = data.get("metadata")
    return isinstance(about, Mapping) and "guidellm_version" in about


def read(file: ResultFile) -> list[LoadTest]:
    """Read all benchmarks of a file.

    Raises:
        LoadTestError: it has none, or one lacks something.
    """
    version = file.fields.inside("metadata").text("guidellm_version")
    found = file.data.get("benchmarks")
    if not isinstance(found, list) or not found:
        raise LoadTestError(f"'{file.path.name}' of guidellm has no benchmarks")
    return [_read(Fields(one, file.path.name), version) for one in found]


def _read(said: Fields, version: str) -> LoadTest:
    config, metrics = said.inside("config"), said.inside("metrics")
    totals = metrics.inside("request_totals")
    requests = totals.count("successful") or 0
    load = _load(config.inside("strategy"))
    log = _log(said)
    duration = (log and log.span) or said.needed("duration")
    outputs = _of_successful(metrics, "output_token_count")
    prompts = _of_successful(metrics, "prompt_token_count")
    total = outputs.number("total_sum") or (outputs.number("mean") or 0.0) * requests
    notes = ["TPOT is its inter-token latency: its time per output token includes TTFT"]
    if log is None:
        notes.append("each request counts in TPOT by its tokens, as there are no single requests")
    return LoadTest(
        tool=NAME,
        version=version,
        name=load.label,
        model=config.inside("backend").text("model"),
        load=load,
        input=Lengths.of(log.input) if log else _lengths(prompts),
        output=Lengths.of(log.output) if log else _lengths(outputs),
        requests=requests,
        failed=totals.count("errored"),
        cancelled=totals.count("incomplete"),
        duration=duration,
        tokens=total,
        ttft=_distribution(metrics, "time_to_first_token_ms", _MS),
        tpot=Distribution.of(log.tpot) if log else _distribution(metrics, _ITL, _MS),
        itl=Distribution(mean=_of_successful(metrics, _ITL).number("mean", _MS)),
        latency=_distribution(metrics, "request_latency", 1.0),
        log=log,
        notes=tuple(notes),
    )


_ITL = "inter_token_latency_ms"


def _load(strategy: Fields) -> SentLoad:
    kind = strategy.text("type_")
    if kind in ("concurrent", "synchronous"):
        return SentLoad(process="clients", clients=strategy.count("streams") or 1)
    rate = strategy.number("rate")
    if rate is None:
        return SentLoad(process="burst", clients=strategy.count("max_concurrency"))
    return SentLoad(process=_PROCESSES.get(kind, "constant"), rate=rate)


def _of_successful(metrics: Fields, name: str) -> Fields:
    return metrics.inside(name).inside("successful")


def _distribution(metrics: Fields, name: str, scale: float) -> Distribution | None:
    own = _of_successful(metrics, name)
    if not own.number("count"):
        return None
    ranks = own.inside("percentiles")
    return Distribution(
        mean=own.number("mean", scale),
        max=own.number("max", scale),
        **{p: ranks.number(p, scale) for p in ("p50", "p90", "p95", "p99")},
    )


def _lengths(own: Fields) -> Lengths:
    return Lengths(own.number("mean") or 0.0, own.count("min"), own.count("max"))


def _log(said: Fields) -> RequestLog | None:
    """Return the requests one by one; a file may keep none, or a sample of them."""
    rows = said.inside("requests").data.get("successful")
    count = said.inside("metrics").inside("request_totals").count("successful")
    if not isinstance(rows, Sequence) or not rows or len(rows) != count:
        return None
    read = sorted((_row(Fields(row, said.where)) for row in rows), key=lambda row: row[0])
    starts, inputs, outputs, ttfts, latencies = zip(*read, strict=True)
    return RequestLog(
        tuple(start - starts[0] for start in starts),
        tuple(map(round, inputs)),
        tuple(map(round, outputs)),
        ttfts,
        latencies,
    )


def _row(row: Fields) -> tuple[float, float, float, float, float]:
    """Return start, tokens of prompt and output, TTFT, and the time of the last token."""
    ttft = row.needed("time_to_first_token_ms", _MS)
    output = row.needed("output_tokens")
    last = ttft + (row.number(_ITL, _MS) or 0.0) * max(0.0, output - 1)
    return row.needed("request_start_time"), row.needed("prompt_tokens"), output, ttft, last
