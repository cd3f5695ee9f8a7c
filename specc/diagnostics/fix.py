"""Quick fixes: a replacement for a piece of text, as data on a diagnostic."""

from collections.abc import Iterable
from typing import NamedTuple

from specc.diagnostics.span import Span


class Fix(NamedTuple):
    """Replace the text of a span.

    Attributes:
        span: what to replace.
        text: what to write there.
        is_guess: whether the user may have meant something else.
    """

    span: Span
    text: str
    is_guess: bool = False


class Help(NamedTuple):
    """What to write instead: a line for people, and the fix that writes it."""

    text: str
    fix: Fix | None = None


def apart(fixes: Iterable[Fix]) -> list[Fix]:
    """Return fixes of one text in their order, without those that touch an earlier one."""
    chosen: list[Fix] = []
    for fix in sorted(fixes, key=lambda f: (f.span.start, f.span.end)):
        if not chosen or chosen[-1].span.end < fix.span.start:
            chosen.append(fix)
    return chosen


def applied(text: str, fixes: Iterable[Fix]) -> str:
    """Return a text with fixes applied that do not touch each other."""
    for fix in sorted(fixes, key=lambda f: f.span.start, reverse=True):
        text = text[: fix.span.start] + fix.text + text[fix.span.end :]
    return text
