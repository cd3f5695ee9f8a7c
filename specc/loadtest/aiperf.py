"""`aiperf profile`: profile_export_aiperf.json, and the requests beside it (read of 0.13.0).

`inter_token_latency` is what others call TPOT, `inter_chunk_latency` are the gaps. Metrics that do
not exist are absent. Its rates are over a time that begins before the first request, so counts over
`benchmark_duration` are used. Warm-up requests stand among the others in the JSON lines. Counters
of accepted drafts are in server_metrics_export.json.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from specc.loadtest.base import (
    PERCENTILES,
    Distribution,
    Fields,
    Lengths,
    LoadTest,
    LoadTestError,
    RequestLog,
    ResultFile,
    SentLoad,
)

NAME = "aiperf"
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "sec": 1.0, "s": 1.0}
_REQUESTS = "profile_export.jsonl"
_COUNTERS = "server_metrics_export.json"
_DRAFTS, _ACCEPTED = "vllm:spec_decode_num_drafts", "vllm:spec_decode_num_accepted_tokens_per_pos"


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    return "aiperf_version" in data and "input_config" in data


def read(file: ResultFile) -> list[LoadTest]:
    """Read a run.

    Raises:
        LoadTestError: it was cancelled, or lacks something.
    """
    said = file.fields
    if said.data.get("is_complete") is False or said.data.get("was_cancelled"):
        why = said.text("incomplete_reason")
        raise LoadTestError(
            f"the run in '{file.path.name}' was cancelled" + (f": {why}" if why else ""),
            help="figures of a part of a run mislead; run it to its end",
        )
    requests = round(said.inside("request_count").needed("avg"))
    failed = said.inside("error_request_count").count("avg") or 0
    duration = said.inside("benchmark_duration").needed("avg")
    outputs = said.inside("total_osl").number("avg")
    if outputs is None:
        outputs = said.inside("output_sequence_length").needed("sum")
    log = _log(file)
    accepted = _acceptance(file)
    return [
        LoadTest(
            tool=NAME,
            version=said.text("aiperf_version"),
            model=_model(said),
            load=_load(said),
            input=_lengths(said, "usage_prompt_tokens", "input_sequence_length"),
            output=_lengths(said, "usage_completion_tokens", "output_sequence_length"),
            requests=requests,
            failed=failed,
            duration=duration,
            tokens=outputs,
            ttft=_distribution(said, "time_to_first_token"),
            tpot=_distribution(said, "inter_token_latency"),
            itl=_distribution(said, "inter_chunk_latency"),
            latency=_distribution(said, "request_latency"),
            acceptance=accepted,
            tokens_per_step=1.0 + sum(accepted) if accepted else None,
            log=log,
            notes=("TPOT is its inter-token latency, ITL its inter-chunk latency",),
        )
    ]


def _model(said: Fields) -> str:
    models = said.inside("input_config").inside("models").data.get("items")
    if isinstance(models, list) and models and isinstance(models[0], Mapping):
        return str(models[0].get("name", ""))
    return ""


def _load(said: Fields) -> SentLoad:
    phases = said.inside("input_config").data.get("phases") or []
    own = [p for p in phases if isinstance(p, Mapping) and p.get("kind") != "warmup"]
    if not own:
        return SentLoad(process="burst")
    phase = Fields(own[-1], f"{said.where}: phases")
    clients, rate = phase.count("concurrency"), phase.number("rate")
    if phase.text("type") == "fixed_schedule":
        return SentLoad(process="schedule")
    if rate is None:
        return SentLoad(process="clients" if clients else "burst", clients=clients)
    kind = phase.text("type")
    process = kind if kind in ("poisson", "constant", "gamma") else "poisson"
    smooth = phase.number("smoothness") or 1.0
    return SentLoad(process=process, clients=clients, rate=rate, cv=smooth**-0.5)


def _distribution(said: Fields, name: str) -> Distribution | None:
    own = said.inside(name)
    if not own.data:
        return None
    unit = own.text("unit")
    if unit not in _UNITS:
        raise LoadTestError(
            f"'{name}' of '{said.where}' is in '{unit}'", help=f"known: {', '.join(_UNITS)}"
        )
    scale = _UNITS[unit]
    return Distribution(
        mean=own.number("avg", scale),
        max=own.number("max", scale),
        **{p: own.number(p, scale) for p in PERCENTILES},
    )


def _lengths(said: Fields, *names: str) -> Lengths:
    """Return tokens as the server counted them, or else as the tool did."""
    for name in names:
        own = said.inside(name)
        if (mean := own.number("avg")) is not None:
            return Lengths(mean, own.count("min"), own.count("max"))
    raise LoadTestError(f"'{said.where}' does not say how many tokens its requests have")


def _log(file: ResultFile) -> RequestLog | None:
    text = file.text_beside(_REQUESTS)
    if text is None:
        return None
    rows = sorted(_rows(text), key=lambda row: row[0])
    if not rows:
        return None
    starts, inputs, outputs, ttfts, latencies = zip(*rows, strict=True)
    return RequestLog(
        tuple(start - starts[0] for start in starts),
        tuple(map(round, inputs)),
        tuple(map(round, outputs)),
        ttfts,
        latencies,
    )


def _rows(text: str) -> Iterator[tuple[float, float, float, float, float]]:
    """Yield start, tokens of prompt and output, TTFT and latency of requests after the warm-up."""
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            row = json.loads(line)
        except ValueError:
            raise LoadTestError(f"a line of '{_REQUESTS}' is not JSON") from None
        said = Fields(row, _REQUESTS)
        about, metrics = said.inside("metadata"), said.inside("metrics")
        if about.text("benchmark_phase") == "warmup" or "time_to_first_token" not in metrics.data:
            continue
        tokens = [
            metrics.inside(name).number("value") or metrics.inside(other).needed("value")
            for name, other in (
                ("usage_prompt_tokens", "input_sequence_length"),
                ("usage_completion_tokens", "output_sequence_length"),
            )
        ]
        times = [
            metrics.inside(name).needed(
                "value", _UNITS.get(metrics.inside(name).text("unit"), 1e-3)
            )
            for name in ("time_to_first_token", "request_latency")
        ]
        yield about.needed("request_start_ns", 1e-9), tokens[0], tokens[1], times[0], times[1]


def _acceptance(file: ResultFile) -> tuple[float, ...]:
    """Return the share of drafts of which each token was accepted, from the server's counters."""
    text = file.text_beside(_COUNTERS)
    if text is None:
        return ()
    try:
        metrics = json.loads(text)["metrics"]
        drafts = sum(one["stats"]["total"] for one in metrics[_DRAFTS]["series"])
        accepted: dict[int, float] = {}
        for one in metrics[_ACCEPTED]["series"]:
            position = int(one["labels"]["position"])
            accepted[position] = accepted.get(position, 0.0) + one["stats"]["total"]
    except (ValueError, LookupError, TypeError):
        return ()
    return tuple(accepted[n] / drafts for n in sorted(accepted)) if drafts else ()
