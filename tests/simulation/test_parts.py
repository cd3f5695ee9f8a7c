"""The parts of the simulator: cost tables, prefix blocks, sessions, statistics, capacity."""

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.cost import StepTable
from specc.ir import (
    Arrival,
    Bound,
    Engine,
    Generation,
    Layout,
    Process,
    RatePoint,
    Routing,
    Sessions,
    Simulate,
    Slo,
    Trace,
    Workload,
)
from specc.ir.deployment import Phase
from specc.serving import Server
from specc.simulation.arrivals import RequestSource
from specc.simulation.blocks import BlockCache
from specc.simulation.capacity import highest_scale
from specc.simulation.cluster import Allowance, Disaggregated, LostError, Pool
from specc.simulation.costs import PICOSECONDS, CostTable, MeasuredCosts, line_through
from specc.simulation.instances import SimulatedInstance
from specc.simulation.metrics import statistics_of, statistics_of_gaps, widest
from specc.simulation.requests import Gaps, Requests
from tests.simulation import promised
from tests.simulation.test_theory import COSTS, Moving, engine, some

A3 = "atlas_800_a3_752t_die"


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("qwen3_32b", Layout(4, 1, 1)),
        ("qwen3_235b_a22b", Layout(4, 1, 4, ep=16)),
        ("deepseek_v3", Layout(1, 1, 16, ep=16)),
    ],
)
def test_the_table_is_the_cost_model(model: str, layout: Layout) -> None:
    """Decode steps within 0.1 %; steps that prefill within 1 % on the mean and 5 % in 19 of 20."""
    server = Server.of(
        deployment(Setting(model, A3, layout.devices, "w8a8_dynamic")),
        layout,
        Workload(input=1024, output=256),
    )
    table = CostTable(server, longest=16384, budget=8192, limit=256)
    generator = np.random.default_rng(1)

    def up_to(most: int) -> np.ndarray:
        return np.exp(generator.uniform(0, np.log(most), 300)).astype(int)

    tokens, batch, context = up_to(8192), up_to(256) - 1, up_to(16384)
    fresh = (tokens + 1) / 2
    keys = np.where(generator.random(300) < 0.5, fresh, np.maximum(fresh, up_to(12000)))
    whole = np.maximum((tokens * keys).astype(int), tokens)
    rows = (tokens, whole / tokens, batch, context)
    exact = table._times(*(np.asarray(row, np.float64) for row in rows))
    found = [
        table.mixed(*map(int, row)) / PICOSECONDS
        for row in zip(tokens, whole, batch, context, strict=True)
    ]
    errors = np.abs(np.array(found) / exact - 1)
    assert errors.mean() < 0.01
    assert np.quantile(errors, 0.95) < 0.05
    nothing = np.zeros(300)
    exact = table._times(nothing, nothing + 1, batch + 1.0, context.astype(float))
    sums = [table.decode(b + 1) for b in batch.tolist()]
    found = [(s[c + 1] - s[c]) / PICOSECONDS for s, c in zip(sums, context.tolist(), strict=True)]
    assert np.array(found) == pytest.approx(exact, rel=1e-3)


def test_step_costs_between_and_beyond() -> None:
    points = [(4, 25.3), (32, 31.65), (124, 66.0)]
    assert line_through(points, 4) == 25.3
    assert line_through(points, 18) == pytest.approx((25.3 + 31.65) / 2)
    assert line_through(points, 216) == pytest.approx(66.0 + (66.0 - 31.65))
    assert line_through([(8, 2.0)], 99) == 2.0


def test_an_instance_of_a_deployment() -> None:
    """Every replica is an engine; those that share experts run in step."""

    def instance(model: str, layout: Layout) -> SimulatedInstance:
        given = deployment(Setting(model, A3, layout.devices, "w8a8_dynamic"))
        server = Server.of(given, layout, Workload(input=1024, output=256))
        return SimulatedInstance(server, given.engine, Phase.WHOLE, 32, 8192, 40960)

    dense = instance("qwen3_32b", Layout(4, 1, 2))
    assert (dense.engines, dense.settings.limit, dense.settings.budget) == (2, 32, 8192)
    moe = instance("qwen3_235b_a22b", Layout(4, 1, 4, ep=16))
    assert (moe.engines, moe.settings.limit, moe.settings.budget) == (4, 32, 8192)
    assert (dense.in_step, moe.in_step) == (1, 4)
    apart = instance("qwen3_235b_a22b", Layout(4, 1, 4, ep=4, moe_dp=4))
    assert (apart.engines, apart.in_step) == (4, 1)
    staged = instance("qwen3_32b", Layout(4, 2, 1))
    assert (staged.engines, staged.settings.limit) == (2, 32)
    # What the cache holds fits the memory, and one block more for each token of 128 would not.
    server = dense.server
    free = dense.cache_blocks * server.cost.memory_model.kv_block_bytes
    assert free < server.memory - server.reserved - server.weight_bytes
    assert free > 0.8 * (server.memory - server.reserved - server.weight_bytes)


def test_blocks_are_shared_and_the_oldest_go_first() -> None:
    cache = BlockCache(size=4)
    cache.publish(1, [10, 11, 12], 3)
    assert cache.match([10, 11, 99], 9) == 2
    assert cache.match([10, 11, 12], 1) == 1
    assert cache.in_use([10, 11, 12], 2) == 8
    cache.acquire(2, [10, 11], 2, 0)
    # Of 14 blocks 12 are full; 8 of these are in use by 2, and its last four fall idle.
    assert cache.release(1, 14, 12, keep=False) == 14 - 8
    assert cache.idle == 4
    assert cache.release(2, 8, 8, keep=False) == 8
    # 12 fell idle first, then 11, then 10: ends of prompts go before their beginnings.
    cache.trim(8)
    assert cache.match([10, 11, 12], 9) == 2
    cache.trim(7)  # without one of its KV-cache blocks 11 cannot be found
    assert cache.match([10, 11, 12], 9) == 1
    assert cache.idle == 7
    cache.trim(0)
    assert cache.match([10], 9) == 0


def test_a_preempted_request_finds_its_own_blocks_unless_they_are_evicted() -> None:
    cache = BlockCache()
    assert cache.release(1, 6, 5, keep=True) == 6
    assert cache.own(1, 0, 9) == 5
    assert cache.own(1, 0, 3) == 3
    assert cache.own(1, 1, 9) == 0  # not what is behind a block with a hash
    assert cache.own(2, 0, 9) == 0
    cache.release(2, 4, 4, keep=False)  # younger, and nobody finds them
    cache.trim(7)
    assert cache.own(1, 0, 9) == 3
    cache.acquire(1, [], 0, 3)
    assert cache.idle == 4
    assert cache.own(1, 0, 9) == 0


def test_of_two_copies_the_older_is_found() -> None:
    cache = BlockCache()
    cache.publish(1, [7], 1)
    cache.publish(2, [7], 1)
    assert cache.has_copies
    cache.release(1, 1, 1, keep=False)
    assert cache.in_use([7], 1) == 0  # the idle one, though another is in use
    cache.trim(0)
    assert cache.match([7], 1) == 1
    assert cache.in_use([7], 1) == 1
    assert not cache.has_copies


def source(turns: float, system: int, count: int = 300) -> RequestSource:
    sessions = Sessions(turns=turns, gap=20.0, system_prompt=system, system_prompts=2)
    simulate = Simulate(
        arrival=Arrival(Process.POISSON, 2.0), requests=count, sessions=sessions, seed=5
    )
    return RequestSource(simulate, Workload(input=100, output=30), block=16, longest=4096)


def test_sessions_continue_their_prompts() -> None:
    requests = source(4.0, 64).requests()
    assert len(requests) == 300
    assert (np.diff(requests.arrival) >= 0).all()
    assert requests.rows(np.arange(3)).blocks == list(requests.blocks[:3])
    # At a mean of 4 turns a prompt has 64 + 100 tokens, or 130 more for each turn before.
    turns = (requests.input - 164) / 130
    assert (turns == turns.astype(int)).all()
    assert turns.mean() == pytest.approx(3.0, abs=0.7)
    rate = len(requests) / (requests.arrival[-1] / PICOSECONDS)
    assert rate == pytest.approx(2.0, rel=0.3)
    # The system prompt is one of two; histories share nothing else.
    heads = {blocks[:4] for blocks in requests.blocks}
    assert len(heads) == 2
    first_own = {blocks[4] for blocks, t in zip(requests.blocks, turns, strict=True) if t == 0}
    assert len(first_own) == int((turns == 0).sum())


def test_a_cache_that_holds_all_finds_every_earlier_turn() -> None:
    """With room for everything, a turn computes what is new, and blocks cut off at their edge."""
    requests = source(4.0, 0).requests()
    slow = attrs.evolve(
        requests, arrival=requests.arrival * 100
    )  # every answer is there before the next turn
    outcome = Pool(engine(capacity=10**6), COSTS).serve(slow)
    earlier = requests.input - 100
    seen_before = earlier > 0
    hits = outcome.served.hits
    found = hits[seen_before] >= np.maximum(earlier[seen_before] - 31, 0)
    # Only histories that began before the simulation are not there.
    assert found.mean() > 0.6
    assert (hits <= requests.input - 1).all()
    assert (hits % 16 == 0).all()
    assert (hits[~seen_before] == 0).all()


def test_where_states_of_outputs_are_not_kept_a_turn_finds_earlier_prompts_alone() -> None:
    """As vLLM of models with recurrent layers: the last boundary of a prompt is kept."""
    made = source(4.0, 0)
    found = {}
    for caches in (True, False):
        requests = attrs.evolve(made, caches_outputs=caches).requests()
        slow = attrs.evolve(requests, arrival=requests.arrival * 100)
        outcome = Pool(engine(capacity=10**6), COSTS).serve(slow)
        found[caches] = outcome.served.hits
        assert (outcome.served.hits % 16 == 0).all()
    # The prompt of the turn before, without its answer of 30 tokens.
    before = requests.input - 130
    assert (found[False] <= np.maximum(before, 0)).all()
    assert (found[False] <= found[True]).all()
    assert 0 < found[False].sum() < found[True].sum()


@pytest.mark.parametrize(("block", "named", "several"), [(16, 64, 1), (128, 128, 2), (100, 128, 2)])
def test_names_of_a_trace_are_those_of_larger_blocks(block, named, several) -> None:
    trace = Trace(
        file="t",
        digest="",
        requests=2,
        arrival=(0.0, 1.0),
        input=(320, 200),
        output=(4, 4),
        hashes=((11, 12, 13, 14, 15), (11, 12, 16)),
    )
    simulate = Simulate(arrival=Arrival(Process.TRACE, trace=trace), requests=2, block_tokens=64)
    made = RequestSource(simulate, Workload(input=100, output=30), block=block, longest=4096)
    requests = made.requests()
    assert requests.block_tokens == named
    wanted = [own[several - 1 :: several] for own in trace.hashes]
    assert [tuple(own) for own in requests.blocks] == wanted


@settings(max_examples=30, deadline=None)
@given(
    turns=st.sampled_from([1.0, 3.0]),
    system=st.sampled_from([0, 50, 500]),
    capacity=st.sampled_from([120, 300, 5000]),
    routing=st.sampled_from(list(Routing)),
    load=st.sampled_from([1, 20, 10**6]),
)
def test_prefix_blocks_lose_no_request(turns, system, capacity, routing, load) -> None:
    requests = source(turns, system, 120).requests()
    requests = attrs.evolve(requests, arrival=requests.arrival // load)
    limits = engine(capacity=capacity)
    outcome = Pool(limits, COSTS, 2, routing).serve(requests)
    pairs = zip(requests.input, requests.output, strict=True)
    assert outcome.done.tolist() == [limits.takes(i, o) for i, o in pairs]
    for runs in outcome.runs:
        assert (runs[:, 7] <= capacity).all()
        assert (runs[:, 7] >= 0).all()
    computed = sum(int(runs[:, 4].sum()) for runs in outcome.runs)
    if not outcome.served.preemptions.any():
        prompts = requests.input[outcome.done].sum()
        assert computed + outcome.served.hits.sum() == prompts


def test_a_prefix_aware_router_finds_more() -> None:
    requests = source(5.0, 800, 600).requests()
    hits = [
        Pool(engine(capacity=3000), COSTS, 4, routing).serve(requests).served.hits.sum()
        for routing in (Routing.ROUND_ROBIN, Routing.PREFIX_AWARE)
    ]
    assert hits[1] > 1.1 * hits[0]


def test_statistics_of_counted_gaps_are_those_of_all() -> None:
    generator = np.random.default_rng(1)
    durations = np.sort(generator.choice(10**12, 50, replace=False)).astype(np.int64)
    counts = generator.integers(1, 40, 50)
    gaps = Gaps.of(durations, counts)
    every = np.repeat(durations, counts) / PICOSECONDS
    counted, whole = statistics_of_gaps(gaps), statistics_of(every)
    assert counted is not None
    assert attrs.astuple(counted) == pytest.approx(attrs.astuple(whole), rel=1e-12)


def test_objectives_of_a_request() -> None:
    tail = Bound(fact="ttft.p99", operator="<=", value=5.0, text="ttft.p99 <= 5 s")
    slo = Slo(ttft=1.0, tpot=0.05, tails=(tail,))
    assert widest(slo) == {"ttft": 5.0, "tpot": 0.05}
    metrics = Pool(engine(), COSTS).serve(some(1, 200, 4.0)).metrics(promised(slo))
    mean, tpot, p99 = metrics.objectives
    assert (mean.objective, p99.objective) == ("mean TTFT", "ttft.p99 <= 5 s")
    assert mean.seen == metrics.ttft.mean
    assert p99.seen == metrics.ttft.p99
    assert p99.share >= mean.share
    assert metrics.attainment <= min(p99.share, tpot.share)
    assert metrics.goodput == pytest.approx(metrics.attainment * 200 / metrics.span)


def test_what_does_not_fit_is_rejected_and_counted() -> None:
    requests = some(1, 100, 4.0)
    metrics = Pool(engine(capacity=20), COSTS).serve(requests).metrics(promised(Slo(ttft=100.0)))
    longer = int((-(-(requests.input + requests.output - 1) // 16) > 20).sum())
    assert metrics.rejected == longer > 10
    assert metrics.finished == 100 - longer
    assert metrics.attainment <= metrics.finished / 100


def test_capacity_of_a_queue_that_is_known() -> None:
    """Deterministic arrivals and service: up to 1 / s nobody waits, beyond it the queue grows."""
    costs = MeasuredCosts([(1, 0.1), (512, 0.1)], [(1, 0.1)], 4096)
    limits = engine(limit=1, admission=1)

    def at(scale: float, seed: int):
        simulate = Simulate(arrival=Arrival(Process.CONSTANT, 1.0), requests=2000, seed=seed)
        requests = RequestSource(simulate, Workload(input=100, output=1)).requests(scale)
        return Pool(limits, costs).serve(requests).metrics(promised(Slo(ttft=0.11)))

    for start in (0.01, 1.0, 300.0):
        scale = highest_scale(at, 0.99, 1, start)
        # A hundredth of a second of waiting is allowed: 0.01 / (0.1 - 1 / rate) requests.
        assert scale == pytest.approx(10.0, rel=0.02)

    def never(scale: float, seed: int):
        return Pool(limits, costs).serve(some(seed, 50, scale)).metrics(promised(Slo(ttft=1e-6)))

    assert highest_scale(never, 0.99, 1, 1.0) is None


def test_days_do_not_overflow() -> None:
    """A large batch over eleven days: means stay means."""
    costs = MeasuredCosts([(1, 60.0)], [(1, 60.0)], 4096)
    count = 400
    requests = some(1, count, 1e6)
    requests = attrs.evolve(requests, output=np.full(count, 2000), input=np.full(count, 10))
    limits = engine(limit=256, admission=256, decode_batch=256, capacity=10**6)
    metrics = Pool(limits, costs).serve(requests).metrics(promised(Slo()))
    assert metrics.span > 2 * 86400
    assert 150 < metrics.batch <= 256
    assert metrics.ttft is not None
    assert 0 < metrics.ttft.mean < metrics.span
    assert metrics.busy == pytest.approx(1.0)


@pytest.mark.parametrize("turns", [1.0, 50.0, 1000.0])
def test_sessions_of_any_length_keep_their_rate(turns: float) -> None:
    requests = source(turns, 0).requests()
    assert len(requests) == len(requests.cached) == 300
    rate = (len(requests) - 1) / ((requests.arrival[-1] - requests.arrival[0]) / PICOSECONDS)
    assert rate == pytest.approx(2.0, rel=0.3)


def test_another_rate_is_the_same_requests_sooner() -> None:
    for made in (source(4.0, 64), _ramp()):
        slow, fast = made.requests(), made.requests(scale=1.7)
        assert (slow.input == fast.input).all()
        assert np.allclose(slow.arrival, 1.7 * fast.arrival, atol=4)


def _ramp() -> RequestSource:
    rates = (RatePoint(at=0.0, rate=1.0), RatePoint(at=60.0, rate=9.0))
    simulate = Simulate(arrival=Arrival(Process.POISSON), rates=rates, requests=400)
    return RequestSource(simulate, Workload(input=100, output=10))


def _carried(tail: Bound, count: int = 2000):
    costs = MeasuredCosts([(1, 0.01), (512, 0.06)], [(1, 0.02), (32, 0.03)], 4096)

    def at(scale: float, seed: int):
        simulate = Simulate(arrival=Arrival(Process.POISSON, 1.0), requests=count, seed=seed)
        requests = RequestSource(simulate, Workload(input=100, output=10)).requests(scale)
        return Pool(engine(), costs).serve(requests).metrics(promised(Slo(tails=(tail,))))

    return highest_scale(at, 0.99, 1, 1.0), at


def test_a_capacity_keeps_every_objective() -> None:
    """Gaps between tokens and medians limit it, though no request is judged by them."""
    wide = Bound(fact="ttft.p99", operator="<=", value=9.0, text="ttft.p99 <= 9 s")
    free, at = _carried(wide)
    gaps = Bound(fact="itl.p99", operator="<=", value=0.032, text="itl.p99 <= 32 ms")
    narrow, at_narrow = _carried(gaps)
    assert narrow < 0.9 * free
    assert at_narrow(narrow, 1).itl.p99 <= 0.032
    assert _carried(Bound(fact="itl.p99", operator="<=", value=1e-3, text=""))[0] is None
    # What is never served is no capacity, however long requests may wait.
    assert free < 1.1 * at(1000.0, 1).served


def test_a_short_simulation_has_no_high_capacity() -> None:
    """The arrivals last at least five latencies, or nothing is said."""
    wide = Bound(fact="ttft.p99", operator="<=", value=9.0, text="ttft.p99 <= 9 s")
    scale, at = _carried(wide, count=150)
    metrics = at(scale, 1)
    assert metrics.arriving >= 5 * metrics.latency.p50


def test_caches_wait_for_their_link() -> None:
    """One link, half a second a cache: at 4 prompts a second the last of 40 waits for ten more."""
    requests = some(4, 40, 1e5)
    pools = Pool(engine(), COSTS), Pool(engine(), COSTS)
    one, many = (Disaggregated(*pools, Moving(0.5), links).serve(requests) for links in (1, 100))
    moved = int((requests.output > 1).sum())
    last = (one.served.finish.max() - one.served.first[requests.output > 1].min()) / PICOSECONDS
    assert last > 0.5 * moved
    assert many.served.finish.max() < one.served.finish.max()
    assert one.done.all()


def test_what_was_stopped_in_prefill_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = some(4, 40, 1.0)
    pool = Pool(engine(), COSTS)
    whole = Pool.serve

    def stopped(self, given, progress=lambda _: None, allowance=None):
        return attrs.evolve(whole(self, given, progress), interrupted=True)

    monkeypatch.setattr(Pool, "serve", stopped)
    outcome = Disaggregated(pool, pool, Moving(0.1)).serve(requests)
    assert outcome.interrupted
    assert outcome.done.tolist() == (requests.output == 1).tolist()


def test_hits_are_a_share() -> None:
    """Also where what was found is lost and found again."""
    requests = source(6.0, 300, 400).requests()
    requests = attrs.evolve(requests, arrival=requests.arrival // 200)
    outcome = Pool(engine(capacity=170), COSTS).serve(requests)
    metrics = outcome.metrics(promised(Slo()))
    assert metrics.preemptions > 0
    assert 0 < metrics.hits < 1
    assert metrics.rejected + metrics.finished == 400


def test_the_engine_balances_within_an_instance_and_takes_instances_in_turn() -> None:
    """Four requests at once on two instances of two ranks: one each. Then two that leave soon.

    The fifth and sixth come to instances whose second ranks are done: they go there.
    """
    requests = Requests(
        arrival=np.array([0, 0, 0, 0, 60, 60]) * PICOSECONDS,
        input=np.full(6, 16),
        cached=np.zeros(6, np.int64),
        output=np.array([4000, 4000, 2, 2, 2, 2]),
        bin=np.zeros(6, np.int64),
    )
    pool = Pool(engine(), COSTS, 4, Routing.ENGINE, ranks=2)
    steps = [int(runs[:, 1].sum()) for runs in pool.serve(requests).runs]
    # Ranks 0 and 2 have the long ones, 1 and 3 two short ones each, of two steps.
    assert steps == [4000, 4, 4000, 4]
    by_rank = Pool(engine(), COSTS, 4, Routing.LEAST_LOAD, ranks=2).serve(requests)
    assert [int(runs[:, 1].sum()) for runs in by_rank.runs] == [4000, 4000, 4, 4]


def test_a_prompt_is_computed_by_one_rank() -> None:
    """It takes as long as one rank takes for it, with a quarter of its tokens on the experts."""
    given = deployment(Setting("qwen3_235b_a22b", A3, 16, "w8a8_dynamic"))
    server = Server.of(given, Layout(4, 1, 4, ep=16), Workload(input=8000, output=2))
    instance = SimulatedInstance(server, given.engine, Phase.WHOLE, 32, 8192, 40960)
    pool = instance.pool(Routing.ENGINE, 8002)
    assert (pool.engines, pool.ranks, pool.in_step) == (4, 4, 4)
    lone = Requests(
        arrival=np.zeros(1, np.int64),
        input=np.array([8000]),
        cached=np.zeros(1, np.int64),
        output=np.array([1]),
        bin=np.zeros(1, np.int64),
    )
    first = int(pool.serve(lone).served.first[0])
    steps = StepTable.prefilling(1, 8000, 8000, 128)
    whole = float(server.times(steps).total[0])
    tokens = StepTable.decoding([8000, 2000], 1, 128)
    own, mean = server.cost.pooled_seconds(tokens)
    assert first / PICOSECONDS == pytest.approx(whole - own + mean, rel=0.01)
    # Four at once, one a rank, are as long as the balanced step.
    four = lone.rows(np.zeros(4, np.int64))
    assert pool.serve(four).served.first / PICOSECONDS == pytest.approx([whole] * 4, rel=0.01)


@pytest.mark.parametrize("generation", list(Generation))
def test_a_token_less_on_a_rank_never_lengthens_the_step(generation: Generation) -> None:
    """Whether kernels or launches bound it: prompts on four ranks, the last one ever shorter."""
    setting = Setting("qwen3_235b_a22b", A3, 16, "w8a8_dynamic")
    given = attrs.evolve(deployment(setting), engine=Engine.like(generation))
    server = Server.of(given, Layout(4, 1, 4, ep=16), Workload(input=2048, output=2))
    instance = SimulatedInstance(server, given.engine, Phase.WHOLE, 32, 8192, 40960)
    pool = instance.pool(Routing.ENGINE, 4000)

    def took(*prompts: int) -> int:
        requests = Requests(
            arrival=np.zeros(len(prompts), np.int64),
            input=np.array(prompts),
            cached=np.zeros(len(prompts), np.int64),
            output=np.ones(len(prompts), np.int64),
            bin=np.zeros(len(prompts), np.int64),
        )
        return int(pool.serve(requests).served.first.max())

    times = [took(2048, 2048, 2048, n) for n in (2048, 1024, 512, 64, 1)] + [took(*[2048] * 3)]
    assert times == sorted(times, reverse=True)
    whole = server.times(StepTable.prefilling(1, 2048, 2048, 128)).total[0]
    assert times[0] / PICOSECONDS == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("routing", [Routing.ROUND_ROBIN, Routing.ENGINE])
def test_a_simulation_ends_when_it_is_lost_and_not_before(routing: Routing) -> None:
    """It is lost only if more requests wait longer than may: no verdict changes."""
    requests = some(3, 3000, 60.0)
    pool = Pool(engine(limit=8, admission=8), COSTS, 2, routing)
    waits = pool.serve(requests).served.first - requests.arrival
    limit = int(np.quantile(waits, 0.05))
    missed = int((waits > limit).sum())
    assert 0 < missed < 3000
    pool.serve(requests, allowance=Allowance(limit, missed))
    ends = []
    for misses in (missed // 8, missed // 64, 0):
        seen: list[int] = []
        with pytest.raises(LostError):
            pool.serve(requests, seen.append, Allowance(limit, misses))
        ends.append(sum(seen))
    assert ends == sorted(ends, reverse=True)
