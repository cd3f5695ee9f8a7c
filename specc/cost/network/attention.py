"""The attention half of a layer, for each kind of attention.

One list for the compiled graph: query, key and value are one GEMM, norms are fused with the
residual addition and, when quantised, with the quantisation behind them.
"""

from collections.abc import Iterator

from attrs import evolve

from specc.cost.network.site import (
    Site,
    all_reduce,
    communication,
    copy,
    head_norm,
    kv_write,
    linear,
    norm,
    quantise,
    rope,
)
from specc.cost.operators.attention import Attention, LinearAttentionScan, Phase
from specc.cost.operators.base import Operator, OperatorClass, Rows
from specc.cost.operators.communication import Collective
from specc.cost.precision import HALF, PLAIN
from specc.cost.reference.operators import PlannerIndexer, PlannerLatentAttention, PlannerPrologue
from specc.ir import (
    CompressedAttention,
    Indexer,
    LatentAttention,
    LinearAttention,
    Model,
    SlidingWindow,
)

_WINDOW = "sliding_"


def attention(site: Site) -> Iterator[Operator]:
    """Yield the operators of the attention of all layers of a step."""
    m = site.model
    if m.full_layers:
        yield from full_attention(site, m.full_layers)
    if m.sliding:
        yield from _grouped(site, m.sliding.layers, _window_model(m, m.sliding), m.sliding.window)
    if m.linear:
        yield from _linear_attention(site, m.linear)


def full_attention(site: Site, layers: float) -> Iterator[Operator]:
    """Yield the operators of `layers` layers that attend to the whole context."""
    m = site.model
    if m.compressed:
        yield from _compressed(site, m.compressed, layers)
    elif m.latent:
        yield from _latent(site, m.latent, layers)
    else:
        yield from _grouped(site, layers, m, 0)


def _window_model(m: Model, s: SlidingWindow) -> Model:
    """Return the shape of the sliding-window layers as a model of their own."""
    return evolve(
        m,
        attention_heads=s.attention_heads,
        kv_heads=s.kv_heads,
        head_dim=s.head_dim,
        value_head_dim=s.value_head_dim,
        query_gate=False,
    )


def _grouped(site: Site, layers: float, m: Model, window: int) -> Iterator[Operator]:
    h, d, p = m.hidden_size, m.head_dim, site.precisions.attention
    heads, kv_heads = m.attention_heads // site.layout.tp, site.split(m.kv_heads)
    query, key, value = heads * d, kv_heads * d, kv_heads * m.value_dim
    out = heads * m.value_dim
    prefix = _WINDOW if window else ""
    projected = query + key + value + (query if m.query_gate else 0)
    yield norm(f"{prefix}input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
    yield linear(f"{prefix}qkv", h, projected, layers, p, bias=m.qkv_bias)
    if m.qk_norm or m.qk_norm_whole:
        whole = m.qk_norm_whole
        yield head_norm(f"{prefix}query_norm", query, query if whole else d, layers)
        yield head_norm(f"{prefix}key_norm", key, key if whole else d, layers)
    yield rope(f"{prefix}rope", query + key, d, layers)
    yield kv_write(f"{prefix}kv_write", key + value, layers, site.precisions.kv_bytes)
    yield from _query_exchange(site, prefix, query, key + value, layers)
    for phase in Phase:
        yield _attention_of(
            site,
            phase,
            f"{prefix}{phase.value}_attention",
            layers,
            heads=heads,
            kv_heads=kv_heads,
            key_dim=d,
            value_dim=m.value_dim,
            cached_width=key + value,
            window=window,
        )
    yield from _result_exchange(site, prefix, out, heads, layers)
    if m.query_gate:
        yield copy(f"{prefix}gate", 3 * query * HALF, layers)
    if p.quantised:
        yield quantise(f"{prefix}attention_quant", out, layers, dynamic=p.dynamic)
    yield linear(f"{prefix}output", out, h, layers, p, bias=m.output_bias)
    yield from all_reduce(site, f"{prefix}attention_all_reduce", layers, h)


def _attention_of(site: Site, phase: Phase, name: str, layers: float, **shape: int) -> Attention:
    """One phase of attention; context parallelism gives a device a share of the decode context.

    Ranks that share a context exchange queries, so each has the heads of all of them.
    """
    shared = site.layout.dcp * site.layout.cp if phase is Phase.DECODE else 1
    heads = shape.pop("heads") * (site.layout.dcp if phase is Phase.DECODE else 1)
    return Attention(
        name=name,
        repeat=layers,
        kind=phase.kind,
        phase=phase,
        heads=heads,
        kv_bytes=site.precisions.kv_bytes,
        context_share=1 / shared,
        **shape,
    )


def _query_exchange(
    site: Site, prefix: str, queries: int, cached: int, layers: float
) -> Iterator[Operator]:
    """Before attention over a shared context: queries and cache entries to those that share it.

    `queries` and `cached` are the elements that a token has on one rank.
    """
    layout, element = site.layout, site.precisions.kv_bytes
    if layout.dcp > 1:
        yield communication(
            f"{prefix}dcp_all_gather",
            Collective.ALL_GATHER,
            queries * HALF,
            layout.dcp,
            layers,
            rows=Rows.DECODED,
        )
    if layout.cp > 1:
        yield communication(
            f"{prefix}cp_all_gather",
            Collective.ALL_GATHER,
            cached * element,
            layout.cp,
            layers,
            stride=layout.tp,
            rows=Rows.PREFILLED,
        )


def _result_exchange(
    site: Site, prefix: str, results: int, heads: int, layers: float
) -> Iterator[Operator]:
    """After decode over a shared context: partial results, with a weight a head, are merged."""
    shared = site.layout.dcp * site.layout.cp
    if shared > 1:
        yield communication(
            f"{prefix}dcp_reduce_scatter",
            Collective.REDUCE_SCATTER,
            shared * (results + heads) * HALF,
            shared,
            layers,
            rows=Rows.DECODED,
        )


def _latent(site: Site, a: LatentAttention, layers: float) -> Iterator[Operator]:
    m, h = site.model, site.hidden
    heads, p = m.attention_heads // site.layout.tp, site.precisions.attention
    # The planner does not fuse this norm with the quantisation behind it.
    yield norm(
        "input_norm", h, layers, quantised=p.quantised and not site.planner, share=site.norm_share
    )
    if site.planner:
        yield PlannerPrologue(
            name="latent_prologue", repeat=layers, hidden=h, heads=heads, shape=a, format=p.format
        )
    else:
        yield from _latent_projections(site, a, heads, layers)
    if m.indexer:
        yield from _indexer(site, m.indexer, a.query_rank, layers)
    yield kv_write("kv_write", a.cached_width, layers, site.precisions.kv_bytes)
    top_k = m.indexer.top_k if m.indexer else 0
    if site.planner:
        for phase in Phase:
            yield PlannerLatentAttention(
                name=f"{phase.value}_attention",
                repeat=layers,
                kind=phase.kind,
                phase=phase,
                heads=heads,
                shape=a,
                top_k=top_k,
            )
    else:
        yield from _absorbed(site, a, heads, top_k, layers)
    if p.quantised:
        yield quantise("attention_quant", heads * a.value_head_dim, layers, dynamic=p.dynamic)
    yield linear("output", heads * a.value_head_dim, h, layers, p)
    yield from all_reduce(site, "attention_all_reduce", layers, h)


def _latent_projections(
    site: Site, a: LatentAttention, heads: int, layers: float
) -> Iterator[Operator]:
    """Down to the latent vectors in one GEMM, their norms, and the queries up again."""
    h, p = site.hidden, site.precisions.attention
    width = heads * (a.nope_head_dim + a.rope_head_dim)
    if a.query_rank:
        yield linear("latent_down", h, a.query_rank + a.cached_width, layers, p)
        yield head_norm("latent_norm", a.query_rank, a.query_rank, layers)
        yield linear("query_up", a.query_rank, width, layers, p)
    else:
        yield linear("latent_down", h, width + a.cached_width, layers, p)
    yield head_norm("kv_norm", a.kv_rank, a.kv_rank, layers)
    yield rope("rope", (heads + 1) * a.rope_head_dim, a.rope_head_dim, layers)


def _absorbed(
    site: Site, a: LatentAttention, heads: int, top_k: int, layers: float
) -> Iterator[Operator]:
    """Attention with the up-projections of keys and values.

    Decode absorbs them into queries and results, so that all heads read the latent cache; a
    prefill unpacks keys and values of its tokens and attends as multi-head attention, unless the
    indexer picks tokens: then it works on the latent cache as decode does.
    """
    # Two GEMMs a head: queries into the latent space, results out of it. In a prefill that is not
    # absorbed the same weights unpack keys and values, those of a cached prefix too.
    unpacked = Rows.TOKENS if top_k else Rows.UNPACKED
    yield from _query_exchange(site, "", heads * a.cached_width, a.cached_width, layers)
    stored = evolve(PLAIN, weight_bytes=site.precisions.attention.weight_bytes)
    yield linear("key_up", a.nope_head_dim, a.kv_rank, layers, stored, batch=heads, rows=unpacked)
    for phase in Phase:
        absorbed = phase is Phase.DECODE or bool(top_k)
        width = a.nope_head_dim + a.rope_head_dim
        yield _attention_of(
            site,
            phase,
            f"{phase.value}_attention",
            layers,
            heads=heads,
            kv_heads=1 if absorbed else heads,
            key_dim=a.cached_width if absorbed else width,
            value_dim=a.kv_rank if absorbed else a.value_head_dim,
            cached_width=a.cached_width,
            top_k=top_k,
        )
    yield from _result_exchange(site, "", heads * a.kv_rank, heads, layers)
    yield linear(
        "value_up", a.kv_rank, a.value_head_dim, layers, stored, batch=heads, rows=unpacked
    )


def _indexer(site: Site, i: Indexer, query_rank: int, layers: float) -> Iterator[Operator]:
    """Scores of all cached tokens for each query, and the best of them."""
    h, p = site.hidden, site.precisions.attention
    if site.planner:
        assert site.model.latent is not None
        yield PlannerIndexer(
            name="indexer",
            repeat=layers,
            hidden=h,
            shape=i,
            latent=site.model.latent,
            element=1 if p.quantised else HALF,
        )
        return
    yield linear("index_query", query_rank or h, i.heads * i.head_dim, layers, p)
    yield linear("index_key", h, i.head_dim + i.heads, layers, PLAIN)
    yield head_norm("index_norm", i.head_dim, 2 * i.head_dim, layers)
    yield from _index_scores(site, i, layers)


def _index_scores(
    site: Site, i: Indexer, layers: float, compression: int = 1
) -> Iterator[Operator]:
    shape = {"heads": i.heads, "kv_heads": 1, "key_dim": i.head_dim, "value_dim": 0}
    for phase in Phase:
        yield _attention_of(
            site,
            phase,
            f"{phase.value}_index_scores",
            layers,
            cached_width=i.head_dim,
            compression=compression,
            **shape,
        )


def _linear_attention(site: Site, a: LinearAttention) -> Iterator[Operator]:
    h, tp, p = site.hidden, site.layout.tp, site.precisions.attention
    key, value = a.key_width // tp, a.value_width // tp
    value_heads = a.value_heads // tp
    convolved = 2 * key + value
    layers = a.layers
    yield norm("linear_input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
    yield linear("linear_qkvz", h, convolved + value, layers, p)
    yield linear("linear_decay", h, 2 * value_heads, layers, PLAIN)
    yield head_norm("linear_convolution", convolved, a.convolution * convolved, layers)
    for phase in Phase:
        yield LinearAttentionScan(
            name=f"{phase.value}_linear_attention",
            repeat=layers,
            kind=OperatorClass.VECTOR if phase is Phase.DECODE else OperatorClass.PREFILL_ATTENTION,
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


def _compressed(site: Site, c: CompressedAttention, layers: float) -> Iterator[Operator]:
    """Attention over a window and a compressed cache (DeepSeek V4)."""
    m, h, p = site.model, site.hidden, site.precisions.attention
    d, heads, groups = m.head_dim, m.attention_heads // site.layout.tp, c.output_groups
    local_groups = max(1, groups // site.layout.tp)
    share = layers / m.full_layers
    yield norm("input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
    yield linear("latent_down", h, c.query_rank + d, layers, p)
    yield head_norm("latent_norm", c.query_rank, c.query_rank, layers)
    yield head_norm("kv_norm", d, d, layers)
    yield linear("query_up", c.query_rank, heads * d, layers, p)
    yield rope("rope", (heads + 1) * d, d, layers)
    yield kv_write("kv_write", d, layers, site.precisions.kv_bytes)
    for name, count, ratio, factor in (
        ("sparse", c.sparse_layers, c.sparse_ratio, 2),
        ("dense", c.dense_layers, c.dense_ratio, 1),
    ):
        yield linear(f"{name}_compress", h, 2 * factor * d, count * share, PLAIN)
        yield head_norm(f"{name}_pool", factor * d, factor * ratio * d + d, count * share)
    if m.indexer:
        i = m.indexer
        indexed = c.sparse_layers * share
        yield linear("index_query", c.query_rank, i.heads * i.head_dim, indexed, p)
        yield linear("index_key", h, 4 * i.head_dim + i.heads, indexed, PLAIN)
        index_weights = 2 * c.sparse_ratio * i.head_dim + i.head_dim
        yield head_norm("index_pool", 2 * i.head_dim, index_weights, indexed)
        yield from _index_scores(site, i, indexed, c.sparse_ratio)
    yield from _query_exchange(site, "", heads * d, d, layers)
    shape = {"heads": heads, "kv_heads": 1, "key_dim": d, "value_dim": d, "cached_width": d}
    for phase in Phase:
        yield _attention_of(
            site, phase, f"window_{phase.value}_attention", layers, window=c.window, **shape
        )
        yield _attention_of(
            site,
            phase,
            f"sparse_{phase.value}_attention",
            c.sparse_layers * share,
            compression=c.sparse_ratio,
            top_k=m.indexer.top_k if m.indexer else 0,
            **shape,
        )
        yield _attention_of(
            site,
            phase,
            f"dense_{phase.value}_attention",
            c.dense_layers * share,
            compression=c.dense_ratio,
            **shape,
        )
    yield from _result_exchange(site, "", heads * d, heads, layers)
    inner = m.query_width // groups
    yield linear("output_down", inner, c.output_rank, layers, p, batch=local_groups)
    yield linear("output_up", local_groups * c.output_rank, h, layers, p)
    yield from all_reduce(site, "attention_all_reduce", layers, h)
