"""Known answers of the simulator: where requests are sent, and metrics counted one by one."""

import math
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.cost import StepTable, StepTimes
from specc.ir import (
    Arrival,
    Bound,
    LengthBin,
    MeasuredServer,
    Process,
    Routing,
    Scheduler,
    Simulate,
    Slo,
    StepCost,
    Trace,
    Workload,
)
from specc.ir.simulation import StepKind
from specc.results import EngineLimits
from specc.serving import Mixture
from specc.simulation.arrivals import RequestSource
from specc.simulation.capacity import highest_scale
from specc.simulation.cluster import Pool
from specc.simulation.costs import PICOSECONDS, CostTable, MeasuredCosts
from specc.simulation.instances import measured_pool
from specc.simulation.requests import Requests
from tests.cost.test_rules import MODEL
from tests.simulation import promised

COSTS = MeasuredCosts([(1, 0.01), (512, 0.06)], [(1, 0.02), (32, 0.03)], 4096)


def _engine(**changes) -> EngineLimits:
    usual = {
        "scheduler": Scheduler.DECODE_FIRST,
        "budget": 512,
        "limit": 32,
        "admission": 32,
        "decode_batch": 32,
        "capacity": 4000,
        "block": 16,
        "longest": 4096,
    }
    return EngineLimits(**{**usual, **changes})


def _requests(seconds, prompts, answers, blocks=None) -> Requests:
    count = len(seconds)
    return Requests(
        arrival=(np.array(seconds) * PICOSECONDS).astype(np.int64),
        input=np.broadcast_to(np.array(prompts), count),
        cached=np.zeros(count, np.int64),
        output=np.broadcast_to(np.array(answers), count),
        bin=np.zeros(count, np.int64),
        blocks=blocks,
        block_tokens=16 if blocks else 0,
    )


def test_a_prefix_decides_until_its_engine_has_twice_the_mean_load_and_one() -> None:
    """Requests with one prefix, none of which is done when the last comes, on four engines.

    With n on the first engine the mean is n/4: the first three go there, the fourth (3 > 3/2 + 1)
    to an idle one. That has the prefix too from then on, and takes the next, as the less loaded:
    the sixth would find 3 on each, less than twice the mean of 6/4 and one.
    """
    count = 6
    blocks = [tuple(range(20))] * count
    requests = _requests(np.arange(count), 330, 2000, blocks)
    served = (
        Pool(_engine(prefix_caching=True), COSTS, 4, Routing.PREFIX_AWARE).serve(requests).served
    )
    assert (served.hits > 0).tolist() == [False, True, True, False, True, True]


def test_the_least_loaded_engine_takes_the_next() -> None:
    """A long answer keeps the first engine busy; short ones go to the other, one by one."""
    requests = _requests(np.arange(5.0), 16, [1000, 5, 5, 5, 5])
    outcome = Pool(_engine(), COSTS, 2, Routing.LEAST_LOAD).serve(requests)
    alone = Pool(_engine(), COSTS).serve(_requests([0.0], 16, 5)).served
    took = outcome.served.finish - requests.arrival
    assert took[1:].tolist() == [int(alone.finish[0])] * 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([0.5, 3.0, 30.0]))
def test_metrics_are_those_of_plain_lists(seed: int, engines: int, rate: float) -> None:
    generator = np.random.default_rng(seed)
    count = 60
    requests = _requests(
        np.cumsum(generator.exponential(1 / rate, count)),
        generator.integers(1, 600, count),
        generator.integers(1, 40, count),
    )
    tail = Bound(fact="ttft.p90", operator="<=", value=0.5, text="ttft.p90 <= 500 ms")
    outcome = Pool(_engine(capacity=60), COSTS, engines).serve(requests)
    metrics = outcome.metrics(promised(Slo(tpot=0.03, tails=(tail,))))
    rows = [
        (int(a), int(i), int(o), int(first), int(finish), int(begin))
        for a, i, o, first, finish, begin in zip(
            requests.arrival, requests.input, requests.output,
            outcome.served.first, outcome.served.finish, outcome.served.start, strict=True,
        )
    ]  # fmt: skip
    assert all(finish >= first > begin >= a for a, _, _, first, finish, begin in rows)
    ttft = [(first - a) / PICOSECONDS for a, _, _, first, *_ in rows]
    tpot = [(finish - first) / (o - 1) / PICOSECONDS for _, _, o, first, finish, _ in rows if o > 1]
    latency = [(finish - a) / PICOSECONDS for a, _, _, _, finish, _ in rows]
    queue = [(begin - a) / PICOSECONDS for a, *_, begin in rows]
    for name, values in (("ttft", ttft), ("tpot", tpot), ("latency", latency), ("queue", queue)):
        seen = getattr(metrics, name)
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        assert seen.mean == pytest.approx(statistics.fmean(values))
        assert (seen.p50, seen.p90, seen.p95, seen.p99) == pytest.approx(
            (cuts[49], cuts[89], cuts[94], cuts[98])
        ), name
        assert seen.max == max(values)
    span = (max(r[4] for r in rows) - rows[0][0]) / PICOSECONDS
    assert metrics.span == pytest.approx(span)
    assert metrics.served == pytest.approx(count / span)
    assert metrics.throughput == pytest.approx(sum(r[2] for r in rows) / span)
    assert metrics.input_throughput == pytest.approx(sum(r[1] for r in rows) / span)
    arriving = (rows[-1][0] - rows[0][0]) / PICOSECONDS
    assert metrics.arriving == pytest.approx(arriving)
    assert metrics.rate == pytest.approx((count - 1) / arriving)
    good = [
        first - a <= 0.5 * PICOSECONDS and (o == 1 or (finish - first) / (o - 1) <= 0.03 * 1e12)
        for a, _, o, first, finish, _ in rows
    ]
    assert metrics.attainment == pytest.approx(sum(good) / count)
    assert metrics.goodput == pytest.approx(sum(good) / span)
    took = sum(float(runs[:, 5].sum()) for runs in outcome.runs) / PICOSECONDS
    assert metrics.busy == pytest.approx(took / span / engines)
    assert metrics.prefill_busy is None
    # Each objective by itself: of TPOT among those that have one.
    within = {o.objective: (o.share, o.met) for o in metrics.objectives}
    share = sum(t <= 0.03 for t in tpot) / len(tpot)
    assert within["mean TPOT"] == (pytest.approx(share), statistics.fmean(tpot) <= 0.03)
    share = sum(t <= 0.5 for t in ttft) / count
    assert within[tail.text] == (pytest.approx(share), metrics.ttft.p90 <= 0.5)


def test_busy_and_batch_are_shares_of_the_time() -> None:
    """Two answers of ten tokens, apart: an engine steps from each arrival to its last token."""
    requests = _requests([0.0, 10.0], 16, 10)
    outcome = Pool(_engine(), COSTS).serve(requests)
    metrics = outcome.metrics(promised(Slo()))
    first, second = outcome.served.finish / PICOSECONDS
    assert first < 1
    steps = first + (second - 10)
    assert metrics.busy == pytest.approx(steps / second)
    # One sequence decodes in all steps but those that prefill.
    prefills = outcome.served.first[0] / PICOSECONDS * 2
    assert metrics.batch == pytest.approx((steps - prefills) / steps)
    assert (metrics.most_waiting, metrics.most_tokens, metrics.most_decoding) == (0, 16, 1)
    # 16 + 9 tokens of a block of 16 each.
    assert metrics.cache == pytest.approx(2 / 4000)
    assert not metrics.growing


def test_a_queue_grows_if_the_last_wait_far_longer_than_those_in_the_middle() -> None:
    """One at a time, a second each: at 0.9 a second nobody waits, at 1.5 ever longer."""
    costs = MeasuredCosts([(1, 1.0), (512, 1.0)], [(1, 1.0)], 4096)
    alone = _engine(limit=1, admission=1)

    def growing(rate: float, count: int) -> bool:
        requests = _requests(np.arange(count) / rate, 16, 1)
        return Pool(alone, costs).serve(requests).metrics(promised(Slo())).growing

    assert not growing(0.9, 500)
    assert growing(1.5, 500)
    assert not growing(1.5, 99)  # too few to tell


def test_a_series_shows_the_most_from_one_moment_to_the_next() -> None:
    """Against the runs of steps of each engine, looked through one by one."""
    generator = np.random.default_rng(3)
    requests = _requests(
        5 + np.cumsum(generator.exponential(0.05, 80)),
        generator.integers(1, 600, 80),
        generator.integers(1, 40, 80),
    )
    outcome = Pool(_engine(capacity=60), COSTS, 2).serve(requests)
    series = outcome.series()
    begin = int(requests.arrival[0])
    ends = [run[0] + run[1] for runs in outcome.runs for run in _started(runs)]
    assert series.time[0] == 0
    assert series.time[-1] == pytest.approx((max(ends) - begin) / PICOSECONDS)
    assert np.ptp(np.diff(series.time)) < 1e-5  # as far apart
    moments = np.linspace(begin, max(ends), len(series.time)).astype(np.int64)
    shown = np.array([series.waiting, series.running, np.array(series.cache) * 120]).T
    for place in range(0, len(moments) - 1, 7):
        # No less than what is at the moment, and no more than the most until the next one.
        least, most = np.zeros(3), np.zeros(3)
        for runs in outcome.runs:
            own = np.zeros((1, 3))
            for start, took, _, *state in _started(runs):
                if start <= moments[place] < start + took:
                    least += state
                if start < moments[place + 1] and start + took > moments[place]:
                    own = np.vstack([own, state])
            most += own.max(axis=0)
        assert (shown[place] >= least - 1e-3).all()
        assert (shown[place] <= most + 1e-3).all()
    # No peak is between two moments, which all runs of steps are many more than.
    alone = Pool(_engine(capacity=60), COSTS).serve(requests)
    states = np.array([state for _, _, _, *state in _started(alone.runs[0])])
    seen = alone.series()
    assert [max(seen.waiting), max(seen.running)] == states[:, :2].max(axis=0).tolist()
    assert max(seen.cache) * 60 == pytest.approx(states[:, 2].max(), abs=1e-3)
    assert max(series.waiting) > 10


def _started(runs):
    """Yield start, duration, steps, waiting, batch and blocks of each run of steps."""
    from specc.simulation.engine import BATCH, DURATION, START, STEPS, USED, WAITING

    for row in runs.tolist():
        yield tuple(row[column] for column in (START, DURATION, STEPS, WAITING, BATCH, USED))


def test_the_timeline_shows_steps_around_the_longest_queue() -> None:
    requests = _requests(np.repeat([1.0, 30.0, 60.0], [5, 60, 5]), 300, 20)
    outcome = Pool(_engine(limit=4, admission=4), COSTS).serve(requests)
    (runs,) = outcome.runs
    shown = outcome.steps()
    queue = max(row[3] for row in _started(runs))
    assert max(shown.waiting) == queue > 50
    listed = [row for row in _started(runs) if shown.start[0] * 1e12 <= row[0] + 1][:60]
    assert list(shown.start) == pytest.approx([row[0] / 1e12 for row in listed])
    assert list(shown.end) == pytest.approx([(r[0] + r[1]) / 1e12 for r in listed])
    assert list(shown.steps) == [row[2] for row in listed]
    assert list(shown.decoding) == [row[4] for row in listed]


def test_a_distribution_goes_from_the_least_to_the_most_in_percent() -> None:
    requests = _requests(np.arange(40.0) / 2, np.arange(40) * 10 + 1, 3)
    outcome = Pool(_engine(), COSTS).serve(requests)
    seen = outcome.distribution("ttft")
    values = sorted((outcome.served.first - requests.arrival) / PICOSECONDS)
    assert len(seen) == 101
    assert (seen[0], seen[100]) == (values[0], values[-1])
    assert seen[1:100] == pytest.approx(statistics.quantiles(values, n=100, method="inclusive"))


class _Steps:
    """A server that keeps the steps it is asked about; each takes a second."""

    block, drafted = 16, 0

    def __init__(self) -> None:
        self.mixture = Mixture.of(Workload(input=100, output=10), MODEL)
        self.asked: list[StepTable] = []

    def times(self, steps: StepTable) -> StepTimes:
        self.asked.append(steps)
        return StepTimes.of(len(steps), memory=np.ones(len(steps)))


def test_a_step_is_priced_as_the_prompts_that_its_keys_mean() -> None:
    """Keys a token of (q + 1) / 2 are whole prompts of q tokens; more, a chunk with a prefix."""
    server = _Steps()
    table = CostTable(server, longest=4000, budget=2000, limit=8)  # type: ignore[arg-type]
    cases = [(3, 100, 100), (1, 512, 512), (1, 512, 1536), (1, 1, 4000)]
    columns = [np.array(c, float) for c in zip(*cases, strict=True)]
    prompts, new, context = columns
    keys = new * (context - new) + new * (new + 1) / 2
    server.asked.clear()
    table._times(prompts * new, keys / new, np.full(4, 5.0), np.full(4, 700.0))
    (steps,) = server.asked
    assert steps.prefill.requests == pytest.approx(prompts)
    assert steps.prefill.tokens == pytest.approx(prompts * new)
    assert steps.prefill.context == pytest.approx(prompts * context)
    assert steps.prefill.pairs == pytest.approx(prompts * new * context)
    assert steps.prefill.causal_pairs == pytest.approx(prompts * keys)
    assert steps.prefill.blocks == pytest.approx(prompts * np.ceil(context / 16))
    assert steps.decode.requests.tolist() == [5.0] * 4
    assert steps.decode.context.tolist() == [3500.0] * 4
    assert steps.decode.tokens.tolist() == [5.0] * 4


def test_steps_of_the_table_are_those_of_one_rank() -> None:
    server = _Steps()
    table = CostTable(  # type: ignore[arg-type]
        server, longest=4000, budget=2000, limit=8, overhead=0.5, slowness=2.0
    )
    server.asked.clear()
    one = np.ones(1)
    times = table._times(800 * one, 50.5 * one, 6 * one, 700 * one)
    (steps,) = server.asked
    assert (steps.prefill.requests[0], steps.prefill.tokens[0]) == (8, 800)
    assert steps.prefill.context[0] == 800
    assert steps.decode.requests[0] == 6
    assert times[0] == (1 + 0.5) * 2


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_a_measured_server_is_an_engine_with_its_limits(scheduler: Scheduler) -> None:
    points = [StepCost(step=kind, size=1, time=0.01) for kind in StepKind]
    server = MeasuredServer(
        scheduler=scheduler, max_sequences=64, chunk_budget=48, decode_batch=32, block_size=16,
        kv_cache=1000, step_cost=tuple(points), ready_after=2.0,
    )  # fmt: skip
    pool = measured_pool(server, Routing.ROUND_ROBIN, longest=500, flat_hits=False)
    limits = pool.settings
    assert (limits.budget, limits.limit, limits.decode_batch, limits.admission) == (48, 48, 32, 32)
    assert (limits.capacity, limits.block) == (62, 16)
    slack = scheduler is Scheduler.DECODE_FIRST_WITH_SLACK
    assert limits.slack == (0.15 if slack else 0.0)
    assert limits.ready_at == 2 * PICOSECONDS


def test_slack_lets_a_step_exceed_its_budget_by_its_share() -> None:
    """Prompts of 287 and 288 tokens fit one step of 500 and 15 % more, and else take two."""
    requests = _requests([0.0, 0.0], [287, 288], 1)
    steps = [
        Pool(_engine(budget=500, scheduler=scheduler, slack=slack), COSTS)
        .serve(requests)
        .runs[0][:, 1]
        .sum()
        for scheduler, slack in (
            (Scheduler.DECODE_FIRST_WITH_SLACK, 0.15),
            (Scheduler.DECODE_FIRST_WITH_SLACK, 0.14),
            (Scheduler.DECODE_FIRST, 0.0),
        )
    ]
    assert steps == [1, 2, 2]


def test_requests_of_a_trace_lie_in_the_bin_of_both_their_lengths() -> None:
    """The last bin takes what lies in none."""
    rows = (
        LengthBin(share=0.5, input=(1, 100), output=(1, 10)),
        LengthBin(share=0.2, input=(1, 100), output=(10, 50)),
        LengthBin(share=0.3, input=(100, 200), output=(1, 50)),
    )
    prompts, answers = [5, 99, 100, 5, 300], [9, 10, 10, 60, 1]
    trace = Trace("t.csv", "", 5, arrival=range(5), input=prompts, output=answers)
    simulate = Simulate(arrival=Arrival(Process.TRACE, trace=trace), requests=5)
    source = RequestSource(simulate, Workload(requests=rows))
    assert source.requests().bin.tolist() == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("start", [0.2, 0.99, 1.0, 1.013, 3.0, 70.0])
@pytest.mark.parametrize("step", [2.0, 1.06])
def test_a_capacity_is_found_from_anywhere_and_in_any_steps(start: float, step: float) -> None:
    """A load is carried up to 1.01: what is found is within a hundredth below, in few probes."""
    asked = []

    def simulate(scale: float, seed: int) -> SimpleNamespace:
        asked.append(scale)
        return SimpleNamespace(
            objectives=(),
            attainment=1.0 if scale <= 1.01 else 0.0,
            growing=False,
            arriving=100.0,
            statistic=lambda _: 0.0,
        )

    found = highest_scale(simulate, 0.99, 1, start, step)  # type: ignore[arg-type]
    assert found is not None
    assert 1.01 / 1.011 <= found <= 1.01
    assert max(s for s in asked if s <= 1.01) == found
    assert len(asked) <= 10 + 2 * abs(math.log2(start)) + 5 * (step < 2)
    if step < 2 and abs(start - 1) < 0.05:
        assert len(asked) <= 6
