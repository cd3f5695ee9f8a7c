"""Quantities: a value in base units with its dimension, and the arithmetic on them."""

import math
import operator
import re
from collections.abc import Callable

from attrs import field, frozen

from specc.records import Record
from specc.units.dimension import DIMENSIONLESS, Dimension
from specc.units.table import MULTIPLIERS, UNITS

Number = int | float

_QUANTITY = re.compile(
    r"(?P<number>\d[\d_]*(?P<fraction>\.\d[\d_]*)?(?P<exponent>[eE][+-]?\d+)?)"
    r"(?P<multiplier>(?:[KMGT]i|[kMGT])(?![A-Za-z]))?"
    r"[ \t]*(?P<unit>%|[A-Za-z]+(?:/[A-Za-z]+)?)?\Z"
)


class UnknownUnitError(ValueError):
    """A unit that the table does not have; `unit` is the part that is unknown."""

    def __init__(self, unit: str) -> None:
        super().__init__(f"unknown unit '{unit}'")
        self.unit = unit


class NumberError(ValueError):
    """A number that no computer can hold, such as 1e400."""


class DimensionMismatchError(ValueError):
    """Two quantities whose dimensions do not fit together in a sum or a comparison."""

    def __init__(self, left: Dimension, right: Dimension) -> None:
        super().__init__(f"{left} and {right} do not fit together")
        self.left = left
        self.right = right


@frozen(eq=False, repr=False)
class Quantity(Record):
    """`value` in base units (s, B, tok, req, FLOP/s, W, a currency) of `dimension`.

    `unit` is the unit it was written in; it serves display alone and is not compared.
    Whole numbers stay `int`, so byte counts and token counts are exact.
    """

    value: Number
    dimension: Dimension = DIMENSIONLESS
    unit: str = field(default="", eq=False)

    def __add__(self, other: "Quantity") -> "Quantity":
        return self._summed(other, operator.add)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return self._summed(other, operator.sub)

    def __mul__(self, other: "Quantity") -> "Quantity":
        unit = self.unit or other.unit if not (self.unit and other.unit) else ""
        return Quantity(
            _finite(self.value * other.value), self.dimension * other.dimension, _display(unit)
        )

    def __truediv__(self, other: "Quantity") -> "Quantity":
        """Divide; raises ZeroDivisionError for a zero divisor."""
        value = float(_finite(self.value / other.value))
        exact = int(value) if value.is_integer() and abs(value) < 2**53 else value
        unit = "" if other.unit else self.unit
        return Quantity(exact, self.dimension / other.dimension, _display(unit))

    def __neg__(self) -> "Quantity":
        return Quantity(-self.value, self.dimension, self.unit)

    def __str__(self) -> str:
        """Show the value in the unit it was written in, else in base units."""
        unit = self.unit or self.dimension.symbol
        try:
            scale, dimension = _unit(unit)
        except UnknownUnitError:
            scale, dimension = 1, self.dimension
        if dimension != self.dimension:
            scale, unit = 1, self.dimension.symbol
        # Twelve digits hide what binary fractions leave of a decimal value.
        number = f"{self.value / scale:,.12g}"
        return f"{number}{'' if unit == '%' else ' '}{unit}".rstrip()

    def compared(self, other: "Quantity") -> int:
        """Return -1, 0 or 1 as self is less than, equal to or greater than `other`.

        Raises:
            DimensionMismatchError: the dimensions differ.
        """
        if self.dimension != other.dimension:
            raise DimensionMismatchError(self.dimension, other.dimension)
        return (self.value > other.value) - (self.value < other.value)

    def _summed(self, other: "Quantity", add: Callable[[Number, Number], Number]) -> "Quantity":
        if self.dimension != other.dimension:
            raise DimensionMismatchError(self.dimension, other.dimension)
        value = _finite(add(self.value, other.value))
        return Quantity(value, self.dimension, self.unit or other.unit)


def counted(number: int, noun: str) -> str:
    """Show a count with its noun: `1 device`, `8 devices`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def calculate(operator_: str, left: Quantity, right: Quantity) -> Quantity:
    """Apply one of + - * / to two quantities; raises as the operation itself does."""
    return _OPERATIONS[operator_](left, right)


_OPERATIONS: dict[str, Callable[[Quantity, Quantity], Quantity]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def parse_quantity(text: str) -> Quantity:
    """Read a number with an optional multiplier and unit: `8Ki tok`, `1.6 TiB/s`, `50%`.

    Raises:
        UnknownUnitError: the unit is not in the table.
        NumberError: the number is too large to hold, or malformed.
    """
    match = _QUANTITY.match(text)
    if match is None:
        raise NumberError(f"'{text}' is not a number")
    digits = match["number"].replace("_", "")
    whole = not (match["fraction"] or match["exponent"])
    if whole and len(digits) > 300:
        raise NumberError(f"a number of {len(digits)} digits is too large")
    value: Number = int(digits) if whole else float(digits)
    if match["multiplier"]:
        value = _scaled(value, MULTIPLIERS[match["multiplier"]])
    unit = match["unit"] or ""
    scale, dimension = _unit(unit)
    return Quantity(_scaled(value, scale), dimension, unit)


def spaced_quantity(text: str) -> str:
    """Return a quantity as it is best written: `2000tok` as `2000 tok`, `50 %` as `50%`."""
    match = _QUANTITY.match(text)
    if match is None:
        return text
    unit = match["unit"] or ""
    gap = " " if unit and unit != "%" else ""
    return f"{match['number']}{match['multiplier'] or ''}{gap}{unit}"


def _unit(text: str) -> tuple[Number, Dimension]:
    if not text:
        return 1, DIMENSIONLESS
    above, _, below = text.partition("/")
    for name in filter(None, (above, below)):
        if name not in UNITS:
            raise UnknownUnitError(name)
    unit = UNITS[above]
    if not below:
        return unit.scale, unit.dimension
    per = UNITS[below]
    scale = unit.scale if per.scale == 1 else unit.scale / per.scale
    return scale, unit.dimension / per.dimension


def _scaled(value: Number, scale: Number) -> Number:
    """Scale `value`; a result that is a whole number of base units becomes an exact int."""
    # 47 * 1e-3 is not 0.047 in binary; dividing by the whole reciprocal rounds only once.
    reciprocal = round(1 / scale)
    if scale < 1 and math.isclose(reciprocal * scale, 1, rel_tol=1e-12):
        scaled = _finite(value / reciprocal)
    else:
        scaled = _finite(value * scale)
    if isinstance(scaled, float) and scaled.is_integer() and abs(scaled) < 2**53:
        return int(scaled)
    return scaled


def _finite(value: Number) -> Number:
    if isinstance(value, float) and not math.isfinite(value):
        raise NumberError("the number is too large to hold")
    if isinstance(value, int) and abs(value) > 10**300:
        raise NumberError("the number is too large to hold")
    return value


def _display(unit: str) -> str:
    return "" if unit == "%" else unit
