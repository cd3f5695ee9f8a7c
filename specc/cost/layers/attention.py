"""What kinds of attention share: an attention operator, and exchanges over a shared context."""

from collections.abc import Iterator
from typing import Any

from specc.cost.operators.attention import Attention, AttentionPhase
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective
from specc.cost.precision import HALF
from specc.cost.site import Site, communication


def attention_of(
    site: Site,
    phase: AttentionPhase,
    name: str,
    layers: float,
    **shape: Any,
) -> Attention:
    """One phase of attention; context parallelism gives a device a share of the decode context.

    Ranks that share a context exchange queries, so each has the heads of all of them.
    """
    shared = site.layout.dcp * site.layout.cp if phase is AttentionPhase.DECODE else 1
    heads = shape.pop("heads") * (site.layout.dcp if phase is AttentionPhase.DECODE else 1)
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


def query_exchange(
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


def result_exchange(
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
