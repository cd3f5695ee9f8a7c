"""Workloads: what the requests look like and what they are promised."""

from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from specc.ir import vocabulary as v
from specc.units import DIMENSIONLESS, TIME, TOKENS, Seconds, Tokens


@frozen(kw_only=True, eq=False, repr=False)
class Slo(v.Node):
    """Service-level objectives on the means over requests; without one there is no limit."""

    ttft: Seconds | None = v.limit(TIME, "time to first token")
    tpot: Seconds | None = v.limit(TIME, "time per output token")


@frozen(kw_only=True, eq=False, repr=False)
class LengthBin(v.Node):
    """A row of the table `requests`: a share of the requests and their lengths, half open."""

    share: float = v.number(
        DIMENSIONLESS, "weight of the bin; weights are normalised", above=0, at_most=1e9
    )
    input: tuple[Tokens, Tokens] = v.lengths("tokens of a prompt, [a, b) or one length")
    output: tuple[Tokens, Tokens] = v.lengths("tokens of an answer, [a, b) or one length")
    prefix_hit: float = v.fraction(
        "share of the prompt found in the prefix cache", default=0.0, at_least=0, below=1
    )


@frozen(kw_only=True, eq=False, repr=False)
class Workload(v.Node):
    """Requests of one shape."""

    planned: ClassVar[Mapping[str, str]] = {
        "requests": "a table of request lengths",
        "simulate": "a request-level simulation",
        "images": "requests with images",
    }

    input: Tokens = v.number(TOKENS, "tokens of a prompt", whole=True, at_least=1)
    output: Tokens = v.number(TOKENS, "tokens of an answer", whole=True, at_least=1)
    prefix_hit: float = v.fraction(
        "share of the prompt found in the prefix cache", default=0.0, at_least=0, below=1
    )
    slo: Slo = v.block(Slo, "service-level objectives")

    @property
    def cached_input(self) -> Tokens:
        """Prompt tokens found in the prefix cache, ⌊input · prefix_hit⌋."""
        # The share was written in decimal; a tiny excess keeps 4100 · 0.6 at 2460.
        return int(self.input * self.prefix_hit + 1e-9)

    @property
    def effective_input(self) -> Tokens:
        """Prompt tokens that prefill computes."""
        return self.input - self.cached_input
