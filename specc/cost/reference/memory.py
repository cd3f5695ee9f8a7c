"""Weights as the published planner counts them (msmodeling, commit 84fec85, compiled graph)."""

import math
from collections.abc import Sequence

from attrs import frozen

from specc.cost.layers import Layers, draft_part
from specc.cost.memory import ENDS, Ends, MemoryModel
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site
from specc.ir import Software

_OF_EACH_DRAFT = ("norms", "projection", "final_norm", "lm_head")


@frozen(eq=False, repr=False)
class PlannerMemory(MemoryModel):
    """The embedding is whole on every rank, a tied output is a table of its own.

    A draft layer has an embedding and an output projection of its own. The second drafted token
    and those after it have their projections of their own, and the decoder layer of the first.
    """

    @property
    def _pager(self) -> Software:
        """An engine whose states have memory of their own: the planner's blocks are as asked."""
        return Software.SGLANG

    @classmethod
    def draft_layers_of(cls, site: Site) -> int:
        """Return as many caches as tokens are drafted."""
        return site.drafted

    @classmethod
    def embedding_bytes(cls, site: Site) -> int:
        """Return the bytes of whole tables: that of the model, and that of a draft layer."""
        tables = 1 + min(1, site.drafted)
        return HALF * site.model.vocab_size * site.model.hidden_size * tables

    @classmethod
    def is_tied(cls, site: Site) -> bool:
        """Say that the output projection is a table of its own."""
        return False

    @classmethod
    def is_inner(cls, operator: Operator, drafted: int) -> bool:
        """Say whether an operator is of a layer, or of a drafted token."""
        number, name = draft_part(operator.name)
        return operator.name not in ENDS and (number < 2 or name in _OF_EACH_DRAFT)

    @classmethod
    def fullest_stage(
        cls, site: Site, layers: Sequence[Layers], inner: Sequence[Operator], ends: Ends
    ) -> float:
        """Return the share of all layers alike that the longest stage has, and the larger end."""
        held = math.fsum(op.repeat * op.weight_bytes for op in inner) + cls.scale_bytes(site)
        return held * site.stage_share + max(ends)
