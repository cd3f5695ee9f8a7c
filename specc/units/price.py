"""Prices: money per time."""

from attrs import frozen


@frozen
class Price:
    """What a second of something costs, in a currency such as CNY."""

    per_second: float
    currency: str
