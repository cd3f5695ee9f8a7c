"""What an engine's operators read and write, tensor by tensor, and what devices send."""

import attrs
import numpy as np
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, Sequences, StepTable
from specc.cost.layers import layers_of, operators
from specc.cost.operators.attention import AttentionPhase, LinearAttentionScan
from specc.cost.operators.base import Operator, OperatorClass
from specc.cost.operators.communication import Collective, CollectiveOperator
from specc.cost.reference.layers import PLANNER_LAYERS
from specc.cost.site import Site
from specc.ir import Communication as Options
from specc.ir import (
    Deployment,
    Dispatch,
    ExpertPlacement,
    Experts,
    Layout,
    Model,
    Quantisation,
)
from tests.cost.test_rules import DEVICE, MODEL

INT8 = Quantisation.W8A8_DYNAMIC
# One prompt of 6 tokens, and 4 sequences that decode a token each at a context of 10.
STEP = StepTable.of(
    prefill=StepTable.prefilling(1, 6, 6, 128).prefill,
    decode=StepTable.decoding(4, 10, 128).decode,
)
TOKENS, SAMPLED = 10, 5
WITH_EXPERTS = attrs.evolve(
    MODEL,
    experts=Experts(
        layers=4, count=16, active=2, intermediate_size=64, shared_intermediate_size=32
    ),
)


def _listed(layout: Layout, model: Model = MODEL, quant=Quantisation.BF16, drafted=0, **changes):
    """The operators of a device by name, as an engine runs them."""
    plan = Deployment(model=model, device=DEVICE, devices=layout.devices, quant=quant, **changes)
    return {op.name: op for op in operators(Site.of(plan, layout, drafted), layers_of(plan.model))}


def _moved(operator: Operator) -> float:
    return float(operator.work(STEP).moved_bytes[0])


@pytest.mark.parametrize("quant", [Quantisation.BF16, INT8])
def test_bytes_of_a_dense_layer(quant: Quantisation) -> None:
    """256 wide, 8 query and 2 key-value heads of 32, an MLP of 768, on 2 ranks."""
    h, q, kv, mlp = 256, 4 * 32, 1 * 32, 384
    found = _listed(Layout(2, 1, 1), quant=quant)
    quantised = quant is INT8
    taken = 1 if quantised else 2  # bytes of what a matrix takes in
    scale = 4 if quantised else 0
    scales = 8 if quantised else 0

    def matrix(inner: int, outer: int) -> int:
        return TOKENS * inner * taken + inner * outer * taken + TOKENS * outer * 2 + scales

    wanted = {
        "input_norm": TOKENS * (2 * h + taken * h) + 2 * h + scale,
        "qkv": matrix(h, q + 2 * kv),
        "query_norm": TOKENS * (2 * q + 2 * q) + 2 * 32,
        "key_norm": TOKENS * (2 * kv + 2 * kv) + 2 * 32,
        # Queries and keys in and out, a row of cosines and one of sines.
        "rope": TOKENS * (2 * 2 * (q + kv) + 2 * 2 * 32),
        # Key and value in and out, and where they go.
        "kv_write": TOKENS * (2 * 2 * 2 * kv + 8),
        # Cached keys and values, queries in and results out, block table, starts and lengths.
        "prefill_attention": 6 * 2 * kv * 2 + 6 * 2 * q * 2 + 8 * (1 + 3 * 1 + 1),
        "decode_attention": 40 * 2 * kv * 2 + 4 * 2 * q * 2 + 8 * (4 + 3 * 4 + 1),
        "output": matrix(q, h),
        # Both branches in, their sum and its norm out.
        "add_norm": TOKENS * (2 * h + 2 * h + 2 * h + taken * h) + 2 * h + scale,
        "gate_up": matrix(h, 2 * mlp),
        "swiglu": TOKENS * (2 * 2 * mlp + 2 * mlp),
        "down": matrix(mlp, h),
        "residual_add": TOKENS * 2 * (h + h + h),
        "final_norm": TOKENS * (2 * h + 2 * h) + 2 * h,
        "embedding": TOKENS * (8 + 2 * h + 2 * h),
        # The last token of the prompt: its number, read and written.
        "last_token": 8 + 2 * h + 2 * h,
        "lm_head": 2 * (SAMPLED * h + h * 500 + SAMPLED * 500),
    }
    if quantised:
        wanted["attention_quant"] = TOKENS * (2 * q + q) + 4
        wanted["mlp_quant"] = TOKENS * (2 * mlp + mlp) + 4
    computed = {name: op for name, op in found.items() if not isinstance(op, CollectiveOperator)}
    assert {name: _moved(op) for name, op in computed.items()} == wanted
    ends = ("final_norm", "embedding", "last_token", "lm_head")
    assert {op.repeat for name, op in computed.items() if name not in ends} == {4}
    assert {computed[name].repeat for name in ends} == {1}


def test_arithmetic_of_a_dense_layer() -> None:
    """Two operations a weight and token; norms 5 and the rotation 3 an element."""
    found = _listed(Layout(2, 1, 1))
    work = {name: op.work(STEP) for name, op in found.items()}
    matrix = {name: w.matrix_flop[0] for name, w in work.items() if w.matrix_flop[0]}
    pairs = {"prefill_attention": 6 * 6, "decode_attention": 4 * 10}
    assert matrix == {
        "qkv": 2 * TOKENS * 256 * 192,
        "output": 2 * TOKENS * 128 * 256,
        "gate_up": 2 * TOKENS * 256 * 768,
        "down": 2 * TOKENS * 384 * 256,
        "lm_head": 2 * SAMPLED * 256 * 500,
        **{name: 2 * 4 * (32 + 32) * count for name, count in pairs.items()},
    }
    vector = {name: w.vector_flop[0] for name, w in work.items() if w.vector_flop[0]}
    assert vector == {
        "input_norm": 5 * 256 * TOKENS,
        "query_norm": 5 * 128 * TOKENS,
        "key_norm": 5 * 32 * TOKENS,
        "rope": 3 * (128 + 32) * TOKENS,
        "final_norm": 5 * 256 * TOKENS,
        **{name: 4 * 4 * count for name, count in pairs.items()},
    }


@frozen
class Sent:
    """A collective: how often, over how many ranks that lie so far apart, with which bytes."""

    kind: Collective
    times: float
    group: int
    stride: int
    held: float


def _sent(found: dict[str, Operator]) -> dict[str, Sent]:
    return {
        name: Sent(op.collective, op.repeat, op.group, op.stride, float(op.held_bytes(STEP)[0]))
        for name, op in found.items()
        if isinstance(op, CollectiveOperator)
    }


def test_what_a_dense_model_sends() -> None:
    row = 256 * 2
    reduce = Sent(Collective.ALL_REDUCE, 4, 2, 1, TOKENS * row)
    gather = Sent(Collective.ALL_GATHER, 1, 2, 1, SAMPLED * 500 * 2)
    both = {"attention_all_reduce": reduce, "mlp_all_reduce": reduce, "logits_all_gather": gather}
    assert _sent(_listed(Layout(2, 1, 1))) == both
    # Three stages pass the hidden states on twice, to the rank of the next stage.
    send = Sent(Collective.SEND, 2, 2, 2, TOKENS * row)
    assert _sent(_listed(Layout(2, 3, 1))) == {**both, "stage_send": send}
    assert _sent(_listed(Layout(1, 1, 2))) == {}
    # With sequence parallelism a reduction is two halves, the second of a part of the rows.
    halves = _sent(_listed(Layout(2, 1, 1), communication=Options(sequence_parallel=True)))
    for name in ("attention", "mlp"):
        whole = Sent(Collective.REDUCE_SCATTER, 4, 2, 1, TOKENS * row)
        assert halves[f"{name}_reduce_scatter"] == whole
        part = Sent(Collective.ALL_GATHER, 4, 2, 1, TOKENS / 2 * row)
        assert halves[f"{name}_all_gather"] == part


def test_a_rank_normalises_its_part_of_the_sequence() -> None:
    whole, part = (
        _listed(Layout(2, 1, 1), communication=Options(sequence_parallel=parallel))
        for parallel in (False, True)
    )
    for name, fixed in (("input_norm", 512), ("add_norm", 512), ("residual_add", 0)):
        assert _moved(part[name]) - fixed == (_moved(whole[name]) - fixed) / 2


@pytest.mark.parametrize("quant", [Quantisation.BF16, INT8])
@pytest.mark.parametrize("fused", [True, False])
def test_tokens_on_their_way_to_experts_and_back(quant: Quantisation, fused: bool) -> None:
    """Two ranks route a half of the tokens each to 4 devices: two copies, a quarter stays."""
    options = Options(dispatch=Dispatch.FUSED if fused else Dispatch.ALL_TO_ALL)
    placement = ExpertPlacement(imbalance=1.5)
    found = _listed(
        Layout(2, 1, 2, ep=4), WITH_EXPERTS, quant, communication=options, experts=placement
    )
    sent = _sent(found)
    copies = TOKENS / 2 * 2 * 3 / 4 * 1.5
    there = 256 + 4 if fused and quant is INT8 else 2 * 256
    kinds = (
        (Collective.FUSED_DISPATCH, Collective.FUSED_COMBINE)
        if fused
        else (Collective.ALL_TO_ALL, Collective.ALL_TO_ALL)
    )
    assert attrs.astuple(sent["dispatch"])[:4] == (kinds[0], 4, 4, 1)
    assert sent["dispatch"].held == pytest.approx(copies * there)
    assert attrs.astuple(sent["combine"])[:4] == (kinds[1], 4, 4, 1)
    assert sent["combine"].held == pytest.approx(copies * 2 * 256)
    # Each rank has a half of the tokens then; the other half comes from its neighbour.
    assert sent["expert_all_gather"] == Sent(Collective.ALL_GATHER, 4, 2, 1, TOKENS / 2 * 512)
    assert "expert_reduce" not in sent


def test_experts_in_parts_add_up_over_their_parts() -> None:
    found = _listed(Layout(2, 1, 2, ep=2, moe_tp=2), WITH_EXPERTS)
    sent = _sent(found)
    assert sent["expert_all_reduce"] == Sent(Collective.ALL_REDUCE, 4, 2, 1, TOKENS * 512)
    # Experts with the same part are two devices apart.
    assert (sent["dispatch"].group, sent["dispatch"].stride) == (2, 2)
    block = found["experts"]
    assert (block.inner, block.local, block.tokens_per) == (32, 8, 2)


def test_tokens_of_all_replicas_where_nothing_is_dispatched() -> None:
    found = _listed(Layout(2, 1, 2, moe_tp=4), WITH_EXPERTS)
    sent = _sent(found)
    assert sent["tokens_all_gather"] == Sent(Collective.ALL_GATHER, 4, 2, 2, TOKENS * 512)
    assert sent["expert_reduce"] == Sent(Collective.REDUCE_SCATTER, 4, 4, 1, TOKENS * 512 * 2)
    assert "dispatch" not in sent
    one = _sent(_listed(Layout(4, 1, 1, moe_tp=4), WITH_EXPERTS))
    assert one["expert_reduce"] == Sent(Collective.ALL_REDUCE, 4, 4, 1, TOKENS * 512)
    assert "tokens_all_gather" not in one


def test_bytes_around_experts() -> None:
    """A half of the tokens on each of two ranks."""
    found = _listed(Layout(2, 1, 2, ep=4), WITH_EXPERTS)
    part, h, shared = TOKENS / 2, 256, 32
    wanted = {
        "expert_add_norm": TOKENS * 4 * 2 * h + 2 * h,
        "router": 2 * (part * h + h * 16 + part * 16),
        # Scores in, the best two out: a number and a weight each.
        "router_top_k": part * (2 * 16 + 2 * 8),
        "shared_gate_up": 2 * (part * h + h * 2 * shared + part * 2 * shared),
        "shared_swiglu": part * 2 * 3 * shared,
        "shared_down": 2 * (part * shared + shared * h + part * h),
        "shared_add": part * 2 * 3 * h,
        "expert_residual_add": TOKENS * 2 * 3 * h,
    }
    assert {name: _moved(found[name]) for name in wanted} == wanted
    assert found["experts"].local == 4
    sharded = _listed(
        Layout(2, 1, 2, ep=4), WITH_EXPERTS, experts=ExpertPlacement(shard_shared=True)
    )
    assert _moved(sharded["shared_swiglu"]) == TOKENS * 2 * 3 * shared / 2
    reduce = Sent(Collective.ALL_REDUCE, 4, 2, 1, TOKENS * 512)
    assert _sent(sharded)["shared_all_reduce"] == reduce


def test_experts_read_those_that_are_hit_once() -> None:
    """Of 16 experts 10 tokens with 2 each pass all by with (14/16)^10."""
    block = _listed(Layout(1, 1, 1, moe_tp=1), WITH_EXPERTS)["experts"]
    work = block.work(STEP)
    hit = 16 * (1 - (14 / 16) ** TOKENS)
    rows = 2 * TOKENS
    assert work.matrix_flop[0] == 2 * rows * 3 * 256 * 64
    moved = hit * 3 * 256 * 64 * 2 + rows * 2 * (2 * 256 + 2 * 64)
    assert work.moved_bytes[0] == pytest.approx(moved)
    assert block.parameters == 16 * 3 * 256 * 64
    assert block.weight_bytes == 2 * block.parameters


def test_a_draft_layer_runs_over_all_tokens_and_predicts_one_each() -> None:
    found = _listed(Layout(1, 1, 1), drafted=2)
    h, requests = 256, 5
    for number in (1, 2):
        wanted = {
            "embedding": TOKENS * (4 * h + 8),
            "norms": TOKENS * 2 * 2 * 2 * h + 2 * 2 * h,
            # Two rows in, and one of both out.
            "concat": TOKENS * 2 * (h + h + 2 * h),
            "projection": 2 * (TOKENS * 2 * h + 2 * h * h + TOKENS * h),
            "gate_up": 2 * (TOKENS * h + h * 2 * 768 + TOKENS * 2 * 768),
            "lm_head": 2 * (requests * h + h * 1000 + requests * 1000),
        }
        own = {name: found[f"draft_{number}_{name}"] for name in wanted}
        assert {name: _moved(op) for name, op in own.items()} == wanted
        assert {op.repeat for op in own.values()} == {1}
    assert "draft_3_embedding" not in found


# --- The flat roofline --------------------------------------------------------------------------


def test_a_step_of_the_flat_roofline_is_the_sum_of_its_operators() -> None:
    """A device of round numbers: the longer of arithmetic and moving, and a launch each."""
    plan = Deployment(model=MODEL, device=DEVICE, devices=1)
    cost = CostModel.of(plan, Layout(1, 1, 1))
    total = 0.0
    for operator in cost.operators:
        work = operator.work(STEP)
        vector = 5e12 if "norm" in operator.name else 10e12
        arithmetic = work.matrix_flop[0] / 50e12 + work.vector_flop[0] / (vector * 0.5)
        moving = work.moved_bytes[0] / 0.8e12
        launch = 5e-6 if work.matrix_flop[0] else 2e-6
        if arithmetic + moving:
            total += operator.repeat * (max(arithmetic, moving) + launch)
    assert cost.times(STEP).total[0] == pytest.approx(total)
    # The deviation is that of a normal distribution with a mean absolute error of 9.5 %.
    assert cost.times(STEP).deviation[0] == pytest.approx(0.095 * 1.2533, rel=1e-4)


# --- Other kinds of attention, and images -------------------------------------------------------


def _of(name: str, layout: Layout) -> dict[str, Operator]:
    plan = deployment(Setting(name, "atlas_800_a3_752t_die", layout.devices))
    return {op.name: op for op in operators(Site.of(plan, layout, 0), layers_of(plan.model))}


def test_latent_attention_is_absorbed_in_decode_alone() -> None:
    """Prompts: heads with keys of 192 and values of 128. Decode: all on a cache 576 wide."""
    found = _of("deepseek_v3", Layout(8, 1, 1, moe_tp=8))
    heads = 128 // 8
    prefill, decode = found["prefill_attention"], found["decode_attention"]
    assert prefill.work(STEP).matrix_flop[0] == 2 * heads * (192 + 128) * 6 * 6
    assert decode.work(STEP).matrix_flop[0] == 2 * heads * (576 + 512) * 4 * 10
    for attention, cached, tokens, width, requests in (
        (prefill, 6, 6, 192 + 128, 1),
        (decode, 40, 4, 576 + 512, 4),
    ):
        moved = cached * 576 * 2 + tokens * heads * width * 2 + 8 * (4 * requests + 1)
        assert _moved(attention) == moved
    # Keys and values of a whole prompt are unpacked, those of a decoded token absorbed.
    for name in ("key_up", "value_up"):
        assert found[name].work(STEP).matrix_flop[0] == 2 * heads * TOKENS * 128 * 512
    cached = StepTable.prefilling(1, 6, 100, 128)
    assert found["key_up"].work(cached).matrix_flop[0] == 2 * heads * 100 * 128 * 512


def test_picked_tokens_are_read_on_the_latent_cache_also_in_prefill() -> None:
    found = _of("deepseek_v3_2", Layout(8, 1, 1, moe_tp=8))
    steps = StepTable.prefilling(1, 10, 5000, 128)
    work = found["prefill_attention"].work(steps)
    assert work.matrix_flop[0] == 2 * 16 * (576 + 512) * 10 * 2048
    # The indexer scores every cached token with 64 heads of 128.
    scores = found["prefill_index_scores"].work(steps)
    assert scores.matrix_flop[0] == 2 * 64 * 128 * 10 * 5000
    few = StepTable.prefilling(1, 10, 500, 128)
    assert found["prefill_attention"].work(few).matrix_flop[0] == 2 * 16 * (576 + 512) * 10 * 500


def test_linear_attention_moves_its_state_and_its_tokens() -> None:
    """32 heads with a state of 128 × 128 in 4 bytes, read and written for each sequence."""
    found = _of("qwen3_5_35b_a3b", Layout(1, 1, 1, moe_tp=1))
    scans = {op.phase: op for op in found.values() if isinstance(op, LinearAttentionScan)}
    state = 32 * 128 * 128
    for phase, sequences, tokens in ((AttentionPhase.PREFILL, 1, 6), (AttentionPhase.DECODE, 4, 4)):
        work = scans[phase].work(STEP)
        row = scans[phase].row_bytes
        assert work.moved_bytes[0] == 2 * 4 * state * sequences + tokens * row
        # A decoded token updates the state and reads it on the vector unit; a prompt does so by
        # chunks of 64 on the matrix unit, with two triangular products inside a chunk.
        inside = 32 * 64 * (2 * 128 + 2 * 128) * 2
        flop, vector = ((inside + 6 * state) * tokens, 0) if sequences == 1 else (0, 6 * state * 4)
        assert (work.matrix_flop[0], work.vector_flop[0]) == (flop, vector)


def test_a_vision_encoder_on_its_patches() -> None:
    """27 layers 1152 wide; four patches merge into one token, for the model and three layers."""
    found = _of("qwen3_vl_8b", Layout(2, 1, 1))
    patches = 64.0
    steps = attrs.evolve(STEP, patches=np.array([patches]), patch_pairs=np.array([patches**2]))
    flop = {
        name: op.repeat * op.work(steps).matrix_flop[0]
        for name, op in found.items()
        if name.startswith(("encoder", "merger", "patch"))
    }
    half = 1152 // 2
    wanted = {
        "patch_embedding": 2 * patches * (2 * 3 * 16 * 16) * 1152,
        "encoder_qkv": 27 * 2 * patches * 1152 * 3 * half,
        "encoder_attention": 27 * 4 * half * patches**2,
        "encoder_output": 27 * 2 * patches * half * 1152,
        "encoder_up": 27 * 2 * patches * 1152 * 2152,
        "encoder_down": 27 * 2 * patches * 2152 * 1152,
        "merger_up": 4 * 2 * patches / 4 * (4 * 1152) * (2 * 1152),
        "merger_down": 4 * 2 * patches / 4 * (2 * 1152) * 4096,
    }
    assert {name: value for name, value in flop.items() if value} == pytest.approx(wanted)
    reduce = found["encoder_all_reduce"]
    assert reduce.repeat * reduce.held_bytes(steps)[0] == 2 * 27 * patches * 1152 * 2
    assert _moved(found["encoder_gelu"]) == 0
    assert found["encoder_gelu"].work(steps).moved_bytes[0] == patches * 2 * 2152 * 2


def test_the_class_of_attention_is_that_of_its_phase() -> None:
    found = _listed(Layout(1, 1, 1))
    assert found["prefill_attention"].kind is OperatorClass.PREFILL_ATTENTION
    assert found["decode_attention"].kind is OperatorClass.DECODE_ATTENTION


def test_weights_of_four_bits_are_unpacked_on_the_vector_unit() -> None:
    gate = _listed(Layout(1, 1, 1), quant=Quantisation.W4A16)["gate_up"]
    assert gate.work(STEP).vector_flop[0] == 256 * 2 * 768
    assert gate.work(StepTable.decoding(0, 1, 128)).vector_flop[0] == 0
    # Four bits, and a scale of 16 for 128 of them.
    assert gate.weight_bytes == 256 * 2 * 768 * (0.5 + 2 / 128)


# --- Sums of a step -----------------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 60))
def test_sums_over_sequences_are_counted(requests: int, new: int, cached: int) -> None:
    """Each query sees the tokens before it and itself."""
    context = cached + new
    seen = [cached + place for place in range(1, new + 1)]
    for found in (
        Sequences.of(requests, new, context, 16),
        Sequences.summed([(1, new, context)] * requests, 16),
        Sequences.of(1, new, context, 16).scaled(requests),
    ):
        assert found.requests[0] == requests
        assert found.tokens[0] == requests * new
        assert found.pairs[0] == requests * new * context
        assert found.causal_pairs[0] == requests * sum(seen)
        assert found.context[0] == requests * context
        assert found.blocks[0] == requests * -(-context // 16)
        assert (found.mean_new[0], found.mean_context[0]) == pytest.approx((new, context))


def test_a_step_without_images_has_none() -> None:
    steps = StepTable.decoding([1, 2], 5, 128)
    assert steps.patches.tolist() == steps.patch_pairs.tolist() == [0, 0]
    assert (StepTable.decoding(3, 5, 128).kv_blocks[0], len(steps)) == (1, 2)


# --- Activations and states ---------------------------------------------------------------------


def _activations(cost: CostModel, tokens: int) -> float:
    return float(cost.memory(StepTable.prefilling(1, tokens, tokens, 128)).activations[0])


def test_activations_by_token() -> None:
    """Rows of the cosine and sine tables and slots of each layer, and the largest live set."""
    h, q, kv = 256, 8 * 32, 2 * 32
    kept = 4 * (4 * 32 + 8)
    plain = {
        "whole": (Layout(1, 1, 1), MODEL, Quantisation.BF16, 2 * (h + q + kv + kv)),
        # Two ranks: two buffers around an all-reduce are larger than a half of the heads.
        "split": (Layout(2, 1, 1), MODEL, Quantisation.BF16, 2 * 2 * h),
        # With experts the copies of a token on their way there and back as well.
        "experts": (
            Layout(1, 1, 1, moe_tp=1),
            WITH_EXPERTS,
            Quantisation.BF16,
            2 * (h + q + kv + kv) + 2 * 2 * h * 2,
        ),
        "experts elsewhere": (
            Layout(2, 1, 1, ep=2),
            WITH_EXPERTS,
            Quantisation.BF16,
            2 * (h + q // 2 + kv // 2 + kv // 2) + 2 * 2 * h * 2 / 2,
        ),
    }
    for name, (layout, model, quant, live) in plain.items():
        plan = Deployment(model=model, device=DEVICE, devices=layout.devices, quant=quant)
        cost = CostModel.of(plan, layout)
        tables = 8 * 4  # one more entry of the block table in each layer
        grown = _activations(cost, 1280) - _activations(cost, 128)
        assert grown == pytest.approx(1152 * (kept + live) + 9 * tables), name


def test_states_of_compressed_attention() -> None:
    """A window of 128 tokens and a block that fills, of 43 layers with 512 elements a token."""
    plan = deployment(Setting("deepseek_v4_flash", "atlas_800_a3_752t_die", 8))
    memory = CostModel.of(plan, Layout(8, 1, 1, moe_tp=8)).memory_model
    element = memory.site.precisions.kv_bytes
    assert memory.sequence_bytes == 43 * (128 + 128) * 512 * element
    # Of every 4 tokens one entry with its index key in 21 layers, of every 128 one in 20.
    wanted = (21 * (512 + 128) / 4 + 20 * 512 / 128) * element
    assert memory.kv_token_bytes == pytest.approx(wanted)


def test_where_every_rank_gathers_all_tokens_none_is_dispatched() -> None:
    options = Options(dispatch=Dispatch.ALL_GATHER)
    sent = _sent(_listed(Layout(2, 1, 2, ep=4), WITH_EXPERTS, communication=options))
    assert not {"dispatch", "combine", "expert_all_gather"} & set(sent)
    assert sent["tokens_all_gather"] == Sent(Collective.ALL_GATHER, 4, 2, 2, TOKENS * 512)
    assert sent["expert_reduce"] == Sent(Collective.REDUCE_SCATTER, 4, 4, 1, TOKENS * 512 * 2)


# --- What the published planner counts otherwise ------------------------------------------------


def _planned(name: str, layout: Layout, quant: str = "bf16") -> dict[str, Operator]:
    plan = deployment(Setting(name, "atlas_800_a3_752t_die", layout.devices, quant))
    layers = layers_of(plan.model, PLANNER_LAYERS)
    return {op.name: op for op in operators(Site.of(plan, layout, 0), layers)}


def test_latent_attention_of_the_planner_reads_its_projections() -> None:
    """16 heads of 320 in and out, the cache, block table and lengths, and 512 × 256 a head."""
    found = _planned("deepseek_v3", Layout(8, 1, 1, moe_tp=8))
    projections = 16 * 512 * (128 + 128)
    for name, tokens, pairs, cached, blocks, requests, width in (
        ("prefill_attention", 6, 36, 6, 1, 1, 192 + 128),
        ("decode_attention", 4, 40, 40, 4, 4, 2 * 512 + 64),
    ):
        work = found[name].work(STEP)
        assert work.matrix_flop[0] == 2 * tokens * projections + 2 * pairs * 16 * width
        assert work.vector_flop[0] == 4 * pairs * 16
        moved = 2 * tokens * 16 * 320 + 2 * cached * 576 + 8 * (blocks + 3 * requests + 1)
        assert work.moved_bytes[0] == moved + 2 * projections


def test_the_planner_reads_picked_tokens_anew_for_each_query() -> None:
    """2048 of 5000 tokens are 16 pages, at the reach that so many have; a number of each."""
    found = _planned("deepseek_v3_2", Layout(8, 1, 1, moe_tp=8))
    steps = StepTable.decoding(4, 5000, 128)
    work = found["decode_attention"].work(steps)
    pairs = 4 * 2048
    reached = pairs / 0.025
    moved = 2 * 4 * 16 * 320 + 2 * reached * 576 + 8 * (4 * 16 + 3 * 4 + 1)
    moved += 2 * 16 * 512 * 256 + 8 * pairs
    assert work.moved_bytes[0] == pytest.approx(moved)


def test_the_indexer_of_the_planner_is_one_operator() -> None:
    """64 heads of 128 on queries of 1536, keys of the hidden state, and weights of the heads."""
    found = _planned("deepseek_v3_2", Layout(8, 1, 1, moe_tp=8))["indexer"]
    work = found.work(STEP)
    weights = 64 * 128 * 1536 + 7168 * 128 + 7168 * 64
    pairs, mean = 6 * 6 + 4 * 10, (6 + 40) / 5
    assert work.matrix_flop[0] == 2 * TOKENS * weights + 2 * pairs * 64 * 128
    row = 2 * (7168 + 1536 + 2 * 64 + 128) + 8 + 8 * mean
    # Keys of 256 bytes: a prompt reads its own once in four new tokens, at 90 %; a decoding
    # sequence in whole pages, of which few reach 15 % of the bandwidth.
    keys = 6 * 256 * 2 / 0.90 + 40 * 256 / 0.15
    moved = TOKENS * row + 8 * (5 + 2 * 5) + 2 * weights + 2 * 128 + keys
    assert work.moved_bytes[0] == pytest.approx(moved)
