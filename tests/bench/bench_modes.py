"""How fast studies of every mode are, and the loop over steps.

    python -m tests.bench.bench_modes

Goals on two cores: Qwen3-235B on 64 dies of three kinds with 6 bins of lengths, the space
TP × DP × EP × MoE-TP, aggregated and PD ratio, and a sweep of five prefix rates in 5 s and 500 MB;
10 000 requests of one shape with answers of 1 000 tokens through the step loop in 0.5 s.
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from specc.calibration.setting import Setting, deployment
from specc.ir import Layout, Workload
from specc.serving import Server, StepLoop
from specc.session import Session

STUDY = """
use std.devices
use std.models
workload mixed {
    requests {
        | share | input        | output     |
        | 30%   | 1 .. 1Ki     | 64 .. 512  |
        | 25%   | 1Ki .. 2Ki   | 64 .. 512  |
        | 20%   | 2Ki .. 4Ki   | 128 .. 1Ki |
        | 15%   | 4Ki .. 8Ki   | 128 .. 1Ki |
        | 7%    | 8Ki .. 16Ki  | 512        |
        | 3%    | 16Ki .. 32Ki | 512        |
    }
    slo { ttft <= 10 s; tpot <= 50 ms }
}
deployment a3 {
    model = qwen3_235b_a22b; quant = w8a8_dynamic
    device = atlas_800_a3_752t_die; devices = 64
    parallel { tp = auto; ep = auto }
}
deployment a3_small extends a3 { device = atlas_800_a3_560t_die }
deployment a2 extends a3 { device = atlas_800_a2_313t }
deployment a3_pd extends a3 { mode = pd_ratio; devices = 16; fleet { devices = 64 } }
deployment a3_small_pd extends a3_pd { device = atlas_800_a3_560t_die }
deployment a2_pd extends a3_pd { device = atlas_800_a2_313t }
study large {
    workload = mixed
    deployments = [a3, a3_small, a2, a3_pd, a3_small_pd, a2_pd]
    simulate = none  # what is timed is the ranking
    sweep mixed.prefix_hit in [0%, 20%, 40%, 60%, 80%]
}
"""


def main() -> None:
    """Measure and print."""
    seconds, tasks = _study()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"large study: {tasks} candidates in {seconds:.2f} s (goal 5), {peak:.0f} MB (goal 500)")
    seconds = min(_loop() for _ in range(3))
    print(f"step loop of 10 000 requests × 1 000 tokens: {seconds:.3f} s (goal 0.5)")


def _study() -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.spec"
        path.write_text(STUDY)
        start = time.perf_counter()
        session = Session(path)
        tasks = sum(len(study.tasks) for study in session.plan.studies)
        assert session.results.studies
        return time.perf_counter() - start, tasks


def _loop() -> float:
    setting = Setting("qwen3_8b", "atlas_800_a3_752t_die", 8, "bf16")
    server = Server.of(deployment(setting), Layout(1, 1, 8), Workload(input=2000, output=1000))
    start = time.perf_counter()
    StepLoop(server, 8192).evaluate(np.array([1250]))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
