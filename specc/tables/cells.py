"""Kinds of cells: what a column may hold, and how its cells become values.

Text formats give every cell as text, JSON gives numbers, truth values and lists of its own; a kind
reads both. `many` is the fast way for columns of a million cells without anything odd; where it
gives up, `one` decides cell by cell.
"""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import frozen

from specc.records import Record

# What a format hands over. None is a cell that is not there, or null.
Cell = Any
LARGEST_WHOLE = 10**9
LARGEST_HASH = 2**64


class Kind:
    """What a column holds. `expected` completes "is no …"."""

    expected = "text"

    def one(self, cell: Cell) -> Any:
        """Return the value of a cell.

        Raises:
            ValueError: it is of another kind, or out of range.
        """
        raise NotImplementedError

    def many(self, cells: Sequence[Cell]) -> Sequence[Any]:
        """Return the values of a column.

        Raises:
            ValueError: at least one cell may be wrong; `one` tells which.
        """
        return [self.one(cell) for cell in cells]


@frozen(eq=False, repr=False)
class TextCells(Record, Kind):
    """Any text; numbers of JSON are written out, and a cell that is not there is empty."""

    expected = "single value"

    def one(self, cell: Cell) -> str:
        """Return the text of a cell."""
        match cell:
            case str():
                return cell
            case None:
                return ""
            case bool():
                return str(cell).lower()
            case int():
                return str(cell)
            case float():
                # As a spec writes it: 0.00001, not 1e-05.
                return f"{Decimal(repr(cell)):f}" if math.isfinite(cell) else repr(cell)
        raise ValueError

    def many(self, cells: Sequence[Cell]) -> Sequence[str]:
        """Return the texts of a column."""
        return cells if set(map(type, cells)) == {str} else super().many(cells)


@frozen(eq=False, repr=False)
class Real(Record, Kind):
    """A finite number within bounds, multiplied by `scale` into the unit that is kept."""

    expected: str = "number"
    at_least: float = -math.inf
    below: float = math.inf
    scale: float = 1.0

    def one(self, cell: Cell) -> float:
        """Return the number of a cell."""
        try:
            value = float(_number_text(cell) if isinstance(cell, str) else _plain(cell))
        except OverflowError:
            raise ValueError from None
        value *= self.scale
        if not (math.isfinite(value) and self.at_least <= value < self.below):
            raise ValueError
        return value

    def many(self, cells: Sequence[Cell]) -> Sequence[float]:
        """Return the numbers of a column."""
        kinds = set(map(type, cells))
        if kinds == {str}:
            _number_text("".join(cells))
        elif not kinds <= {int, float}:
            raise ValueError
        try:
            values = list(map(float, cells))
        except OverflowError:
            raise ValueError from None
        if self.scale != 1:
            values = [value * self.scale for value in values]
        # A sum that is finite has no term that is not.
        if not (math.isfinite(sum(values)) and self.at_least <= min(values)):
            raise ValueError
        if max(values) >= self.below:
            raise ValueError
        return values


@frozen(eq=False, repr=False)
class Whole(Record, Kind):
    """A whole number within bounds, both included; `700.0` is 700."""

    expected: str = "positive whole number"
    at_least: int = 1
    at_most: int = LARGEST_WHOLE

    def one(self, cell: Cell) -> int:
        """Return the whole number of a cell."""
        if isinstance(cell, str):
            text = _number_text(cell.strip())
            value = int(text) if text.removeprefix("-").isdigit() else _whole(float(text))
        else:
            value = _whole(_plain(cell))
        if not self.at_least <= value <= self.at_most:
            raise ValueError
        return value

    def many(self, cells: Sequence[Cell]) -> Sequence[int]:
        """Return the whole numbers of a column."""
        kinds = set(map(type, cells))
        if kinds == {str}:
            digits = "".join(cells)
            if not (digits.isascii() and digits.isdigit()):
                raise ValueError
            cells = list(map(int, cells))
        elif kinds != {int}:
            raise ValueError
        if not (self.at_least <= min(cells) and max(cells) <= self.at_most):
            raise ValueError
        return cells


@frozen(eq=False, repr=False)
class Date(Record, Kind):
    """A date with a time, such as 2024-05-10 00:00:00.009; gives seconds since 1970, in UTC."""

    expected = "date with a time"

    def one(self, cell: Cell) -> float:
        """Return the seconds of a cell."""
        if not isinstance(cell, str):
            raise ValueError
        date = datetime.fromisoformat(cell.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


@frozen(eq=False, repr=False)
class Wholes(Record, Kind):
    """A list of whole numbers: one of JSON or YAML, or a text such as `[1, 2]`."""

    expected = "list of whole numbers"

    def one(self, cell: Cell) -> tuple[int, ...]:
        """Return the numbers of a cell."""
        items = json.loads(cell) if isinstance(cell, str) else cell
        if not isinstance(items, list):
            raise ValueError
        if set(map(type, items)) == {str}:  # YAML leaves numbers as they are written
            items = list(map(Whole(at_least=-LARGEST_HASH, at_most=LARGEST_HASH).one, items))
        # A truth value is an int to Python, so its type is asked for.
        if not set(map(type, items)) <= {int}:
            raise ValueError
        if items and not (min(items) > -LARGEST_HASH and max(items) < LARGEST_HASH):
            raise ValueError
        return tuple(items)


def _number_text(text: str) -> str:
    """Return a text that may be a number; Python would read `1_0` and digits of all scripts."""
    if "_" in text or not text.isascii():
        raise ValueError
    return text


def _plain(cell: Cell) -> int | float:
    if type(cell) not in (int, float):
        raise ValueError
    number: int | float = cell
    return number


def _whole(number: int | float) -> int:
    if number != number // 1:  # also of nan and of infinity, which have no whole part
        raise ValueError
    return int(number)
