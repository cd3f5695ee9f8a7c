"""The calibrated rules, vectorised, against the same kernels one by one in plain numbers."""

import math
from collections import defaultdict
from functools import cache

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import library
from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, Sequences, StepTable
from specc.cost.operators.attention import (
    Attention,
    AttentionPhase,
    EncoderAttention,
    LinearAttentionScan,
)
from specc.cost.operators.base import Rows
from specc.cost.operators.communication import Collective, CollectiveOperator
from specc.cost.operators.dense import Elementwise, Gemm
from specc.cost.operators.experts import RoutedExperts
from specc.cost.precision import PLAIN, Format, Precision
from specc.cost.rules.calibrated import CalibratedRules
from specc.cost.rules.experts import expected_tiles
from specc.cost.rules.links import hierarchical_time, hops
from specc.ir import Engine, Generation, Layout
from tests.cost import plain

A2, A3, H100 = "atlas_800_a2_376t", "atlas_800_a3_752t_die", "h100"
INT8 = Precision(1, 1, Format.INT8)
KERNELS = Generation.EAGER  # the fixed times of kernels are whole


@cache
def _rules(device: str) -> CalibratedRules:
    found = library.device(device)
    return CalibratedRules.of(found, found.calibration, KERNELS)


def _decoding(rows) -> StepTable:
    return StepTable.decoding(np.array(rows), 1, 128)


sizes = st.sampled_from([64, 512, 1536, 4096, 5120, 12_288, 16_384])
rows = st.one_of(st.integers(1, 300), st.sampled_from([1000, 4096, 16_000]))


@settings(max_examples=80)
@given(
    st.sampled_from([A2, A3, H100]),
    st.lists(rows, min_size=1, max_size=3),
    sizes,
    sizes,
    st.sampled_from([PLAIN, INT8, Precision(0.5, 2, Format.FP16)]),
    st.sampled_from([1, 1, 16]),
)
def test_a_gemm(device: str, m: list[int], n: int, k: int, p: Precision, batch: int) -> None:
    rules = _rules(device)
    gemm = Gemm(name="g", repeat=1, rows=Rows.TOKENS, inner=k, outer=n, precision=p, batch=batch)
    rule = rules.data.gemm_int8 if p.quantised else rules.data.gemm
    cube = rules.device.cube
    peak = cube.int8 if p.quantised else cube.bf16
    elements = (p.weight_bytes, p.activation_bytes)
    wanted = [plain.gemm(rule, rules.machine, size, n, k, elements, peak, batch) for size in m]
    assert rules.time(gemm, _decoding(m)).total == pytest.approx(wanted, rel=1e-9)


def test_many_rows_of_a_gemm_at_once() -> None:
    """Equal numbers of whole fractals are computed once."""
    rules, m = _rules(A2), list(range(1, 200))
    gemm = Gemm(name="g", repeat=1, rows=Rows.TOKENS, inner=4096, outer=1536, precision=PLAIN)
    wanted = [
        plain.gemm(rules.data.gemm, rules.machine, size, 1536, 4096, (2, 2), rules.device.cube.bf16)
        for size in m
    ]
    assert rules.time(gemm, _decoding(m)).total == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("k", [512, 1536, 5120, 12_288, 16_384])
def test_a_gemm_of_few_rows_and_columns_is_split_over_idle_cores(k: int) -> None:
    rules, m = _rules(A2), [1, 4, 8, 11, 12, 16, 17]
    for n in (32, 64, 200, 512, 513):
        gemm = Gemm(name="g", repeat=1, rows=Rows.TOKENS, inner=k, outer=n, precision=PLAIN)
        wanted = [
            plain.gemm(rules.data.gemm, rules.machine, size, n, k, (2, 2), rules.device.cube.bf16)
            for size in m
        ]
        assert rules.time(gemm, _decoding(m)).total == pytest.approx(wanted, rel=1e-9)


@given(st.sampled_from([A2, A3]), st.lists(rows, min_size=1, max_size=3), sizes)
def test_quantisation(device: str, m: list[int], width: int) -> None:
    rules = _rules(device)
    operator = Elementwise(name="q", repeat=1, rows=Rows.TOKENS, row_bytes=0, quantises=width)
    wanted = [
        plain.quantisation(rules.data.quantisation, rules.machine, size, width)
        + rules.data.vector.launch
        for size in m
    ]
    assert rules.time(operator, _decoding(m)).total == pytest.approx(wanted)


grouped = st.sampled_from([(8, 1), (8, 2), (64, 8), (5, 5), (64, 64)])


def _attention(phase: AttentionPhase, heads: tuple[int, int]) -> Attention:
    return Attention(
        name="a", repeat=1, kind=phase.kind, phase=phase, heads=heads[0], kv_heads=heads[1],
        key_dim=128, value_dim=128, cached_width=2 * 128 * heads[1], kv_bytes=2,
    )  # fmt: skip


@given(
    st.sampled_from([A2, A3, H100]),
    st.integers(1, 40),
    st.integers(1, 3000),
    st.sampled_from([0, 100, 9000]),
    grouped,
)
def test_attention_over_prompts(
    device: str, sequences: int, new: int, cached: int, heads: tuple[int, int]
) -> None:
    rules = _rules(device)
    steps = StepTable.prefilling(sequences, new, cached + new, 128)
    wanted = plain.prefill(
        rules.data.prefill_attention, rules.machine, sequences, new, cached, heads
    )
    time = rules.time(_attention(AttentionPhase.PREFILL, heads), steps)
    assert time.total[0] == pytest.approx(wanted)


@given(
    st.sampled_from([A2, A3, H100]),
    st.integers(1, 300),
    st.integers(8, 40_000),
    grouped,
    st.sampled_from([1, 1, 2, 4, 8]),
)
def test_attention_of_decode_steps(
    device: str, sequences: int, context: int, heads: tuple[int, int], queries: int
) -> None:
    """Its arithmetic runs at the rate of prefill: pairs of all heads, shared among the cores."""
    rules = _rules(device)
    at = rules.machine
    pair = rules.data.prefill_attention.pair_time
    arithmetic = sequences * context * heads[0] * pair / at.core / at.cores
    rule = rules.data.decode_attention
    wanted = plain.decode(rule, at, sequences, context, heads, arithmetic * queries, queries)
    steps = StepTable.decoding(sequences, context, 128, queries)
    took = rules.time(_attention(AttentionPhase.DECODE, heads), steps)
    assert took.total[0] == pytest.approx(wanted)


@given(
    st.sampled_from([A2, A3, H100]),
    st.integers(1, 4000),
    st.sampled_from([(128, 8, 2048, 768), (256, 8, 7168, 2048), (8, 2, 4096, 14_336)]),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([PLAIN, INT8]),
    st.sampled_from([1.0, 1.3]),
)
def test_experts(
    device: str, tokens: int, model, devices: int, p: Precision, imbalance: float
) -> None:
    """Hit are the experts that not all of the tokens pass by."""
    count, active, hidden, inner = model
    rules = _rules(device)
    operator = RoutedExperts(
        name="e", repeat=1, precision=p, hidden=hidden, inner=inner, count=count,
        choices=count, active=active,
        local=count // devices, devices=devices, imbalance=imbalance,
    )  # fmt: skip
    rule = rules.data.experts_int8 if p.quantised else rules.data.experts
    own, measured = (
        cube.int8 if p.quantised else cube.bf16 for cube in (rules.device.cube, rules.data.cube)
    )
    local, here = count // devices, tokens / devices * imbalance
    hit = local * (1 - ((count - active) / count) ** tokens)
    tiles = float(expected_tiles(np.array([here * active]), local)[0])
    first = local * (1 - math.exp(-here * active / local))
    wanted = plain.experts(
        rule, rules.machine, here, active, (hit, tiles, first), (hidden, inner), p.weight_bytes,
        own / measured,
    )  # fmt: skip
    more = (rules.generation.expert_launches - 1) * rules.data.vector.launch
    found = rules.time(operator, _decoding(tokens)).total[0]
    assert found == pytest.approx(wanted + more)


@given(st.floats(0.01, 3000), st.sampled_from([1, 8, 256]))
def test_tiles_of_experts_are_those_of_poisson_rows(mean: float, local: int) -> None:
    """Summed over the distribution there; here by its tails, and by the mean of many tiles."""
    found = expected_tiles(np.array([mean * local]), local)[0]
    wanted = plain.tiles_of_experts(mean * local, local)
    assert found == pytest.approx(wanted, rel=0.03 if mean < 320 else 0.09)


# --- Collectives --------------------------------------------------------------------------------


@given(
    st.sampled_from([A2, A3]),
    st.sampled_from(list(Collective)),
    st.floats(1, 1e9),
    st.sampled_from([2, 4, 8, 16]),
)
def test_collectives(device: str, kind: Collective, held: float, group: int) -> None:
    rules = _rules(device)
    path = tuple(hops(rules.device, group, 1))
    levels = [(hop.ranks, hop.bandwidth, hop.latency) for hop in path]
    assert math.prod(ranks for ranks, *_ in levels) == group
    table = rules.data.collectives
    found = hierarchical_time(table, kind, np.array([held]), path)[0]
    match kind:
        case Collective.ALL_GATHER:
            wanted = plain.gathered(table.all_gather, levels, held, held)
        case Collective.REDUCE_SCATTER:
            wanted = plain.scattered(table.reduce_scatter, levels, held)
        case Collective.ALL_REDUCE:
            part = held / group
            wanted = plain.scattered(table.reduce_scatter, levels, held)
            wanted += plain.gathered(table.all_gather, levels, part, part)
        case Collective.SEND:
            ranks, bandwidth, latency = levels[-1]
            rule = table.send
            wanted = rule.launch + latency + held / (bandwidth * rule.share)
            wanted += rule.rank_time * ranks if held > rule.short else 0.0
        case _:
            wanted = plain.exchanged(getattr(table, kind.value), levels, held)
    assert found == pytest.approx(wanted)


def test_what_an_operator_sends_takes_the_way_of_its_ranks() -> None:
    rules = _rules(A3)
    operator = CollectiveOperator(
        name="c", repeat=1, rows=Rows.TOKENS, row_bytes=1000, share=0.5,
        collective=Collective.ALL_GATHER, group=8, stride=2,
    )  # fmt: skip
    path = tuple(hops(rules.device, 8, 2))
    wanted = hierarchical_time(
        rules.data.collectives, Collective.ALL_GATHER, np.array([32 * 1000 * 0.5]), path
    )
    assert rules.time(operator, _decoding(32)).total == pytest.approx(wanted)
    assert rules.time(operator, _decoding(0)).total[0] == 0


# --- A step of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("generation", list(Generation))
@pytest.mark.parametrize(
    ("model", "layout"),
    [("qwen3_32b", Layout(4, 1, 1)), ("qwen3_30b_a3b", Layout(1, 1, 4, ep=4))],
)
def test_a_step_is_its_kernels_and_what_the_host_adds(model, layout, generation) -> None:
    """All operators in turn; below the time that the host takes to launch them the device waits."""
    plan = attrs.evolve(
        deployment(Setting(model, A3, layout.devices, "w8a8_dynamic")),
        engine=Engine.like(generation),
    )
    cost = CostModel.of(plan, layout)
    rule = cost.rules.generation
    decode = StepTable.decoding([1, 256], 2000, 128)
    mixed = StepTable.of(
        prefill=Sequences.of(np.array([1.0]), 300, 300, 128),
        decode=Sequences.of(np.array([5.0]), 1, 700, 128),
    )
    for steps, launch, gap in (
        (decode, rule.decode_launch, rule.decode_gap),
        (mixed, rule.prefill_launch, rule.prefill_gap),
    ):
        times = cost.times(steps)
        for row in range(len(steps)):
            one = steps.rows(row, row + 1)
            kernels, launches, classes = 0.0, 0.0, defaultdict(float)
            for operator in cost.operators:
                took = operator.repeat * cost.rules.time(operator, one).total[0]
                kernels += took
                several = isinstance(operator, RoutedExperts)
                each = rule.dispatched_launches if layout.ep > 1 else rule.expert_launches
                launches += operator.repeat * (each if several else 1)
                quantised = (
                    isinstance(operator, Gemm | RoutedExperts) and operator.precision.quantised
                )
                classes[operator.kind, quantised] += took
            busy = kernels * cost.rules.overhead
            requests = float(one.requests[0])
            wanted = max(busy, launches * launch)
            wanted += gap + rule.sampling + rule.sequence_time * requests
            assert times.total[row] == pytest.approx(wanted)
            # Errors of a class go together, those of different classes do not.
            spreads = [
                cost.rules.fit(*key[:2]).spread * part / kernels for key, part in classes.items()
            ]
            assert times.deviation[row] == pytest.approx(
                plain.norm([*spreads, cost.rules.served.spread])
            )
            parts = (
                getattr(times, name)[row]
                for name in ("matrix", "vector", "memory", "communication", "launch")
            )
            assert sum(parts) == pytest.approx(times.total[row])


def test_an_encoder_attends_at_the_rate_of_prefill() -> None:
    """Heads narrower than those that were measured are no faster."""
    rules = _rules(A3)
    steps = attrs.evolve(_decoding(1), patches=np.array([256.0]), patch_pairs=np.array([256.0**2]))
    for width, factor in ((72, 1.0), (128, 1.0), (256, 2.0)):
        operator = EncoderAttention(name="e", repeat=1, heads=16, head_dim=width)
        pair = rules.data.prefill_attention.pair_time
        busy = 16 * 256**2 * factor * pair / rules.machine.core / rules.machine.cores
        wanted = rules.data.prefill_attention.launch + busy
        assert rules.time(operator, steps).total[0] == pytest.approx(wanted)


def test_linear_attention_takes_tokens_in_turn_when_it_decodes() -> None:
    rules, tokens = _rules(A3), 4096
    rule, vector = rules.data.linear_attention, rules.data.vector
    shape = {"value_heads": 32, "key_dim": 128, "value_dim": 128, "row_bytes": 20_000}
    state = 32 * 128 * 128 * 8
    prefill = LinearAttentionScan(name="p", repeat=1, phase=AttentionPhase.PREFILL, **shape)
    scan = tokens * 32 * rule.token_time / rules.machine.compute
    moving = (state + tokens * 20_000) / (vector.rate * rules.machine.memory)
    found = rules.time(prefill, StepTable.prefilling(1, tokens, tokens, 128)).total[0]
    assert found == pytest.approx(vector.launch + max(scan, moving))
    decode = LinearAttentionScan(name="d", repeat=1, phase=AttentionPhase.DECODE, **shape)
    moving = (300 * state + 300 * 20_000) / (vector.rate * rules.machine.memory)
    assert rules.time(decode, _decoding(300)).total[0] == pytest.approx(
        vector.launch + moving + rule.turn_time
    )


def _bound(operator, steps: StepTable) -> str:
    time = _rules(A3).time(operator, steps)
    return "matrix" if time.matrix[0] > 0 else "memory"


def test_few_tokens_are_bound_by_memory_and_many_by_the_matrix_unit() -> None:
    gemm = Gemm(name="g", repeat=1, rows=Rows.TOKENS, inner=4096, outer=4096, precision=PLAIN)
    experts = RoutedExperts(
        name="e", repeat=1, precision=PLAIN, hidden=4096, inner=2048, count=16, choices=16,
        active=2, local=16, devices=1,
    )  # fmt: skip
    for operator in (gemm, experts):
        bounds = [_bound(operator, _decoding(rows)) for rows in (1, 16, 4096, 16_000)]
        assert bounds == ["memory", "memory", "matrix", "matrix"]
    # A single key-value head for many queries: its arithmetic is longer than reading it.
    steps = StepTable.decoding(64, 8000, 128)
    assert _bound(_attention(AttentionPhase.DECODE, (8, 8)), steps) == "memory"
    assert _bound(_attention(AttentionPhase.DECODE, (512, 1)), steps) == "matrix"
    assert (
        _bound(_attention(AttentionPhase.PREFILL, (8, 1)), StepTable.prefilling(1, 9, 9, 128))
        == "matrix"
    )
