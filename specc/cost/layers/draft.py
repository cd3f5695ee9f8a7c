"""Draft layers, which propose tokens after a step (multi-token prediction)."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from specc.cost.layers.base import Layers
from specc.cost.layers.head import prediction
from specc.cost.operators.base import INT64, Operator, Rows
from specc.cost.precision import HALF
from specc.cost.site import Site, copy, head_norm, linear, quantise

_PREFIX = "draft_"


def draft_part(name: str) -> tuple[int, str]:
    """Return which draft layer an operator is of, from 1 (0: of none), and its name there."""
    if not name.startswith(_PREFIX):
        return 0, name
    number, _, own = name.removeprefix(_PREFIX).partition("_")
    return int(number), own


def draft(site: Site, layers: Sequence[Layers]) -> Iterator[Operator]:
    """Yield the draft layers that run one after the other to propose `site.drafted` tokens.

    Each projects the embedding and the hidden state of a token into one, passes a decoder layer,
    made of those of the model's `layers` that draft, and predicts. It runs over all tokens of the
    step and predicts a token for each sequence.
    """
    h, p = site.hidden, site.precisions.attention
    decoder = [evolve(part, count=1) for part in layers if part.drafts]
    for number in range(1, site.drafted + 1):
        prefix = f"{_PREFIX}{number}_"
        yield copy(f"{prefix}embedding", 2 * h * HALF + INT64, 1)
        yield head_norm(f"{prefix}norms", 2 * h, 2 * h, 1)
        yield copy(f"{prefix}concat", 4 * h * HALF, 1)
        if p.quantised:
            yield quantise(f"{prefix}quant", 2 * h, 1, dynamic=p.dynamic)
        yield linear(f"{prefix}projection", 2 * h, h, 1, p)
        for part in decoder:
            for operator in part.operators(site):
                yield evolve(operator, name=prefix + operator.name)
        yield from prediction(site, Rows.REQUESTS, prefix)
