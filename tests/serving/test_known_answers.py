"""Known answers of serving models: links, and what a fleet of replicas moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.ir import Timing, Transfer
from specc.serving.transfer import CacheSize, CacheTransfer, link_rate
from tests.cost.test_rules import DEVICE


@given(st.integers(1, 8), st.floats(1e8, 1e11), st.integers(1, 100_000), st.floats(0, 1e8))
def test_links_move_a_cache_a_replica_at_a_time(
    replicas: int, bandwidth: float, tokens: int, sequence: float
) -> None:
    """Each replica sends its next cache when the last has arrived: counted over 100 caches."""
    cache = CacheSize(token=70_272.0, sequence=sequence, layers=61, replicas=replicas)
    transfer = Transfer(bandwidth=bandwidth, latency=0.0)
    each = CacheTransfer(transfer, DEVICE, cache, cache, 0.0).time(tokens)
    free = [0.0] * replicas
    for number in range(100 * replicas):
        free[number % replicas] += each
    assert link_rate(transfer, DEVICE, cache, tokens) == pytest.approx(
        100 * replicas / max(free), rel=1e-9
    )


def test_links_that_cost_nothing_bound_nothing() -> None:
    cache = CacheSize(token=1.0, sequence=0.0, layers=1, replicas=1)
    assert link_rate(Transfer(timing=Timing.FREE), DEVICE, cache, 10.0) == float("inf")
    # Without a bandwidth the outermost level holds: 20 GB/s, of which half are reached.
    assert link_rate(Transfer(), DEVICE, cache, 1e9) == pytest.approx(10.0)
