"""Linear attention: a state of constant size instead of a KV cache.

Gated delta nets, Kimi delta attention (KDA) and lightning attention differ in how a state decays.
"""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.layers.base import Layers, unshared_problem
from specc.cost.operators.attention import AttentionPhase, LinearAttentionScan
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF, PLAIN
from specc.cost.site import Site, all_reduce, head_norm, linear, norm, quantise
from specc.engines import state_rules
from specc.ir import Layout
from specc.ir.layers import Decay, LinearAttention, StateFormat
from specc.ir.model import Model

STATE_BYTES = 4  # an element of a state is fp32


@frozen(eq=False, repr=False)
class GatedLinearAttention(Layers):
    """Layers that fold all tokens before into a state.

    The scan of a gated delta net was measured; those of other kinds count as assumed.
    """

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
        value_heads, convolved = a.value_heads // tp, 2 * key + value
        gate = 0 if a.gate_rank else value
        yield norm("linear_input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
        yield linear("linear_qkvz", h, convolved + gate, layers, p)
        if a.gate_rank:
            yield linear("linear_gate_down", h, a.gate_rank, layers, PLAIN)
            yield linear("linear_gate_up", a.gate_rank, value, layers, PLAIN)
        if a.small_width:
            yield linear("linear_decay", h, a.small_width // tp, layers, PLAIN)
        if a.decay_rank:
            yield linear("linear_decay_down", h, a.decay_rank, layers, PLAIN)
        if a.decayed_width:
            inner = a.decay_rank or h
            yield linear("linear_decay_up", inner, a.decayed_width // tp, layers, PLAIN)
        if a.convolution:
            taps = a.convolution * convolved
            yield head_norm("linear_convolution", convolved, taps, layers)
        yield from scans(
            "linear_attention",
            layers,
            value_heads,
            (a.key_head_dim, a.value_head_dim),
            convolved + value,
            element=self._element(site),
            assumed=a.decay is not Decay.HEAD,
        )
        yield head_norm("linear_gated_norm", value, a.value_head_dim + self._rates(tp), layers)
        if p.quantised:
            yield quantise("linear_quant", value, layers, dynamic=p.dynamic)
        yield linear("linear_output", value, h, layers, p)
        yield from all_reduce(site, "linear_all_reduce", layers, h)

    def _element(self, site: Site) -> int:
        """Return the bytes of an element of a state: 4 where no engine is named that has less."""
        software = site.engine.software
        keeps = software is not None and state_rules(software).keeps_format
        return HALF if keeps and self.shape.state is StateFormat.MODEL else STATE_BYTES

    def _rates(self, tp: int) -> int:
        """Return the learned rates and offsets of decays on a rank."""
        a = self.shape
        heads = a.value_heads // tp
        match a.decay:
            case Decay.HEAD:
                return 2 * heads
            case Decay.CHANNEL:
                return heads * (1 + a.key_head_dim)
            case Decay.FIXED:
                return 0

    def state_bytes(self, site: Site) -> tuple[float, float]:
        """The recurrent state, and the inputs that the taps of the convolution still see.

        With drafts, a state for each token that is proposed, and as many more inputs.
        """
        a = self.shape
        tokens = a.convolution - 1 + site.drafted if a.convolution else 0
        seen = tokens * a.convolved_width * HALF
        return a.state_elements * self._element(site) / site.layout.tp, seen / site.layout.tp

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many key heads, and whole groups of the norm behind them."""
        heads, groups = self.shape.key_heads, self.shape.norm_groups
        if heads % tp:
            return f"TP = {tp} does not divide {heads} heads of linear attention"
        if groups and groups % tp:
            return f"TP = {tp} does not divide {groups} groups of the norm of linear attention"
        return ""

    def context_problem(self, layout: Layout) -> str:
        """A state holds the whole context."""
        return unshared_problem(layout)


def scans(
    name: str,
    layers: float,
    heads: int,
    state: tuple[int, int],
    row: int,
    *,
    element: int = STATE_BYTES,
    assumed: bool,
) -> Iterator[Operator]:
    """Yield the recurrences of both phases: `row` elements in and out, a `state` each head."""
    for phase in AttentionPhase:
        yield LinearAttentionScan(
            name=f"{phase.value}_{name}",
            repeat=layers,
            assumed=assumed,
            phase=phase,
            value_heads=heads,
            key_dim=state[0],
            value_dim=state[1],
            row_bytes=HALF * row,
            element=element,
        )


KIND = GatedLinearAttention
