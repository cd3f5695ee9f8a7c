"""Numbers in the cells of a table, and in the notes of a row."""

import re

_LARGEST = 1e9


class UnclearError(ValueError):
    """A row that does not say enough; the message says what is missing."""


def number(text: str | None) -> float | None:
    """Return a number of a cell, or None if it holds no number that a run can have."""
    try:
        value = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return value if 0 <= value <= _LARGEST else None


def noted(said: str, name: str) -> float | None:
    """Return the number of `name=NUMBER` in notes, or None."""
    found = re.search(rf"\b{name}=([\d.]+)", said)
    return number(found[1].rstrip(".")) if found else None
