"""What a step runs beside its layers: embedding, output, vision encoder, draft layers."""

from collections.abc import Iterator

from specc.cost.network.attention import full_attention
from specc.cost.network.mlp import dense, experts
from specc.cost.network.site import Site, communication, copy, head_norm, linear, norm, quantise
from specc.cost.operators.attention import EncoderAttention
from specc.cost.operators.base import INT64, Operator, Rows
from specc.cost.operators.communication import Collective
from specc.cost.operators.dense import Elementwise, Gather
from specc.cost.precision import HALF, PLAIN
from specc.cost.reference.operators import PlannerGather
from specc.ir import Vision


def embedding(site: Site) -> Iterator[Operator]:
    """Yield the lookup of tokens."""
    m, h = site.model, site.hidden
    yield Elementwise(
        name="embedding",
        repeat=1,
        rows=Rows.TOKENS,
        row_bytes=2 * h * HALF + INT64,
        held=0 if m.tied_embeddings else m.vocab_size * h,
    )
    if site.planner:
        # It charges a gather with its whole table, for cosine and for sine.
        width = m.latent.rope_head_dim if m.latent else m.head_dim
        table = m.max_positions * width * HALF
        yield copy("rope_table", width * HALF + INT64, 2, fixed=table)


def output(site: Site, rows: Rows = Rows.SAMPLED, prefix: str = "") -> Iterator[Operator]:
    """Yield the final norm and the projection to the vocabulary, split over the ranks."""
    m, h, tp = site.model, site.hidden, site.layout.tp
    vocab = -(-m.vocab_size // tp)
    yield norm(f"{prefix}final_norm", h, 1)
    if rows is Rows.SAMPLED:
        gather = PlannerGather if site.planner else Gather
        yield gather(name="last_token", repeat=1, row_bytes=h * HALF)
    yield linear(f"{prefix}lm_head", h, vocab, 1, site.precisions.output, rows=rows)
    if tp > 1:
        yield communication(
            f"{prefix}logits_all_gather",
            Collective.ALL_GATHER,
            vocab * HALF,
            tp,
            1,
            rows=rows,
        )


def draft(site: Site, drafted: int) -> Iterator[Operator]:
    """Yield the draft layers that run one after the other to propose `drafted` tokens.

    Each projects the embedding and the hidden state of a token into one, passes a decoder layer
    and predicts. It runs over all tokens of the step and predicts a token for each sequence.
    """
    h, p = site.hidden, site.precisions.attention
    for number in range(1, drafted + 1):
        prefix = f"draft_{number}_"
        yield copy(f"{prefix}embedding", 2 * h * HALF + INT64, 1)
        yield head_norm(f"{prefix}norms", 2 * h, 2 * h, 1)
        yield copy(f"{prefix}concat", 4 * h * HALF, 1)
        if p.quantised:
            yield quantise(f"{prefix}quant", 2 * h, 1, dynamic=p.dynamic)
        yield linear(f"{prefix}projection", 2 * h, h, 1, p)
        yield from _renamed(prefix, full_attention(site, 1))
        e = site.model.experts
        yield from _renamed(prefix, experts(site, e, 1) if e else dense(site, 1))
        yield from output(site, Rows.REQUESTS, prefix)


def _renamed(prefix: str, operators: Iterator[Operator]) -> Iterator[Operator]:
    from attrs import evolve

    for operator in operators:
        yield evolve(operator, name=prefix + operator.name)


def encoder(site: Site, v: Vision) -> Iterator[Operator]:
    """Yield the vision encoder, which every tensor-parallel rank runs in its share of heads."""
    h, i, tp = v.hidden_size, v.intermediate_size, site.layout.tp
    merged, out = v.merged_width, site.hidden
    rows = Rows.PATCHES
    heads = max(1, v.heads // tp)
    width = heads * (h // v.heads)
    yield linear("patch_embedding", v.patch_elements, h, 1, PLAIN, rows=rows)
    yield copy("encoder_norms", 8 * h * HALF, v.layers, rows=rows)
    yield linear("encoder_qkv", h, 3 * width, v.layers, PLAIN, rows=rows)
    yield EncoderAttention(
        name="encoder_attention", repeat=v.layers, heads=heads, head_dim=h // v.heads
    )
    yield linear("encoder_output", width, h, v.layers, PLAIN, rows=rows)
    yield linear("encoder_up", h, max(1, i // tp), v.layers, PLAIN, rows=rows)
    yield copy("encoder_gelu", 2 * max(1, i // tp) * HALF, v.layers, rows=rows)
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
