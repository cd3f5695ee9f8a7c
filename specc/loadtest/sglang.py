"""`python -m sglang.bench_serving --output-file`: JSON lines (read of 0.5.23).

The keys are like those of vLLM's, with `e2e_latency` for `e2el`. It writes neither how many
requests were sent nor how many failed; with `--output-details` arrays tell. There are no start
times.
"""

import math
from typing import Any

from specc.loadtest.base import LoadTest, ResultFile
from specc.loadtest.vllm import distributions, lengths, load_of, request_log

NAME = "sglang.bench_serving"
_METRICS = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "latency": "e2e_latency"}


def fits(data: Any) -> bool:
    """Say whether an object is a result of this tool."""
    return {"sharegpt_output_len", "mean_e2e_latency_ms"} <= set(data)


def read(file: ResultFile) -> list[LoadTest]:
    """Read one line of results.

    Raises:
        LoadTestError: it lacks something, or holds something else than its names say.
    """
    said = file.fields
    log = request_log(said)
    times = distributions(said, log, _METRICS)
    requests = said.count("completed") or 0
    outputs, duration = said.needed("total_output_tokens"), said.needed("duration")
    sent = file.data.get("output_lens")
    failed = len(sent) - requests if isinstance(sent, list) else None
    unknown = "how many requests failed is not in the file; --output-details tells"
    server = said.inside("server_info")
    return [
        LoadTest(
            tool=NAME,
            name=said.text("tag"),
            model=server.text("served_model_name") or server.text("model_path"),
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
            latency=times["latency"],
            tokens_per_step=_finite(said.number("accept_length")),
            settings={
                key: str(value)
                for key, value in server.data.items()
                if isinstance(value, str | int | float | bool)
            },
            log=log,
            notes=(unknown,) if failed is None else (),
        )
    ]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
