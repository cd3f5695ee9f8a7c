"""Gated linear attention (gated delta net): a state of constant size instead of a KV cache."""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.layers.base import Layers, unshared_problem
from specc.cost.operators.attention import AttentionPhase, LinearAttentionScan
from specc.cost.operators.base import Operator, OperatorClass
from specc.cost.precision import HALF, PLAIN
from specc.cost.site import Site, all_reduce, head_norm, linear, norm, quantise
from specc.ir import Layout
from specc.ir.layers import LinearAttention
from specc.ir.model import Model

_STATE_BYTES = 4  # an element of a state is fp32


@frozen(eq=False, repr=False)
class GatedLinearAttention(Layers):
    """Layers that fold all tokens before into a state."""

    counted_as: ClassVar[str] = "linear_attention_layers"

    shape: LinearAttention

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the linear-attention layers of a model."""
        return cls(model, model.linear.layers, model.linear) if model.linear else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        a, layers = self.shape, self.count
        h, tp, p = site.hidden, site.layout.tp, site.precisions.attention
        key, value = a.key_width // tp, a.value_width // tp
        value_heads = a.value_heads // tp
        convolved = 2 * key + value
        yield norm("linear_input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
        yield linear("linear_qkvz", h, convolved + value, layers, p)
        yield linear("linear_decay", h, 2 * value_heads, layers, PLAIN)
        yield head_norm("linear_convolution", convolved, a.convolution * convolved, layers)
        for phase in AttentionPhase:
            yield LinearAttentionScan(
                name=f"{phase.value}_linear_attention",
                repeat=layers,
                kind=OperatorClass.VECTOR
                if phase is AttentionPhase.DECODE
                else OperatorClass.PREFILL_ATTENTION,
                phase=phase,
                value_heads=value_heads,
                key_dim=a.key_head_dim,
                value_dim=a.value_head_dim,
                row_bytes=HALF * (convolved + value),
            )
        yield head_norm("linear_gated_norm", value, a.value_head_dim + 2 * value_heads, layers)
        if p.quantised:
            yield quantise("linear_quant", value, layers, dynamic=p.dynamic)
        yield linear("linear_output", value, h, layers, p)
        yield from all_reduce(site, "linear_all_reduce", layers, h)

    def sequence_bytes(self, site: Site) -> float:
        """The recurrent state, and the inputs that the taps of the convolution still see."""
        a = self.shape
        states = a.state_elements * _STATE_BYTES + a.convolution * a.convolved_width * HALF
        return a.layers * states / site.layout.tp

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many key heads."""
        heads = self.shape.key_heads
        return f"TP = {tp} does not divide {heads} heads of linear attention" if heads % tp else ""

    def context_problem(self, layout: Layout) -> str:
        """A state holds the whole context."""
        return unshared_problem(layout)


KIND = GatedLinearAttention
