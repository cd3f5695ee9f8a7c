"""`vllm bench serve --save-result`, with and without `--save-detailed` (read of 0.33.0).

Summaries are in milliseconds, arrays in seconds. Percentiles are those that were asked for, by
default p99 alone; with arrays all are known. Arrays keep failed requests, with an output of 0.
`start_times` are of a clock without an origin. The duration begins before the first request.
"""

import math
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

NAME = "vllm bench serve"
_MS = 1e-3
_METRICS = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "latency": "e2el"}
_STATISTICS = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
# All that the tool itself writes; what else there is, --metadata has put there.
_OWN = frozenset(
    (
        "date",
        "endpoint_type",
        "backend",
        "label",
        "model_id",
        "tokenizer_id",
        "num_prompts",
        "request_rate",
        "burstiness",
        "max_concurrency",
        "ramp_up_strategy",
        "ramp_up_start_rps",
        "ramp_up_end_rps",
        "duration",
        "completed",
        "failed",
        "total_input_tokens",
        "total_output_tokens",
        "request_throughput",
        "request_goodput",
        "output_throughput",
        "total_token_throughput",
        "input_lens",
        "output_lens",
        "ttfts",
        "itls",
        "start_times",
        "latencies",
        "queue_times",
        "generated_texts",
        "errors",
        "server_queue_times",
        "server_ttfts",
        "max_output_tokens_per_s",
        "max_concurrent_requests",
        "rtfx",
    )
)


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    return {"output_throughput", "total_input_tokens", "completed"} <= set(data) and (
        "total_token_throughput" in data or "num_prompts" in data
    )


def read(file: ResultFile) -> list[LoadTest]:
    """Read a result.

    Raises:
        LoadTestError: it lacks something, or holds something else than its names say.
    """
    said = file.fields
    log = request_log(said)
    times = distributions(said, log, _METRICS)
    requests = said.count("completed") or 0
    failed = said.count("failed")
    if failed is None and (sent := said.count("num_prompts")) is not None:
        failed = max(0, sent - requests)
    outputs = round(said.needed("total_output_tokens"))
    duration, notes = _duration(said, log)
    return [
        LoadTest(
            tool=NAME,
            name=said.text("label"),
            model=said.text("model_id"),
            load=load_of(said),
            input=lengths(log.input if log else (), said.needed("total_input_tokens"), requests),
            output=lengths(log.output if log else (), outputs, requests),
            requests=requests,
            failed=failed,
            duration=duration,
            tokens=outputs,
            ttft=times["ttft"],
            tpot=times["tpot"],
            itl=times["itl"],
            latency=times["latency"] or _latencies(said, requests),
            acceptance=said.numbers("spec_decode_per_position_acceptance_rates"),
            tokens_per_step=said.number("spec_decode_acceptance_length"),
            settings={
                key: str(value)
                for key, value in file.data.items()
                if key not in _OWN and not key.endswith("_ms") and not key.startswith("spec_decode")
            },
            log=log,
            notes=notes,
        )
    ]


def _duration(said: Fields, log: RequestLog | None) -> tuple[float, tuple[str, ...]]:
    """Return the time from the first request to the last token, as far as the file tells."""
    if log is not None and (span := log.span) is not None:
        return span, ("rates are over the time from the first request to the last token",)
    rate = said.data.get("request_rate")
    open_loop = isinstance(rate, int | float) and math.isfinite(rate)
    note = (
        "the duration begins before the first request: rates are a few per cent too low; "
        "--save-detailed tells when each was sent"
    )
    return said.needed("duration"), ((note,) if open_loop else ())


def _latencies(said: Fields, requests: int) -> Distribution | None:
    """Return the times that a file keeps without its other arrays, if none is of a failure."""
    found = said.numbers("latencies")
    return Distribution.of(found) if len(found) == requests else None


def load_of(said: Fields) -> SentLoad:
    """Return the load of a result of vLLM or SGLang."""
    clients = said.count("max_concurrency")
    if said.data.get("ramp_up_strategy"):
        return SentLoad(process="ramp", clients=clients)
    rate = said.data.get("request_rate")
    if isinstance(rate, str) and rate.strip().lower() in ("inf", "infinity"):
        rate = math.inf
    if rate is None or (isinstance(rate, float) and math.isinf(rate)):
        return SentLoad(process="clients" if clients else "burst", clients=clients)
    asked = said.needed("request_rate")
    burstiness = said.number("burstiness")
    if burstiness in (None, 1.0) or not burstiness:
        return SentLoad(process="poisson", clients=clients, rate=asked)
    # Gaps are drawn from a gamma distribution of this shape.
    return SentLoad(process="gamma", clients=clients, rate=asked, cv=burstiness**-0.5)


def lengths(values: tuple[int, ...], total: float, requests: int) -> Lengths:
    """Return lengths from those of requests, or from their sum."""
    return Lengths.of(values) if values else Lengths(total / max(1, requests))


def distributions(
    said: Fields, log: RequestLog | None, names: dict[str, str]
) -> dict[str, Distribution | None]:
    """Return the metrics of a result, from its requests where it has them."""
    found = {metric: _summary(said, name) for metric, name in names.items()}
    if log is not None:
        found["ttft"] = Distribution.of(log.ttft)
        found["tpot"] = Distribution.of(log.tpot)
        found["latency"] = Distribution.of(log.latency)
        gaps = [gap for row in _gaps(said) for gap in row]
        found["itl"] = Distribution.of(gaps) or found["itl"]
    return found


def _summary(said: Fields, name: str) -> Distribution | None:
    values = {
        statistic: said.number(f"{statistic}_{name}_ms", _MS)
        if said.number(f"{statistic}_{name}_ms") is not None
        else said.number(f"{word}_{name}_ms", _MS)
        for statistic, word in _STATISTICS.items()
    }
    return Distribution(**values) if any(v is not None for v in values.values()) else None


def request_log(said: Fields) -> RequestLog | None:
    """Return the requests that succeeded; None if the file has no arrays.

    Raises:
        LoadTestError: the arrays are of different lengths.
    """
    outputs, ttfts = said.numbers("output_lens"), said.numbers("ttfts")
    gaps = _gaps(said)
    if not outputs or not ttfts or not gaps:
        return None
    inputs, starts = said.numbers("input_lens"), said.numbers("start_times")
    count = len(outputs)
    errors = said.data.get("errors") or [""] * count
    if {len(ttfts), len(gaps), len(inputs), len(errors), len(starts) or count} != {count}:
        raise LoadTestError(f"the arrays of '{said.where}' are of different lengths")
    kept = [i for i in range(count) if outputs[i] and not errors[i]]
    if not kept:
        return None
    order = sorted(kept, key=starts.__getitem__) if starts else kept
    return RequestLog(
        arrival=tuple(starts[i] - starts[order[0]] for i in order) if starts else (),
        input=tuple(round(inputs[i]) for i in order),
        output=tuple(round(outputs[i]) for i in order),
        ttft=tuple(ttfts[i] for i in order),
        latency=tuple(ttfts[i] + math.fsum(gaps[i]) for i in order),
    )


def _gaps(said: Fields) -> list[tuple[float, ...]]:
    rows = said.data.get("itls") or []
    if not isinstance(rows, list):
        raise LoadTestError(f"'itls' of '{said.where}' is not a list")
    return [Fields({"itls": row}, said.where).numbers("itls") for row in rows]
