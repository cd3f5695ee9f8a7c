"""Dense MLPs with a gated activation (SwiGLU)."""

from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site, add_norm, all_reduce, copy, linear, quantise
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class DenseMlp(Layers):
    """Layers in which every token passes one MLP."""

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the layers of a model that have no experts."""
        return cls(model, model.dense_layers) if model.dense_layers else None

    @property
    def drafts(self) -> bool:
        """They are the MLP of draft layers where the model has no experts."""
        return self.model.experts is None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        h, i = site.hidden, self.model.intermediate_size // site.layout.tp
        layers, p = self.count, site.precisions.mlp
        share = site.norm_share
        yield add_norm(site, "add_norm", layers, quantised=p.quantised, share=share)
        yield linear("gate_up", h, 2 * i, layers, p)
        yield copy("swiglu", 3 * i * HALF, layers)
        if p.quantised:
            yield quantise("mlp_quant", i, layers, dynamic=p.dynamic)
        yield linear("down", i, h, layers, p)
        yield from all_reduce(site, "mlp_all_reduce", layers, h)
        yield copy("residual_add", 3 * h * HALF, layers, share=share)

    def in_stage(self, first: int, end: int) -> float:
        """Where others have experts, these are the first layers."""
        return max(0.0, min(end, self.count) - first)

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many columns."""
        width = self.model.intermediate_size
        return f"TP = {tp} does not divide the MLP width {width}" if width % tp else ""


KIND = DenseMlp
