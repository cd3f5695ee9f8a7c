"""Known answers of the cost model: schedules played through event by event, blocks counted."""

from statistics import NormalDist

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.cost.times import P10, P90
from specc.ir import Calibration, Communication, Deployment, Engine, Layout, Model, Quantisation
from tests.cost.test_rules import DEVICE, MODEL

A3 = "atlas_800_a3_752t_die"


def _tiny(layout: Layout, model: Model = MODEL, **changes) -> CostModel:
    plan = Deployment(model=model, device=DEVICE, devices=layout.devices, **changes)
    return CostModel.of(plan, layout)


# --- Streams and stages -------------------------------------------------------------------------


def _two_halves(layers: int, computing: float, exchanging: float) -> float:
    """When two halves of a step are done that share a computing and an exchanging stream."""
    done, free = [0.0, 0.0], {"computing": 0.0, "exchanging": 0.0}
    for _ in range(layers):
        for half in (0, 1):
            for stream, took in (("computing", computing), ("exchanging", exchanging)):
                done[half] = free[stream] = max(done[half], free[stream]) + took
    return max(done)


@pytest.mark.parametrize("tokens", [64, 512, 4096])
@pytest.mark.parametrize("generous", [0.02, 1, 50])
def test_two_streams_take_as_long_as_their_events(tokens: int, generous: float) -> None:
    """With fast and slow links, so that either stream is the longer one."""
    both = Communication(two_streams=True)
    base = deployment(Setting("deepseek_v3", A3, 64, "w8a8_dynamic"))
    levels = tuple(
        attrs.evolve(level, bandwidth=level.bandwidth * generous) for level in base.device.levels
    )
    plan = attrs.evolve(
        base,
        device=attrs.evolve(base.device, levels=levels),
        calibration=Calibration.REFERENCE,
        communication=both,
    )
    cost = CostModel.of(plan, Layout(1, 1, 64, ep=64))
    half = cost.operator_times(StepTable.prefilling(1, tokens, tokens, 128))
    exchanges = [(op, t) for op, t in half if op.name in ("dispatch", "combine")]
    layers = int(exchanges[0][0].repeat)
    whole = sum(op.repeat * t.total[0] for op, t in half)
    exchanging = sum(t.total[0] for _, t in exchanges)
    computing = whole / layers - exchanging
    found = cost.times(StepTable.prefilling(2, tokens, tokens, 128)).total[0]
    assert found == pytest.approx(_two_halves(layers, computing, exchanging), rel=1e-9)


@given(st.integers(1, 200), st.integers(1, 16))
def test_stages_wait_for_the_one_with_the_most_layers(layers: int, stages: int) -> None:
    """Layers are dealt to the stages one by one; the fullest sets the pace of all."""
    stages = min(stages, layers)
    held = [0] * stages
    for layer in range(layers):
        held[layer % stages] += 1
    pace = max(held) / (layers / stages)
    cost = _tiny(Layout(1, stages, 1), attrs.evolve(MODEL, layers=layers))
    steps = StepTable.decoding(7, 900, 128)
    even = sum(op.repeat * time.total[0] for op, time in cost.operator_times(steps))
    assert cost.times(steps).total[0] == pytest.approx(even * pace)
    share = cost.memory_model.kv_token_bytes / _tiny(Layout(1, 1, 1)).memory_model.kv_token_bytes
    assert share == pytest.approx(max(held) / MODEL.layers)


@given(st.integers(1, 12), st.sampled_from([2, 4]))
def test_micro_batches_pass_the_stages_as_on_a_belt(parts: int, stages: int) -> None:
    """A part enters a stage when it has left the stage before and the stage is free."""
    part, whole = (StepTable.prefilling(12 / n, 2000, 2000, 128) for n in (parts, 1))
    layout = Layout(1, stages, 1)
    alone = _tiny(layout).times(part).total[0]
    free = [0.0] * stages
    for _ in range(parts):
        done = 0.0
        for stage in range(stages):
            done = free[stage] = max(done, free[stage]) + alone / stages
    found = _tiny(layout, engine=Engine(micro_batches=parts)).times(whole).total[0]
    assert found == pytest.approx(free[-1])
    # On one stage there is nothing to fill.
    single = Layout(1, 1, 1)
    found = _tiny(single, engine=Engine(micro_batches=parts)).times(whole).total[0]
    assert found == _tiny(single).times(whole).total[0]


# --- Memory -------------------------------------------------------------------------------------


def _blocks_touched(window: int, block: int) -> int:
    """The most blocks that a window lies in, wherever it begins."""
    return max(len({(start + i) // block for i in range(window)}) for start in range(block))


@pytest.mark.parametrize(("window", "block"), [(128, 128), (512, 128), (96, 16), (64, 64)])
def test_a_sliding_window_keeps_every_block_that_it_may_lie_in(window: int, block: int) -> None:
    base = deployment(Setting("gpt_oss_20b", A3, 1))
    sliding = attrs.evolve(base.model.sliding, window=window)
    plan = attrs.evolve(
        base,
        model=attrs.evolve(base.model, sliding=sliding),
        engine=attrs.evolve(base.engine, block_size=block),
    )
    memory = CostModel.of(plan, Layout(1, 1, 1, moe_tp=1)).memory_model
    # 12 layers with 8 heads of 64 keys and 64 values, 2 bytes each.
    token = 12 * 8 * (64 + 64) * 2
    assert memory.sequence_bytes == _blocks_touched(window, block) * block * token


@pytest.mark.parametrize("window", [100, 129, 1000])
def test_a_window_that_is_no_whole_blocks_has_a_block_to_spare_at_most(window: int) -> None:
    base = deployment(Setting("gpt_oss_20b", A3, 1))
    sliding = attrs.evolve(base.model.sliding, window=window)
    plan = attrs.evolve(base, model=attrs.evolve(base.model, sliding=sliding))
    memory = CostModel.of(plan, Layout(1, 1, 1, moe_tp=1)).memory_model
    blocks = memory.sequence_bytes / (12 * 8 * (64 + 64) * 2 * memory.block)
    assert 0 <= blocks - _blocks_touched(window, memory.block) <= 1


@pytest.mark.parametrize("quant", [Quantisation.BF16, Quantisation.W8A8])
def test_weights_of_a_dense_model_by_hand(quant: Quantisation) -> None:
    """Four layers of 256 wide, counted matrix by matrix; embedding and head stay 16 bit."""
    layer = 256 * (8 + 2 + 2) * 32 + 8 * 32 * 256 + 3 * 256 * 768
    norms = 2 * 256 + 2 * 32  # before attention and MLP, and of queries and keys
    ends = 2 * 1000 * 256 * 2 + 256 * 2
    tables = 2 * 8192 * 32 * 2
    element = 2 if quant is Quantisation.BF16 else 1
    scales = 0 if quant is Quantisation.BF16 else 4 * 7 * 4
    wanted = 4 * (layer * element + norms * 2) + ends + tables + scales
    assert _tiny(Layout(1, 1, 1), quant=quant).memory_model.weight_bytes == wanted


# --- Bands --------------------------------------------------------------------------------------


def test_the_band_is_that_of_a_log_normal() -> None:
    assert pytest.approx(NormalDist().inv_cdf(0.1), abs=5e-5) == P10
    assert pytest.approx(NormalDist().inv_cdf(0.9), abs=5e-5) == P90
    plan = deployment(Setting("qwen3_32b", A3, 4))
    times = CostModel.of(plan, Layout(4, 1, 1)).times(StepTable.decoding([1, 64], 4000, 128))
    draws = np.random.default_rng(1).normal(np.log(times.total), times.deviation, (200_000, 2))
    for deviations, percent in ((P10, 10), (P90, 90)):
        seen = np.percentile(np.exp(draws), percent, axis=0)
        assert times.quantile(deviations) == pytest.approx(seen, rel=5e-3)
