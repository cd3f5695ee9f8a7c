"""What admission does to the capacity of an engine whose KV cache is full.

    python -m tests.bench.bench_pressure

Qwen3-32B on two A3 dies, TP 2, a budget of 8 192 tokens, prompts of 8 to 24 thousand tokens: with
`first_chunk` a request starts when its first chunk fits, as vLLM before 0.19, and with
`whole_prompt` when all of its prompt does. The other rules are those of the newest vLLM, and the
same with both.
"""

import sys
import tempfile
from pathlib import Path

import specc

SPEC = """
use std.devices
use std.models

workload papers {
    requests {
        | share | input       | output     |
        | 100%  | 8Ki .. 24Ki | 256 .. 1Ki |
    }
    slo { ttft.p90 <= 10 s }
}

deployment two_dies {
    model   = qwen3_32b
    quant   = w8a8_dynamic
    device  = atlas_800_a3_752t_die
    devices = 2
    parallel { tp = 2 }
    engine { chunk_budget = 8192 tok; scheduler = decode_first }
}

study pressure {
    workload    = papers
    deployments = two_dies
    simulate { arrival = poisson(0.15 req/s); requests = 2000 }
    capacity { attainment = 90%; seeds = 3 }
}
"""
FIELDS = ("admission", "prefix_caching", "async_scheduling")
WAYS = {
    "first_chunk, no prefix cache, in turn": "first_chunk false false",
    "whole_prompt, no prefix cache, in turn": "whole_prompt false false",
    "first_chunk": "first_chunk true true",
    "whole_prompt": "whole_prompt true true",
}


def main() -> None:
    """Simulate each way and print its figures."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "pressure.spec"
        plan.write_text(SPEC, encoding="utf-8")
        for name, way in WAYS.items():
            settings = zip(
                ("admission", "prefix_caching", "async_scheduling"), way.split(), strict=True
            )
            overrides = [f"two_dies.engine.{field}={value}" for field, value in settings]
            (study,) = specc.compile(plan, overrides=overrides).results.studies
            (found,) = study.simulations
            metrics, capacity = found.metrics, found.capacity
            assert capacity is not None
            sys.stdout.write(
                f"{name}: at {metrics.rate:.3f} req/s TTFT mean {metrics.ttft.mean:.2f} s, p90 "
                f"{metrics.ttft.p90:.2f} s, {metrics.preemptions} preemptions; capacity "
                f"{capacity.rate:.3f} req/s\n"
            )


if __name__ == "__main__":
    main()
