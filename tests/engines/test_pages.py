"""Blocks that hold states: sizes by the formulas of the engines, by hand."""

import attrs
import pytest

from specc import library
from specc.cost import CostModel
from specc.cost.layers import layers_of
from specc.cost.memory import states_problem
from specc.cost.site import Site
from specc.engines import hashed_tokens
from specc.ir import Engine, Layout, Quantisation, Software, Speculative, Workload
from specc.serving import Server
from tests.cost.layers.sites import deployed


def _memory(model: str, software: Software | None, tp: int = 1, block: int = 128):
    layout = Layout(tp, 1, 1)
    engine = Engine(software=software, block_size=block)
    return CostModel.of(attrs.evolve(deployed(model, layout), engine=engine), layout).memory_model


# Qwen3-Next: 32 states of 128 x 128, by vLLM in 16 bit and by SGLang in fp32, and 3 tokens of 8192
# channels a layer; a token has two heads of 256 for keys and for values.
STATE, TAPS, TOKEN = 32 * 128 * 128 * 2, 3 * 8192 * 2, 2 * 2 * 256 * 2


@pytest.mark.parametrize(
    ("software", "tp", "block", "tokens"),
    [
        (Software.VLLM, 1, 16, 544),
        (Software.VLLM, 4, 16, 272),
        (Software.VLLM, 8, 16, 144),
        (Software.VLLM, 1, 128, 640),
        (Software.VLLM_ASCEND, 1, 128, 1024),
        (Software.VLLM_ASCEND, 4, 128, 512),
        (Software.SGLANG, 1, 16, 16),
        (None, 1, 16, 1056),
    ],
)
def test_a_block_is_as_large_as_a_state(software, tp: int, block: int, tokens: int) -> None:
    memory = _memory("qwen3_next_80b_a3b", software, tp, block)
    assert memory.block == tokens


def test_what_states_take_of_the_memory_of_an_engine() -> None:
    plain = 36 * (STATE + TAPS)
    sglang = _memory("qwen3_next_80b_a3b", Software.SGLANG)
    assert sglang.state_bytes == 36 * (2 * STATE + TAPS)
    vllm = _memory("qwen3_next_80b_a3b", Software.VLLM)
    assert vllm.state_bytes == 36 * vllm.block * TOKEN
    assert plain < vllm.state_bytes < 1.25 * plain
    # On vLLM-Ascend a state lies over keys, and the place of their values stays empty.
    ascend = _memory("qwen3_next_80b_a3b", Software.VLLM_ASCEND)
    assert ascend.state_bytes == 36 * (2 * STATE + TAPS)
    assert ascend.kv_block_bytes == pytest.approx(12 * (2 * STATE + TAPS))
    assert ascend.kv_token_bytes == 12 * TOKEN


@pytest.mark.parametrize("name", ["qwen3_32b", "gpt_oss_20b", "deepseek_v3", "llama4_scout"])
@pytest.mark.parametrize("software", [None, Software.VLLM, Software.VLLM_ASCEND])
def test_blocks_without_states_are_as_asked(name: str, software) -> None:
    memory = _memory(name, software, 8, 64)
    assert memory.block == 64
    assert memory.kv_block_bytes == 64 * memory.kv_token_bytes


def test_a_block_with_latents_holds_a_state_of_kimi_k3() -> None:
    """Heads of 96 / 8 ranks with 128 x 128 states, in blocks of 576 elements a token."""
    memory = _memory("kimi_k3", Software.VLLM, 8)
    state = 12 * 128 * 128 * 4 + 3 * 3 * 12 * 128 * 2
    assert memory.block == 128 * -(-state // (128 * 576 * 2)) == 768
    # 69 layers in groups of 24, as there are layers of full attention: three places stay empty.
    assert memory.state_bytes == 72 * 768 * 576 * 2


@pytest.mark.parametrize(
    ("hashed", "block", "tokens"),
    [(512, 128, 512), (512, 512, 512), (512, 576, 1024), (16, 1088, 1088), (16, 1090, 1104)],
)
def test_names_of_a_trace_are_joined_until_a_block_fits(hashed, block, tokens) -> None:
    assert hashed_tokens(hashed, block) == tokens


def test_every_recurrent_model_has_states() -> None:
    recurrent = [n for n in library.models() if library.model(n).recurrent_layers]
    assert len(recurrent) >= 14
    for name in recurrent:
        memory = _memory(name, Software.VLLM)
        assert memory.state_bytes > 0
        assert memory.block > 128


def test_a_layout_whose_states_cannot_be_laid_over_keys_is_pruned() -> None:
    """Kimi-K3 at TP 32: states of 3 heads are 1.5 blocks of latent keys, at TP 16 they are 3."""
    own = attrs.evolve(deployed("kimi_k3", Layout(32, 1, 1)), quant=Quantisation.BF16)
    for software, refused in ((Software.VLLM_ASCEND, True), (Software.SGLANG, False)):
        deployment = attrs.evolve(own, engine=Engine(software=software))
        layers = layers_of(deployment.model)
        for tp, fits in ((16, True), (32, not refused)):
            found = states_problem(Site.of(deployment, Layout(tp, 1, 1)), layers)
            assert (found == "") is fits


def test_a_draft_model_has_blocks_of_its_own() -> None:
    """Qwen3-Next drafts with Qwen3-0.6B: a token costs what it costs in both caches."""
    draft = library.model("qwen3_0_6b")
    speculative = Speculative(draft=draft, acceptance=(0.7,), tokens=(1,))
    layout = Layout(4, 1, 1, moe_tp=4)
    engine = Engine(software=Software.VLLM_ASCEND, speculative=speculative)
    deployment = attrs.evolve(deployed("qwen3_next_80b_a3b", layout), engine=engine)
    workload = Workload(input=4000, output=100)
    alone = Server.of(deployment, layout, workload)
    both = Server.of(deployment, layout, workload, drafted=1)
    target, other = both.memory_models
    assert (target.block, other.block) == (512, 128)
    assert both.cache.per_block == pytest.approx(target.kv_block_bytes + 4 * other.kv_block_bytes)
    assert both.cache_blocks(8192, 8) < alone.cache_blocks(8192, 8)
    blocks = both.cache_blocks(8192, 8)
    held = float(both.cache.bytes(blocks, 8))
    start = both.at_start(8192, 8)
    free = both.memory - both.reserved - float(start.total[0]) + float(both.cache.bytes(0, 8))
    assert held <= free < held + both.cache.growth
