"""Text of an input as it may be shown: nothing in it can move a cursor, hide, or go on forever.

A character that is not to be seen is shown by its escape (`\\x1b`, `\\u202e`), not by a mark that
stands for all of them: who looks for it needs to know which one it is. Blanks of every kind stay,
also the wide one of Chinese texts, and so do the selectors that emoji end with.
"""

import re
from functools import cache

LONGEST = 200  # characters of an input that a message repeats
_KEPT = 120  # of those that are longer
_LONGEST_MESSAGE = 4000

_INVISIBLE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but not the line feed and the tabulator
    r"\xad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff"  # no width
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions
    r"\u2028\u2029\u206a-\u206f\ufff0-\ufffb"  # line ends, and characters out of use
    r"\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters without a shape
    r"\ud800-\udfff"  # halves of characters, and bytes of a path that are no text
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # music, and tags
)
_HIDDEN = f"[{_INVISIBLE}]"
_HIDDEN_IN_LINE = f"[{_INVISIBLE}\n\t]"
# What is quoted, or has no blank: a message quotes what it repeats of an input.
_REPEATED = rf"(?<!\w)'[^'\n]*'|[^\s']{{{LONGEST + 1},}}"
_compiled = cache(re.compile)  # when used: most commands show nothing


def visible(text: str) -> str:
    """Return a text of one or more lines as it may be shown on a terminal or in a report."""
    return _compiled(_HIDDEN).sub(_escape, text)


def visible_line(text: str) -> str:
    """Return a text as it may be shown within a line."""
    return _compiled(_HIDDEN_IN_LINE).sub(_escape, text)


def message(text: str) -> str:
    """Return a sentence with parts of an input as it may be shown: in a line, and not too long."""
    shown = _compiled(_REPEATED).sub(_shortened, visible_line(text))
    return shown if len(shown) <= _LONGEST_MESSAGE else f"{shown[:_LONGEST_MESSAGE]}…"


def visible_json(text: str) -> str:
    """Return JSON that means the same and has no character that is not to be seen."""
    if text.isascii() and "\x7f" not in text:
        return text  # JSON itself escapes what is below the blank
    return _compiled(_HIDDEN).sub(_json_escape, text)


def _shortened(match: re.Match[str]) -> str:
    text = match[0]
    if len(text) <= LONGEST + 2:
        return text
    return f"{text[:_KEPT]}…'" if text.startswith("'") else f"{text[:_KEPT]}…"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}" if match[0] not in "\n\t" else {"\n": "\\n", "\t": "\\t"}[match[0]]
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
