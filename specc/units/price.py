"""Prices: money per time."""

from attrs import frozen

from specc.records import Record


@frozen(eq=False, repr=False)
class Price(Record):
    """What a second of something costs, in a currency such as CNY."""

    per_second: float
    currency: str
