"""Grouped attention to some blocks of the context, which heads of an index pick."""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.layers.attention import attention_of
from specc.cost.layers.base import Layers, unshared_problem
from specc.cost.layers.grouped import Reach, grouped, grouped_elements
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import Operator
from specc.cost.site import Site, head_norm, kv_write, linear
from specc.ir import Layout
from specc.ir.layers import BlockSparse
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class BlockSparseAttention(Layers):
    """Layers that score all cached tokens and attend to the blocks with the best of them.

    Every rank has the key of the index, and the heads that go with its key-value heads. Nobody
    measured these kernels on an Ascend: those of attention to single tokens stand for them, and
    count as assumed.
    """

    counted_as: ClassVar[str] = "block_sparse_layers"

    shape: BlockSparse

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the block-sparse layers of a model."""
        b = model.block_sparse
        return cls(model, b.layers, b) if b else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        b, layers = self.shape, self.count
        heads, width = site.split(b.index_heads), b.index_head_dim
        p = site.precisions.attention
        yield linear("index_projection", site.hidden, (heads + 1) * width, layers, p)
        yield head_norm("index_norm", (heads + 1) * width, 2 * width, layers)
        yield kv_write("index_write", width, layers, site.precisions.kv_bytes)
        for phase in AttentionPhase:
            yield attention_of(
                site,
                phase,
                f"{phase.value}_block_scores",
                layers,
                heads=heads,
                kv_heads=1,
                key_dim=width,
                value_dim=0,
                cached_width=width,
                assumed=True,
            )
        reach = Reach("sparse_", top_k=b.top_k * b.block, assumed=True)
        yield from grouped(site, self.model, layers, reach)

    def cached_elements(self, tp: int) -> float:
        """A key and a value for each key-value head of the rank, and the key of the index."""
        return grouped_elements(self.model, tp) + self.shape.index_head_dim

    def context_problem(self, layout: Layout) -> str:
        """The blocks of a query may be anywhere."""
        return unshared_problem(layout)


KIND = BlockSparseAttention
