"""How small and how large a quantity of each dimension can be: the one place for such bounds.

The bounds are wider than anything that is built or sold, and narrow enough that the sums and
products that a plan takes of its numbers stay within 64 bits.
"""

from attrs import frozen

from specc.records import Record
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    FLOP_RATE,
    POWER,
    REQUESTS,
    TIME,
    TOKENS,
    Dimension,
    Number,
)

LARGEST_COUNT = 1_000_000  # of things that one plan counts: devices, heads, images
LARGEST_BLOCK = 65_536  # tokens of a block of a cache
LARGEST_HOURLY_PRICE = 1e9


@frozen(eq=False, repr=False)
class Extent(Record):
    """The smallest quantity of a dimension that is not 0, and the largest, in base units."""

    smallest: Number
    largest: Number


@frozen(eq=False, repr=False)
class ValueRange(Record):
    """The numbers that a field takes, in base units: `at_least` to `at_most`, or under `below`."""

    at_least: Number
    at_most: Number | None
    below: Number | None = None

    def misses(self, number: Number) -> str:
        """Return what is wrong with a number: too small or too large; empty if it is inside."""
        if number < self.at_least:
            return "too small"
        if self.at_most is not None and number > self.at_most:
            return "too large"
        if self.below is not None and number >= self.below:
            return "too large"
        return ""


_EXTENTS: dict[Dimension, Extent] = {
    DIMENSIONLESS: Extent(1e-9, 1e9),
    TIME: Extent(1e-12, 1e9),  # a picosecond to 30 years
    BYTES: Extent(1, 2**50),  # 1 PiB
    BYTES / TIME: Extent(1, 1e18),
    TOKENS: Extent(1, 10**9),
    FLOP_RATE: Extent(1, 1e21),
    POWER: Extent(1e-3, 1e6),
    REQUESTS: Extent(1, 10**9),
    REQUESTS / TIME: Extent(1e-6, 1e9),  # a request in twelve days
}
_OTHER = Extent(1e-18, 1e18)


def extent_of(dimension: Dimension) -> Extent:
    """Return how small and how large a quantity of a dimension can be."""
    return _EXTENTS.get(dimension, _OTHER)
