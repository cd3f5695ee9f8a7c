"""The tornado: how far each input moves what a study ranks by."""

import math

from specc.ir import Objective
from specc.report import format as show
from specc.report.charts.shapes import Swing, Tick, Tornado
from specc.report.words import FACTORS
from specc.results import Factor, Sensitivity

MOST_SWINGS = 12
_HALF = 32.0  # percent of the width on each side: what stands beside bars needs the rest
UNMOVED = 5e-4  # of the objective: nothing to see
_MOST_TICKS = 2  # on a side
_LEAST = 0.02  # of the base, that the axis goes to at least


def tornado(found: Sensitivity) -> Tornado:
    """Draw how the objective moves with a tenth less, and a tenth more, of each input."""
    factors = moving(found)[:MOST_SWINGS]
    ends = [end for f in factors for end in (f.low, f.high) if end is not None]
    reach = max([abs(end / found.base - 1) for end in ends] + [_LEAST])
    step = _step(reach)
    count = math.ceil(reach / step - 1e-9)
    if count > _MOST_TICKS:
        step, count = 2 * step, -(-count // 2)
    ticks = tuple(
        Tick(round(50 + _HALF * i / count, 2), signed(i * step)) for i in range(-count, count + 1)
    )
    swings = tuple(_swing(factor, found, count * step) for factor in factors)
    what = "devices" if found.objective == Objective.FEWEST_DEVICES.value else found.objective
    return Tornado(swings, ticks, f"change of {what.replace('_', ' ')}")


def moving(found: Sensitivity) -> list[Factor]:
    """Return the inputs that move the objective, or make another configuration better."""
    return [
        f
        for f in found.factors
        if f.turns or any(end is None or abs(end / found.base - 1) > UNMOVED for end in _ends(f))
    ]


def _ends(factor: Factor) -> tuple[float | None, float | None]:
    return factor.low, factor.high


def _step(reach: float) -> float:
    power = 10.0 ** math.floor(math.log10(reach))
    return next(power * m for m in (0.5, 1.0, 2.0, 5.0) if 3 * power * m >= reach * 0.999)


def _swing(factor: Factor, found: Sensitivity, most: float) -> Swing:
    places: list[float | None] = []
    texts = []
    for value in (factor.low, factor.high):
        texts.append(moved(value, found))
        places.append(
            None if value is None else round(50 + _HALF * (value / found.base - 1) / most, 2)
        )
    note = "; ".join(turn_text(t.times, t.winner) for t in factor.turns)
    return Swing(FACTORS[factor.name], places[0], places[1], texts[0], texts[1], note)


def moved(value: float | None, found: Sensitivity) -> str:
    """Say what the objective is, or how it changes."""
    if value is None:
        return "limits broken"
    if found.objective == Objective.FEWEST_DEVICES.value:
        return f"{value:,.0f} devices"
    return signed(value / found.base - 1)


def turn_text(times: float, winner: str) -> str:
    """Say where another configuration is better."""
    side = "more" if times > 1 else "less"
    return f"{winner} from {show.percent(abs(times - 1))} {side}"


def signed(share: float) -> str:
    """Show a change: `+7.1 %`, `−9.0 %`, `0`."""
    if abs(share) < UNMOVED:
        return "0"
    sign = "+" if share > 0 else "−"
    return f"{sign}{show.percent(abs(share))}"
