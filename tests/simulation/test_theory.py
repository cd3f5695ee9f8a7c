"""What must hold of any queue, and queues whose answers are known."""

from collections.abc import Sequence

import numpy as np
import pytest
from attrs import define, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.ir import Arrival, Process, RatePoint, Routing, Scheduler, Simulate, Slo, Workload
from specc.results import EngineLimits
from specc.simulation.arrivals import RequestSource, at_rates, unit_gaps, weibull_shape
from specc.simulation.cluster import Disaggregated, Pool
from specc.simulation.costs import PICOSECONDS, MeasuredCosts
from specc.simulation.metrics import Outcome
from specc.simulation.policies.schedulers import scheduler_of
from specc.simulation.requests import REJECTED, Requests
from tests.simulation import promised


def engine(**changes) -> EngineLimits:
    usual = {
        "scheduler": Scheduler.DECODE_FIRST,
        "budget": 512,
        "limit": 32,
        "admission": 32,
        "decode_batch": 32,
        "capacity": 400,
        "block": 16,
        "longest": 4096,
        "prefix_caching": True,
    }
    return EngineLimits(**{**usual, **changes})


COSTS = MeasuredCosts([(1, 0.01), (512, 0.06)], [(1, 0.02), (32, 0.03)], 4096)


@frozen
class Moving:
    """Caches that all take as long."""

    seconds: float

    def times(self, tokens: Sequence[int]) -> list[float]:
        return [self.seconds] * len(tokens)


def some(seed: int, count: int = 400, rate: float = 2.0) -> Requests:
    workload = Workload(input=200, output=40)
    arrival = Arrival(Process.GAMMA, rate, 1.5)
    source = RequestSource(Simulate(arrival=arrival, requests=count, seed=seed), workload)
    generator = np.random.default_rng(seed)
    requests = source.requests()
    return Requests(
        requests.arrival,
        generator.integers(1, 600, count),
        np.zeros(count, np.int64),
        generator.integers(1, 100, count),
        requests.bin,
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([0.5, 3.0, 30.0, 1e6]),
    limit=st.sampled_from([1, 4, 32]),
    capacity=st.sampled_from([45, 100, 4000]),
    engines=st.sampled_from([1, 3]),
    routing=st.sampled_from(list(Routing)),
    scheduler=st.sampled_from(list(Scheduler)),
    turns=st.booleans(),
)
def test_what_holds_of_any_queue(
    seed, rate, limit, capacity, engines, routing, scheduler, turns
) -> None:
    requests = some(seed, 120, rate)
    limits = engine(
        scheduler=scheduler,
        limit=limit,
        decode_batch=max(1, limit // 2) if turns else limit,
        capacity=capacity,
    )
    outcome = Pool(limits, COSTS, engines, routing).serve(requests)
    served, done = outcome.served, outcome.done
    longest = scheduler_of(scheduler).longest_prompt(limits.budget)
    takes = [
        limits.takes(i, o) and i <= longest
        for i, o in zip(requests.input.tolist(), requests.output.tolist(), strict=True)
    ]
    # No request is lost: all that fit are served, and none that does not.
    assert done.tolist() == takes
    assert (served.first[~done] == REJECTED).all()
    # Time goes forward.
    assert (served.start[done] >= requests.arrival[done]).all()
    assert (served.first[done] > served.start[done]).all()
    assert (served.finish[done] >= served.first[done]).all()
    # Every token after the first has one gap before it, and the gaps add up to the answers.
    assert outcome.gaps.counts.sum() == (requests.output[done] - 1).sum()
    assert (outcome.gaps.counts > 0).all()
    total = (served.finish - served.first)[done].sum()
    assert (outcome.gaps.durations * outcome.gaps.counts).sum() == total
    # The cache never holds more than there is, and nothing runs on top of something else.
    for runs in outcome.runs:
        assert (runs[:, 7] <= capacity).all()
        assert (runs[:, 2] <= limits.decode_batch).all()
        assert (runs[1:, 0] >= runs[:-1, 0] + runs[:-1, 5]).all()
    # First in, first out within an engine: nothing overtakes before its first step.
    if engines == 1:
        started = served.start[done]
        assert (np.diff(started) >= 0).all()
    # Without preemption each prompt is computed once, and decode steps bring the other tokens.
    if not served.preemptions.any():
        computed = sum(int(runs[:, 4].sum()) for runs in outcome.runs)
        assert computed == requests.input[done].sum()
        decoded = sum(int((runs[:, 1] * runs[:, 2]).sum()) for runs in outcome.runs)
        assert decoded == (requests.output[done] - 1).sum()


def test_work_conservation() -> None:
    """No engine idles while a request waits for it."""
    outcome = Pool(engine(), COSTS).serve(some(3))
    (runs,) = outcome.runs
    idle = np.flatnonzero(runs[1:, 0] > runs[:-1, 0] + runs[:-1, 5])
    assert len(idle) > 5
    ends = (runs[:-1, 0] + runs[:-1, 5])[idle]
    begins = runs[1:, 0][idle]
    arrival, finish = outcome.requests.arrival, outcome.served.finish
    for end, begin in zip(ends, begins, strict=True):
        assert not ((arrival < begin) & (finish > end)).any()
        assert begin in arrival


def test_littles_law() -> None:
    """Mean number in the system = rate × mean time in it, counted in two ways."""
    outcome = Pool(engine(), COSTS).serve(some(5))
    (runs,) = outcome.runs
    events = [(t, 1) for t in outcome.requests.arrival[outcome.done].tolist()]
    events += [(t, -1) for t in outcome.served.finish[outcome.done].tolist()]
    events.sort()
    held = area = last = 0
    for time, change in events:
        area += held * (time - last)
        held, last = held + change, time
    assert area == (outcome.served.finish - outcome.requests.arrival)[outcome.done].sum()
    # What the engine itself recorded agrees: sequences it decodes, over time.
    decoding = (runs[:, 2] * runs[:, 5]).sum()
    assert decoding <= area


@define
class _Service:
    """Prefill alone takes time, as long as the lengths of prompts say: a server with a queue."""

    seconds_a_token: float = 1e-3

    def decode(self, batch: int):
        return COSTS.decode(batch)

    def mixed(self, tokens: int, keys: int, batch: int, context: int) -> int:
        return round(tokens * self.seconds_a_token * PICOSECONDS)


def _served(lengths: np.ndarray, load: float, seed: int) -> Outcome:
    """Serve prompts at a server that takes one at a time."""
    generator = np.random.default_rng(seed)
    rate = load / (lengths.mean() * 1e-3)
    arrival = np.cumsum(generator.exponential(1 / rate, len(lengths)) * PICOSECONDS)
    requests = Requests(
        arrival.astype(np.int64),
        lengths,
        np.zeros(len(lengths), np.int64),
        np.ones(len(lengths), np.int64),
        np.zeros(len(lengths), np.int64),
    )
    one = engine(limit=1, admission=1, budget=10**6, capacity=10**6, longest=10**6)
    return Pool(one, _Service()).serve(requests)


def _lengths(count: int) -> dict[str, np.ndarray]:
    varied = np.random.default_rng(9).gamma(2.0, 50, count).astype(np.int64)
    return {"constant": np.full(count, 100), "varied": np.maximum(varied, 1)}


@pytest.mark.parametrize("load", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("kind", ["constant", "varied"])
def test_waits_follow_the_recursion_of_lindley(load: float, kind: str) -> None:
    """A request waits as long as the one before waited and was served, less the gap; or not."""
    lengths = _lengths(10_000)[kind]
    outcome = _served(lengths, load, 1)
    arrival, waits = outcome.requests.arrival.tolist(), [0]
    services = (lengths * 10**9).tolist()
    for before, after, service in zip(arrival, arrival[1:], services, strict=False):
        waits.append(max(0, waits[-1] + service - (after - before)))
    assert (outcome.served.start - outcome.requests.arrival).tolist() == waits


def test_mean_waits_of_single_servers() -> None:
    """M/D/1: ρ s / 2(1 − ρ); M/G/1 (Pollaczek–Khinchine): λ E[s²] / 2(1 − ρ); within 3 %."""
    load = 0.6
    for lengths in _lengths(100_000).values():
        outcomes = (_served(lengths, load, seed) for seed in range(2))
        waits = np.mean([outcome.values("queue").mean() for outcome in outcomes])
        second, mean = (lengths.astype(float) ** 2).mean() * 1e-6, lengths.mean() * 1e-3
        assert waits == pytest.approx(load / mean * second / (2 * (1 - load)), rel=0.03)


def test_poisson_is_poisson() -> None:
    """Gaps follow the exponential distribution, their tail included; counts have its dispersion."""
    from scipy import stats

    gaps = unit_gaps(Process.POISSON, 1.0, 200_000, np.random.default_rng(4))
    assert stats.kstest(gaps, "expon").pvalue > 0.01
    assert gaps.max() > 10  # nothing is clipped: e^-10 · 200 000 = 9 gaps are longer
    counts = np.bincount(np.cumsum(gaps).astype(int))[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("process", [Process.GAMMA, Process.WEIBULL])
@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_gaps_have_their_mean_and_variation(process: Process, cv: float) -> None:
    gaps = unit_gaps(process, cv, 400_000, np.random.default_rng(2))
    assert gaps.mean() == pytest.approx(1.0, rel=0.02)
    assert gaps.std() == pytest.approx(cv, rel=0.04)


def test_a_weibull_of_cv_1_is_exponential() -> None:
    assert weibull_shape(1.0) == pytest.approx(1.0, rel=1e-9)


def test_rates_that_change() -> None:
    """A ramp from 0 to 10 req/s in 20 s brings 100 requests, half of them in the last 5.86 s."""
    ramp = (RatePoint(at=0.0, rate=0.0), RatePoint(at=20.0, rate=10.0))
    times = at_rates(np.array([25.0, 50.0, 100.0, 110.0]), ramp)
    assert times == pytest.approx([10.0, 20 / np.sqrt(2), 20.0, 21.0])
    steady = at_rates(np.arange(5.0), (RatePoint(at=3.0, rate=2.0),))
    assert steady == pytest.approx(np.arange(5.0) / 2)


def test_runs_repeat_and_rates_share_their_numbers() -> None:
    simulate = Simulate(arrival=Arrival(Process.WEIBULL, 5.0, 2.0), requests=1000, seed=3)
    source = RequestSource(simulate, Workload(input=100, output=10))
    first, again, faster = source.requests(), source.requests(), source.requests(scale=2.0)
    assert (first.arrival == again.arrival).all()
    assert np.allclose(first.arrival, 2 * faster.arrival, atol=2)
    assert (source.requests(seed=4).arrival != first.arrival).any()


def test_prefill_and_decode_apart() -> None:
    """The first token comes from the prefill, the second after the transfer."""
    requests = some(2, 60, 1.0)
    limits = engine()
    together = Pool(limits, COSTS).serve(requests)
    alone = Pool(limits, COSTS).serve(
        Requests(
            requests.arrival,
            requests.input,
            requests.cached,
            np.ones(len(requests), np.int64),
            requests.bin,
        )
    )
    apart = Disaggregated(Pool(limits, COSTS), Pool(limits, COSTS), Moving(0.5)).serve(requests)
    assert (apart.served.first == alone.served.first).all()
    several = requests.output > 1
    waited = (apart.served.finish - apart.served.first)[several] / PICOSECONDS
    assert (waited > 0.5).all()
    assert apart.gaps.counts.sum() == (requests.output - 1).sum()
    assert apart.done.all()
    # Nobody's prefill is in the way of a decode, so no gap but the first is as long.
    assert np.sort(together.gaps.durations)[-1] > COSTS.decode(32)[1]
    steady = apart.gaps.durations < 0.5 * PICOSECONDS
    assert apart.gaps.durations[steady].max() <= COSTS.decode(32)[1]


def test_more_replicas_serve_what_one_cannot() -> None:
    requests = some(7, 600, 8.0)
    slo = Slo(ttft=1.0, tpot=0.1)
    shares = [
        Pool(engine(), COSTS, count, Routing.LEAST_LOAD)
        .serve(requests)
        .metrics(promised(slo))
        .attainment
        for count in (1, 2, 4)
    ]
    assert shares[0] < shares[1] <= shares[2]
    assert shares[2] > 0.99
