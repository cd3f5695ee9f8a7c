"""Weights on a device, as engines load them and as the published planner counts them."""

import pytest
from attrs import evolve

from specc import library
from specc.cost import CostModel
from specc.cost.memory import MemoryModel
from specc.ir import Calibration, Deployment, Layout, Model, Quantisation

GIB = 2**30
A3_SERVERS = Layout(4, 1, 8, ep=32)
MTP = [1, 2, 3]


def memory(
    model: Model,
    layout: Layout,
    quant: Quantisation = Quantisation.BF16,
    drafted: int = 0,
    calibration: Calibration = Calibration.CALIBRATED,
) -> MemoryModel:
    deployment = Deployment(
        model=model,
        device=library.device("atlas_800_a3_752t_die"),
        devices=layout.devices,
        quant=quant,
        calibration=calibration,
    )
    return CostModel.of(deployment, layout, drafted).memory_model


def test_weights_that_an_engine_logged() -> None:
    """vLLM's four workers of Qwen3-30B-A3B in bf16, TP4, each (vllm issues 17327, 17469)."""
    layout = Layout(4, 1, 1, moe_tp=4)
    found = memory(library.model("qwen3_30b_a3b"), layout).weight_bytes / GIB
    assert found == pytest.approx(14.2474, rel=0.001)


def test_a_tied_output_is_the_embedding() -> None:
    """What one table less is on a rank: a fourth of the vocabulary."""
    tied = library.model("qwen3_4b")
    own = evolve(tied, tied_embeddings=False)
    for tp in (1, 4):
        layout = Layout(tp, 1, 1)
        more = memory(own, layout).weight_bytes - memory(tied, layout).weight_bytes
        assert more == pytest.approx(tied.vocab_size * tied.hidden_size * 2 / tp)
    # 4.02 billion parameters in two bytes, and the tables of the rotary embedding.
    whole = memory(tied, Layout(1, 1, 1)).weight_bytes
    assert whole == pytest.approx(tied.parameters * 2, rel=0.01)


@pytest.mark.parametrize("drafted", MTP)
def test_one_draft_layer_is_loaded_once(drafted: int) -> None:
    """DeepSeek-V3 has one; each further token runs it again, with the same cache."""
    model = library.model("deepseek_v3")
    quant = Quantisation.W8A8_DYNAMIC
    without, found = (memory(model, A3_SERVERS, quant, n) for n in (0, drafted))
    one = memory(model, A3_SERVERS, quant, 1)
    assert found.weight_bytes == one.weight_bytes
    assert found.kv_token_bytes == one.kv_token_bytes
    assert 0.3 * GIB < one.weight_bytes - without.weight_bytes < 0.8 * GIB


def test_draft_layers_are_as_many_as_a_model_has() -> None:
    model = evolve(library.model("deepseek_v3"), draft_layers=2)
    sizes = [memory(model, A3_SERVERS, drafted=n).weight_bytes for n in range(4)]
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]


@pytest.mark.parametrize(("drafted", "published"), [(1, 30.07), (2, 30.59), (3, 31.11)])
def test_the_planner_counts_its_own_way(drafted: int, published: float) -> None:
    """msmodeling 84fec85: DeepSeek-V3 in W8A8 on 32 dies, TP4 DP8 EP32, with MTP 1 to 3."""
    model, reference = library.model("deepseek_v3"), Calibration.REFERENCE
    quant = Quantisation.W8A8_DYNAMIC
    found = memory(model, A3_SERVERS, quant, drafted, reference).weight_bytes / GIB
    assert found == pytest.approx(published, abs=0.02)
