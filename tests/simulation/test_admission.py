"""A small server of GPT-2 on a CPU: what was measured, and what its step costs lead to.

32 requests of 4 prompt and 8 new tokens, decode batch 8. Submitting the first took 77 ms (83 ms in
the second run), and a tenth of a millisecond each of the others.
"""

import numpy as np
import pytest

from specc.ir import Scheduler, Slo
from specc.results import EngineLimits, Metrics
from specc.simulation.cluster import Pool
from specc.simulation.costs import PICOSECONDS, MeasuredCosts
from specc.simulation.requests import Requests
from tests.simulation import promised

MS = 1e-3
DECODE = [(1, 25.2 * MS), (8, 28.1 * MS)]


def run(admission: int, first_submit: float, prefill: list[tuple[int, float]]) -> Metrics:
    submits = np.array([0.0, *(first_submit + 0.1 * number for number in range(1, 32))])
    requests = Requests(
        np.round(submits * MS * PICOSECONDS).astype(np.int64),
        np.full(32, 4),
        np.zeros(32, np.int64),
        np.full(32, 8),
        np.zeros(32, np.int64),
    )
    settings = EngineLimits(
        scheduler=Scheduler.PREFILL_THEN_DECODE,
        budget=8192,
        limit=32,
        admission=admission,
        decode_batch=8,
        capacity=10**6,
        block=16,
        longest=1024,
        ready_at=round(first_submit * MS * PICOSECONDS),
    )
    costs = MeasuredCosts([(4 * n, ms * MS) for n, ms in prefill], DECODE, longest=16)
    return Pool(settings, costs).serve(requests).metrics(promised(Slo()))


def seen(metrics: Metrics) -> dict[str, tuple[float, ...]]:
    names = ("ttft", "tpot", "itl", "latency")
    found = {name: getattr(metrics, name) for name in names}
    return {name: (s.p50 / MS, s.p95 / MS, s.p99 / MS) for name, s in found.items()}


def test_admission_of_8() -> None:
    metrics = run(8, 77.0, [(1, 25.3), (8, 31.65)])
    found = seen(metrics)
    assert found["ttft"] == pytest.approx((140.34, 255.57, 255.68), rel=0.01)
    assert found["tpot"] == pytest.approx((105.36, 107.14, 110.48), rel=0.01)
    assert found["latency"] == pytest.approx((891.26, 957.18, 957.38), rel=0.01)
    assert found["itl"][0] == pytest.approx(111.87, rel=0.01)
    assert found["itl"][1:] == pytest.approx((128.46, 154.48), rel=0.09)
    assert metrics.throughput == pytest.approx(246.20, rel=0.01)


def test_admission_of_32() -> None:
    """One large prefill instead of four: TTFT p99 falls 2.2 times, and decode barely moves."""
    metrics = run(32, 83.0, [(1, 25.3), (8, 31.65), (31, 66.0)])
    found = seen(metrics)
    assert found["ttft"] == pytest.approx((115.74, 117.66, 117.99), rel=0.03)
    assert found["tpot"] == pytest.approx((101.73, 109.35, 109.35), rel=0.03)
    assert found["latency"] == pytest.approx((828.82, 880.04, 880.14), rel=0.03)
    assert metrics.throughput == pytest.approx(264.57, rel=0.03)
    before = run(8, 77.0, [(1, 25.3), (8, 31.65)])
    assert before.statistic("ttft.p99") / metrics.statistic("ttft.p99") == pytest.approx(2.2, 0.05)
    assert metrics.statistic("tpot.p50") == pytest.approx(before.statistic("tpot.p50"), rel=0.05)
