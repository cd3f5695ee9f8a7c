"""Axes: round ticks, and the pixels of values."""

import math

from specc.report.charts.shapes import Axis, Tick

Scale = tuple[float, float]  # pixel = a + b · value
_FROM_ZERO = 0.5  # of the end: what begins lower is shown from 0
_TICKS = 5


def axis(title: str, begin: float, end: float, first: float, last: float) -> Axis:
    """Return an axis whose values from `begin` to `end` go from one pixel to another."""
    step = _round_step((end - begin) / _TICKS)
    low = math.floor(begin / step + 1e-9) * step
    scale = (last - first) / (end - low)
    start = first - scale * low
    count = math.floor((end - low) / step + 1e-9)
    ticks = tuple(
        Tick(round(start + scale * (low + i * step), 1), _text(low + i * step))
        for i in range(count + 1)
    )
    return Axis(title, ticks, round(start, 4), float(f"{scale:.6g}"))


def _text(value: float) -> str:
    text = f"{value:,.10g}"
    return "0" if text == "-0" else text


def beginning(low: float, high: float) -> float:
    """Return where an axis of values begins: at 0, or near them if they differ little."""
    return 0.0 if low < (1 - _FROM_ZERO) * high or high <= 0 else low


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 · 10^k that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= step * 0.999)


def ticks_in_percent(end: float) -> tuple[Tick, ...]:
    """Return round ticks from 0 to `end`, at places in percent."""
    return axis("", 0.0, end, 0.0, 100.0).ticks


def place(value: float, on: Axis) -> float:
    """Return the pixel of a value."""
    return round(on.start + on.step * value, 1)
