"""The table of units. Ours: pint costs 0.8 s to import and takes bytes for plain numbers."""

from attrs import frozen

from specc.records import Record
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


@frozen(eq=False, repr=False)
class Unit(Record):
    """A unit: its `scale` in base units of its `dimension`."""

    scale: int | float
    dimension: Dimension


MULTIPLIERS: dict[str, int] = {
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}

UNITS: dict[str, Unit] = {
    "%": Unit(0.01, DIMENSIONLESS),
    "tok": Unit(1, TOKENS),
    "req": Unit(1, REQUESTS),
    "ns": Unit(1e-9, TIME),
    "us": Unit(1e-6, TIME),
    "ms": Unit(1e-3, TIME),
    "s": Unit(1, TIME),
    "min": Unit(60, TIME),
    "h": Unit(3600, TIME),
    "B": Unit(1, BYTES),
    "KB": Unit(10**3, BYTES),
    "MB": Unit(10**6, BYTES),
    "GB": Unit(10**9, BYTES),
    "TB": Unit(10**12, BYTES),
    "KiB": Unit(2**10, BYTES),
    "MiB": Unit(2**20, BYTES),
    "GiB": Unit(2**30, BYTES),
    "TiB": Unit(2**40, BYTES),
    "FLOPS": Unit(1, FLOP_RATE),
    "KFLOPS": Unit(10**3, FLOP_RATE),
    "MFLOPS": Unit(10**6, FLOP_RATE),
    "GFLOPS": Unit(10**9, FLOP_RATE),
    "TFLOPS": Unit(10**12, FLOP_RATE),
    "PFLOPS": Unit(10**15, FLOP_RATE),
    "W": Unit(1, POWER),
    "kW": Unit(1000, POWER),
    "Wh": Unit(3600, ENERGY),
    "kWh": Unit(3_600_000, ENERGY),
    **{currency.symbol: Unit(1, currency) for currency in CURRENCIES},
}


_TYPICAL = {TIME: "ms", BYTES: "GiB", BYTES / TIME: "GB/s", FLOP_RATE: "TFLOPS", ENERGY: "Wh"}


def typical_unit(dimension: Dimension) -> str:
    """Return the unit that an example would use; empty for a plain number."""
    if dimension == DIMENSIONLESS:
        return ""
    return _TYPICAL.get(dimension) or (units_of(dimension) or [dimension.symbol])[0]


def units_of(dimension: Dimension) -> list[str]:
    """List the units, simple and rates, that have this dimension, smallest first."""
    simple = [(u.scale, name) for name, u in UNITS.items() if u.dimension == dimension]
    if simple:
        return [name for _, name in sorted(simple)]
    per_second = dimension * TIME
    return [f"{name}/s" for name in units_of(per_second)] if per_second != DIMENSIONLESS else []
