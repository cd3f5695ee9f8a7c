"""Rows of tables of kernels: cells as numbers, and rows that cannot be used."""

from specc.calibration.kernel import KernelClass

Row = dict[str, str]
Sizes = dict[str, float]
Reading = tuple[KernelClass, Sizes]

LARGEST = 1e12  # of a size, or of a time in us


class UnusableError(Exception):
    """A row that cannot be used; the message says why."""


def number(row: Row, column: str, least: float = 1e-12) -> float:
    """Return the number in a cell.

    Raises:
        UnusableError: there is none, or it is no size.
    """
    text = (row.get(column) or "").strip()
    try:
        value = float(text)
    except ValueError:
        raise UnusableError(f"'{column}' is not a number") from None
    if not least <= value <= LARGEST:  # nan is outside, too
        raise UnusableError(f"'{column}' is out of range")
    return value
