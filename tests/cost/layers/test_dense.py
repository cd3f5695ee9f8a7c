"""Dense MLPs: Qwen3-32B has 64, 25600 wide."""

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
