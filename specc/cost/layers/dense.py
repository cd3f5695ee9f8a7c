"""Dense MLPs, with a gate (SwiGLU) or without."""

from collections import Counter
from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site, add_norm, all_reduce, copy, linear, mlp_inner, quantise
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class DenseMlp(Layers):
    """Layers in which every token passes one MLP."""

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the layers of a model that have a dense MLP."""
        drafts = model.draft_dense and model.draft_layers
        return cls(model, model.dense_layers) if model.dense_layers or drafts else None

    @property
    def drafts(self) -> bool:
        """They are the MLP of draft layers, of a model with experts if it says so."""
        return self.model.experts is None or self.model.draft_dense

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        h, layers, p, share = site.hidden, self.count, site.precisions.mlp, site.norm_share
        yield add_norm(site, "add_norm", layers, quantised=p.quantised, share=share)
        widths = self._widths()
        for width, count in widths.items():
            of = "" if len(widths) == 1 else f"_{width}"
            yield from self._matrices(site, of, width // site.layout.tp, count)
        yield from all_reduce(site, "mlp_all_reduce", layers, h)
        yield copy("residual_add", 3 * h * HALF, layers, share=share)

    def _matrices(self, site: Site, of: str, i: int, layers: float) -> Iterator[Operator]:
        """Yield the operators of MLPs of `i` columns on a rank."""
        h, p = site.hidden, site.precisions.mlp
        yield from mlp_inner(f"{{}}{of}", self.model.gated_mlp, h, i, layers, p)
        if p.quantised:
            yield quantise(f"mlp_quant{of}", i, layers, dynamic=p.dynamic)
        yield linear(f"down{of}", i, h, layers, p)

    def _widths(self) -> dict[int, float]:
        """Return the inner widths, widest first, with how many layers have each."""
        listed = Counter(round(width) for width in self.model.mlp_widths if width)
        if not listed:
            return {self.model.intermediate_size: self.count}
        return dict(sorted(listed.items(), reverse=True))

    def in_stage(self, first: int, end: int) -> float:
        """Where others have experts and do not take turns with these, they are the first ones."""
        if self.model.mlp_widths:
            mean = sum(self.model.mlp_widths) / max(self.count, 1)
            return sum(self.model.mlp_widths[first:end]) / mean
        if self.model.alternates:
            return super().in_stage(first, end)
        return max(0.0, min(end, self.count) - first)

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many columns."""
        for width in self._widths():
            if width % tp:
                return f"TP = {tp} does not divide the MLP width {width}"
        return ""


KIND = DenseMlp
