"""Weights on a device, as engines load them and as the published planner counts them."""

import pytest
from attrs import evolve

from specc import library
from specc.cost import CostModel
from specc.cost.memory import MemoryModel, stages_of
from specc.ir import (
    Calibration,
    Deployment,
    Engine,
    ExpertPlacement,
    Layout,
    Model,
    Quantisation,
    Software,
)

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


@pytest.mark.parametrize(
    ("layers", "stages", "expected"),
    [
        (61, 2, [(0, 31), (31, 61)]),
        (61, 4, [(0, 15), (15, 30), (30, 46), (46, 61)]),
        (62, 4, [(0, 15), (15, 31), (31, 47), (47, 62)]),
        (7, 3, [(0, 2), (2, 5), (5, 7)]),
        (4, 4, [(0, 1), (1, 2), (2, 3), (3, 4)]),
    ],
)
def test_stages_have_layers_as_in_vllm(layers, stages, expected) -> None:
    """By hand from its rule: what is left over goes one by one to the stages before the last."""
    assert stages_of(layers, stages) == expected


def test_the_fullest_stage() -> None:
    """DeepSeek-V3 in two stages: the second has 30 of 58 layers with experts, and the output."""
    model, quant = library.model("deepseek_v3"), Quantisation.W8A8_DYNAMIC
    one, two = (memory(model, Layout(8, pp, 1, ep=8), quant).weight_bytes for pp in (1, 2))
    sizes = model.experts
    routed = 58 * (256 // 8) * sizes.routed_parameters(model.hidden_size)
    # By hand: what is not routed is shared evenly, but for 3 dense layers, which are small.
    assert two - one / 2 == pytest.approx(routed * (30 / 58 - 0.5), rel=0.25)
    last, first = 30 / 58 * routed, 28 / 58 * routed
    assert last < two < last + (one - routed)
    assert two > first + 0.4 * (one - routed)


def test_equal_stages_share_equal_layers() -> None:
    """Of a dense model each has its part; the embedding and the output are as large."""
    model = library.model("qwen3_32b")
    ends = 2 * model.vocab_size * model.hidden_size
    one, two, four = (memory(model, Layout(1, pp, 1)).weight_bytes for pp in (1, 2, 4))
    tables = 2 * 2 * model.max_positions * model.head_dim
    assert two == pytest.approx((one - tables) / 2 + tables, rel=1e-4)
    assert four - ends - tables == pytest.approx((one - tables - 2 * ends) / 4, rel=1e-3)


def test_shared_experts_are_as_the_engine_places_them() -> None:
    """vLLM-Ascend splits them over TP; without a software a rank has them whole."""
    model = library.model("deepseek_v3")

    def bytes_of(software: Software | None, layout: Layout, device: str, said=None) -> int:
        deployment = Deployment(
            model=model,
            device=library.device(device),
            devices=layout.devices,
            quant=Quantisation.W8A8_DYNAMIC,
            engine=Engine(software=software),
            experts=ExpertPlacement(shard_shared=said),
        )
        return CostModel.of(deployment, layout).memory_model.weight_bytes

    shared = 58 * 3 * model.hidden_size * model.experts.shared_intermediate_size
    ascend, hopper = "atlas_800_a3_752t_die", "h200"
    whole = bytes_of(None, A3_SERVERS, ascend)
    split = bytes_of(Software.VLLM_ASCEND, A3_SERVERS, ascend)
    assert whole - split == pytest.approx(shared * 3 / 4, rel=0.01)
    assert bytes_of(Software.VLLM_ASCEND, A3_SERVERS, ascend, said=False) == whole
    assert bytes_of(None, A3_SERVERS, ascend, said=True) == split
    # vLLM routes slices of the tokens with TP and DP both above 1: then they are whole.
    sliced, tensor = Layout(4, 1, 2, ep=8), Layout(8, 1, 1, ep=8)
    assert bytes_of(Software.VLLM, sliced, hopper) == bytes_of(None, sliced, hopper)
    assert bytes_of(Software.VLLM, tensor, hopper) < bytes_of(None, tensor, hopper)
