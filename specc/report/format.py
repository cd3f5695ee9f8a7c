"""Numbers as reports show them. Rounding happens here, at the edge, and nowhere else."""

import math
from collections.abc import Callable

from specc.ir import facts
from specc.ir.facts import Digits
from specc.units import BYTES, ENERGY, REQUESTS, TIME, TOKENS

USUAL_DIGITS = 3  # of an estimate; the result file has nine
MOST_DIGITS = 6


def milliseconds(seconds: float) -> str:
    """Show a time in ms with the digits that an estimate has: `49.8`, `15,500`."""
    return significant(seconds * 1e3)


def duration(seconds: float) -> str:
    """Show a time with the unit that suits it, without zeros at the end: `49.8 ms`, `15 s`."""
    if seconds >= 0.9995:  # which is 1,000 ms in three digits
        return f"{_short(seconds)} s"
    return f"{_short(seconds * 1e3)} ms"


def estimate(seconds: float, digits: int) -> str:
    """Show an estimated time in so many digits: `1.8 s`, `48 ms`."""
    if seconds >= 1 - 0.5 * 10.0**-digits:
        return f"{significant(seconds, digits)} s"
    return f"{significant(seconds * 1e3, digits)} ms"


def significant(value: float, digits: int = USUAL_DIGITS) -> str:
    """Show a number in so many digits: `1,830`, `47.5`, `2,500`; of zeros none are cut off."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if rounded and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(value))):
        places -= 1  # 9.96 becomes 10.0
    return f"{rounded:,.{max(0, places)}f}"


def digits_of(value: float, ends: tuple[float, float] | None, limit: float | None = None) -> int:
    """Return the digits that an estimate is worth: the last one is a tenth of its error or less.

    Args:
        value: the estimate.
        ends: of its interval; None where that is not known.
        limit: what it is read beside; the digits tell on which side of it the estimate is.
    """
    digits = USUAL_DIGITS
    if ends is not None and value:
        half = abs(ends[1] - ends[0]) / 2
        if half:
            last = math.floor(math.log10(half / 10))
            digits = max(2, min(USUAL_DIGITS, math.floor(math.log10(abs(value))) - last + 1))
    if limit is not None and value and value != limit:
        while digits < MOST_DIGITS and significant(value, digits) == significant(limit, digits):
            digits += 1
    return digits


def gibibytes(size: float) -> str:
    """Show bytes in GiB: `23.66`."""
    return f"{size / 2**30:,.2f}"


def size(number: float) -> str:
    """Show bytes with GiB: `10 GiB`, `31.98 GiB`."""
    return f"{_short(number / 2**30)} GiB"


def rate(number: float) -> str:
    """Show tokens a second with the digits that an estimate has: `3,880`."""
    return significant(number)


def quantity(number: float) -> str:
    """Show a number of any size with three significant digits."""
    return _short(number)


def watt_hours(joules: float) -> str:
    """Show an energy in Wh."""
    return _short(joules / 3600)


def tokens(number: float) -> str:
    """Show a mean length: whole, as nobody measures parts of tokens."""
    return f"{round(number):,}"


def fact(name: str, value: float) -> str:
    """Show the value of a fact of a result, or of the memory of a device, with its unit."""
    if name == "memory":
        return size(value)
    if name == "max_model_length":
        return f"{integer(round(value))} tok"
    if facts.is_statistic(name):
        return duration(value)
    dimension = facts.fact(name).dimension
    if dimension == TIME:
        return duration(value)
    if dimension == BYTES:
        return size(value)
    if dimension == TOKENS / TIME:
        return f"{rate(value)} tok/s"
    if dimension == REQUESTS / TIME:
        return f"{_short(value)} req/s"
    if dimension == ENERGY:
        return f"{watt_hours(value)} Wh"
    return _short(value)


def limit_name(name: str) -> str:
    """Name a limit as reports do."""
    if facts.is_statistic(name):
        *of, metric, statistic = name.split(".")
        return " of ".join([f"{limit_name(metric)} {statistic}", *of])
    return name.upper() if name in ("ttft", "tpot", "itl") else name.replace("_", " ")


def percent(share: float) -> str:
    """Show a share: `47 %`; a small one with a digit more."""
    value = share * 100
    if 99.5 <= value < 100:
        return f"{math.floor(value * 100) / 100:g} %"
    return f"{value:.0f} %" if abs(value) >= 9.95 or value == 0 else f"{value:.1f} %"


def probability(share: float) -> str:
    """Show a probability: `52 %`; near the ends no more than that it is there."""
    if share >= 0.995:
        return "> 99 %"
    return "< 1 %" if share < 0.005 else f"{100 * share:.0f} %"


def attainment(share: float) -> str:
    """Show a share of requests, cut off so that what is missed still shows: `99.94 %`."""
    return f"{math.floor(share * 10000 + 1e-9) / 100:.4g} %"


def integer(number: float) -> str:
    """Show a count with thousands apart."""
    return f"{number:,}"


def _short(value: float) -> str:
    """Three significant digits, more for large numbers, without trailing zeros."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7:
        return f"{value:.3g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cell(digits: Digits, value: float) -> str:
    """Show a number as tables do, without its unit."""
    return _CELLS[digits](value)


_CELLS: dict[Digits, Callable[[float], str]] = {
    Digits.MILLISECONDS: milliseconds,
    Digits.RATE: rate,
    Digits.QUANTITY: quantity,
    Digits.COUNT: integer,
    Digits.LENGTH: tokens,
    Digits.GIBIBYTES: gibibytes,
    Digits.WATT_HOURS: watt_hours,
    Digits.WORD: str,
}
