"""Mixture of experts: DeepSeek-V3 has 256 of width 2048 in 58 layers, 8 for a token."""

import pytest

from specc.cost.layers.experts import ExpertMlp
from specc.cost.steps import StepTable
from specc.ir import ExpertPlacement, Layout
from tests.cost.layers.sites import layers, site


def test_nothing_of_a_sequence_stays_but_copies_of_new_tokens_are_live() -> None:
    mlp = layers("deepseek_v3", ExpertMlp)
    assert mlp.count == 58
    assert mlp.cached_elements(1) == mlp.sequence_bytes(site("deepseek_v3")) == 0
    # 8 copies of 7168 elements of 2 bytes, before the experts and after them.
    assert mlp.live_bytes(site("deepseek_v3")) == 2 * 8 * 7168 * 2
    # Where experts lie elsewhere each tensor-parallel rank routes its slice.
    sliced = site("deepseek_v3", Layout(4, 1, 8, ep=32))
    assert mlp.live_bytes(sliced) == 2 * 8 * 7168 * 2 / 4


@pytest.mark.parametrize(
    ("model", "layout", "redundant", "refused"),
    [
        ("deepseek_v3", Layout(1, 1, 32, ep=32), 0, ""),
        ("deepseek_v3", Layout(1, 1, 32, ep=32), 32, ""),
        (
            "deepseek_v3",
            Layout(1, 1, 48, ep=48),
            0,
            "EP = 48 does not divide 256 experts; experts { redundant = 32 } makes it",
        ),
        ("deepseek_v3", Layout(1, 1, 48, ep=48), 32, ""),  # 288 slots
        (
            "deepseek_v3",
            Layout(1, 1, 32, ep=32),
            16,
            "EP = 32 does not divide 272 experts (16 redundant); "
            "experts { redundant = 32 } makes it",
        ),
        (
            "mixtral_8x7b",
            Layout(8, 1, 2, ep=16),
            0,
            "EP = 16 does not divide 8 experts; experts { redundant = 8 } makes it",
        ),
        ("mixtral_8x7b", Layout(16, 1, 1, moe_tp=16), 0, ""),  # 14336 = 16 · 896
        (
            "gpt_oss_20b",
            Layout(1, 1, 128, moe_tp=128),
            0,
            "MOE-TP = 128 does not divide the expert width 2880",
        ),
    ],
)
def test_experts_and_their_columns_are_divided(model, layout, redundant, refused) -> None:
    assert layers(model, ExpertMlp).placement_problem(layout, redundant) == refused


def test_a_device_holds_its_experts_and_their_copies() -> None:
    layout = Layout(1, 1, 32, ep=32)
    placed = site("deepseek_v3", layout, experts=ExpertPlacement(redundant=32))
    block = layers("deepseek_v3", ExpertMlp).block(placed)
    assert block.local == (256 + 32) / 32
    assert block.parameters == 9 * 3 * 7168 * 2048


def test_latent_experts_work_and_travel_in_their_width() -> None:
    """Kimi-K3: tokens of 7168 go to experts as 3584, router and shared experts see all of them."""
    layout = Layout(1, 1, 64, ep=64)
    mlp, where = layers("kimi_k3", ExpertMlp), site("kimi_k3", layout)
    ops = {op.name: op for op in mlp.operators(where)}
    assert mlp.block(where).parameters == 14 * 3 * 3584 * 3072
    assert (ops["expert_latent_down"].inner, ops["expert_latent_down"].outer) == (7168, 3584)
    assert (ops["expert_latent_up"].inner, ops["expert_latent_up"].outer) == (3584, 7168)
    assert (ops["router"].inner, ops["shared_gate_up"].inner) == (7168, 7168)
    assert ops["combine"].row_bytes == pytest.approx(16 * (1 - 1 / 64) * 3584 * 2)
    order = list(ops)
    assert order.index("expert_latent_down") < order.index("dispatch") < order.index("experts")
    assert order.index("combine") < order.index("expert_latent_up")


def test_experts_without_a_gate_have_two_matrices() -> None:
    """Nemotron 3 Nano: 128 experts of 1856, and shared ones of 3712 together."""
    model = "nemotron_3_nano_30b_a3b"
    mlp, where = layers(model, ExpertMlp), site(model)
    ops = {op.name: op for op in mlp.operators(where)}
    assert mlp.block(where).parameters == 128 * 2 * 2688 * 1856
    assert ops["shared_up"].outer == 3712
    steps = StepTable.prefilling(1, 1000, 1000, 128)
    work = mlp.block(where).work(steps)
    assert work.matrix_flop[0] == 1000 * 6 * 2 * 2 * 2688 * 1856


def test_experts_that_give_tokens_back_cost_nothing() -> None:
    """LongCat-Flash: 12 of 512 experts and 256 identities, so 8 compute on average."""
    mlp, where = layers("longcat_flash", ExpertMlp), site("longcat_flash")
    block, steps = mlp.block(where), StepTable.decoding(100, 1000, 128)
    assert block.copies(steps)[0] == pytest.approx(100 * 8)
    assert block.parameters == 512 * 3 * 6144 * 2048
    router = next(op for op in mlp.operators(where) if op.name == "router")
    assert router.outer == 512 + 256
    # Each expert is missed by a token that chooses 12 of 768 others.
    assert block.hit(steps)[0] == pytest.approx(512 * (1 - (1 - 12 / 768) ** 100))


def test_layers_that_take_turns_are_in_every_stage() -> None:
    """Llama 4 Maverick has experts in every other layer."""
    maverick = layers("llama4_maverick", ExpertMlp)
    assert maverick.count == 24
    assert maverick.in_stage(0, 12) == 6
    assert layers("deepseek_v3", ExpertMlp).in_stage(0, 3) == 0
