"""Workloads: what the requests look like and what they are promised."""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar, Self

from attrs import evolve, frozen

from specc.ir import vocabulary as v
from specc.ir.formula import Bound
from specc.records import Record
from specc.units import DIMENSIONLESS, TIME, TOKENS, Seconds, Tokens


@frozen(kw_only=True, eq=False, repr=False)
class Slo(v.Node):
    """Service-level objectives on the means over requests; without one there is no limit."""

    ttft: Seconds | None = v.limit(TIME, "time to first token")
    tpot: Seconds | None = v.limit(TIME, "time per output token")
    confidence: float | None = v.fraction(
        "probability with which each limit must hold, whatever the error of the cost model is; "
        "by default limits hold where nothing errs",
        default=None,
        at_least=0.5,
        at_most=0.999,
    )
    tails: tuple[Bound, ...] = v.tails(
        "limits that a simulation checks: ttft, tpot, itl, queue or latency, and a statistic: "
        "mean, p50, p90, p95, p99 or max"
    )

    @property
    def objectives(self) -> tuple[Bound, ...]:
        """All objectives as limits on statistics, those on means first."""
        means = [
            Bound(fact=f"{name}.mean", operator="<=", value=limit, text=f"mean {name.upper()}")
            for name, limit in (("ttft", self.ttft), ("tpot", self.tpot))
            if limit is not None
        ]
        return (*means, *self.tails)

    def without(self, metrics: Sequence[str]) -> Self:
        """Return the objectives without those on some metrics."""
        return evolve(
            self,
            ttft=None if "ttft" in metrics else self.ttft,
            tpot=None if "tpot" in metrics else self.tpot,
            tails=tuple(b for b in self.tails if b.fact.partition(".")[0] not in metrics),
        )


class Representative(Enum):
    """The length that stands for all lengths of a bin."""

    MID = "mid"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"


@frozen(kw_only=True, eq=False, repr=False)
class LengthBin(v.Node):
    """A row of the table `requests`: a share of the requests and their lengths, half open."""

    share: float = v.number(
        DIMENSIONLESS, "weight of the bin; weights are normalised", above=0, at_most=1e9
    )
    input: tuple[Tokens, Tokens] = v.lengths("tokens of a prompt, [a, b) or one length")
    output: tuple[Tokens, Tokens] = v.lengths("output tokens, [a, b) or one length")
    prefix_hit: float | None = v.fraction(
        "share of the prompt found in the prefix cache; by default that of the workload",
        default=None,
        at_least=0,
        below=1,
    )
    # Means of the samples in the bin, prompt and output, if it was built from a trace.
    means: tuple[Tokens, Tokens] | None = None

    def lengths(self, representative: Representative) -> tuple[Tokens, Tokens]:
        """Return the prompt and the output that stand for the bin, at least one token each."""
        if representative is Representative.MEAN:
            assert self.means is not None
            return self.means
        ranges = (self.input, self.output)
        return _point(representative, *ranges[0]), _point(representative, *ranges[1])


def _point(representative: Representative, low: Tokens, high: Tokens) -> Tokens:
    points = {
        Representative.MIN: low,
        Representative.MID: (low + high) // 2,
        Representative.MAX: high - 1,
    }
    return max(1, points[representative])


@frozen(kw_only=True, eq=False, repr=False)
class Images(v.Node):
    """The images of a request; their tokens stand in the prompt beside those of `input`."""

    count: int = v.count("images of a request", default=1)
    width: int = v.count("width of an image in pixels")
    height: int = v.count("height of an image in pixels")


@frozen(eq=False, repr=False)
class RequestShape(Record):
    """Requests of one shape: their share, tokens of prompt (and cached ones of it) and output."""

    share: float
    input: Tokens
    cached: Tokens
    output: Tokens

    @property
    def new(self) -> Tokens:
        """Prompt tokens that prefill computes."""
        return self.input - self.cached


@frozen(kw_only=True, eq=False, repr=False)
class RequestKind(v.Node):
    """What requests of a kind are like, and what they are promised.

    They are of one shape, or a mixture of lengths.
    """

    # What a class gives instead of what its workload has.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "requests": ("input", "output"),
        "input": ("requests", "representative"),
        "output": ("requests", "representative"),
    }

    input: Tokens | None = v.number(
        TOKENS, "tokens of a prompt", whole=True, at_least=1, default=None
    )
    output: Tokens | None = v.number(TOKENS, "output tokens", whole=True, at_least=1, default=None)
    requests: tuple[LengthBin, ...] = v.table(LengthBin, "a mixture of lengths")
    representative: Representative | None = v.choice(
        Representative,
        "the length that stands for a bin; `auto` is the mean of its samples if it was built from "
        "a trace, and the middle otherwise",
        default=None,
    )
    prefix_hit: float = v.fraction(
        "share of the prompt found in the prefix cache", default=0.0, at_least=0, below=1
    )
    images: Images | None = v.block(Images, "images of a request", optional=True)
    slo: Slo = v.block(Slo, "service-level objectives")

    @property
    def uncached(self) -> Self:
        """The same requests with nothing in the prefix cache."""
        rows = tuple(evolve(row, prefix_hit=None) for row in self.requests)
        return evolve(self, prefix_hit=0.0, requests=rows)

    def without_limits(self, metrics: Sequence[str]) -> Self:
        """Return the same requests without their limits on some metrics."""
        return evolve(self, slo=self.slo.without(metrics))

    @property
    def bins(self) -> tuple[LengthBin, ...]:
        """The table of lengths; of requests of one shape a bin that holds it alone."""
        if self.requests:
            return self.requests
        assert self.input is not None
        assert self.output is not None
        whole = LengthBin(
            share=1.0,
            input=(self.input, self.input + 1),
            output=(self.output, self.output + 1),
            spans={name: self.spans[name] for name in ("input", "output") if name in self.spans},
        )
        return (whole,)

    def hit_of(self, row: LengthBin) -> float:
        """Return the share of the prompts of a bin that is cached whatever the cache holds."""
        return self.prefix_hit if row.prefix_hit is None else row.prefix_hit

    def shapes_of_bins(self, image_tokens: Tokens = 0) -> tuple[RequestShape, ...]:
        """Return the shape of each bin; their shares add up to 1.

        `image_tokens` are added to every prompt; the prefix cache holds none of them.
        """
        total = math.fsum(row.share for row in self.bins)
        return tuple(self._shape(row, row.share / total, image_tokens) for row in self.bins)

    def point_of(self, row: LengthBin) -> Representative:
        """Return which length stands for a bin."""
        usual = Representative.MEAN if row.means else Representative.MID
        return self.representative or usual

    def _shape(self, row: LengthBin, share: float, images: Tokens) -> RequestShape:
        prompt, output = row.lengths(self.point_of(row))
        cached = cached_tokens(prompt, self.hit_of(row))
        return RequestShape(share, prompt + images, cached, output)


@frozen(kw_only=True, eq=False, repr=False)
class RequestClass(RequestKind):
    """Requests of a workload with lengths, limits and a priority of their own."""

    share: float = v.number(
        DIMENSIONLESS,
        "share of the requests; the shares of all classes are normalised",
        above=0,
        at_most=1e9,
    )
    priority: int = v.count(
        "place in the queue of an engine with queue = priority: 1 starts first",
        default=1,
        at_most=1000,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Workload(RequestKind):
    """Requests: of one kind, or of several classes."""

    classes: tuple[RequestClass, ...] = v.inheriting_blocks(
        "class",
        RequestClass,
        "requests of their own share and priority; what a class leaves out is as in the workload",
    )

    @property
    def parts(self) -> tuple[RequestKind, ...]:
        """The classes; without any the workload itself."""
        return self.classes or (self,)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the parts; they add up to 1."""
        total = math.fsum(one.share for one in self.classes)
        return tuple(one.share / total for one in self.classes) or (1.0,)

    @property
    def rows(self) -> tuple[tuple[RequestKind, LengthBin], ...]:
        """The bins of all parts, each with its part, in the order of `shapes`."""
        return tuple((part, row) for part in self.parts for row in part.bins)

    @property
    def is_mixed(self) -> bool:
        """Whether requests are of several bins or classes."""
        return bool(self.requests or self.classes)

    @property
    def has_hits(self) -> bool:
        """Whether a share of the prompts is cached at a flat rate, whatever the cache holds."""
        return any(part.hit_of(row) for part, row in self.rows)

    @property
    def fixed_hits(self) -> RequestKind | None:
        """The first part of whose prompts tokens are cached at a flat rate, if there is one."""
        found = (p for p in self.parts if any(shape.cached for shape in p.shapes_of_bins()))
        return next(found, None)

    @property
    def limits(self) -> tuple[tuple[RequestKind, Bound], ...]:
        """The limits of all parts, each with its part."""
        return tuple((part, bound) for part in self.parts for bound in part.slo.objectives)

    @property
    def common_slo(self) -> Slo:
        """The limits that all requests have alike; those of classes are none."""
        return Slo() if self.classes else self.slo

    def shapes(self, image_tokens: Sequence[Tokens] = ()) -> tuple[RequestShape, ...]:
        """Return the shapes of the requests; their shares add up to 1.

        `image_tokens` are those of the prompts of each part; by default there are none.
        """
        tokens = image_tokens or [0] * len(self.parts)
        return tuple(
            evolve(shape, share=share * shape.share)
            for part, share, images in zip(self.parts, self.shares, tokens, strict=True)
            for shape in part.shapes_of_bins(images)
        )

    @property
    def uncached(self) -> Self:
        """The same requests, of all classes, with nothing in the prefix cache."""
        return evolve(super().uncached, classes=tuple(one.uncached for one in self.classes))

    def without_limits(self, metrics: Sequence[str]) -> Self:
        """Return the same requests, of all classes, without their limits on some metrics."""
        classes = tuple(one.without_limits(metrics) for one in self.classes)
        return evolve(super().without_limits(metrics), classes=classes)


def cached_tokens(prompt: Tokens, hit: float) -> Tokens:
    """Prompt tokens found in the prefix cache, ⌊prompt · hit⌋; the last one is always computed."""
    # The share was written in decimal; a tiny excess keeps 4100 · 0.6 at 2460.
    return min(int(prompt * hit + 1e-9), prompt - 1)
