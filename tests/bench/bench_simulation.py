"""How many requests the simulator serves in a second of CPU time, on one core.

    python -m tests.bench.bench_simulation

Goals: the 19 366 requests of `splitwise_conv.csv` in 1 s; Poisson arrivals with 1024 prompt and 256
answer tokens at 40 000 requests a second, with 512 and 4096 at 60 000; a million requests in 1 GB.
The times are those of the simulation and its statistics; the cost table is made before.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np

from specc.calibration.setting import Setting, deployment
from specc.ir import Layout, Scheduler, Slo, Workload
from specc.results import EngineLimits
from specc.serving import Server
from specc.simulation.cluster import Pool
from specc.simulation.costs import PICOSECONDS, CostTable
from specc.simulation.requests import Requests

TRACE = Path(__file__).parents[3] / "shared/reference/traces/splitwise_conv.csv"
COLUMNS = ("arrived_at", "num_prefill_tokens", "num_decode_tokens")
LIMIT, BUDGET, BLOCK = 256, 8192, 128


def main() -> None:
    """Measure and print."""
    if TRACE.exists():
        _print("splitwise_conv.csv", _trace(), "19 366 a second")
    for prompt, answer, rate, goal in ((1024, 256, 4.0, 40_000), (512, 4096, 0.8, 60_000)):
        requests = _poisson(20_000, prompt, answer, rate)
        _print(f"Poisson {prompt}/{answer}", requests, f"{goal:,} a second")
    _print("a million, 1024/256", _poisson(1_000_000, 1024, 256, 4.0), "1 GB", runs=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB (goal 1,000)")


def _print(name: str, requests: Requests, goal: str, runs: int = 5) -> None:
    longest = int((requests.input + requests.output).max())
    setting = Setting("qwen3_8b", "atlas_800_a3_752t_die", 1, "bf16")
    workload = Workload(input=int(requests.input.mean()), output=int(requests.output.mean()))
    server = Server.of(deployment(setting), Layout(1, 1, 1), workload)
    costs = CostTable(server, longest, BUDGET, LIMIT)
    for batch in range(1, LIMIT + 1):
        costs.decode(batch)
    capacity = -(-longest // BLOCK) * LIMIT
    settings = EngineLimits(
        Scheduler.DECODE_FIRST, BUDGET, LIMIT, LIMIT, LIMIT, capacity, BLOCK, longest
    )
    pool = Pool(settings, costs)
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        metrics = pool.serve(requests).metrics(Slo(ttft=1.0))
        seconds.append(time.process_time() - start)
        assert metrics.finished == len(requests)
    best = min(seconds)
    print(
        f"{name}: {len(requests):,} requests in {best:.2f} s, {len(requests) / best:,.0f} a second "
        f"(goal {goal}), batch {metrics.batch:.0f}",
        file=sys.stdout,
        flush=True,
    )


def _poisson(count: int, prompt: int, answer: int, rate: float) -> Requests:
    gaps = np.random.default_rng(1).exponential(1 / rate, count)
    return Requests(
        (np.cumsum(gaps) * PICOSECONDS).astype(np.int64),
        np.full(count, prompt),
        np.zeros(count, np.int64),
        np.full(count, answer),
        np.zeros(count, np.int64),
    )


def _trace() -> Requests:
    rows = np.genfromtxt(TRACE, delimiter=",", names=True)
    arrival, prompt, answer = (rows[name] for name in COLUMNS)
    whole = (arrival * PICOSECONDS).astype(np.int64)
    none = np.zeros(len(rows), np.int64)
    return Requests(whole, prompt.astype(np.int64), none, answer.astype(np.int64), none)


if __name__ == "__main__":
    main()
