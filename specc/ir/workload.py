"""Workloads: what the requests look like and what they are promised."""

import math
from enum import Enum

from attrs import frozen

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
class Workload(v.Node):
    """Requests of one shape, or a mixture of lengths."""

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
    def has_hits(self) -> bool:
        """Whether a share of the prompts is cached at a flat rate, whatever the cache holds."""
        rows = [row.prefix_hit for row in self.requests] or [None]
        return any(self.prefix_hit if hit is None else hit for hit in rows)

    def shapes(self, image_tokens: Tokens = 0) -> tuple[RequestShape, ...]:
        """Return the shapes of the requests; their shares add up to 1.

        `image_tokens` are added to every prompt; the prefix cache holds none of them.
        """
        if not self.requests:
            assert self.input is not None
            assert self.output is not None
            return (self._shape(1.0, (self.input, self.output), None, image_tokens),)
        total = math.fsum(row.share for row in self.requests)
        return tuple(
            self._shape(
                row.share / total, row.lengths(self.point_of(row)), row.prefix_hit, image_tokens
            )
            for row in self.requests
        )

    def point_of(self, row: LengthBin) -> Representative:
        """Return which length stands for a bin."""
        usual = Representative.MEAN if row.means else Representative.MID
        return self.representative or usual

    def _shape(
        self, share: float, lengths: tuple[Tokens, Tokens], hit: float | None, images: Tokens
    ) -> RequestShape:
        prompt, output = lengths
        cached = cached_tokens(prompt, self.prefix_hit if hit is None else hit)
        return RequestShape(share, prompt + images, cached, output)


def cached_tokens(prompt: Tokens, hit: float) -> Tokens:
    """Prompt tokens found in the prefix cache, ⌊prompt · hit⌋; the last one is always computed."""
    # The share was written in decimal; a tiny excess keeps 4100 · 0.6 at 2460.
    return min(int(prompt * hit + 1e-9), prompt - 1)
