"""JSON: an object a line, or one list of objects."""

import json
from collections.abc import Iterator
from typing import Any

from specc.tables.error import TableError, in_line, shortened, shown
from specc.tables.rows import ObjectRows

_BLANK = " \t\n"


class _TwiceError(Exception):
    """An object that has a key twice; the message is the key."""


def json_rows(name: str, text: str) -> ObjectRows:
    """Return the rows of a text that is one list of objects, or has an object on each line.

    Raises:
        TableError: it is no JSON, a row is no object, or an object has a key twice.
    """
    read = _listed if text.lstrip(_BLANK).startswith("[") else _by_line
    lines, objects = [], []
    for line, found in read(name, text):
        if type(found) is not dict:
            raise in_line(name, line, "is not a JSON object", why=f"it is {shown(found)}")
        lines.append(line)
        objects.append(found)
    return ObjectRows(lines, objects)


def _by_line(name: str, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace():
            found, end = _decoded(name, number, line, _after_blanks(line, 0))
            if _after_blanks(line, end) != len(line):
                raise in_line(name, number, "is not JSON", why="something follows the object")
            yield number, found


def _listed(name: str, text: str) -> Iterator[tuple[int, Any]]:
    place = text.index("[") + 1
    line = text.count("\n", 0, place) + 1
    start = _after_blanks(text, place)
    more = not text.startswith("]", start)
    while more:
        line += text.count("\n", place, start)
        found, end = _decoded(name, line, text, start)
        yield line, found
        place = _after_blanks(text, end)
        line += text.count("\n", start, place)
        more = text.startswith(",", place)
        if not more and not text.startswith("]", place):
            raise in_line(name, line, "is not JSON", why="a comma or ']' is missing")
        start = _after_blanks(text, place + 1) if more else place
    rest = _after_blanks(text, start + 1)
    if rest != len(text):
        line = text.count("\n", 0, rest) + 1
        raise in_line(name, line, "is not JSON", why="something follows the list")


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in _BLANK:
        place += 1
    return place


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


def _digits(text: str) -> int | str:
    """Return a whole number; as text if Python refuses to read so many digits."""
    return int(text) if len(text) < 1000 else text


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
_LONG = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_digits)


def _decoded(name: str, line: int, text: str, place: int) -> tuple[Any, int]:
    """Return the value at a place of a text, and where it ends."""
    try:
        try:
            return _DECODER.raw_decode(text, place)
        except json.JSONDecodeError:
            raise
        except ValueError:  # more digits than Python reads
            return _LONG.raw_decode(text, place)
    except json.JSONDecodeError as error:
        line += text.count("\n", place, error.pos)
        reason = error.msg[:1].lower() + error.msg[1:]
        raise in_line(name, line, "is not JSON", why=reason) from None
    except _TwiceError as error:
        key = str(error)
        raise TableError(
            name,
            f"line {line} of '{name}': '{shortened(key)}' is given twice",
            line=line,
            column=key,
        ) from None
    except RecursionError:
        raise in_line(name, line, "is nested too deep", why="a row holds plain values") from None
