"""The flat roofline by hand, collectives at their limits, and laws of the step table."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.cost import CostModel, StepTable
from specc.cost.operators.base import Rows
from specc.cost.operators.communication import Collective
from specc.cost.operators.dense import Elementwise, Gemm
from specc.cost.precision import PLAIN, Format, Precision
from specc.cost.reference.links import collective_time, innermost_level, link
from specc.cost.reference.rules import ReferenceRules
from specc.ir import (
    CubeUnit,
    Deployment,
    Device,
    Layout,
    Level,
    Model,
    Quantisation,
    ReferenceCalibration,
    Topology,
    VectorUnit,
)

DEVICE = Device(
    name="round",
    memory=64 * 2**30,
    memory_bandwidth=1e12,
    cube=CubeUnit(fp16=100e12, bf16=90e12, int8=200e12, fp32=25e12),
    vector=VectorUnit(fp16=10e12, fp32=5e12),
    reference=ReferenceCalibration(
        compute_efficiency=0.5,
        memory_efficiency=0.8,
        cube_launch=5e-6,
        vector_launch=2e-6,
        collective_launch=10e-6,
    ),
    levels=(
        Level(
            name="node",
            size=8,
            topology=Topology.FULL_MESH,
            bandwidth=70e9,
            latency=1e-6,
            efficiency=0.5,
        ),
        Level(
            name="rack",
            size=4,
            topology=Topology.SWITCHED,
            bandwidth=20e9,
            latency=3e-6,
            efficiency=0.5,
        ),
    ),
)
MODEL = Model(
    name="tiny",
    layers=4,
    hidden_size=256,
    intermediate_size=768,
    attention_heads=8,
    kv_heads=2,
    head_dim=32,
    vocab_size=1000,
    max_positions=8192,
    qk_norm=True,
)


def test_a_gemm_is_bound_by_memory_when_small_and_by_compute_when_large() -> None:
    gemm = Gemm(name="g", repeat=1, rows=Rows.TOKENS, inner=1000, outer=2000, precision=PLAIN)
    steps = StepTable.decoding([1, 10_000], 1, 128)
    small, large = ReferenceRules(DEVICE).time(gemm, steps).total
    moved = 2 * (1 * 1000 + 1000 * 2000 + 1 * 2000)
    assert small == pytest.approx(moved / (1e12 * 0.8) + 5e-6)
    assert large == pytest.approx(2 * 10_000 * 1000 * 2000 / (100e12 * 0.5) + 5e-6)


def test_quantised_gemm_reads_one_byte_and_writes_two() -> None:
    gemm = Gemm(
        name="g",
        repeat=1,
        rows=Rows.TOKENS,
        inner=10,
        outer=20,
        precision=Precision(1, 1, Format.INT8),
    )
    work = gemm.work(StepTable.decoding(3, 1, 128))
    assert work.moved_bytes[0] == 3 * 10 + 10 * 20 + 2 * 3 * 20 + 8
    assert work.matrix_flop[0] == 2 * 3 * 10 * 20


def test_an_operator_without_work_takes_no_time() -> None:
    norm = Elementwise(name="n", repeat=1, rows=Rows.TOKENS, row_bytes=8, fixed_bytes=100)
    assert ReferenceRules(DEVICE).time(norm, StepTable.decoding(0, 1, 128)).total[0] == 0


def test_the_innermost_level_that_holds_the_group() -> None:
    assert innermost_level(DEVICE, 8)[0].name == "node"
    assert innermost_level(DEVICE, 9) == (DEVICE.levels[1], 2)
    assert innermost_level(DEVICE, 32)[0].name == "rack"
    with pytest.raises(ValueError, match="does not fit"):
        innermost_level(DEVICE, 33)


def test_a_full_mesh_offers_the_links_to_the_members_alone() -> None:
    assert link(DEVICE, 8).bandwidth == pytest.approx(35e9)
    assert link(DEVICE, 2).bandwidth == pytest.approx(35e9 / 7)
    assert link(DEVICE, 16).bandwidth == pytest.approx(10e9)
    outer = attrs.evolve(DEVICE.levels[1], topology=Topology.FULL_MESH)
    meshed = attrs.evolve(DEVICE, levels=(DEVICE.levels[0], outer))
    assert link(meshed, 16).bandwidth == pytest.approx(10e9 / 3)
    assert link(meshed, 32).bandwidth == pytest.approx(10e9)


def test_all_reduce_takes_the_better_of_ring_and_tree() -> None:
    path = link(DEVICE, 8)
    tiny, huge = collective_time(Collective.ALL_REDUCE, np.array([1.0, 1e9]), 8, path)
    assert tiny == pytest.approx(2 * math.log2(8) * 1e-6, rel=1e-3)
    assert huge == pytest.approx(2 * 7 / 8 * 1e9 / 35e9 + 14e-6)


def _cost(tp: int, quant: Quantisation = Quantisation.BF16) -> CostModel:
    deployment = Deployment(model=MODEL, device=DEVICE, devices=8, quant=quant)
    return CostModel.of(deployment, Layout(tp, 1, 8 // tp))


def test_many_rows_equal_each_row_alone() -> None:
    requests = np.arange(1, 20_001) % 97 + 1
    context = np.arange(1, 20_001)
    steps = StepTable.decoding(requests, context, 128)
    together = _cost(2).times(steps).total
    for row in (0, 8191, 8192, 19_999):
        alone = _cost(2).times(steps.rows(row, row + 1)).total
        assert together[row] == alone[0]


def test_a_mixed_step_costs_less_than_its_phases_apart() -> None:
    prefill = StepTable.prefilling(2, 512, 512, 128)
    decode = StepTable.decoding(16, 2048, 128)
    mixed = StepTable.of(prefill.prefill, decode.decode)
    cost = _cost(2)
    apart = cost.times(prefill).total[0] + cost.times(decode).total[0]
    together = cost.times(mixed).total[0]
    assert max(cost.times(prefill).total[0], cost.times(decode).total[0]) < together < apart


@given(st.integers(1, 256), st.integers(1, 8000), st.sampled_from([1, 2, 4, 8]))
def test_more_work_never_takes_less_time(requests: int, context: int, tp: int) -> None:
    cost = _cost(tp, Quantisation.W8A8_DYNAMIC)
    steps = StepTable.decoding(
        [requests, requests + 1, requests], [context, context, context + 1], 128
    )
    base, more_requests, longer = cost.times(steps).total
    assert base <= more_requests
    assert base <= longer


@given(st.integers(1, 300), st.integers(1, 4000))
def test_memory_of_the_cache_is_whole_blocks_and_enough(requests: int, context: int) -> None:
    cost = _cost(4)
    memory = cost.memory(StepTable.decoding(requests, context, 128))
    tokens = memory.kv_cache[0] / cost.memory_model.kv_token_bytes
    assert tokens % 128 == 0
    assert requests * context <= tokens < requests * (context + 1) + 128


def test_heads_are_replicated_when_there_are_fewer_than_ranks() -> None:
    # 2 key-value heads on 8 ranks: each holds one, so the cache stops shrinking at tp = 2.
    assert _cost(2).memory_model.kv_token_bytes == _cost(8).memory_model.kv_token_bytes
    assert _cost(1).memory_model.kv_token_bytes == 2 * _cost(2).memory_model.kv_token_bytes
