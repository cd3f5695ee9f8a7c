"""Dimensions: products of powers of the base quantities."""

from attrs import frozen

_NAMES = {
    "s": "time",
    "B": "data size",
    "tok": "tokens",
    "req": "requests",
    "FLOP": "operations",
    "W": "power",
}


@frozen(repr=False)
class Dimension:
    """A product of powers of base symbols, such as `tok/s`.

    `exponents` holds (symbol, power) pairs, sorted by symbol, without zero powers.
    """

    exponents: tuple[tuple[str, int], ...] = ()

    @classmethod
    def base(cls, symbol: str) -> "Dimension":
        """Return the dimension of one base symbol."""
        return cls(((symbol, 1),))

    def __mul__(self, other: "Dimension") -> "Dimension":
        return self._combined(other, 1)

    def __truediv__(self, other: "Dimension") -> "Dimension":
        return self._combined(other, -1)

    def _combined(self, other: "Dimension", sign: int) -> "Dimension":
        powers = dict(self.exponents)
        for symbol, power in other.exponents:
            powers[symbol] = powers.get(symbol, 0) + sign * power
        return Dimension(tuple(sorted((s, p) for s, p in powers.items() if p)))

    @property
    def symbol(self) -> str:
        """The unit of the dimension in base units, such as `tok/s`; empty if dimensionless."""
        above = "·".join(_power(s, p) for s, p in self.exponents if p > 0)
        below = "·".join(_power(s, -p) for s, p in self.exponents if p < 0)
        if not below:
            return above
        return f"{above or '1'}/{below}"

    def __str__(self) -> str:
        """Name the dimension as a person would: `time`, `data size per time`."""
        if not self.exponents:
            return "a plain number"
        above = [_NAMES.get(s, s) for s, p in self.exponents if p > 0]
        below = [_NAMES.get(s, s) for s, p in self.exponents if p < 0]
        if not all(abs(p) == 1 for _, p in self.exponents):
            return self.symbol
        text = " × ".join(above) or "number"
        return f"{text} per {' and '.join(below)}" if below else text

    def __repr__(self) -> str:
        return f"Dimension({self.symbol or '1'})"


def _power(symbol: str, power: int) -> str:
    return symbol if power == 1 else f"{symbol}^{power}"


DIMENSIONLESS = Dimension()
TIME = Dimension.base("s")
BYTES = Dimension.base("B")
TOKENS = Dimension.base("tok")
REQUESTS = Dimension.base("req")
POWER = Dimension.base("W")
FLOP_RATE = Dimension.base("FLOP") / TIME
ENERGY = POWER * TIME
CURRENCIES = tuple(Dimension.base(symbol) for symbol in ("CNY", "USD", "EUR"))
