"""The operators of a dense decoder: grouped-query attention, SwiGLU MLP, tensor parallelism.

One list for the compiled graph: query, key and value are one GEMM, gate and up are one, norms
are fused with the residual addition and, when quantised, with the quantisation behind them.
"""

from collections.abc import Iterator

from specc.cost.layout import Layout, Shard
from specc.cost.operators import (
    HALF,
    INT64,
    Attention,
    Collective,
    Communication,
    Elementwise,
    Format,
    Gather,
    Gemm,
    Operator,
    Rows,
)
from specc.ir import Model, Quantisation

_SCALE = 4  # bytes of a dynamic quantisation scale, fp32
_NORM_FLOP = 5  # vector operations an element of RMSNorm
_ROPE_FLOP = 3


def operators(model: Model, layout: Layout, quant: Quantisation) -> tuple[Operator, ...]:
    """Return the operators of one step, in the order they run."""
    shard = Shard.of(model, layout.tp)
    quantised = quant is Quantisation.W8A8_DYNAMIC
    return (
        *_embedding(model),
        *_attention(model, shard, layout, quantised),
        *_mlp(model, shard, layout, quantised),
        *_output(model, shard, layout),
    )


def _embedding(model: Model) -> Iterator[Operator]:
    h, d = model.hidden_size, model.head_dim
    yield Elementwise(name="embedding", repeat=1, rows=Rows.TOKENS, row_bytes=2 * h * HALF + INT64)
    # The compiled graph charges a gather with its whole table, for cosine and for sine.
    yield Elementwise(
        name="rope_table",
        repeat=2,
        rows=Rows.TOKENS,
        row_bytes=d * HALF + INT64,
        fixed_bytes=model.max_positions * d * HALF,
    )


def _attention(model: Model, shard: Shard, layout: Layout, quantised: bool) -> Iterator[Operator]:
    h, d, layers = model.hidden_size, model.head_dim, model.layers
    yield _norm("input_norm", h, layers, quantised)
    yield _linear("qkv", h, shard.qkv_width, layers, quantised)
    if model.qk_norm:
        yield _head_norm("query_norm", shard.query_width, d, layers)
        yield _head_norm("key_norm", shard.kv_width, d, layers)
    rotated = shard.query_width + shard.kv_width
    yield Elementwise(
        name="rope",
        repeat=layers,
        rows=Rows.TOKENS,
        row_bytes=2 * rotated * HALF + 2 * d * HALF,
        row_vector_flop=_ROPE_FLOP * rotated,
        vector_format=Format.FP16,
    )
    yield Elementwise(
        name="kv_write",
        repeat=layers,
        rows=Rows.TOKENS,
        row_bytes=4 * shard.kv_width * HALF + INT64,
    )
    for phase in ("prefill", "decode"):
        yield Attention(
            name=f"{phase}_attention",
            repeat=layers,
            phase=phase,
            heads=shard.heads,
            head_dim=d,
            query_width=shard.query_width,
            kv_width=shard.kv_width,
        )
    if quantised:
        yield _quantise("attention_quant", shard.query_width, layers)
    yield _linear("output", shard.query_width, h, layers, quantised)
    yield from _all_reduce("attention_all_reduce", h, layers, layout)


def _mlp(model: Model, shard: Shard, layout: Layout, quantised: bool) -> Iterator[Operator]:
    h, i, layers = model.hidden_size, shard.intermediate, model.layers
    # Reads the residual and the branch; writes the sum and its norm (int8 with a scale, or 16 bit).
    normed = 1 if quantised else HALF
    yield Elementwise(
        name="add_norm",
        repeat=layers,
        rows=Rows.TOKENS,
        row_bytes=3 * h * HALF + normed * h,
        fixed_bytes=h * HALF + (_SCALE if quantised else 0),
    )
    yield _linear("gate_up", h, 2 * i, layers, quantised)
    yield Elementwise(name="swiglu", repeat=layers, rows=Rows.TOKENS, row_bytes=3 * i * HALF)
    if quantised:
        yield _quantise("mlp_quant", i, layers)
    yield _linear("down", i, h, layers, quantised)
    yield from _all_reduce("mlp_all_reduce", h, layers, layout)
    yield Elementwise(name="residual_add", repeat=layers, rows=Rows.TOKENS, row_bytes=3 * h * HALF)


def _output(model: Model, shard: Shard, layout: Layout) -> Iterator[Operator]:
    h = model.hidden_size
    yield _norm("final_norm", h, 1, quantised=False)
    yield Gather(name="last_token", repeat=1, row_bytes=h * HALF)
    yield Gemm(
        name="lm_head",
        repeat=1,
        rows=Rows.SAMPLED,
        inner=h,
        outer=shard.vocab,
        format=Format.FP16,
    )
    if layout.tp > 1:
        yield Communication(
            name="logits_all_gather",
            repeat=1,
            rows=Rows.SAMPLED,
            row_bytes=shard.vocab * HALF,
            kind=Collective.ALL_GATHER,
            group=layout.tp,
        )


def _linear(name: str, inner: int, outer: int, layers: int, quantised: bool) -> Gemm:
    format_ = Format.INT8 if quantised else Format.FP16
    return Gemm(
        name=name, repeat=layers, rows=Rows.TOKENS, inner=inner, outer=outer, format=format_
    )


def _norm(name: str, width: int, repeat: int, quantised: bool) -> Elementwise:
    """RMSNorm of the residual stream; fused with quantisation its arithmetic is hidden."""
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=width * HALF + width * (1 if quantised else HALF),
        fixed_bytes=width * HALF + (_SCALE if quantised else 0),
        row_vector_flop=0 if quantised else _NORM_FLOP * width,
    )


def _head_norm(name: str, width: int, head_dim: int, layers: int) -> Elementwise:
    return Elementwise(
        name=name,
        repeat=layers,
        rows=Rows.TOKENS,
        row_bytes=2 * width * HALF,
        fixed_bytes=head_dim * HALF,
        row_vector_flop=_NORM_FLOP * width,
    )


def _quantise(name: str, width: int, layers: int) -> Elementwise:
    """Dynamic quantisation: 16 bit in, int8 and a scale out."""
    return Elementwise(
        name=name,
        repeat=layers,
        rows=Rows.TOKENS,
        row_bytes=width * HALF + width,
        fixed_bytes=_SCALE,
    )


def _all_reduce(name: str, width: int, layers: int, layout: Layout) -> Iterator[Operator]:
    if layout.tp > 1:
        yield Communication(
            name=name,
            repeat=layers,
            rows=Rows.TOKENS,
            row_bytes=width * HALF,
            kind=Collective.ALL_REDUCE,
            group=layout.tp,
        )
