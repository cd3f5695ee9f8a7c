"""Block-sparse attention: MiniMax-M3 has 57 such layers of 60, 16 blocks of 128 for a query."""

import attrs
import numpy as np
import pytest

from specc.cost.layers.block_sparse import BlockSparseAttention
from specc.cost.layers.grouped import GroupedAttention
from specc.cost.model import CostModel
from specc.cost.operators.attention import Attention, AttentionPhase
from specc.cost.steps import StepTable
from specc.ir import Layout
from tests.cost.layers.sites import deployed, layers, site

M3 = "minimax_m3"


def test_a_token_leaves_keys_values_and_a_key_of_the_index() -> None:
    sparse = layers(M3, BlockSparseAttention)
    assert (sparse.count, layers(M3, GroupedAttention).count) == (57, 3)
    assert sparse.cached_elements(1) == 2 * 4 * 128 + 128
    # Few heads are copied, and the key of the index is on every rank.
    assert sparse.cached_elements(8) == 2 * 1 * 128 + 128
    layout = Layout(1, 1, 1)
    memory = CostModel.of(deployed(M3, layout), layout).memory_model
    assert memory.kv_token_bytes == 60 * 2 * 4 * 128 * 2 + 57 * 128 * 2


def _kernel(name: str) -> Attention:
    ops = layers(M3, BlockSparseAttention).operators(site(M3))
    (found,) = [op for op in ops if op.name == name]
    assert isinstance(found, Attention)
    return found


@pytest.mark.parametrize("context", [500, 2048, 2049, 100_000])
def test_a_query_attends_to_its_blocks_and_scores_all(context: int) -> None:
    steps = StepTable.decoding(3, context, 128)
    seen = _kernel("sparse_decode_attention").demand(steps)
    assert seen.pairs[0] == seen.cached[0] == 3 * min(context, 16 * 128)
    scored = _kernel("decode_block_scores").demand(steps)
    assert scored.pairs[0] == scored.cached[0] == 3 * context


def test_prompts_attend_to_as_many() -> None:
    steps = StepTable.prefilling(1, 4096, 4096, 128)
    seen = _kernel("sparse_prefill_attention").demand(steps)
    assert seen.causal_pairs[0] == sum(min(position, 2048) for position in range(1, 4097))


def test_weights_of_the_index_by_hand() -> None:
    """Four heads and a key of 128 that they share, and a norm of each."""
    ops = list(layers(M3, BlockSparseAttention).operators(site(M3)))
    index = sum(op.parameters for op in ops if op.name.startswith("index_"))
    assert index == 6144 * 5 * 128 + 2 * 128


def test_contexts_are_not_shared() -> None:
    sparse = layers(M3, BlockSparseAttention)
    assert "full attention" in sparse.context_problem(Layout(2, 1, 1, dcp=2))
    assert sparse.context_problem(Layout(2, 1, 1)) == ""


def test_its_kernels_count_as_assumed_and_widen_the_band() -> None:
    layout = Layout(8, 1, 1)
    cost = CostModel.of(deployed(M3, layout), layout)
    assumed = {op.name for op in cost.operators if op.assumed}
    phases = [phase.value for phase in AttentionPhase]
    assert assumed == {f"{p}_block_scores" for p in phases} | {
        f"sparse_{p}_attention" for p in phases
    }
    steps = StepTable.decoding(64, 60_000, 128)
    measured = tuple(attrs.evolve(op, assumed=False) for op in cost.operators)
    known = attrs.evolve(cost, operators=measured)
    wide, narrow = cost.times(steps), known.times(steps)
    assert wide.total == pytest.approx(narrow.total)
    assert wide.deviation[0] > narrow.deviation[0]
    # No wider than if all of the step were assumed.
    spread = cost.rules.data.assumed_spread
    assert wide.deviation[0] < np.hypot(spread, narrow.deviation[0])
