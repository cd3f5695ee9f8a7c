"""Known answers of serving models: which one, its bands and memory, and what links move."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.cost import StepTable
from specc.ir import (
    Deployment,
    Engine,
    Layout,
    LengthBin,
    Phase,
    Scheduler,
    Speculative,
    Timing,
    Transfer,
    Workload,
)
from specc.run.evaluate import point_of
from specc.serving import Aggregated, Decode, Prefill, Server, StepLoop, serving_model
from specc.serving.schedulers import Budget, interleaved
from specc.serving.transfer import CacheSize, CacheTransfer, link_rate
from tests.cost.test_rules import DEVICE, MODEL


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


WORKLOAD, TWO = Workload(input=1000, output=200), Layout(2, 1, 1)


def _server(workload: Workload = WORKLOAD, layout: Layout = TWO, **engine) -> Server:
    plan = Deployment(model=MODEL, device=DEVICE, devices=layout.devices, engine=Engine(**engine))
    return Server.of(plan, layout, workload)


def test_the_closed_form_is_for_prompts_of_one_chunk_and_no_scheduler() -> None:
    server, named = _server(), Engine(scheduler=Scheduler.PREFILL_FIRST)
    plain = Engine()
    wanted = {
        (Phase.WHOLE, 1000): Aggregated,
        (Phase.WHOLE, 999): StepLoop,
        (Phase.PREFILL, 1000): Prefill,
        (Phase.PREFILL, 999): StepLoop,
        (Phase.DECODE, 1000): Decode,
        (Phase.DECODE, 999): Decode,
    }
    for (phase, budget), kind in wanted.items():
        assert isinstance(serving_model(server, plain, phase, budget), kind), (phase, budget)
    looped = serving_model(server, named, Phase.WHOLE, 5000)
    assert isinstance(looped, StepLoop)
    assert looped.scheduler is Scheduler.PREFILL_FIRST
    chunked = serving_model(server, plain, Phase.WHOLE, 999)
    assert isinstance(chunked, StepLoop)
    assert chunked.scheduler is Scheduler.DECODE_FIRST_WITH_SLACK
    assert chunked.slack == plain.slack == 0.15
    alone = serving_model(server, plain, Phase.PREFILL, 999)
    assert isinstance(alone, StepLoop)
    assert (alone.slack, alone.decodes) == (0.0, False)


def test_bands_are_the_metrics_with_all_steps_at_their_edges() -> None:
    """One wave and its decode steps, each at the edge of its own band."""
    server = _server()
    table = Aggregated(server, 4000).evaluate(np.array([3]))
    prefill = server.times(StepTable.prefilling(3, 1000, 1000, 128))
    decode = server.times(StepTable.decoding(3, 1000 + 100 + 1, 128))
    for first, opposite, deviations in (("p10", "p90", -1.2816), ("p90", "p10", 1.2816)):
        ttft = prefill.total[0] * math.exp(deviations * prefill.deviation[0])
        step = decode.total[0] * math.exp(deviations * decode.deviation[0])
        whole = ttft + 200 * step
        assert getattr(table.bands, f"ttft_{first}")[0] == pytest.approx(ttft)
        assert getattr(table.bands, f"tpot_{first}")[0] == pytest.approx(whole / 200)
        throughput = getattr(table.bands, f"throughput_{opposite}")[0]
        assert throughput == pytest.approx(3 * 200 / whole)
    alone = Decode(server).evaluate(np.array([3]))
    assert alone.bands.tpot_p10[0] < alone.tpot[0] < alone.bands.tpot_p90[0]
    slow = decode.total[0] * math.exp(1.2816 * decode.deviation[0])
    assert alone.bands.tpot_p90[0] == pytest.approx(slow)
    assert alone.bands.throughput_p10[0] == pytest.approx(3 / slow)
    first = Prefill(server, 4000).evaluate(np.array([3]))
    late = prefill.total[0] * math.exp(1.2816 * prefill.deviation[0])
    assert first.bands.ttft_p90[0] == pytest.approx(late)
    assert first.bands.throughput_p10[0] == pytest.approx(3 * 1000 / late)
    assert first.bands.throughput_p90[0] > first.throughput[0] > first.bands.throughput_p10[0]


@pytest.mark.parametrize("layout", [Layout(2, 1, 1), Layout(2, 2, 1)])
def test_the_largest_batch_is_the_first_that_the_memory_cannot_hold(layout: Layout) -> None:
    """At the mean context of a request in flight: 1000 + 100 + 1 tokens of each batch."""
    server = _server(layout=layout)
    memory = server.cost.memory_model
    each = layout.pp * memory.kv_token_bytes * 1101
    assert server.request_bytes == pytest.approx(each)
    room = DEVICE.memory - server.reserved - memory.weight_bytes
    largest = server.largest_batch
    assert (largest - 1) * each <= room < largest * each


def test_memory_at_the_end_holds_whole_answers_in_whole_blocks() -> None:
    server = _server(Workload(input=1000, output=200), prefix_cache=500)
    table = Decode(server).evaluate(np.array([7]))
    memory = server.cost.memory_model
    held = (7 * 10 + 4) * memory.kv_block_bytes  # 1200 tokens, and 500 of prefixes
    steps = StepTable.decoding(7, 1101, 128)
    left = DEVICE.memory - server.reserved - memory.weight_bytes - held
    left -= server.cost.memory(steps).activations[0]
    assert table.memory.available_at_end[0] == pytest.approx(left)


def test_shapes_see_their_own_share_of_speculative_steps() -> None:
    """Waves are common to all; a longer answer spreads them over more tokens."""
    rates = Speculative(tokens=(2,), acceptance=(0.75, 0.25), source="a test")
    rows = (
        LengthBin(share=0.5, input=(100, 101), output=(10, 11)),
        LengthBin(share=0.5, input=(100, 101), output=(40, 41)),
    )
    plan = Deployment(
        model=attrs.evolve(MODEL, draft_layers=1), device=DEVICE, devices=2,
        engine=Engine(speculative=rates),
    )  # fmt: skip
    server = Server.of(plan, TWO, Workload(requests=rows), drafted=2)
    assert server.tokens_per_step == 2.0
    serving = Aggregated(server, 4000)
    table = serving.evaluate(np.array([6]))
    short, long = serving.bins(point_of(table, 0))
    assert short.ttft == long.ttft == pytest.approx(table.ttft[0])
    for row in (short, long):
        assert row.samples == 3
        whole = row.ttft + row.output * table.decode_step[0] / 2
        assert row.tpot == pytest.approx(whole / row.output)
    assert (short.output, long.output) == (10, 40)


def test_answers_of_one_token_have_no_time_per_token() -> None:
    table = Aggregated(_server(Workload(input=100, output=1)), 4000).evaluate(np.array([2]))
    for column in (table.tpot, table.bands.tpot_p10, table.bands.tpot_p90):
        assert np.isnan(column).all()
    assert np.isfinite(table.throughput).all()


def test_shapes_are_spread_evenly_over_batches() -> None:
    """One of the first among three of the second lies in their middle."""
    dealt = [[(w.shape, w.count) for w in batch] for batch in interleaved((1, 3), 2)]
    assert dealt == [[(1, 1), (0, 1)], [(1, 2)]]
    whole = [[(w.shape, w.count) for w in batch] for batch in interleaved((2, 4), 6)]
    assert whole == [[(1, 1), (0, 1), (1, 2), (0, 1), (1, 1)]]


def test_sequences_that_draft_take_more_of_the_budget() -> None:
    plain, drafting = Budget(100, 100, 0.15), Budget(100, 100, 0.15, each=4)
    assert [b.decoding(80) for b in (plain, drafting)] == [80, 25]
    assert [b.decoding(10) for b in (plain, drafting)] == [10, 10]
    assert plain.limit == 115
