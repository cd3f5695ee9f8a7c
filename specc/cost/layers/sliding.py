"""Grouped-query attention over a window of the last tokens, which slides or begins anew."""

import math
from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import evolve, frozen

from specc.cost.layers.base import Layers, shared_heads_problem, unshared_problem
from specc.cost.layers.grouped import Reach, grouped, grouped_elements
from specc.cost.operators.base import Operator
from specc.cost.site import Site
from specc.ir import Layout
from specc.ir.layers import SlidingWindow
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class SlidingAttention(Layers):
    """Layers whose queries see a window; its cache stops growing when the window is full."""

    counted_as: ClassVar[str] = "sliding_layers"

    shape: SlidingWindow

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the sliding-window layers of a model."""
        s = model.sliding
        return cls(model, s.layers, s) if s else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        s, model = self.shape, _with_heads(self.model, self.shape)
        reach = Reach("sliding_", window=s.window)
        if s.chunked:
            reach = Reach("chunked_", chunk=s.window, assumed=True)
        sharing = s.sharing_layers
        yield from grouped(site, model, self.count - sharing, reach)
        if sharing:
            shared = evolve(reach, prefix=f"sharing_{reach.prefix}", shares=True)
            yield from grouped(site, model, sharing, shared)

    def sequence_bytes(self, site: Site) -> float:
        """The blocks of a window."""
        block, blocks = site.engine.block_size, self.window_blocks(site)
        width = grouped_elements(_with_heads(self.model, self.shape), site.layout.tp)
        layers = self.shape.layers - self.shape.sharing_layers
        return layers * blocks * block * width * site.precisions.kv_bytes

    def window_blocks(self, site: Site) -> int:
        """Blocks of the window; one more if it slides, as it seldom begins where a block does."""
        blocks = math.ceil(self.shape.window / site.engine.block_size)
        return blocks if self.shape.chunked else blocks + 1

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many query heads."""
        heads = self.shape.attention_heads
        if heads % tp:
            return f"TP = {tp} does not divide {heads} sliding-window heads"
        return shared_heads_problem(self.shape.kv_heads, tp)

    def context_problem(self, layout: Layout) -> str:
        """A window is not long enough to be shared."""
        return unshared_problem(layout)


def _with_heads(m: Model, s: SlidingWindow) -> Model:
    """Return a model whose attention has the shape of the sliding-window layers."""
    return evolve(
        m,
        attention_heads=s.attention_heads,
        kv_heads=s.kv_heads,
        head_dim=s.head_dim,
        value_head_dim=s.value_head_dim,
        query_gate=False,
        value_is_key=False,
    )


KIND = SlidingAttention
