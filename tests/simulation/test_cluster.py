"""Engines behind a router, against one that looks at all engines at every arrival."""

import random

import pytest

from specc.ir import Routing, Scheduler
from specc.simulation.cluster import Pool
from specc.simulation.engine import Continuous, Lives
from specc.simulation.policies.routers import EngineView, router_of
from specc.simulation.requests import Requests
from tests.simulation.test_engine import CurvedRanks, limits, some, with_prefixes


def _plainly(pool: Pool, requests: Requests) -> Lives:
    """Advance every engine to each arrival, look at all, and choose."""
    lives, router = Lives.of(requests), router_of(pool.routing)
    engines = [pool.engine(lives) for _ in range(pool.engines)]
    groups = pool.groups(engines)
    for number, time in enumerate(requests.arrival.tolist()):
        for group in groups:
            group.advance(time)
        views = [
            EngineView(
                engine.waits,
                len(engine.running),
                engine.used / pool.settings.capacity,
                engine.found(number),
            )
            for engine in engines
        ]
        turn, known = pool.known(number)
        engines[known[router.choose(turn, views[known.start : known.stop])]].submit(number)
    for group in groups:
        group.advance()
    return lives


def random_pool(generator: random.Random, seed: int, routing: Routing) -> tuple[Pool, Requests]:
    """Return instances of one or more ranks, alone or in step, and requests for them."""
    requests = some(generator, transferred=False)
    limited = limits(generator, Scheduler.DECODE_FIRST, Continuous)
    if seed % 2:
        requests = with_prefixes(generator, requests, limited.block)
    ranks = generator.choice([1, 2, 4])
    in_step = ranks if seed % 3 == 0 else 1
    instances = generator.choice([1, 2, 3])
    costs = CurvedRanks(limited.longest, in_step)
    return Pool(limited, costs, instances * ranks, routing, ranks, in_step), requests


@pytest.mark.parametrize("routing", list(Routing))
def test_lazy_looks_choose_the_same_engines(routing: Routing) -> None:
    """With several instances of one or more ranks, alone or in step."""
    moved = 0
    for seed in range(250):
        pool, requests = random_pool(random.Random(seed), seed, routing)
        served, plain = pool.serve(requests).served, _plainly(pool, requests).served()
        for name in ("start", "first", "finish", "preemptions", "hits"):
            assert getattr(served, name).tolist() == getattr(plain, name).tolist(), (seed, name)
        moved += int((served.finish >= 0).sum())
    assert moved > 1000
