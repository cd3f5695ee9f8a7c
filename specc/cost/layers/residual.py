"""What some models do with the residual stream beside attention and MLPs."""

from collections.abc import Iterator

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.dense import Elementwise
from specc.cost.precision import HALF
from specc.cost.site import Site, norm


@frozen(eq=False, repr=False)
class ResidualStream(Layers):
    """Norms behind attention and MLPs, and attention residuals.

    With attention residuals (Kimi-K3) attention and MLP of each layer read the sums of all blocks
    of layers before, weigh them by a softmax over a learned score, and write the result. Nobody
    measured such kernels: bytes as of any other, and they count as assumed.
    """

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the norms of all layers."""
        m = self.model
        if m.post_norms:
            behind = m.attending_layers + m.dense_layers + m.expert_layers
            yield norm("post_norm", site.hidden, behind, share=site.norm_share)
        if m.residual_block:
            sources = m.layers / (2 * m.residual_block) + 1.5  # of the mean layer
            yield Elementwise(
                name="attention_residual",
                repeat=2 * m.layers,
                assumed=True,
                rows=Rows.TOKENS,
                row_bytes=(sources + 1) * site.hidden * HALF,
                row_vector_flop=4 * sources * site.hidden,
                share=site.norm_share,
                held=2 * site.hidden,
            )
