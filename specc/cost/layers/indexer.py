"""The indexer of sparse attention, which latent and compressed layers may have."""

from collections.abc import Iterator

from specc.cost.layers.attention import attention_of
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective
from specc.cost.site import Site, communication
from specc.ir.layers import Indexer
from specc.ir.model import Model

_INT32 = 4  # bytes of a picked index


def index_elements(model: Model) -> int:
    """Return the elements of the key that an entry of the cache has for the indexer."""
    return model.indexer.head_dim if model.indexer else 0


def index_scores(site: Site, i: Indexer, layers: float, compression: int = 1) -> Iterator[Operator]:
    """Yield the scores of all cached entries, one for `compression` tokens, for each query.

    In prefill the ranks may share the queries, and gather what each has picked.
    """
    tp = site.layout.tp if site.splits_indexing else 1
    shape = {"heads": i.heads, "kv_heads": 1, "key_dim": i.head_dim, "value_dim": 0}
    for phase in AttentionPhase:
        yield attention_of(
            site,
            phase,
            f"{phase.value}_index_scores",
            layers,
            cached_width=i.head_dim,
            compression=compression,
            token_share=1 / tp if phase is AttentionPhase.PREFILL else 1.0,
            **shape,
        )
    if tp > 1:
        yield communication(
            "index_all_gather",
            Collective.ALL_GATHER,
            i.top_k * _INT32 / tp,
            tp,
            layers,
            rows=Rows.PREFILLED,
        )
