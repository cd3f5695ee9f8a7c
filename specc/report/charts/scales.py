"""Axes: round ticks, and the pixels of values."""

import math

from specc.report.charts.shapes import Tick

Scale = tuple[float, float]  # pixel = a + b · value


def axis(end: float, first: float, last: float) -> tuple[tuple[Tick, ...], Scale]:
    """Return round ticks from 0 to `end` and the scale that maps it onto the pixels."""
    step = _round_step(end / 6)
    scale = (first, (last - first) / end)
    ticks = tuple(
        Tick(place(i * step, scale), f"{i * step:,.10g}") for i in range(math.floor(end / step) + 1)
    )
    return ticks, scale


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 · 10^k that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= step * 0.999)


def place(value: float, scale: Scale) -> float:
    """Return the pixel of a value."""
    return round(scale[0] + scale[1] * value, 1)
