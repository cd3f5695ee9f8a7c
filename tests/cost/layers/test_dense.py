"""Dense MLPs: Qwen3-32B has 64, 25600 wide."""

import pytest

from specc import library
from specc.cost.layers.dense import DenseMlp
from specc.ir import Layout
from tests.cost.layers.sites import layers, site


def test_nothing_of_a_sequence_stays() -> None:
    mlp, whole = layers("qwen3_32b", DenseMlp), site("qwen3_32b")
    assert mlp.cached_elements(1) == mlp.sequence_bytes(whole) == mlp.live_bytes(whole) == 0


def test_columns_are_divided() -> None:
    mlp = layers("qwen3_32b", DenseMlp)
    assert mlp.tensor_problem(512) == ""  # 25600 = 512 · 50
    assert mlp.tensor_problem(3) == "TP = 3 does not divide the MLP width 25600"


def test_a_rank_holds_its_columns_of_three_matrices() -> None:
    held = layers("qwen3_32b", DenseMlp).operators(site("qwen3_32b", Layout(4, 1, 1)))
    weights = sum(op.repeat * op.parameters for op in held if op.name in ("gate_up", "down"))
    assert weights == 64 * 3 * 5120 * 25_600 / 4


def test_a_model_with_experts_in_some_layers_has_dense_ones_in_the_others() -> None:
    mlp = layers("deepseek_v3", DenseMlp)
    assert mlp.count == 3  # of 61
    assert not mlp.drafts  # its draft layer has experts
    assert layers("qwen3_32b", DenseMlp).drafts


def test_widths_may_differ_from_layer_to_layer() -> None:
    """Llama-3.3-Nemotron-Super-49B: 80 MLPs of six widths, attention in 49 layers."""
    model = library.model("nemotron_super_49b")
    mlp = layers("nemotron_super_49b", DenseMlp)
    widths = {14336: 6, 28672: 49, 17920: 1, 7168: 10, 5632: 8, 2816: 6}
    ops = {op.name: op for op in mlp.operators(site("nemotron_super_49b"))}
    assert {w: ops[f"gate_up_{w}"].repeat for w in widths} == widths
    assert mlp.count == 80
    assert model.full_layers == 49
    held = sum(op.repeat * op.parameters for n, op in ops.items() if n.startswith(("gate", "down")))
    assert held == 3 * 8192 * sum(w * n for w, n in widths.items())
    assert mlp.tensor_problem(8) == ""
    assert mlp.tensor_problem(512) == "TP = 512 does not divide the MLP width 2816"
    stages = [mlp.in_stage(first, first + 20) for first in (0, 20, 40, 60)]
    assert sum(stages) == pytest.approx(80)
    assert stages[0] > stages[2]  # the wide ones are at the ends


def test_an_mlp_without_a_gate_has_two_matrices() -> None:
    """Nemotron-H-56B: 54 MLPs of 32768, relu2."""
    mlp = layers("nemotron_h_56b", DenseMlp)
    ops = {op.name: op for op in mlp.operators(site("nemotron_h_56b"))}
    assert (ops["up"].outer, ops["down"].inner) == (32768, 32768)
    assert "gate_up" not in ops


def test_dense_mlps_may_stand_beside_experts() -> None:
    """Gemma 4 26B-A4B has both in each of 30 layers, LongCat two MLPs to a layer of experts."""
    for name, dense, experts in (("gemma_4_26b_a4b", 30, 30), ("longcat_flash", 56, 28)):
        model = library.model(name)
        assert (model.dense_layers, model.expert_layers) == (dense, experts)
        assert layers(name, DenseMlp).in_stage(0, model.layers // 2) == dense / 2
