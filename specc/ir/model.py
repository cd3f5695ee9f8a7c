"""Models: the shape of a decoder, layer kind by layer kind.

A decoder is two lists that are laid over each other: how its layers attend (full, sliding window,
linear or compressed), and what follows (a dense MLP or experts). The fields of `Model` describe
the full-attention layers and the dense MLP; a block describes each other kind and says how many
layers are of it. Counts of parameters are those of the publishers, biases and norms included.
"""

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.formats import Quantisation
from specc.ir.layers import (
    MOST_LAYERS,
    BlockSparse,
    CompressedAttention,
    Experts,
    Indexer,
    LatentAttention,
    LinearAttention,
    Mamba,
    Published,
    SlidingWindow,
    Vision,
)
from specc.units import DIMENSIONLESS, TOKENS, Tokens

# The kinds of decoder layers, in the order in which a step runs them. `specc.cost.layers` has a
# file of each name, which knows its operators, its cache and what divides it; its fields and
# weights are below.
LAYER_KINDS = (
    "grouped",
    "latent",
    "compressed",
    "block_sparse",
    "sliding",
    "linear",
    "mamba",
    "dense",
    "experts",
)


@frozen(kw_only=True, eq=False, repr=False)
class Model(v.Node):
    """A decoder: attention of one or several kinds, dense MLPs or experts, and what goes beside."""

    aliases: tuple[str, ...] = v.texts("other names that find this model")
    config: str = v.text(
        "a Hugging Face config.json to read the shape from; fields beside it override it",
        default="",
    )
    ignore: tuple[str, ...] = v.texts("keys of the file in `config` that shall not count")
    architecture: str = v.text("the class of the model in Hugging Face transformers", default="")
    layers: int = v.count("decoder layers", at_most=MOST_LAYERS)
    hidden_size: int = v.count("width of the residual stream")
    intermediate_size: int = v.number_of(
        "inner width of the dense MLP; 0 where every layer has experts", default=0
    )
    attention_layers: int | None = v.number(
        DIMENSIONLESS,
        "layers that attend to the whole context; `auto`: all that no block describes",
        whole=True,
        at_least=0,
        at_most=MOST_LAYERS,
        default=None,
    )
    sharing_layers: int = v.number_of(
        "of the layers of full attention, those that attend to the cache of an earlier one",
        default=0,
        at_most=MOST_LAYERS,
    )
    mlp_layers: int | None = v.number(
        DIMENSIONLESS,
        "layers with a dense MLP; `auto`: all that have no experts",
        whole=True,
        at_least=0,
        at_most=MOST_LAYERS,
        default=None,
    )
    mlp_widths: tuple[float, ...] = v.numbers(
        "inner widths of the dense MLPs layer by layer, where they differ; 0 for a layer without"
    )
    gated_mlp: bool = v.boolean("MLPs have a gate (SwiGLU): three matrices, not two", default=True)
    attention_heads: int = v.count("query heads")
    kv_heads: int = v.count("key-value heads; equal to attention_heads for MHA, 1 for MQA")
    head_dim: int = v.count("width of a query and key head")
    value_head_dim: int = v.number_of("width of a value head; 0 for that of the keys", default=0)
    vocab_size: int = v.count("tokens of the vocabulary", at_most=10_000_000)
    max_positions: Tokens = v.number(
        TOKENS, "longest context, prompt and output together", whole=True, at_least=1
    )
    qk_norm: bool = v.boolean("RMSNorm on each query and key head (Qwen3)", default=False)
    qk_norm_whole: bool = v.boolean(
        "RMSNorm over all query heads and over all key heads (MiniMax)", default=False
    )
    qkv_bias: bool = v.boolean("biases on query, key and value projections", default=False)
    output_bias: bool = v.boolean("a bias on the output projection of attention", default=False)
    query_gate: bool = v.boolean(
        "a gate on the attention output, as wide as the queries", default=False
    )
    head_gate: bool = v.boolean("a gate on the attention output for each head", default=False)
    value_is_key: bool = v.boolean(
        "values of full attention are the keys before they are rotated (Gemma 4)", default=False
    )
    sinks: bool = v.boolean("a learned attention sink for each head", default=False)
    post_norms: bool = v.boolean("a norm behind attention and MLP as well (Gemma)", default=False)
    tied_embeddings: bool = v.boolean(
        "the output projection shares the weights of the embedding", default=False
    )
    draft_layers: int = v.number_of(
        "layers for multi-token prediction (MTP)", default=0, at_most=MOST_LAYERS
    )
    draft_dense: bool = v.boolean(
        "these have the dense MLP, whatever the others have", default=False
    )
    residual_block: int = v.number_of(
        "layers whose sum is one of the sources that every layer weighs (attention residuals)",
        default=0,
        at_most=MOST_LAYERS,
    )
    layer_embedding: int = v.number_of(
        "width of an embedding of each token that every layer has for itself (Gemma 4 E2B)",
        default=0,
    )
    other_parameters: int = v.number(
        DIMENSIONLESS,
        "weights that are loaded and never run in a plan, such as those of an audio encoder: 16 "
        "bit, whole on every device",
        whole=True,
        at_least=0,
        at_most=10**12,
        default=0,
    )
    weights: Quantisation | None = v.choice(
        Quantisation, "number format of the published checkpoint", default=None
    )
    expert_weights: Quantisation | None = v.choice(
        Quantisation, "number format of its routed experts, where it differs", default=None
    )
    attention_weights: Quantisation | None = v.choice(
        Quantisation, "number format of its attention, where it differs", default=None
    )
    shared_expert_weights: Quantisation | None = v.choice(
        Quantisation, "number format of its shared experts, where it differs", default=None
    )
    latent: LatentAttention | None = v.block(
        LatentAttention, "multi-head latent attention instead of grouped queries", optional=True
    )
    indexer: Indexer | None = v.block(Indexer, "sparse attention with an indexer", optional=True)
    sliding: SlidingWindow | None = v.block(
        SlidingWindow, "layers with a sliding window", optional=True
    )
    block_sparse: BlockSparse | None = v.block(
        BlockSparse, "layers that attend to some blocks of the context", optional=True
    )
    linear: LinearAttention | None = v.block(
        LinearAttention, "layers with linear attention", optional=True
    )
    mamba: Mamba | None = v.block(Mamba, "layers with a state space (Mamba2)", optional=True)
    compressed: CompressedAttention | None = v.block(
        CompressedAttention, "attention over a compressed cache", optional=True
    )
    experts: Experts | None = v.block(Experts, "mixture of experts", optional=True)
    vision: Vision | None = v.block(Vision, "vision encoder", optional=True)
    published: Published | None = v.block(
        Published, "what the publisher says of it; nothing is computed from it", optional=True
    )

    @property
    def groups_queries(self) -> bool:
        """Whether the full-attention layers share key-value heads among groups of query heads."""
        return not (self.latent or self.compressed)

    @property
    def query_width(self) -> int:
        """Width of all query heads together."""
        return self.attention_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all key heads together."""
        return self.kv_heads * self.head_dim

    @property
    def value_dim(self) -> int:
        """Width of a value head."""
        return self.value_head_dim or self.head_dim

    @property
    def expert_layers(self) -> int:
        """Layers with experts."""
        return self.experts.layers if self.experts else 0

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        if self.mlp_widths:
            return sum(1 for width in self.mlp_widths if width)
        return self.layers - self.expert_layers if self.mlp_layers is None else self.mlp_layers

    @property
    def alternates(self) -> bool:
        """Whether layers with experts and without are mixed, instead of the first being dense."""
        mixed = self.dense_layers + self.expert_layers != self.layers
        return mixed or (self.experts is not None and self.experts.alternate)

    @property
    def described_layers(self) -> int:
        """Layers whose attention a block describes."""
        blocks = (self.sliding, self.block_sparse, self.linear, self.mamba)
        return sum(block.layers for block in blocks if block)

    @property
    def recurrent_layers(self) -> int:
        """Layers that have a state of a sequence instead of a cache of its tokens."""
        return sum(block.layers for block in (self.linear, self.mamba) if block)

    @property
    def full_layers(self) -> int:
        """Layers that attend to the whole context."""
        if self.attention_layers is not None:
            return self.attention_layers
        return self.layers - self.described_layers

    @property
    def attending_layers(self) -> int:
        """Layers with attention of any kind, or with a state."""
        return self.full_layers + self.described_layers

    @property
    def matrices(self) -> int:
        """Matrices of an MLP: gate, up and down, or the last two."""
        return 3 if self.gated_mlp else 2

    @property
    def indexing_layers(self) -> int:
        """Full-attention layers that pick the tokens they attend to with an indexer of theirs."""
        if self.indexer is None:
            return 0
        return min(self.indexer.layers or self.full_layers, self.full_layers)

    @property
    def parameters(self) -> int:
        """Number of weights, as publishers count them: tied embeddings once, no draft layers."""
        routed = self.experts.count if self.experts else 0
        return round(self._of_layers(routed)) + self._around_layers

    @property
    def active_parameters(self) -> int:
        """Weights that one token passes, by the publisher's count; no vision encoder."""
        ends = 0
        if self.experts and not self.tied_embeddings:
            ends = 2 - self.experts.counts_embedding - self.experts.counts_output
        skipped = ends * self.vocab_size * self.hidden_size + self.other_parameters
        skipped += self.layer_embeddings
        vision = self.vision.parameters(self.hidden_size) if self.vision else 0
        active = self.experts.computing if self.experts else 0
        return round(self._of_layers(active)) + self._around_layers - skipped - vision

    @property
    def draft_parameters(self) -> int:
        """Weights of the draft layers beyond those they share with the decoder.

        A draft layer has a projection of two states into one, its norms, and a decoder layer.
        """
        h = self.hidden_size
        mlp: float = self._dense_mlp
        if self.experts and not self.draft_dense:
            mlp = self._expert_mlp(self.experts.count)
        attention = self._full_attention + round(self._indexing / max(self.full_layers, 1))
        return round(self.draft_layers * (2 * h * h + 3 * h + attention + mlp + 2 * h))

    @property
    def _around_layers(self) -> int:
        embeddings = self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)
        vision = self.vision.parameters(self.hidden_size) if self.vision else 0
        around = embeddings + self.layer_embeddings + self._into_layers
        return around + self.hidden_size + vision + self.other_parameters

    @property
    def layer_embeddings(self) -> int:
        """Weights of the embeddings that layers have for themselves."""
        return self.vocab_size * self.layers * self.layer_embedding

    @property
    def _into_layers(self) -> int:
        """Weights that take these into the residual stream, for all layers and then in each."""
        h, p = self.hidden_size, self.layer_embedding
        return p and self.layers * (p * h + 2 * p * h + h) + p

    def _of_layers(self, experts: float) -> float:
        """Weights of all layers with `experts` routed experts counted in each."""
        attention = self.full_layers * self._full_attention
        attention -= self.sharing_layers * self._keys(self.kv_heads, self.head_dim, self.value_dim)
        if self.sliding:
            s = self.sliding
            attention += s.layers * self._sliding_attention(s)
            attention -= s.sharing_layers * self._keys(s.kv_heads, s.head_dim, s.value_head_dim)
        if self.linear:
            attention += self.linear.layers * self.linear.parameters(self.hidden_size)
        if self.block_sparse:
            index = self.block_sparse.index_parameters(self.hidden_size)
            attention += self.block_sparse.layers * (self._full_attention + index)
        if self.mamba:
            attention += self.mamba.layers * self.mamba.parameters(self.hidden_size)
        if self.compressed:
            attention += self._compression(self.compressed)
        attention += self._indexing
        mlp = self._dense_mlps + self.expert_layers * self._expert_mlp(experts)
        return attention + mlp + self._norms

    @property
    def _norms(self) -> int:
        """Weights of the norms before attention and MLPs, and of those behind them if any."""
        normed = self.attending_layers + self.dense_layers + self.expert_layers
        return self.hidden_size * normed * (2 if self.post_norms else 1)

    @property
    def _indexing(self) -> int:
        """Weights of the indexers of latent layers, all together."""
        if self.indexer is None or self.latent is None:
            return 0
        each = self.indexer.parameters(self.hidden_size, self.latent.query_rank)
        return self.indexing_layers * each

    @property
    def _full_attention(self) -> int:
        h = self.hidden_size
        if self.compressed:
            return self._compressed_attention(self.compressed)
        if self.latent:
            gate = h * self.attention_heads * self.latent.value_head_dim if self.query_gate else 0
            return self.latent.parameters(h, self.attention_heads) + gate
        projections = self._grouped(
            self.attention_heads, self.kv_heads, self.head_dim, self.value_dim, self.sinks
        )
        shared = h * self.kv_heads * self.value_dim if self.value_is_key else 0
        return projections - shared + (h * self.query_width if self.query_gate else 0)

    def _sliding_attention(self, s: SlidingWindow) -> int:
        return self._grouped(s.attention_heads, s.kv_heads, s.head_dim, s.value_head_dim, s.sinks)

    def _grouped(self, heads: int, kv: int, width: int, value: int, sinks: bool) -> int:
        h = self.hidden_size
        qkv, out = heads * width + kv * (width + value), heads * value
        biases = (qkv if self.qkv_bias else 0) + (h if self.output_bias else 0)
        norms = 2 * width if self.qk_norm else 0
        norms += h * heads if self.head_gate else 0
        norms += (heads + kv) * width if self.qk_norm_whole else 0
        return h * qkv + out * h + biases + norms + (heads if sinks else 0)

    def _keys(self, kv: int, width: int, value: int) -> int:
        """Weights of the keys and values of a layer, which one that shares a cache has not."""
        columns = kv * (width + (0 if self.value_is_key else value))
        norm = width if self.qk_norm else 0
        return self.hidden_size * columns + (columns if self.qkv_bias else 0) + norm

    def _compressed_attention(self, c: CompressedAttention) -> int:
        """Weights of every layer: low-rank queries, one key-value head, a grouped output."""
        h, width = self.hidden_size, self.query_width
        queries = h * c.query_rank + c.query_rank + c.query_rank * width
        output = width * c.output_rank + c.output_groups * c.output_rank * h
        return queries + h * self.head_dim + self.head_dim + output + self.attention_heads

    def _compression(self, c: CompressedAttention) -> int:
        """Weights of the compressors and indexers, over all layers that have them.

        A compressor gates and projects every token into its entry; that of the sparse layers
        overlaps two windows, and so has both twice.
        """
        h, d = self.hidden_size, self.head_dim
        dense = c.dense_layers * (2 * h * d + c.dense_ratio * d + d)
        sparse = c.sparse_layers * (4 * h * d + 2 * c.sparse_ratio * d + d)
        if self.indexer:
            i = self.indexer
            keys = 4 * h * i.head_dim + 2 * c.sparse_ratio * i.head_dim + i.head_dim
            queries = c.query_rank * i.heads * i.head_dim + h * i.heads
            sparse += c.sparse_layers * (keys + queries)
        return dense + sparse

    @property
    def _dense_mlp(self) -> int:
        return self.matrices * self.hidden_size * self.intermediate_size

    @property
    def _dense_mlps(self) -> int:
        """Weights of the dense MLPs of all layers."""
        if self.mlp_widths:
            return self.matrices * self.hidden_size * round(sum(self.mlp_widths))
        return self.dense_layers * self._dense_mlp

    def _expert_mlp(self, experts: float) -> float:
        if self.experts is None:
            return 0
        h, matrices = self.hidden_size, self.matrices
        each = self.experts.routed_parameters(h, matrices)
        return experts * each + self.experts.common_parameters(h, matrices)
