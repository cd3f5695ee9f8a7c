"""How many requests the simulator serves in a second of CPU time, on one core.

    python -m tests.bench.bench_simulation

Goals: the 19 366 requests of `splitwise_conv.csv` in 1 s; Poisson arrivals with 1024 prompt and 256
answer tokens at 40 000 requests a second, with 512 and 4096 at 60 000, with three drafted tokens a
step at 30 000; a million requests in 1 GB.
The times are those of the simulation and its statistics; the cost table is made before.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from attrs import evolve

from specc.calibration.setting import Setting, deployment
from specc.ir import Layout, Routing, Scheduler, Slo, Workload
from specc.results import EngineLimits
from specc.serving import Server
from specc.session import Session
from specc.simulation.cluster import Pool
from specc.simulation.costs import PICOSECONDS, CostTable
from specc.simulation.requests import Requests
from tests.simulation import promised

TRACE = Path(__file__).parents[3] / "shared/reference/traces/splitwise_conv.csv"
COLUMNS = ("arrived_at", "num_prefill_tokens", "num_decode_tokens")
CAPACITY = """
use std.devices
use std.models
workload w { input = 1024 tok; output = 256 tok; slo { ttft <= 1 s; tpot <= 50 ms } }
deployment d {
    model = qwen3_8b; quant = bf16; device = atlas_800_a3_752t_die; devices = 1
    parallel { tp = 1 }
}
study s {
    workload = w; deployments = d
    simulate { arrival = poisson(4 req/s); requests = 10000 }
    capacity { seeds = 5 }
}
"""
LIMIT, BUDGET, BLOCK = 256, 8192, 128
ACCEPTANCE = (0.9, 0.6, 0.4)


def main() -> None:
    """Measure and print."""
    if TRACE.exists():
        _print("splitwise_conv.csv", _trace(), "19 366 a second")
    for prompt, answer, rate, goal in ((1024, 256, 4.0, 40_000), (512, 4096, 0.8, 60_000)):
        requests = _poisson(20_000, prompt, answer, rate)
        _print(f"Poisson {prompt}/{answer}", requests, f"{goal:,} a second")
    _print("Poisson 1024/256, K = 3", _poisson(20_000, 1024, 256, 4.0), "30,000 a second", drafts=3)
    _print("a million, 1024/256", _poisson(1_000_000, 1024, 256, 4.0), "1 GB", runs=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB (goal 1,000)")


def thousands_a_second() -> float:
    """Return thousands of requests with 1024 prompt and 256 output tokens a second, one engine."""
    requests = _poisson(20_000, 1024, 256, 4.0)
    return len(requests) / _best(_pool(requests), requests) / 1e3


def replicas_ratio() -> float:
    """Return how many times as long 64 instances take as one, for the same requests."""
    requests = _poisson(20_000, 1024, 256, 4.0)
    one = _pool(requests)
    many = evolve(one, engines=64, routing=Routing.ENGINE)
    return _best(many, requests) / _best(one, requests)


def capacity_seconds() -> float:
    """Return the seconds, by the clock, of a search for a capacity with five seeds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.spec"
        path.write_text(CAPACITY)
        start = time.perf_counter()
        assert Session(path, unlimited=True).results.studies[0].simulations[0].capacity
        return time.perf_counter() - start


def _print(name: str, requests: Requests, goal: str, runs: int = 5, drafts: int = 0) -> None:
    pool = _pool(requests)
    pool = evolve(pool, settings=evolve(pool.settings, acceptance=ACCEPTANCE[:drafts]))
    best = _best(pool, requests, runs)
    batch = pool.serve(requests).metrics(promised(Slo(ttft=1.0))).batch
    print(
        f"{name}: {len(requests):,} requests in {best:.2f} s, {len(requests) / best:,.0f} a second "
        f"(goal {goal}), batch {batch:.0f}",
        file=sys.stdout,
        flush=True,
    )


def _best(pool: Pool, requests: Requests, runs: int = 5) -> float:
    """Return the least CPU time of some simulations with their statistics."""
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        metrics = pool.serve(requests).metrics(promised(Slo(ttft=1.0)))
        seconds.append(time.process_time() - start)
        assert metrics.finished == len(requests)
    return min(seconds)


def _pool(requests: Requests) -> Pool:
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
    return Pool(settings, costs)


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
