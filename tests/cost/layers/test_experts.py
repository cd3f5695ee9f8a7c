"""Mixture of experts: DeepSeek-V3 has 256 of width 2048 in 58 layers, 8 for a token."""

import pytest

from specc.cost.layers.experts import ExpertMlp
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
