"""Types of options that are numbers, with units or without."""

import argparse

from specc.units import TOKENS, NumberError, Tokens, UnknownUnitError, parse_quantity


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)


def tokens(text: str) -> Tokens:
    """Return tokens, with a unit or without."""
    try:
        found = parse_quantity(text if text.endswith("tok") else f"{text} tok")
    except (UnknownUnitError, NumberError):
        raise argparse.ArgumentTypeError(f"{text} is no number of tokens") from None
    value = found.value
    if found.dimension != TOKENS or value < 2 or value != int(value):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 2")
    return int(value)


def share(text: str) -> float:
    """Return a share below 1, as a number or in percent."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no share, such as 30% or 0.3") from None
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to below 1")
    return value
