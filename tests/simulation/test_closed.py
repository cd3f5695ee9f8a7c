"""Clients in a closed loop, against the same requests when their times are given."""

import gc
import random

import numpy as np
import pytest
from attrs import evolve

from specc.ir import Routing, Workload
from specc.simulation.closed import Clients, serve_clients
from specc.simulation.cluster import Disaggregated, Pool
from specc.simulation.costs import PICOSECONDS, MeasuredCosts
from specc.simulation.engine import Lives, SimulatedEngine
from specc.simulation.metrics import Outcome
from specc.simulation.requests import REJECTED, Requests
from tests.simulation.test_cluster import random_pool
from tests.simulation.test_theory import COSTS, Moving, engine, some


def _plain_requests(count: int, prompt: int, output: int) -> Requests:
    none = np.zeros(count, np.int64)
    return Requests(none, none + prompt, none, none + output, none)


def _same(outcome: Outcome, replayed: Outcome) -> None:
    for name in ("start", "first", "finish", "preemptions", "hits"):
        got, wanted = (getattr(o.served, name).tolist() for o in (outcome, replayed))
        assert got == wanted, name
    for got, wanted in zip(outcome.runs, replayed.runs, strict=True):
        steps = [int((r[:, 1] * (r[:, 2] + r[:, 4] + 1)).sum()) for r in (got, wanted)]
        assert steps[0] == steps[1]
    assert outcome.gaps.durations.tolist() == replayed.gaps.durations.tolist()
    assert outcome.gaps.counts.tolist() == replayed.gaps.counts.tolist()
    assert outcome.rejected == replayed.rejected


def _check_clients(outcome: Outcome, clients: Clients) -> None:
    """Each sends when its last request is done and it has thought; so many are in flight."""
    arrival = outcome.requests.arrival
    assert np.all(np.diff(arrival) >= 0)
    finish = np.where(outcome.served.finish == REJECTED, arrival, outcome.served.finish)
    ready = sorted(clients.starts)
    later = sorted((finish + clients.think).tolist())
    wanted = sorted([*ready, *later])[: len(arrival)]
    assert arrival.tolist() == wanted
    # At any arrival no more are under way than there are clients.
    under_way = [int(((arrival <= t) & (finish > t)).sum()) for t in arrival.tolist()[::7]]
    assert max(under_way, default=0) <= clients.count


@pytest.mark.parametrize("routing", list(Routing))
def test_a_closed_loop_is_what_the_same_arrivals_give(routing: Routing) -> None:
    """With the times at which clients sent, an open loop serves each request alike."""
    moved = 0
    for seed in range(150):
        generator = random.Random(seed)
        pool, requests = random_pool(generator, seed, routing)
        think, ramp = generator.choice([0, 1000]), generator.choice([0, 5000])
        clients = Clients(generator.choice([1, 3, 8, 40]), think, ramp)
        outcome = serve_clients(pool, requests, clients)
        assert len(outcome.requests) == len(requests)
        _check_clients(outcome, clients)
        replayed = pool.serve(outcome.requests)
        _same(outcome, replayed)
        moved += outcome.done.sum()
    assert moved > 1000


@pytest.mark.parametrize("links", [1, 3])
def test_two_phases_in_a_closed_loop(links: int) -> None:
    for seed in range(60):
        generator = np.random.default_rng(seed)
        none = np.zeros(120, np.int64)
        lengths = generator.integers(1, 400, 120), generator.integers(1, 60, 120)
        requests = Requests(none, lengths[0], none, lengths[1], none)
        prefill = Pool(engine(limit=8, admission=8), COSTS, int(generator.integers(1, 3)))
        decode = Pool(engine(capacity=200), COSTS, int(generator.integers(1, 4)))
        cluster = Disaggregated(prefill, decode, Moving(0.03), links)
        clients = Clients(int(generator.integers(1, 30)), ramp=PICOSECONDS)
        outcome = serve_clients(cluster, requests, clients)
        _check_clients(outcome, clients)
        assert outcome.done.all()
        _same(outcome, cluster.serve(outcome.requests))


def test_one_client_waits_for_nobody() -> None:
    """Requests follow each other: the time of all is that of one, so many times."""
    requests = _plain_requests(20, 100, 10)
    one = serve_clients(Pool(engine(), COSTS), requests.rows(np.arange(1)), Clients(1))
    alone = int(one.served.finish[0])
    outcome = serve_clients(Pool(engine(), COSTS), requests, Clients(1, think=PICOSECONDS))
    assert outcome.served.start.tolist() == outcome.requests.arrival.tolist()
    assert int(outcome.served.finish[-1]) == 20 * alone + 19 * PICOSECONDS


def test_a_client_waits_for_the_time_beside_steps_too() -> None:
    """Little's law: one client has one request under way all the time, HTTP and all."""
    pool = evolve(Pool(engine(limit=4), COSTS), request_time=PICOSECONDS // 50)
    outcome = serve_clients(pool, _plain_requests(10, 100, 5), Clients(1))
    workload = Workload(input=100, output=5)
    metrics = outcome.metrics(workload)
    assert metrics.served * metrics.latency.mean == pytest.approx(1.0)
    without = serve_clients(evolve(pool, request_time=0), _plain_requests(10, 100, 5), Clients(1))
    gone = metrics.span - without.metrics(workload).span
    assert gone == pytest.approx(10 * 0.02)


def test_more_clients_than_places_wait_for_them() -> None:
    """Fixed times of steps: the rate is that of the places, the wait that of Little's law."""
    costs = MeasuredCosts([(1, 0.1), (512, 0.1)], [(1, 0.1)], 4096)
    limited = engine(limit=1, admission=1)
    metrics = serve_clients(Pool(limited, costs), _plain_requests(400, 100, 1), Clients(5)).served
    waits = (metrics.start[50:] - np.r_[metrics.finish[45:-5]]) / PICOSECONDS
    assert waits == pytest.approx(0.4)


def test_a_client_whose_request_is_rejected_sends_the_next_one() -> None:
    requests = _plain_requests(10, 100, 10)
    long = evolve(requests, input=np.where(np.arange(10) == 3, 5000, 100))
    outcome = serve_clients(Pool(engine(), COSTS), long, Clients(2))
    assert outcome.rejected == 1
    assert outcome.done.sum() == 9


def test_what_is_known_when_it_is_stopped() -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    outcome = serve_clients(Pool(engine(), COSTS), _plain_requests(5000, 50, 5), Clients(9), stop)
    assert outcome.interrupted
    assert len(outcome.requests) == len(outcome.served.finish) == 2000
    assert outcome.done.sum() >= 1900


def test_a_closed_loop_leaves_nothing_behind() -> None:
    """A run of the command line collects no cycles, so that a loop must not be one."""
    gc.collect()
    gc.disable()
    try:
        serve_clients(Pool(engine(), COSTS), some(1, 200), Clients(20))
        apart = Disaggregated(Pool(engine(), COSTS), Pool(engine(), COSTS), Moving(0.01))
        serve_clients(apart, some(2, 200), Clients(20))
        left = [one for one in gc.get_objects() if isinstance(one, Lives | SimulatedEngine)]
    finally:
        gc.enable()
    assert not left
