"""The end of a step: the final norm and the projection to the vocabulary."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective
from specc.cost.operators.dense import Gather
from specc.cost.precision import HALF
from specc.cost.site import Site, communication, linear, norm


@frozen(eq=False, repr=False)
class Head(Layers):
    """The output projection, split over the ranks."""

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the prediction of the next token of each sequence."""
        yield from prediction(site, Rows.SAMPLED, picking=(self.gather(site),))

    def gather(self, site: Site) -> Operator:
        """Return the choice of the last tokens."""
        return Gather(name="last_token", repeat=1, row_bytes=site.hidden * HALF)


def prediction(
    site: Site, rows: Rows, prefix: str = "", picking: Iterable[Operator] = ()
) -> Iterator[Operator]:
    """Yield the norm, what picks `rows` behind it, and the projection of these."""
    h, tp = site.hidden, site.layout.tp
    vocab = -(-site.model.vocab_size // tp)
    yield norm(f"{prefix}final_norm", h, 1)
    yield from picking
    yield linear(f"{prefix}lm_head", h, vocab, 1, site.precisions.output, rows=rows)
    if tp > 1:
        yield communication(
            f"{prefix}logits_all_gather",
            Collective.ALL_GATHER,
            vocab * HALF,
            tp,
            1,
            rows=rows,
        )
