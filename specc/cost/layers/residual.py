"""What some models do with the residual stream beside attention and MLPs."""

from collections.abc import Iterator

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import INT64, Operator, Rows
from specc.cost.operators.dense import Elementwise
from specc.cost.precision import HALF, PLAIN
from specc.cost.site import Site, copy, head_norm, linear, norm


@frozen(eq=False, repr=False)
class ResidualStream(Layers):
    """Norms behind attention and MLPs, attention residuals, and embeddings of each layer.

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
        if m.layer_embedding:
            yield from self._layer_embeddings(site)
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

    def _layer_embeddings(self, site: Site) -> Iterator[Operator]:
        """Yield the lookup of all layers, its projection, and what each layer does with its own.

        As vLLM has them (gemma4.py): the table is split over the ranks, the projections are not.
        """
        m, h, p = self.model, site.hidden, self.model.layer_embedding
        yield Elementwise(
            name="layer_embedding",
            repeat=1,
            rows=Rows.TOKENS,
            row_bytes=2 * m.layers * p * HALF + INT64,
            held=-(-m.vocab_size // site.layout.tp) * m.layers * p,
        )
        yield linear("layer_projection", h, m.layers * p, 1, PLAIN)
        yield head_norm("layer_projection_norm", m.layers * p, p, 1)
        yield linear("layer_gate", h, p, m.layers, PLAIN)
        yield copy("layer_gating", 3 * p * HALF, m.layers)
        yield linear("layer_up", p, h, m.layers, PLAIN)
        yield norm("layer_norm", h, m.layers)
