"""Weights as the published planner counts them (msmodeling, commit 84fec85, compiled graph)."""

import math
from collections.abc import Sequence

from attrs import frozen

from specc.cost.layers import Layers, draft_part
from specc.cost.memory import ENDS, MemoryModel
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site

_OF_EACH_DRAFT = ("norms", "projection", "final_norm", "lm_head")


@frozen(eq=False, repr=False)
class PlannerMemory(MemoryModel):
    """The embedding is whole on every rank, a tied output is a table of its own.

    A draft layer has an embedding and an output projection of its own. The second drafted token
    and those after it have their projections of their own, and the decoder layer of the first.
    """

    @classmethod
    def draft_layers_of(cls, site: Site) -> int:
        """Return as many caches as tokens are drafted."""
        return site.drafted

    @classmethod
    def weights_of(cls, site: Site, layers: Sequence[Layers], held: Sequence[Operator]) -> float:
        """Return the weights and buffers of the fullest device, in bytes."""
        m = site.model
        inner = math.fsum(op.repeat * op.weight_bytes for op in held if _is_inner(op))
        head = math.fsum(op.repeat * op.weight_bytes for op in held if op.name in ENDS[1:])
        embedding = HALF * m.vocab_size * m.hidden_size * (1 + min(1, site.drafted))
        buffers = sum(part.buffer_bytes() for part in layers)
        outer = embedding + head if site.layout.pp == 1 else max(embedding, head)
        return (inner + cls.scale_bytes(site)) * site.stage_share + outer + buffers


def _is_inner(operator: Operator) -> bool:
    number, name = draft_part(operator.name)
    return operator.name not in ENDS and (number < 2 or name in _OF_EACH_DRAFT)
