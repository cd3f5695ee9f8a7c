"""Kinds of layers: the fields of their blocks, and how many weights one layer has.

`specc.cost.layers` has a file for each kind, which knows its operators, its cache and what
divides it.
"""

from enum import Enum

from attrs import evolve, frozen

from specc.ir import vocabulary as v
from specc.units import DIMENSIONLESS, TOKENS, Tokens

MOST_LAYERS = 10_000


@frozen(kw_only=True, eq=False, repr=False)
class LatentAttention(v.Node):
    """Multi-head latent attention (MLA): keys and values are cached as one compressed vector."""

    query_rank: int = v.number_of("rank of the query projection; 0 projects in one step", default=0)
    kv_rank: int = v.count("width of the compressed keys and values")
    nope_head_dim: int = v.count("width of a query head without position")
    rope_head_dim: int = v.count("width of the rotated part of a head, shared by all keys")
    value_head_dim: int = v.count("width of a value head")
    rotates: bool = v.boolean(
        "the rotated part is rotated by position; false: its heads know no position", default=True
    )

    @property
    def cached_width(self) -> int:
        """Elements that a token leaves in the cache of a layer."""
        return self.kv_rank + self.rope_head_dim

    def query_parameters(self, hidden: int, heads: int) -> int:
        """Weights of the query projection, its norm included."""
        width = heads * (self.nope_head_dim + self.rope_head_dim)
        if not self.query_rank:
            return hidden * width
        return hidden * self.query_rank + self.query_rank + self.query_rank * width

    def parameters(self, hidden: int, heads: int) -> int:
        """Weights of the attention of one layer."""
        down = hidden * self.cached_width + self.kv_rank
        up = self.kv_rank * heads * (self.nope_head_dim + self.value_head_dim)
        return (
            self.query_parameters(hidden, heads) + down + up + heads * self.value_head_dim * hidden
        )


@frozen(kw_only=True, eq=False, repr=False)
class Indexer(v.Node):
    """The indexer of sparse attention: picks the cached tokens that a query attends to."""

    heads: int = v.count("heads of the indexer")
    head_dim: int = v.count("width of its heads; one key a token is cached")
    top_k: int = v.count("cached tokens that a query attends to at most")
    layers: int = v.number_of(
        "layers that pick tokens themselves; the others attend to those that the last one before "
        "them picked; 0 for all",
        default=0,
        at_most=MOST_LAYERS,
    )

    def parameters(self, hidden: int, query_rank: int) -> int:
        """Weights of one layer: queries, the key with its norm (and bias), weights of the heads."""
        queries = (query_rank or hidden) * self.heads * self.head_dim
        return queries + hidden * self.head_dim + 2 * self.head_dim + hidden * self.heads


@frozen(kw_only=True, eq=False, repr=False)
class SlidingWindow(v.Node):
    """Layers whose queries see the last tokens alone."""

    layers: int = v.count("layers of this kind", at_most=MOST_LAYERS)
    window: Tokens = v.number(
        TOKENS, "tokens that a query sees, itself included", whole=True, at_least=1
    )
    attention_heads: int = v.count("query heads")
    kv_heads: int = v.count("key-value heads")
    head_dim: int = v.count("width of a query and key head")
    value_head_dim: int = v.count("width of a value head")
    sinks: bool = v.boolean("a learned attention sink for each head", default=False)
    sharing_layers: int = v.number_of(
        "of them, layers that attend to the cache of an earlier one", default=0
    )
    chunked: bool = v.boolean(
        "the window does not slide: it begins anew every `window` tokens (Llama 4)", default=False
    )


@frozen(kw_only=True, eq=False, repr=False)
class BlockSparse(v.Node):
    """Grouped attention to some blocks of the context, which heads of an index pick (MiniMax-M3).

    The heads are those of full attention. Each token also caches a key for the index, which all of
    its heads share.
    """

    layers: int = v.count("layers of this kind", at_most=MOST_LAYERS)
    block: Tokens = v.number(TOKENS, "tokens of a block", whole=True, at_least=1)
    top_k: int = v.count("blocks that a query attends to at most, the last ones included")
    index_heads: int = v.count("heads that score the blocks")
    index_head_dim: int = v.count("width of such a head")

    def index_parameters(self, hidden: int) -> int:
        """Weights of the index of one layer: its queries, the key they share, and two norms."""
        width = self.index_head_dim
        return hidden * (self.index_heads + 1) * width + 2 * width


class Decay(Enum):
    """How a state of linear attention forgets."""

    HEAD = "head"
    CHANNEL = "channel"
    FIXED = "fixed"


class StateFormat(Enum):
    """What the states of a recurrent layer are kept in."""

    FP32 = "fp32"
    MODEL = "model"


@frozen(kw_only=True, eq=False, repr=False)
class LinearAttention(v.Node):
    """Linear attention: a state of constant size instead of a KV cache.

    With a learned decay for each head it is a gated delta net (Qwen3-Next), with one for each
    channel of a key Kimi delta attention (KDA), with a fixed one lightning attention.
    """

    layers: int = v.count("layers of this kind", at_most=MOST_LAYERS)
    decay: Decay = v.choice(Decay, "what decays by a learned rate of its own", default=Decay.HEAD)
    key_heads: int = v.count("key (and query) heads")
    value_heads: int = v.count("value heads")
    key_head_dim: int = v.count("width of a key head")
    value_head_dim: int = v.count("width of a value head")
    convolution: int = v.number_of(
        "taps of the causal convolution over queries, keys and values; 0 for none", default=0
    )
    gate_rank: int = v.number_of(
        "rank of the projection of the output gate; 0 projects in one step", default=0
    )
    decay_rank: int = v.number_of(
        "rank of the projection of the decays of channels; 0 projects in one step", default=0
    )
    state: StateFormat = v.choice(
        StateFormat,
        "what states are kept in: fp32, or the 16-bit type of the model where an engine keeps that "
        "(vLLM; SGLang keeps fp32)",
        default=StateFormat.FP32,
    )
    norm_groups: int = v.number_of(
        "groups of heads that the norm of the output takes together: no rank has less than one; 0 "
        "for each head",
        default=0,
    )

    @property
    def key_width(self) -> int:
        """Width of all key heads together."""
        return self.key_heads * self.key_head_dim

    @property
    def value_width(self) -> int:
        """Width of all value heads together."""
        return self.value_heads * self.value_head_dim

    @property
    def state_elements(self) -> int:
        """Elements of the recurrent state of a sequence in one layer."""
        return self.value_heads * self.key_head_dim * self.value_head_dim

    @property
    def convolved_width(self) -> int:
        """Channels of the causal convolution."""
        return 2 * self.key_width + self.value_width

    @property
    def decayed_width(self) -> int:
        """Channels that decay by a rate of their own."""
        return self.key_head_dim * self.value_heads if self.decay is Decay.CHANNEL else 0

    @property
    def small_width(self) -> int:
        """Columns of the projections of decays and strengths that are one a head."""
        return {Decay.HEAD: 2, Decay.CHANNEL: 1, Decay.FIXED: 0}[self.decay] * self.value_heads

    def gate_parameters(self, hidden: int) -> int:
        """Weights of the projection of the output gate."""
        if not self.gate_rank:
            return hidden * self.value_width
        return self.gate_rank * (hidden + self.value_width)

    def decay_parameters(self, hidden: int) -> int:
        """Weights of the decay: its projection, and a rate and an offset for what decays."""
        match self.decay:
            case Decay.HEAD:
                return 2 * self.value_heads
            case Decay.CHANNEL:
                channels, rank = self.decayed_width, self.decay_rank
                projected = rank * (hidden + channels) if rank else hidden * channels
                return projected + channels + self.value_heads
            case Decay.FIXED:
                return 0

    def parameters(self, hidden: int) -> int:
        """Weights of one layer: inputs, convolution, decay, gated norm, output."""
        inputs = hidden * (self.convolved_width + self.small_width) + self.gate_parameters(hidden)
        small = self.convolution * self.convolved_width + self.value_head_dim
        return inputs + small + self.decay_parameters(hidden) + self.value_width * hidden


@frozen(kw_only=True, eq=False, repr=False)
class Mamba(v.Node):
    """Mamba2: a state space of constant size instead of a KV cache."""

    layers: int = v.count("layers of this kind", at_most=MOST_LAYERS)
    heads: int = v.count("heads")
    head_dim: int = v.count("width of a head")
    groups: int = v.count("groups of heads that share their inputs to and outputs of the state")
    state: int = v.count("states of a channel")
    convolution: int = v.count("taps of the causal convolution")
    bias: bool = v.boolean("the convolution has a bias", default=True)

    @property
    def width(self) -> int:
        """Width of all heads together."""
        return self.heads * self.head_dim

    def on_rank(self, tp: int) -> "Mamba":
        """Return the part of one of `tp` ranks: its heads and groups; a single group is on all."""
        return evolve(self, heads=self.heads // tp, groups=max(1, self.groups // tp))

    @property
    def convolved_width(self) -> int:
        """Channels of the causal convolution."""
        return self.width + 2 * self.groups * self.state

    @property
    def projected_width(self) -> int:
        """Columns of the input projection: gate, what is convolved, and a step for each head."""
        return self.width + self.convolved_width + self.heads

    @property
    def state_elements(self) -> int:
        """Elements of the recurrent state of a sequence in one layer."""
        return self.width * self.state

    def parameters(self, hidden: int) -> int:
        """Weights of one layer: projections, convolution, decay, step and skip of heads, norm."""
        taps = (self.convolution + (1 if self.bias else 0)) * self.convolved_width
        projections = hidden * (self.projected_width + self.width)
        return projections + taps + 3 * self.heads + self.width


@frozen(kw_only=True, eq=False, repr=False)
class CompressedAttention(v.Node):
    """Attention over a compressed cache beside a sliding window (DeepSeek V4).

    All layers share one key-value head. `sparse_layers` cache one entry for `sparse_ratio` tokens
    and attend to those that the indexer picks, `dense_layers` one for `dense_ratio` tokens and
    attend to all; the remaining layers see the window alone.
    """

    window: Tokens = v.number(TOKENS, "tokens seen uncompressed", whole=True, at_least=1)
    sparse_layers: int = v.count(
        "layers with an indexer over the compressed cache", at_most=MOST_LAYERS
    )
    sparse_ratio: int = v.count("tokens a compressed entry of these layers stands for")
    dense_layers: int = v.count(
        "layers that attend to the whole compressed cache", at_most=MOST_LAYERS
    )
    dense_ratio: int = v.count("tokens a compressed entry of these layers stands for")
    query_rank: int = v.count("rank of the query projection")
    output_groups: int = v.count("groups of heads that the output projection takes apart")
    output_rank: int = v.count("rank of the output projection of a group")


class Router(Enum):
    """How scores of experts are formed."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@frozen(kw_only=True, eq=False, repr=False)
class Experts(v.Node):
    """Mixture-of-experts MLPs: routed experts, and shared ones that every token passes."""

    layers: int = v.count("layers with experts; the others have the dense MLP", at_most=MOST_LAYERS)
    count: int = v.count("routed experts of a layer")
    active: int = v.count("routed experts of a token")
    intermediate_size: int = v.count("inner width of a routed expert")
    shared_intermediate_size: int = v.number_of(
        "inner width of all shared experts together", default=0
    )
    shared_gate: bool = v.boolean("a learned gate on the shared expert", default=False)
    router: Router = v.choice(Router, "scores of the router", default=Router.SOFTMAX)
    router_bias: bool = v.boolean("the router has a bias", default=False)
    latent_size: int = v.number_of(
        "width that tokens are projected to before they go to their routed experts, and back "
        "behind them; 0 for that of the residual stream",
        default=0,
    )
    identities: int = v.number_of(
        "experts of a layer that give a token back as it is; they are chosen as the others are",
        default=0,
    )
    alternate: bool = v.boolean(
        "layers with experts take turns with those without, instead of coming after them",
        default=False,
    )
    bias: bool = v.boolean("the projections of the experts have biases", default=False)
    counts_embedding: bool = v.boolean(
        "the publisher counts the input embedding among the active parameters", default=True
    )
    counts_output: bool = v.boolean(
        "the publisher counts the output projection among the active parameters", default=True
    )

    @property
    def choices(self) -> int:
        """What the router chooses from."""
        return self.count + self.identities

    @property
    def computing(self) -> float:
        """Routed experts of a token that compute, on average: the router favours none."""
        return self.active * self.count / self.choices

    def routed_width(self, hidden: int) -> int:
        """Width of the tokens that routed experts get."""
        return self.latent_size or hidden

    def routed_parameters(self, hidden: int, matrices: int = 3) -> int:
        """Weights of one routed expert of so many matrices."""
        width = self.routed_width(hidden)
        biases = (matrices - 1) * self.intermediate_size + width if self.bias else 0
        return matrices * width * self.intermediate_size + biases

    def common_parameters(self, hidden: int, matrices: int = 3) -> int:
        """Weights of one layer that every token passes: router, projections, shared experts."""
        router = hidden * self.choices + (self.choices if self.router_bias else 0)
        shared = matrices * hidden * self.shared_intermediate_size
        projections = 2 * hidden * self.latent_size
        return router + projections + shared + (hidden if self.shared_gate else 0)


@frozen(kw_only=True, eq=False, repr=False)
class Published(v.Node):
    """What the publisher says of a model, beside which its own counts can be set."""

    parameters: float | None = v.number(
        DIMENSIONLESS, "weights", above=0, at_most=1e15, default=None
    )
    active_parameters: float | None = v.number(
        DIMENSIONLESS, "weights that a token passes", above=0, at_most=1e15, default=None
    )
    source: str = v.text("where these counts and the sizes of the model are from")


@frozen(kw_only=True, eq=False, repr=False)
class Vision(v.Node):
    """A vision encoder: patches, transformer layers, and mergers into the width of the decoder."""

    layers: int = v.count("layers of the encoder", at_most=MOST_LAYERS)
    hidden_size: int = v.count("width of the encoder")
    intermediate_size: int = v.count("inner width of its MLP")
    heads: int = v.count("attention heads of the encoder")
    patch_size: int = v.count("pixels along the side of a patch")
    merge: int = v.count("patches along the side of the square that becomes one token")
    frames: int = v.count("frames that a patch spans", default=1)
    channels: int = v.count("colour channels", default=3)
    positions: int = v.number_of("learned position embeddings", default=0)
    deepstack: int = v.number_of("further mergers, into inner layers of the decoder", default=0)
    attention_size: int = v.number_of(
        "width of all attention heads together; 0 for that of the encoder", default=0
    )
    gated_mlp: bool = v.boolean("the MLP has a gate", default=False)
    biases: bool = v.boolean("the projections of the layers have biases", default=True)
    window: int = v.number_of(
        "patches that a patch attends to, where not to all of its image; 0 for all", default=0
    )
    whole_layers: int = v.number_of(
        "layers that attend to the whole image all the same", default=0, at_most=MOST_LAYERS
    )

    @property
    def merged_width(self) -> int:
        """Width of the patches that one token is merged from."""
        return self.hidden_size * self.merge**2

    @property
    def patch_elements(self) -> int:
        """Numbers of one patch."""
        return self.channels * self.frames * self.patch_size**2

    @property
    def attention_width(self) -> int:
        """Width of all attention heads together."""
        return self.attention_size or self.hidden_size

    @property
    def matrices(self) -> int:
        """Matrices of its MLP."""
        return 3 if self.gated_mlp else 2

    def parameters(self, out: int) -> int:
        """Weights of the encoder with biases, for a decoder of width `out`."""
        h, i, merged = self.hidden_size, self.intermediate_size, self.merged_width
        width, up = self.attention_width, self.matrices - 1
        biases = 3 * width + 2 * h + up * i if self.biases else 0
        layer = 4 * h * width + self.matrices * h * i + biases + 4 * h
        merger = merged * merged + merged + merged * out + out
        first_norm, other_norms = 2 * h, 2 * merged
        patches = self.patch_elements * h + h + self.positions * h
        return (
            patches
            + self.layers * layer
            + (1 + self.deepstack) * merger
            + first_norm
            + self.deepstack * other_norms
        )
