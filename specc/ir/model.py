"""Models: the shape of a decoder."""

from attrs import frozen

from specc.ir import vocabulary as v
from specc.units import TOKENS, Tokens


@frozen(kw_only=True, eq=False, repr=False)
class Model(v.Node):
    """A dense decoder: grouped-query attention and a SwiGLU MLP in every layer."""

    aliases: tuple[str, ...] = v.texts("other names that find this model")
    config: str = v.text(
        "a Hugging Face config.json to read the shape from; fields beside it override it",
        default="",
    )
    layers: int = v.count("decoder layers")
    hidden_size: int = v.count("width of the residual stream")
    intermediate_size: int = v.count("inner width of the MLP")
    attention_heads: int = v.count("query heads")
    kv_heads: int = v.count("key-value heads; equal to attention_heads for MHA, 1 for MQA")
    head_dim: int = v.count("width of a head")
    vocab_size: int = v.count("tokens of the vocabulary")
    max_positions: Tokens = v.number(
        TOKENS, "longest context, prompt and answer together", whole=True, at_least=1
    )
    qk_norm: bool = v.boolean("RMSNorm on each query and key head (Qwen3)", default=False)
    tied_embeddings: bool = v.boolean(
        "the output projection shares the weights of the embedding", default=False
    )

    @property
    def query_width(self) -> int:
        """Width of all query heads together."""
        return self.attention_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all key heads (or all value heads) together."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """Number of weights, as publishers count them (tied embeddings once)."""
        h = self.hidden_size
        attention = h * (self.query_width + 2 * self.kv_width) + self.query_width * h
        norms = 2 * h + (2 * self.head_dim if self.qk_norm else 0)
        layer = attention + 3 * h * self.intermediate_size + norms
        embeddings = self.vocab_size * h * (1 if self.tied_embeddings else 2)
        return self.layers * layer + embeddings + h
