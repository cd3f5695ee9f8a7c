"""The calibrated rules: laws they must keep, and layouts and formats by their effect."""

import importlib
import pkgutil

import attrs
import numpy as np
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from specc import library
from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.cost import operators as operators_package
from specc.cost.layers import layers_of, operators
from specc.cost.operators.attention import Attention, AttentionPhase
from specc.cost.operators.base import Operator, OperatorClass, Work
from specc.cost.operators.communication import Collective
from specc.cost.rules.calibrated import CalibratedRules
from specc.cost.rules.links import hierarchical_time, hops
from specc.cost.site import Site
from specc.cost.steps import Sequences
from specc.ir import (
    Calibration,
    Communication,
    Deployment,
    Dispatch,
    Engine,
    ExpertPlacement,
    Formats,
    Generation,
    Layout,
    Quantisation,
)
from specc.ir.formats import CacheFormat

A3 = "atlas_800_a3_752t_die"
MODELS = [
    "qwen3_32b", "llama3_1_8b", "qwen2_5_7b", "qwen3_30b_a3b", "mixtral_8x7b", "minimax_m2_5",
    "glm_4_7", "glm_5", "gpt_oss_20b", "mimo_v2_flash", "qwen3_5_35b_a3b", "qwen3_5_27b",
    "qwen3_next_80b_a3b", "qwen3_vl_8b", "deepseek_v3", "deepseek_v3_2", "deepseek_v4_flash",
    "kimi_k2", "kimi_k3", "nemotron_3_super_120b_a12b", "nemotron_h_8b", "nemotron_super_49b",
    "minimax_m3", "llama4_maverick", "gemma_4_26b_a4b", "gemma_4_31b", "step_3_5_flash",
    "longcat_flash", "qwen2_5_vl_7b",
]  # fmt: skip


def _deployment(model: str, quant: str = "bf16", **changes) -> Deployment:
    return attrs.evolve(deployment(Setting(model, A3, 64, quant)), **changes)


def _cost(model: str, layout: Layout, quant: str = "bf16", **changes) -> CostModel:
    return CostModel.of(_deployment(model, quant, **changes), layout)


def _decode(cost: CostModel, batch=16, context=4000) -> float:
    return float(cost.times(StepTable.decoding(batch, context, 128)).total[0])


def _prefill(cost: CostModel, new=4096, context=4096) -> float:
    return float(cost.times(StepTable.prefilling(1, new, context, 128)).total[0])


@pytest.mark.parametrize("name", library.models())
def test_operators_hold_the_weights_that_the_model_counts(name: str) -> None:
    """Two counts that know nothing of each other: by the shape, and over the operators."""
    model = library.model(name)
    held = operators(Site.of(_deployment(name), Layout(1, 1, 1)), layers_of(model))
    counted = sum(op.repeat * op.parameters for op in held) + model.other_parameters
    assert counted == pytest.approx(model.parameters, rel=2e-3)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("calibration", list(Calibration))
def test_every_architecture_has_a_time_by_every_calibration(name: str, calibration) -> None:
    cost = _cost(name, Layout(1, 1, 1), calibration=calibration)
    steps = StepTable.decoding([1, 8, 64, 64], [1000, 1000, 1000, 9000], 128)
    total = cost.times(steps).total
    assert np.all(np.isfinite(total))
    assert np.all(np.diff(total) > 0)
    assert _prefill(cost, 512, 512) < _prefill(cost, 4096, 4096) < _prefill(cost, 4096, 8192)


@pytest.mark.parametrize("name", ["qwen3_32b", "deepseek_v3", "qwen3_5_35b_a3b"])
def test_a_row_costs_the_same_in_any_company(name: str) -> None:
    cost = _cost(name, Layout(1, 1, 1))
    batches = np.arange(1, 400)
    together = cost.times(StepTable.decoding(batches, 3000, 128)).total
    for row in (0, 11, 12, 15, 16, 128, 398):
        assert together[row] == pytest.approx(_decode(cost, batches[row], 3000), rel=1e-12)


@given(st.integers(1, 200), st.integers(1, 30_000), st.integers(1, 30_000))
def test_pairs_of_limited_attention_by_counting(new: int, cached: int, limit: int) -> None:
    """Windows and picks: Σ over queries of what each sees, counted one by one."""
    shape = {"heads": 1, "kv_heads": 1, "key_dim": 1, "value_dim": 1, "cached_width": 1}
    steps = StepTable.of(prefill=Sequences.of(1, new, new + cached, 128))
    for kind in ({"window": limit}, {"top_k": limit}, {"compression": 4, "top_k": limit}):
        ratio = kind.get("compression", 1)
        attention = Attention(
            name="a", repeat=1, phase=AttentionPhase.PREFILL, kv_bytes=2, **shape, **kind
        )
        seen = [min(limit, (cached + i + 1) / ratio) for i in range(new)]
        found = attention.demand(steps).causal_pairs[0]
        # The closed form puts the bend between two queries.
        assert found == pytest.approx(sum(seen), rel=1e-3, abs=ratio * limit**0.5 + 1)


def test_more_tensor_parallelism_makes_steps_shorter_until_communication_wins() -> None:
    times = [_decode(_cost("qwen3_32b", Layout(tp, 1, 1)), 64) for tp in (1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)


def test_quantised_weights_make_decode_faster() -> None:
    plain, w8, w4 = (
        _decode(_cost("qwen3_32b", Layout(4, 1, 1), quant), 8)
        for quant in ("bf16", "w8a16", "w4a16")
    )
    assert w4 < w8 < plain
    assert _decode(_cost("qwen3_32b", Layout(4, 1, 1), "w8a8"), 8) < plain


def test_a_quantised_cache_halves_memory_and_shortens_long_contexts() -> None:
    plain = _cost("qwen3_32b", Layout(4, 1, 1))
    int8 = _cost("qwen3_32b", Layout(4, 1, 1), formats=Formats(kv_cache=CacheFormat.INT8))
    assert int8.memory_model.kv_token_bytes == plain.memory_model.kv_token_bytes / 2
    assert _decode(int8, 64, 16_000) < _decode(plain, 64, 16_000)


def test_exceptions_of_formats_reach_their_layers() -> None:
    usual = _cost("deepseek_v3", Layout(1, 1, 32, ep=32), "w8a8_dynamic")
    mixed = _cost(
        "deepseek_v3",
        Layout(1, 1, 32, ep=32),
        "w8a8_dynamic",
        formats=Formats(experts=Quantisation.W4A8),
    )
    held = {op.name: op.weight_bytes for op in usual.operators}
    halved = {op.name: op.weight_bytes for op in mixed.operators}
    assert halved.pop("experts") == pytest.approx(held.pop("experts") * 4.125 / 8)
    assert halved == held


def test_experts_are_spread_over_the_devices_of_a_copy() -> None:
    narrow, wide = (
        _cost("deepseek_v3", Layout(1, 1, 64, ep=ep, moe_dp=64 // ep), "w8a8_dynamic")
        for ep in (32, 64)
    )
    twice = narrow.memory_model.weight_bytes - wide.memory_model.weight_bytes
    assert twice == pytest.approx(4 * 58 * 3 * 7168 * 2048, rel=1e-6)  # 8 experts a device, not 4
    redundant = _cost(
        "deepseek_v3",
        Layout(1, 1, 64, ep=64),
        "w8a8_dynamic",
        experts=ExpertPlacement(redundant=64),
    )
    more = redundant.memory_model.weight_bytes - wide.memory_model.weight_bytes
    assert more == pytest.approx(58 * 3 * 7168 * 2048, rel=1e-6)  # one expert more a device


def test_imbalance_costs_time_in_the_experts_and_their_exchange_alone() -> None:
    even = _cost("qwen3_235b_a22b", Layout(4, 1, 8, ep=32), "w8a8_dynamic")
    uneven = _cost(
        "qwen3_235b_a22b",
        Layout(4, 1, 8, ep=32),
        "w8a8_dynamic",
        experts=ExpertPlacement(imbalance=2.0),
    )
    steps = StepTable.decoding(512, 4000, 128)
    slower = {
        op.name
        for (op, first), (_, second) in zip(
            even.operator_times(steps), uneven.operator_times(steps), strict=True
        )
        if second.total[0] > first.total[0]
    }
    assert slower == {"experts", "dispatch", "combine"}


def test_two_streams_hide_the_shorter_of_computing_and_exchanging() -> None:
    layout, quant = Layout(1, 1, 64, ep=64), "w8a8_dynamic"
    plain = _cost("deepseek_v3", layout, quant)
    both = _cost("deepseek_v3", layout, quant, communication=Communication(two_streams=True))
    assert _prefill(both, 8192, 8192) < _prefill(plain, 8192, 8192)
    # A small decode step reads its weights twice, which costs more than the exchange it hides.
    assert _decode(both, 1) > _decode(plain, 1)


def test_a_fused_exchange_beats_an_all_to_all_at_small_batches() -> None:
    layout, quant = Layout(1, 1, 64, ep=64), "w8a8_dynamic"
    fused = Communication(dispatch=Dispatch.FUSED)
    assert _decode(_cost("deepseek_v3", layout, quant, communication=fused), 8) < _decode(
        _cost("deepseek_v3", layout, quant), 8
    )


def test_an_all_reduce_behind_its_gemm_costs_less_and_sequence_parallelism_no_more_bytes() -> None:
    plain = _prefill(_cost("qwen3_32b", Layout(8, 1, 1)))
    hidden = Communication(fuse_all_reduce=True)
    assert _prefill(_cost("qwen3_32b", Layout(8, 1, 1), communication=hidden)) < plain
    halves = Communication(sequence_parallel=True)
    split = _prefill(_cost("qwen3_32b", Layout(8, 1, 1), communication=halves))
    assert 0.9 * plain < split < plain  # the ranks share the norms


def test_context_parallelism_shares_prompts_and_caches() -> None:
    one, shared = _cost("qwen3_32b", Layout(4, 1, 1)), _cost("qwen3_32b", Layout(4, 1, 1, cp=2))
    assert _prefill(shared, 32_768, 32_768) < 0.6 * _prefill(one, 32_768, 32_768)
    assert shared.memory_model.kv_token_bytes == one.memory_model.kv_token_bytes / 2
    copies, spread = (
        _cost("qwen3_235b_a22b", Layout(16, 1, 1, moe_tp=16, dcp=dcp), "w8a8_dynamic")
        for dcp in (1, 4)
    )
    assert spread.memory_model.kv_token_bytes == copies.memory_model.kv_token_bytes / 4
    assert _decode(spread, 64, 64_000) < _decode(copies, 64, 64_000)


def test_pipeline_stages_hold_less_and_micro_batches_fill_them() -> None:
    whole, staged = _cost("qwen3_32b", Layout(4, 1, 1)), _cost("qwen3_32b", Layout(4, 4, 1))
    assert staged.memory_model.weight_bytes < 0.35 * whole.memory_model.weight_bytes
    # A token passes all stages: no faster, and a little slower for sending.
    assert _decode(whole) < _decode(staged) < 1.02 * _decode(whole)
    parts = _cost("qwen3_32b", Layout(4, 4, 1), engine=Engine(micro_batches=8))
    assert _prefill(parts, 32_768, 32_768) < 0.6 * _prefill(staged, 32_768, 32_768)
    assert _decode(parts) == _decode(staged)
    assert staged.memory_model.batches * staged.memory_model.kv_token_bytes == (
        whole.memory_model.kv_token_bytes
    )


def test_sharing_a_context_is_paid_for_by_every_kind_of_attention() -> None:
    for model in ("deepseek_v3", "deepseek_v3_2", "deepseek_v4_flash", "qwen3_32b"):
        names = {op.name for op in _cost(model, Layout(16, 1, 1, moe_tp=16, dcp=2)).operators}
        assert {"dcp_all_gather", "dcp_reduce_scatter"} <= names, model
        names = {op.name for op in _cost(model, Layout(4, 1, 1, moe_tp=8, cp=2)).operators}
        assert "cp_all_gather" in names, model


def test_a_cached_prefix_is_unpacked_too() -> None:
    cost = _cost("deepseek_v3", Layout(8, 1, 1, moe_tp=8), "w8a8_dynamic")
    steps = StepTable.prefilling(1, [1024, 1024], [1024, 32_768], 128)
    times = {op.name: time.total for op, time in cost.operator_times(steps)}
    assert times["key_up"][1] > 5 * times["key_up"][0]


def test_generations_of_software_are_ordered() -> None:
    eager, graph, tuned = (
        _decode(_cost("qwen3_30b_a3b", Layout(4, 1, 1, moe_tp=4), engine=Engine.like(g)), 1)
        for g in (Generation.EAGER, Generation.GRAPH, Generation.TUNED)
    )
    assert eager > 2 * graph > 2 * tuned


def test_bands_hold_the_prediction_and_grow_with_their_classes() -> None:
    times = _cost("qwen3_32b", Layout(4, 1, 1)).times(StepTable.decoding([1, 64], 4000, 128))
    assert np.all(times.quantile(-1.28) < times.total)
    assert np.all(times.total < times.quantile(1.28))
    spread = deployment(Setting("qwen3_32b", A3, 4)).fitted.served.other.spread
    assert np.all((times.deviation > spread) & (times.deviation < 1.1 * spread))


def test_a_device_that_was_not_measured_is_scaled_by_its_peaks() -> None:
    fast, slow = (
        CostModel.of(deployment(Setting("qwen3_32b", device, 8)), Layout(8, 1, 1))
        for device in ("atlas_800_a3_752t_die", "atlas_800_a3_560t_die")
    )
    ratio = _prefill(slow, 8192, 8192) / _prefill(fast, 8192, 8192)
    assert 1.2 < ratio < 353.9 / 245.8


def test_collectives_go_level_by_level() -> None:
    a3 = deployment(Setting("qwen3_8b", A3, 16)).device
    rules = a3.calibration.collectives
    assert [hop.ranks for hop in hops(a3, 16, 1)] == [2, 8]
    assert [hop.ranks for hop in hops(a3, 8, 2)] == [8]
    assert [hop.ranks for hop in hops(a3, 4, 16)] == [4]
    path = tuple(hops(a3, 16, 1))
    # HCCL on A3, 16 ranks (github.com/Horacehxw/msModeling, comm_alignment_report), microseconds.
    for kind, held, measured in (
        (Collective.ALL_GATHER, 5 * 2**20, 432.3),
        (Collective.ALL_GATHER, 40 * 2**20, 3141.1),
        (Collective.REDUCE_SCATTER, 16 * 8.8 * 2**20, 887.2),
        (Collective.REDUCE_SCATTER, 16 * 21.4 * 2**20, 2115.1),
    ):
        time = hierarchical_time(rules, kind, np.array([held]), path)[0] * 1e6
        assert time == pytest.approx(measured, rel=0.08)


def test_images_add_the_encoder_and_nothing_to_decode() -> None:
    cost = _cost("qwen3_vl_8b", Layout(1, 1, 1))
    steps = StepTable.prefilling(1, 1024, 1024, 128)
    image = attrs.evolve(steps, patches=np.array([4096.0]), patch_pairs=np.array([4096.0**2]))
    assert cost.times(image).total[0] > cost.times(steps).total[0] + 5e-3
    encoder = [op for op, t in cost.operator_times(StepTable.decoding(4, 100, 128)) if t.total[0]]
    assert not any(op.name.startswith(("encoder", "patch", "merger")) for op in encoder)


def test_states_of_linear_attention_do_not_grow() -> None:
    memory = _cost("qwen3_5_35b_a3b", Layout(1, 1, 1)).memory_model
    full = _cost("qwen3_30b_a3b", Layout(1, 1, 1)).memory_model
    assert memory.sequence_bytes > 30 * 32 * 128 * 128 * 4
    assert memory.kv_token_bytes == 10 * 2 * 2 * 256 * 2
    assert full.sequence_bytes == 0


@frozen(kw_only=True)
class Unknown(Operator):
    """An operator that nobody has measured."""

    def work(self, steps: StepTable) -> Work:
        flop = np.full(len(steps), 137e9)
        return Work(flop, np.zeros_like(flop), np.zeros_like(flop))


def test_an_operator_without_a_rule_is_refused_instead_of_almost_free() -> None:
    model = CostModel.of(deployment(Setting("qwen3_8b", A3, 1)), Layout(1, 1, 1))
    operator = Unknown(name="unknown", repeat=1, kind=OperatorClass.GEMM)
    with pytest.raises(TypeError, match=r"no rule .* for Unknown"):
        model.rules.time(operator, StepTable.decoding(1, 100, 128))


def test_every_class_of_operators_has_a_rule() -> None:
    """The classes that an engine runs; those of the planner have the flat rule alone."""
    registered = set(vars(CalibratedRules)["kernel_time"].dispatcher.registry) - {object}
    folder = operators_package.__name__
    known = {
        cls
        for found in pkgutil.iter_modules(operators_package.__path__)
        for cls in vars(importlib.import_module(f"{folder}.{found.name}")).values()
        if isinstance(cls, type) and issubclass(cls, Operator) and cls is not Operator
    }
    assert known == registered
