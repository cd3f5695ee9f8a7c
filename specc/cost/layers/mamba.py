"""Mamba2: a state space of constant size instead of a KV cache."""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.layers.base import Layers, unshared_problem
from specc.cost.layers.linear import STATE_BYTES, scans
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site, all_reduce, head_norm, linear, norm, quantise
from specc.ir import Layout
from specc.ir.layers import Mamba
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class StateSpace(Layers):
    """Layers of Mamba2, whose kernels nobody measured on an Ascend: they count as assumed."""

    counted_as: ClassVar[str] = "state_space_layers"

    shape: Mamba

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the layers of a model with a state space."""
        return cls(model, model.mamba.layers, model.mamba) if model.mamba else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        a, layers = self.shape.on_rank(site.layout.tp), self.count
        h, p, width, convolved = site.hidden, site.precisions.attention, a.width, a.convolved_width
        taps = (a.convolution + (1 if a.bias else 0)) * convolved
        yield norm("mamba_input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
        yield linear("mamba_input", h, a.projected_width, layers, p)
        yield head_norm("mamba_convolution", convolved, taps, layers)
        yield from scans(
            "mamba", layers, a.heads, (a.state, a.head_dim), convolved + width, assumed=True
        )
        yield head_norm("mamba_gated_norm", width, width + 3 * a.heads, layers)
        if p.quantised:
            yield quantise("mamba_quant", width, layers, dynamic=p.dynamic)
        yield linear("mamba_output", width, h, layers, p)
        yield from all_reduce(site, "mamba_all_reduce", layers, h)

    def state_bytes(self, site: Site) -> tuple[float, float]:
        """The recurrent state, and the inputs that the taps of the convolution still see."""
        a = self.shape.on_rank(site.layout.tp)
        seen = (site.drafted + a.convolution - 1) * a.convolved_width * HALF
        return float(a.state_elements * STATE_BYTES), float(seen)

    def live_bytes(self, site: Site) -> float:
        """What the input projection gives."""
        return HALF * self.shape.on_rank(site.layout.tp).projected_width

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many heads and groups; a single group is on all of them."""
        heads, groups = self.shape.heads, self.shape.groups
        if heads % tp:
            return f"TP = {tp} does not divide {heads} heads of the state space"
        if groups > 1 and groups % tp:
            return f"TP = {tp} does not divide {groups} groups of the state space"
        return ""

    def context_problem(self, layout: Layout) -> str:
        """A state holds the whole context."""
        return unshared_problem(layout)


KIND = StateSpace
