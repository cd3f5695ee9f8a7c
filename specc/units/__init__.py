"""Quantities with dimensions: what `8Ki tok`, `50 ms` and `1.6 TiB/s` mean.

In: the text of a number and its unit. Out: `Quantity`, a value in base units (seconds, bytes,
tokens, requests, FLOP, watts, a currency) with its `Dimension`. Read `quantity.py` first.
"""

from specc.units.dimension import (
    BYTES,
    CURRENCIES,
    DIMENSIONLESS,
    ENERGY,
    FLOP_RATE,
    POWER,
    REQUESTS,
    TIME,
    TOKENS,
    Dimension,
)
from specc.units.price import Price
from specc.units.quantity import (
    DimensionMismatchError,
    Number,
    NumberError,
    Quantity,
    UnknownUnitError,
    calculate,
    counted,
    parse_quantity,
    spaced_quantity,
)
from specc.units.table import UNITS, Unit, typical_unit, units_of

# What a plain number means, where no `Quantity` is needed any more: values in base units.
Seconds = float
Bytes = int
Tokens = int
BytesPerSecond = float
FlopPerSecond = float
Watts = float

__all__ = [
    "BYTES",
    "CURRENCIES",
    "DIMENSIONLESS",
    "ENERGY",
    "FLOP_RATE",
    "POWER",
    "REQUESTS",
    "TIME",
    "TOKENS",
    "UNITS",
    "Bytes",
    "BytesPerSecond",
    "Dimension",
    "DimensionMismatchError",
    "FlopPerSecond",
    "Number",
    "NumberError",
    "Price",
    "Quantity",
    "Seconds",
    "Tokens",
    "Unit",
    "UnknownUnitError",
    "Watts",
    "calculate",
    "counted",
    "parse_quantity",
    "spaced_quantity",
    "typical_unit",
    "units_of",
]
