"""The embedding of tokens."""

from collections.abc import Iterator

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import INT64, Operator, Rows
from specc.cost.operators.dense import Elementwise
from specc.cost.precision import HALF
from specc.cost.site import Site


@frozen(eq=False, repr=False)
class Embedding(Layers):
    """The lookup of tokens; the table is whole on every rank."""

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the lookup."""
        m, h = self.model, site.hidden
        yield Elementwise(
            name="embedding",
            repeat=1,
            rows=Rows.TOKENS,
            row_bytes=2 * h * HALF + INT64,
            held=0 if m.tied_embeddings else m.vocab_size * h,
        )
