"""How likely it is that a limit holds, in words and for a colour."""

from specc.report import format as show
from specc.report.document import Odds

SURE = 0.8  # from it on a limit holds surely enough
COIN_FLIP = 0.6  # below it a limit holds as often as not, below one half less often than not

_SAID = {Odds.FLIP: "a coin flip", Odds.AGAINST: "less often than not"}


def odds(probability: float | None) -> Odds | None:
    """Say what a probability is to a reviewer."""
    if probability is None:
        return None
    probability = round(probability, 2)  # as it is shown
    if probability >= SURE:
        return Odds.SURE
    if probability >= COIN_FLIP:
        return Odds.LIKELY
    return Odds.FLIP if probability >= 1 / 2 else Odds.AGAINST


def in_words(probability: float) -> str:
    """Show a probability: `54 %, a coin flip`."""
    return _told(show.probability(probability), ", ", probability)


def likely(probability: float) -> str:
    """Say how likely it is that a limit holds: `54 % likely to hold: a coin flip`."""
    return _told(f"{show.probability(probability)} likely to hold", ": ", probability)


def _told(text: str, joint: str, probability: float) -> str:
    """Add to a text whether the probability is as good as a coin flip, or worse."""
    found = odds(probability)
    return text + joint + _SAID[found] if found in _SAID else text
