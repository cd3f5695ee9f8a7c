"""The vision encoder, which runs before the decoder on the patches of images."""

from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.attention import EncoderAttention
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective
from specc.cost.precision import HALF, PLAIN
from specc.cost.site import Site, communication, copy, linear
from specc.ir.layers import Vision
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class VisionEncoder(Layers):
    """An encoder with its mergers; every tensor-parallel rank has its share of the heads."""

    shape: Vision

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the encoder of a model."""
        return cls(model, model.vision.layers, model.vision) if model.vision else None

    def in_stage(self, first: int, end: int) -> float:
        """The encoder is on the first stage, where the embedding is."""
        return self.count if first == 0 else 0.0

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of the whole encoder."""
        v = self.shape
        h, i, tp = v.hidden_size, v.intermediate_size, site.layout.tp
        merged, out = v.merged_width, site.hidden
        rows = Rows.PATCHES
        heads = max(1, v.heads // tp)
        head_dim, up = v.attention_width // v.heads, v.matrices - 1
        width = heads * head_dim
        yield linear("patch_embedding", v.patch_elements, h, 1, PLAIN, rows=rows)
        yield copy("encoder_norms", 8 * h * HALF, v.layers, rows=rows)
        yield linear("encoder_qkv", h, 3 * width, v.layers, PLAIN, rows=rows)
        whole = v.whole_layers if v.window else v.layers
        yield EncoderAttention(
            name="encoder_attention", repeat=whole, heads=heads, head_dim=head_dim
        )
        if v.window:
            yield EncoderAttention(
                name="encoder_window_attention",
                repeat=v.layers - whole,
                heads=heads,
                head_dim=head_dim,
                window=v.window,
            )
        yield linear("encoder_output", width, h, v.layers, PLAIN, rows=rows)
        yield linear("encoder_up", h, up * max(1, i // tp), v.layers, PLAIN, rows=rows)
        yield copy("encoder_gelu", (up + 1) * max(1, i // tp) * HALF, v.layers, rows=rows)
        yield linear("encoder_down", max(1, i // tp), h, v.layers, PLAIN, rows=rows)
        if tp > 1:
            yield communication(
                "encoder_all_reduce",
                Collective.ALL_REDUCE,
                h * HALF,
                tp,
                2 * v.layers,
                rows=rows,
            )
        mergers, share = 1 + v.deepstack, 1 / v.merge**2
        inner = merged // tp
        yield linear("merger_up", merged, inner, mergers, PLAIN, rows=rows, share=share)
        yield linear("merger_down", inner, out, mergers, PLAIN, rows=rows, share=share)
