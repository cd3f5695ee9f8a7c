"""What a kind of layer has to say; most have nothing to say on some of it."""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import Site
from specc.ir import Layout
from specc.ir.model import Model
from specc.records import Record


@frozen(eq=False, repr=False)
class Layers(Record):
    """The layers of one kind in a model.

    Bytes and elements are those of one device. A problem is a phrase for the table of layouts
    that were pruned; it is empty where there is none.

    Attributes:
        model: the model that they are part of.
        count: how many there are; 0 where draft layers alone are of this kind.
        counted_as: under which name the facts of a model count them, if they do.
    """

    counted_as: ClassVar[str] = ""

    model: Model
    count: float

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the layers of this kind, or None where the model has no such shape."""
        return cls(model, 1)

    @property
    def drafts(self) -> bool:
        """Whether a draft layer of the model consists of one of these."""
        return False

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        raise NotImplementedError

    def in_stage(self, first: int, end: int) -> float:
        """Return how many of them are among the decoder layers from `first` up to `end`.

        Kinds of attention alternate, so that every stage has its share.
        """
        return self.count * (end - first) / self.model.layers

    def cached_elements(self, tp: int) -> float:
        """Return the elements that a token leaves in the KV cache of one layer, for good."""
        return 0

    def state_bytes(self, site: Site) -> tuple[float, float]:
        """Return the bytes of a sequence in one layer: recurrent state, and convolution."""
        return 0.0, 0.0

    def window_blocks(self, site: Site) -> int:
        """Return the blocks of the KV cache that a sequence holds at most; 0 for no limit."""
        return 0

    def sequence_bytes(self, site: Site) -> float:
        """Return the bytes that a long sequence holds in all these layers, whatever its length.

        Of a state there is one more for each token that is drafted, which may be refused.
        """
        return self.count * (1 + site.drafted) * sum(self.state_bytes(site))

    def table_bytes(self, site: Site) -> int:
        """Return the bytes of position tables that each new token holds, in all these layers."""
        return 0

    def live_bytes(self, site: Site) -> float:
        """Return the bytes that each new token adds to the peak of the live tensors."""
        return 0

    def workspace_bytes(self, site: Site) -> float:
        """Return the bytes that a step holds beside weights, whatever its tokens."""
        return 0.0

    def buffer_bytes(self) -> int:
        """Return the bytes of buffers that are loaded with the weights."""
        return 0

    def tensor_problem(self, tp: int) -> str:
        """Say why the layers cannot be split over `tp` tensor-parallel ranks."""
        return ""

    def context_problem(self, layout: Layout) -> str:
        """Say why the ranks of a layout cannot share the context of a sequence."""
        return ""

    def placement_problem(self, layout: Layout, redundant: int) -> str:
        """Say why a layout cannot place the experts and their `redundant` copies."""
        return ""


@frozen(eq=False, repr=False)
class FullAttention(Layers):
    """Layers that attend to the whole context; a model has one kind of them, draft layers too.

    The liveness is that of the published planner (msmodeling, commit 84fec85), reproduced to
    0.1 % on its dense prefill rows, to some percent with experts.
    """

    counted_as: ClassVar[str] = "full_attention_layers"

    @property
    def drafts(self) -> bool:
        """They are the attention of draft layers."""
        return True

    @property
    def rotated_width(self) -> int:
        """Columns of the tables of the rotary embedding."""
        return self.model.head_dim

    def copies(self, tp: int) -> int:
        """Return how many of `tp` ranks have the same cache."""
        raise NotImplementedError

    def key_elements(self, tp: int) -> float:
        """Return the elements of the keys among those that a token leaves in the cache."""
        key, value = self.model.head_dim, self.model.value_dim
        return self.cached_elements(tp) * key / (key + value)

    def table_bytes(self, site: Site) -> int:
        """Rows of cosine and sine in every layer; one is reused in a quantised dense model."""
        dense = self.model.experts is None
        kept = self.model.layers - (1 if dense and site.precisions.attention.quantised else 0)
        return 2 * HALF * self.rotated_width * kept

    def live_bytes(self, site: Site) -> float:
        """The largest live set of a layer.

        Unquantised the residual with the merged projection, or two buffers around an all-reduce;
        quantised the residual with the tensors around attention. The merged projection is still
        live there in Qwen3-32B, whose query width differs from the hidden size, and freed in
        Qwen3-8B, where they are equal.
        """
        m, tp = self.model, site.layout.tp
        h, q = m.hidden_size, m.query_width // tp
        key = max(1, m.kv_heads // tp) * m.head_dim
        value = max(1, m.kv_heads // tp) * m.value_dim
        if m.experts:
            return HALF * (h + q + key + value)
        if site.precisions.attention.quantised:
            projection = 0 if m.query_width == h else HALF * (q + key + value)
            return HALF * h + 3 * q + key + value + projection
        reduced = 2 * HALF * h if tp > 1 else 0
        return max(reduced, HALF * (h + q + key + value))

    def buffer_bytes(self) -> int:
        """The tables of the rotary embedding, cosine and sine."""
        return 2 * HALF * self.model.max_positions * self.rotated_width

    def tensor_problem(self, tp: int) -> str:
        """Every rank has as many query heads."""
        heads = self.model.attention_heads
        return f"TP = {tp} does not divide {heads} attention heads" if heads % tp else ""

    def context_problem(self, layout: Layout) -> str:
        """Decode shares a context among the ranks that would have copies of its cache."""
        dcp, copies = layout.dcp, self.copies(layout.tp)
        if dcp > 1 and copies % dcp:
            return (
                f"DCP = {dcp} shares copies of key-value heads, and TP = {layout.tp} makes "
                f"{copies} of each"
            )
        return ""


def shared_heads_problem(kv_heads: int, tp: int) -> str:
    """Say why key-value heads can be neither split over the ranks nor copied to them."""
    if kv_heads % tp and tp % kv_heads:
        return f"TP = {tp} and {kv_heads} key-value heads do not divide each other"
    return ""


def unshared_problem(layout: Layout) -> str:
    """Say why a layout shares contexts, which layers without a whole context cannot."""
    shared = layout.dcp * layout.cp > 1
    return "DCP and CP need full attention in every layer" if shared else ""
