"""Parallel layouts."""

from attrs import frozen

from specc.ir import Model


@frozen(order=True)
class Layout:
    """Sizes of tensor, pipeline and data parallelism; tensor-parallel ranks are neighbours."""

    tp: int
    pp: int
    dp: int

    @property
    def devices(self) -> int:
        """Devices of the whole layout."""
        return self.tp * self.pp * self.dp

    @property
    def label(self) -> str:
        """The label that tables show."""
        return f"TP={self.tp} | PP={self.pp} | DP={self.dp}"


@frozen
class Shard:
    """What one tensor-parallel rank holds of a model: widths of its heads, MLP and vocabulary.

    Key-value heads are replicated when there are fewer of them than ranks.
    """

    query_width: int
    kv_width: int
    heads: int
    intermediate: int
    vocab: int

    @classmethod
    def of(cls, model: Model, tp: int) -> "Shard":
        """Return the shard of a model at a tensor-parallel size."""
        heads = model.attention_heads // tp
        kv_heads = max(1, model.kv_heads // tp)
        return cls(
            query_width=heads * model.head_dim,
            kv_width=kv_heads * model.head_dim,
            heads=heads,
            intermediate=model.intermediate_size // tp,
            vocab=-(-model.vocab_size // tp),
        )

    @property
    def qkv_width(self) -> int:
        """Width of the merged query, key and value projection."""
        return self.query_width + 2 * self.kv_width
