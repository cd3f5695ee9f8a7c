"""Where a layer runs: the model, its layout and formats, and the operators that layers share."""

import math
from collections.abc import Iterator

from attrs import evolve, frozen

from specc.cost.operators.base import INT64, Operator, OperatorClass, Rows
from specc.cost.operators.communication import EXCHANGES, Collective, CollectiveOperator
from specc.cost.operators.dense import Elementwise, Gemm
from specc.cost.precision import HALF, Format, Precision, Precisions
from specc.engines import splits_indexing, splits_shared_experts
from specc.ir import Communication, Deployment, Dispatch, Engine, ExpertPlacement, Layout, Model
from specc.records import Record

SCALE = 4  # bytes of a quantisation scale, fp32
NORM_FLOP = 5  # vector operations an element of RMSNorm
ROPE_FLOP = 3


@frozen(eq=False, repr=False)
class Site(Record):
    """One device of a deployment in a layout, for which operators are listed.

    `drafted` tokens are proposed by draft layers after each step. `splits_indexing` tells whether
    tensor-parallel ranks share the prompt tokens that an indexer scores.
    """

    model: Model
    layout: Layout
    precisions: Precisions
    options: Communication
    placement: ExpertPlacement
    engine: Engine
    drafted: int = 0
    splits_indexing: bool = False

    @classmethod
    def of(cls, deployment: Deployment, layout: Layout, drafted: int = 0) -> "Site":
        """Return the site of a deployment in a layout."""
        return cls(
            model=deployment.model,
            layout=layout,
            precisions=Precisions.of(deployment),
            options=deployment.communication,
            placement=evolve(
                deployment.experts, shard_shared=splits_shared_experts(deployment, layout)
            ),
            engine=deployment.engine,
            drafted=drafted,
            splits_indexing=splits_indexing(deployment),
        )

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""
        return self.model.hidden_size

    @property
    def stage_share(self) -> float:
        """Share of the layers that the fullest pipeline stage holds."""
        return math.ceil(self.model.layers / self.layout.pp) / self.model.layers

    @property
    def slices_tokens(self) -> bool:
        """Whether tensor-parallel ranks route slices of the tokens to experts elsewhere."""
        return self.layout.ep > 1 and self.options.dispatch is not Dispatch.ALL_GATHER

    @property
    def norm_share(self) -> float:
        """Share of the tokens that a rank normalises: all, or its part of the sequence."""
        return 1 / self.layout.tp if self.options.sequence_parallel else 1.0

    def split(self, heads: int) -> int:
        """Return the heads of one tensor-parallel rank; fewer heads than ranks are copied."""
        return max(1, heads // self.layout.tp)


def linear(
    name: str,
    inner: int,
    outer: int,
    repeat: float,
    precision: Precision,
    *,
    rows: Rows = Rows.TOKENS,
    share: float = 1.0,
    bias: bool = False,
    batch: int = 1,
) -> Gemm:
    """A linear layer."""
    return Gemm(
        name=name,
        repeat=repeat,
        rows=rows,
        inner=inner,
        outer=outer,
        precision=precision,
        share=share,
        bias=bias,
        batch=batch,
    )


def mlp_inner(
    name: str,
    gated: bool,
    hidden: int,
    columns: int,
    repeat: float,
    precision: Precision,
    *,
    share: float = 1.0,
) -> Iterator[Operator]:
    """An MLP up to its inner width of `columns`: gate and up in one, or up, and the activation.

    Args:
        name: the name of the operators, with `{}` for what each of them is.
    """
    up, up_name, activation = (2, "gate_up", "swiglu") if gated else (1, "up", "activation")
    yield linear(name.format(up_name), hidden, up * columns, repeat, precision, share=share)
    yield copy(name.format(activation), (up + 1) * columns * HALF, repeat, share=share)


def norm(
    name: str, width: int, repeat: float, *, quantised: bool = False, share: float = 1.0
) -> Elementwise:
    """RMSNorm of the residual stream; fused with quantisation its arithmetic is hidden."""
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=width * HALF + width * (1 if quantised else HALF),
        fixed_bytes=width * HALF + (SCALE if quantised else 0),
        row_vector_flop=0 if quantised else NORM_FLOP * width,
        share=share,
        held=width,
    )


def head_norm(name: str, width: int, weights: int, repeat: float) -> Elementwise:
    """RMSNorm of heads; `weights` are the learned factors that they share."""
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=2 * width * HALF,
        fixed_bytes=weights * HALF,
        row_vector_flop=NORM_FLOP * width,
        held=weights,
    )


def add_norm(
    site: Site, name: str, repeat: float, *, quantised: bool, share: float = 1.0
) -> Elementwise:
    """Residual addition and norm: reads both branches, writes their sum and its norm."""
    h = site.hidden
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=3 * h * HALF + (1 if quantised else HALF) * h,
        fixed_bytes=h * HALF + (SCALE if quantised else 0),
        share=share,
        held=h,
    )


def quantise(
    name: str, width: int, repeat: float, *, dynamic: bool, share: float = 1.0
) -> Elementwise:
    """Quantisation of inputs: 16 bit in, int8 and a scale out; dynamic if the scale is found."""
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=width * HALF + width,
        fixed_bytes=SCALE,
        share=share,
        quantises=width if dynamic else 0,
    )


def copy(
    name: str,
    row_bytes: float,
    repeat: float,
    *,
    fixed: float = 0,
    share: float = 1.0,
    rows: Rows = Rows.TOKENS,
) -> Elementwise:
    """Elementwise work that costs its bytes alone."""
    return Elementwise(
        name=name, repeat=repeat, rows=rows, row_bytes=row_bytes, fixed_bytes=fixed, share=share
    )


def rope(name: str, width: int, rotated: int, repeat: float) -> Elementwise:
    """Rotary embedding of heads of `width` together, tables of `rotated` columns."""
    return Elementwise(
        name=name,
        repeat=repeat,
        rows=Rows.TOKENS,
        row_bytes=2 * width * HALF + 2 * rotated * HALF,
        row_vector_flop=ROPE_FLOP * width,
        vector_format=Format.FP16,
    )


def kv_write(name: str, width: int, repeat: float, element: int = HALF) -> Elementwise:
    """Writing a token's entry of `width` elements into the cache."""
    return copy(name, width * (HALF + element) + INT64, repeat)


def all_reduce(site: Site, name: str, repeat: float, width: int) -> Iterator[Operator]:
    """Sum over the tensor-parallel ranks; with sequence parallelism in two halves."""
    tp = site.layout.tp
    if tp == 1:
        return
    if not site.options.sequence_parallel:
        yield communication(
            name,
            Collective.ALL_REDUCE,
            width * HALF,
            tp,
            repeat,
            overlapped=site.options.fuse_all_reduce,
        )
        return
    yield communication(
        name.replace("all_reduce", "reduce_scatter"),
        Collective.REDUCE_SCATTER,
        width * HALF,
        tp,
        repeat,
        overlapped=site.options.fuse_all_reduce,
    )
    yield communication(
        name.replace("all_reduce", "all_gather"),
        Collective.ALL_GATHER,
        width * HALF,
        tp,
        repeat,
        share=1 / tp,
    )


def communication(
    name: str,
    collective: Collective,
    row_bytes: float,
    group: int,
    repeat: float,
    *,
    rows: Rows = Rows.TOKENS,
    stride: int = 1,
    share: float = 1.0,
    overlapped: bool = False,
    pooled: bool = False,
) -> CollectiveOperator:
    """A collective."""
    exchanges = collective in EXCHANGES
    return CollectiveOperator(
        name=name,
        kind=OperatorClass.EXCHANGE if exchanges else OperatorClass.COLLECTIVE,
        repeat=repeat,
        rows=rows,
        row_bytes=row_bytes,
        collective=collective,
        group=group,
        stride=stride,
        share=share,
        overlapped=overlapped,
        pooled=pooled,
    )
