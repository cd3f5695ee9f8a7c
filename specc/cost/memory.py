"""Memory of a device during a step: weights, KV cache, activations, and what is left.

What a layer keeps is asked of its kind (`layers/`); here it is summed up. Weights and KV cache
are those that an engine loads; activations are fitted to the liveness analysis of the reference
planner (msmodeling, commit 84fec85), compiled graph. Its own bookkeeping of weights is in
`reference/`.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np
from attrs import frozen

from specc.cost.cache import CacheShape
from specc.cost.layers import Layers, draft_part
from specc.cost.layers.base import FullAttention
from specc.cost.operators.base import INT64, Operator
from specc.cost.precision import HALF
from specc.cost.site import Site
from specc.cost.steps import Column, StepTable
from specc.engines import LayerBytes, Page, page_of
from specc.ir import Model, Software
from specc.records import Record
from specc.units import Bytes, Tokens

ENDS = ("embedding", "final_norm", "lm_head")  # of a step, which are no layers
_SHARED = ("embedding", "lm_head")  # with draft layers
_QUANTISATION_SCALES = 28  # bytes a layer: seven fp32 scales of its linear weights and inputs


Ends = tuple[float, float]  # bytes of the embedding, and of the output projection with its norm


@frozen(eq=False, repr=False)
class StepMemory(Record):
    """Bytes on one device, arrays of shape (N,) but for the weights."""

    weights: Bytes
    kv_cache: Column
    activations: Column

    @property
    def total(self) -> Column:
        """All that a step holds."""
        return self.weights + self.kv_cache + self.activations


@frozen(eq=False, repr=False)
class MemoryModel(Record):
    """Memory of a model in a layout.

    Attributes:
        site: one device of the layout, with its formats and draft layers.
        layers: what the model consists of.
        weight_bytes: weights and buffers of the fullest device.
    """

    site: Site
    layers: tuple[Layers, ...]
    weight_bytes: Bytes

    @classmethod
    def of(cls, site: Site, layers: tuple[Layers, ...], held: Sequence[Operator]) -> "MemoryModel":
        """Return the memory model of layers and the operators that a device runs of them."""
        return cls(site, layers, round(cls.weights_of(site, layers, held)))

    @classmethod
    def draft_layers_of(cls, site: Site) -> int:
        """Return the draft layers that are loaded.

        A model that has fewer than tokens are drafted runs the last of them again, as in vLLM
        (`spec_step_idx % num_mtp_layers`).
        """
        return min(site.drafted, max(1, site.model.draft_layers))

    @classmethod
    def weights_of(cls, site: Site, layers: Sequence[Layers], held: Sequence[Operator]) -> float:
        """Return the weights and buffers of the fullest device, in bytes.

        As vLLM places them: the embedding is split over the tensor-parallel ranks by rows of the
        vocabulary (`VocabParallelEmbedding`), as the output projection is, and a tied one is the
        same; both are those of the draft layers too. The first pipeline stage has the one, the
        last one the other. The tables of the rotary embedding count as buffers.
        """
        drafted = cls.draft_layers_of(site)
        head = math.fsum(op.repeat * op.weight_bytes for op in held if op.name in ENDS[1:])
        embedding = cls.embedding_bytes(site)
        inner = [op for op in held if cls.is_inner(op, drafted)]
        buffers = sum(part.buffer_bytes() for part in layers) + HALF * site.model.other_parameters
        if site.layout.pp > 1:
            return cls.fullest_stage(site, layers, inner, (embedding, head)) + buffers
        outer = max(embedding, head) if cls.is_tied(site) else embedding + head
        return _weights(inner) + cls.scale_bytes(site) + outer + buffers

    @classmethod
    def fullest_stage(
        cls, site: Site, layers: Sequence[Layers], inner: Sequence[Operator], ends: Ends
    ) -> float:
        """Return the weights of the pipeline stage that has the most, in bytes.

        As vLLM has them (distributed/utils.py, get_pp_indices): as many layers each, those that
        are left over one by one to the stages before the last; draft layers on the last one. The
        first stage has the embedding and the last one the output projection, of `ends`.
        """
        drafts = _weights(op for op in inner if draft_part(op.name)[0])
        kinds = [
            (part, _weights(op for op in part.operators(site) if op.name not in ENDS))
            for part in layers
            if part.count
        ]
        count, scales = site.model.layers, cls.scale_bytes(site)
        sizes = []
        for first, end in stages_of(count, site.layout.pp):
            own = math.fsum(size * part.in_stage(first, end) / part.count for part, size in kinds)
            own += scales * (end - first) / count
            own += ends[0] * (first == 0) + (ends[1] + drafts) * (end == count)
            sizes.append(own)
        return max(sizes)

    @classmethod
    def embedding_bytes(cls, site: Site) -> int:
        """Return the bytes of the embedding on a device that has it."""
        rows = -(-site.model.vocab_size // site.layout.tp)
        return HALF * rows * site.model.hidden_size

    @classmethod
    def is_tied(cls, site: Site) -> bool:
        """Say whether embedding and output projection are one table."""
        return site.model.tied_embeddings

    @classmethod
    def is_inner(cls, operator: Operator, drafted: int) -> bool:
        """Say whether an operator is of a layer that is loaded, draft layers included."""
        number, name = draft_part(operator.name)
        return number <= drafted and name not in (ENDS if number == 0 else _SHARED)

    @staticmethod
    def scale_bytes(site: Site) -> int:
        """Return the bytes of the scales of quantised weights and inputs."""
        return (
            _QUANTISATION_SCALES * site.model.layers if site.precisions.attention.quantised else 0
        )

    def of_steps(self, steps: StepTable) -> StepMemory:
        """Return the memory of each step."""
        cache = self.batches * self.cache.bytes(steps.kv_blocks, steps.kv_sequences)
        return StepMemory(self.weight_bytes, cache, self._activations(steps))

    @cached_property
    def cache(self) -> CacheShape:
        """What a batch holds of the cache of a rank.

        Layers with a window hold the blocks of their tokens up to those of a window; those with a
        state hold one of each sequence.
        """
        share, block = self.site.stage_share, self.site.engine.block_size
        limits = [(part, part.window_blocks(self.site)) for part in self.layers]
        windows = tuple(
            (part.sequence_bytes(self.site) * share / most, float(most))
            for part, most in limits
            if most
        )
        whole = CacheShape(self.block, self.kv_block_bytes, self.state_bytes)
        return CacheShape.joined([whole, CacheShape(block, 0.0, 0.0, windows)], self.block)

    @property
    def model(self) -> Model:
        """The model whose memory it is."""
        return self.site.model

    @property
    def block(self) -> Tokens:
        """Tokens of a KV-cache block; many where it holds a state as well."""
        return self.page.tokens

    @cached_property
    def page(self) -> Page:
        """A block of one layer, as the engine makes it."""
        return page_of_layers(self.site, self.layers, self._pager)

    @property
    def _pager(self) -> Software | None:
        """The engine whose blocks these are."""
        return self.site.engine.software

    @property
    def batches(self) -> int:
        """Batches in flight, one for each pipeline stage; every stage caches all of them."""
        return self.site.layout.pp

    @cached_property
    def kv_token_bytes(self) -> float:
        """KV cache that grows with every token, of one token on one rank, draft layers included."""
        site, layout, drafted = self.site, self.site.layout, self.draft_layers_of(self.site)
        elements = sum(
            (part.count + (drafted if part.drafts else 0)) * part.cached_elements(layout.tp)
            for part in self.layers
        )
        shared = layout.dcp * layout.cp
        return elements * site.precisions.kv_bytes * site.stage_share / shared

    @cached_property
    def kv_block_bytes(self) -> float:
        """KV cache of one block on one rank, with what its engine leaves empty."""
        page = self.page
        filled = self.kv_token_bytes * page.tokens
        return filled * page.of_tokens / page.filled if page.filled else filled

    @cached_property
    def state_bytes(self) -> float:
        """Bytes of the states of a sequence, and of short windows, whatever its length.

        A state takes a block of its engine, and there is one more for each token that is drafted.
        """
        site = self.site
        held = 0.0
        for part in self.layers:
            if any(part.state_bytes(site)):
                held += self._places(part.count) * (1 + site.drafted) * self.page.of_state
            elif not part.window_blocks(site):
                held += part.sequence_bytes(site)
        return held * site.stage_share

    @property
    def sequence_bytes(self) -> float:
        """Bytes that a long sequence holds whatever its length: windows, and states."""
        windows = (size * most for size, most in self.cache.windows)
        return self.cache.per_sequence + math.fsum(windows)

    def _places(self, layers: float) -> float:
        """Return the layers that recurrent ones take the place of, where they share blocks.

        As vLLM groups them (v1/core/kv_cache_planning.py): as many in a group as there are layers
        of full attention; the last group may have empty places.
        """
        full = sum(part.count for part in self.layers if isinstance(part, FullAttention))
        if not (self.page.shared and full):
            return layers
        full += self.draft_layers_of(self.site)
        fewest, most = min(full, layers), max(full, layers)
        group = most if most < 1.5 * fewest else fewest
        return math.ceil(layers / group) * group

    def _activations(self, steps: StepTable) -> Column:
        """Peak of the live tensors, linear in the new tokens.

        Every layer keeps its rows of the cosine and sine tables, its slot mapping and its block
        table. On top of that the largest live set of a layer.
        """
        layers = self.model.layers
        tables = INT64 * layers * (steps.prefill.blocks + steps.decode.blocks)
        kept, live, workspace = self._held
        activations: Column = np.asarray(steps.tokens * (kept + live) + tables)
        return activations + workspace

    @cached_property
    def _held(self) -> tuple[float, float, float]:
        """Bytes of a new token in all layers, of one at the peak of a layer, and of the step."""
        site, layers = self.site, self.layers
        kept = INT64 * self.model.layers + sum(part.table_bytes(site) for part in layers)
        live = sum(part.live_bytes(site) for part in layers)
        return kept, live, sum(part.workspace_bytes(site) for part in layers)


def stages_of(layers: int, stages: int) -> list[tuple[int, int]]:
    """Return the first layer of each pipeline stage, and that after its last."""
    sizes = [layers // stages] * stages
    for place in range(layers % stages):
        sizes[stages - 2 - place] += 1
    ends = list(accumulate(sizes))
    return list(zip([0, *ends], ends, strict=False))


def _weights(operators: Iterable[Operator]) -> float:
    return math.fsum(op.repeat * op.weight_bytes for op in operators)


def page_of_layers(site: Site, layers: Iterable[Layers], pager: Software | None) -> Page:
    """Return a block of one layer of a model, as an engine makes it."""
    element = site.precisions.kv_bytes / (site.layout.dcp * site.layout.cp)
    tokens = keys = recurrent = convolution = 0.0
    for part in layers:
        if isinstance(part, FullAttention) and part.count:
            tokens = part.cached_elements(site.layout.tp) * element
            keys = part.key_elements(site.layout.tp) * element
        state = part.state_bytes(site)
        if sum(state) > recurrent + convolution:
            recurrent, convolution = state
    layer = LayerBytes(
        keys=keys, values=tokens - keys, recurrent=recurrent, convolution=convolution
    )
    latent = site.model.latent is not None
    return page_of(pager, site.engine.block_size, layer, latent=latent)


def states_problem(site: Site, layers: Iterable[Layers]) -> str:
    """Say why an engine cannot lay the states of a model over the blocks of its cache."""
    page = page_of_layers(site, layers, site.engine.software)
    if page.is_whole:
        return ""
    return (
        f"TP = {site.layout.tp} makes states that are no whole number of blocks of keys, which "
        "vllm_ascend cannot align"
    )
