"""The formatter: one layout for a spec. It works on tokens and changes nothing but white space.

Blocks indent by four spaces. Consecutive fields align their '=', constraints their comparison,
tables their columns, trailing comments their '#'. Line breaks stay where the author put them; runs
of blank lines become one. Comments stay. The result formats to itself.
"""

from collections.abc import Callable, Iterable

from attrs import Factory, define

from specc.diagnostics import Source
from specc.syntax.automaton import Token
from specc.syntax.parser import all_tokens
from specc.units import spaced_quantity

INDENT = "    "

_OPENERS, _CLOSERS = ("LBRACE", "OPEN_GROUP", "OPEN_LIST"), ("CLOSE", "CLOSE_GROUP", "CLOSE_LIST")
_TIGHT_AFTER = ("OPEN_GROUP", "OPEN_LIST", "DOT")
_TIGHT_BEFORE = ("CLOSE_GROUP", "CLOSE_LIST", "COMMA", "DOT", "SEMICOLON")
_VALUES = ("QUANTITY", "NAME", "STRING", "TRUE", "FALSE", "CLOSE_GROUP", "CLOSE_LIST")


class FormatError(Exception):
    """The formatter would have changed more than white space; a fault of ours, not of the spec."""


@define(eq=False)
class _Line:
    """A line of the output: its tokens, its comment, and how deep it stands."""

    depth: int = 0
    blank_before: bool = False
    tokens: list[Token] = Factory(list)
    comment: str = ""
    code: str = ""
    continues: bool = False  # it begins inside brackets
    open_end: bool = False  # it ends inside brackets


def format_source(source: Source) -> str:
    """Return the text of a source in the one layout.

    The source must parse without errors.

    Raises:
        FormatError: a self-check failed: other tokens, other comments, or not idempotent.
    """
    text = _formatted(source)
    if _essence(source) != _essence(Source(source.name, text)):
        raise FormatError("the formatted text would not mean the same")
    if _formatted(Source(source.name, text)) != text:
        raise FormatError("the formatted text would format differently again")
    return text


def _essence(source: Source) -> list[str]:
    """The tokens and comments of a source without any white space or statement ends."""
    return [
        "".join(token.split())
        for token in all_tokens(source)
        if token.type not in ("_END", "SPACE") and token.strip()
    ]


def _formatted(source: Source) -> str:
    lines = _lines(all_tokens(source))
    for line in lines:
        line.code = "" if _is_row(line) else _code(line.tokens)
    _in_groups(lines, _is_row, _align_table)
    _in_groups(lines, _is_assignment, _align_assignments)
    for line in lines:
        line.code = (INDENT * line.depth if line.code or line.comment else "") + line.code
    _in_groups(lines, _has_comment_to_align, _align_comments)
    texts = []
    for line in lines:
        if line.blank_before:
            texts.append("")
        gap = "  " if line.tokens else ""
        texts.append((line.code + gap + line.comment if line.comment else line.code).rstrip())
    return "\n".join(texts) + "\n" if texts else ""


def _lines(tokens: Iterable[Token]) -> list[_Line]:
    """Break the tokens into lines where the author did, each with its depth."""
    lines: list[_Line] = []
    line, blank = _Line(), False
    stack: list[str] = []

    def finish() -> None:
        nonlocal line, blank
        if line.tokens and line.tokens[-1].type == "SEMICOLON":
            line.tokens.pop()
        if line.tokens or line.comment:
            after_opening = bool(lines) and lines[-1].tokens[-1:] and _opens_block(lines[-1])
            closing = bool(line.tokens) and line.tokens[0].type == "CLOSE"
            line.blank_before = blank and bool(lines) and not after_opening and not closing
            line.open_end = bool(stack) and stack[-1] != "LBRACE"
            lines.append(line)
            blank = False
        line = _Line(depth=len(stack), continues=bool(stack) and stack[-1] != "LBRACE")

    def end(newlines: int) -> None:
        nonlocal blank
        if newlines and _is_row(line) and stack and stack[-1] != "LBRACE":
            return  # a row is one line, whatever is inside of its cells
        if newlines:
            finish()
            blank = blank or newlines > 1
        elif line.tokens and line.tokens[-1].type not in ("LBRACE", "SEMICOLON"):
            line.tokens.append(Token("SEMICOLON", ";"))

    for token in tokens:
        if token.type == "SPACE":
            continue
        if token.type == "_END":
            end(token.count("\n"))
            continue
        if token.type == "COMMENT":
            line.comment = token.rstrip()
            continue
        if _parts_a_row(line, token):
            finish()
        if token.type in _CLOSERS:
            if stack:
                stack.pop()
            if token.type == "CLOSE" and line.tokens and line.tokens[-1].type == "SEMICOLON":
                line.tokens.pop()
            if not line.tokens:
                line.depth = len(stack)
        line.tokens.append(token)
        if token.type in _OPENERS:
            stack.append(token.type)
    finish()
    return lines


def _parts_a_row(line: _Line, token: Token) -> bool:
    """Tell whether a row begins behind other code, or a block ends behind a row."""
    if token.type == "BAR":
        return bool(line.tokens) and not _is_row(line)
    return token.type == "CLOSE" and _is_row(line)


def _opens_block(line: _Line) -> bool:
    return line.tokens[-1].type == "LBRACE"


def _code(tokens: list[Token]) -> str:
    """Write the tokens of a line with the spaces that belong between them."""
    parts: list[str] = []
    for index, token in enumerate(tokens):
        if index and _spaced(tokens, index):
            parts.append(" ")
        parts.append(spaced_quantity(token) if token.type == "QUANTITY" else str(token))
    return "".join(parts)


def _spaced(tokens: list[Token], index: int) -> bool:
    previous, token = tokens[index - 1], tokens[index]
    if token.type in _TIGHT_BEFORE or previous.type in _TIGHT_AFTER:
        return False
    if token.type == "OPEN_GROUP" and previous.type == "NAME":
        return False  # a call
    if previous.type == "MINUS":
        return index > 1 and tokens[index - 2].type in _VALUES
    return not (previous.type == "STAR" and tokens[index - 2].type == "BY")


def _in_groups(
    lines: list[_Line], belongs: Callable[[_Line], bool], align: Callable[[list[_Line]], None]
) -> None:
    """Align each run of neighbouring lines of one depth that belong together."""
    group: list[_Line] = []
    for line in [*lines, _Line(depth=-1)]:
        fits = line.depth >= 0 and belongs(line)
        if group and not (fits and line.depth == group[0].depth and not line.blank_before):
            align(group)
            group = []
        if fits:
            group.append(line)


def _is_row(line: _Line) -> bool:
    return bool(line.tokens) and line.tokens[0].type == "BAR"


def _is_assignment(line: _Line) -> bool:
    """A field or a constraint that stands alone on its line."""
    types = [token.type for token in line.tokens]
    if line.continues or line.open_end or "LBRACE" in types or "SEMICOLON" in types:
        return False
    return _assignment_place(types) is not None


def _assignment_place(types: list[str]) -> int | None:
    """Return the index of the '=' or the comparison behind a path at the start of a line."""
    place = 0
    while types[place : place + 2] == ["NAME", "DOT"]:
        place += 2
    found = types[place : place + 1] == ["NAME"] and types[place + 1 : place + 2]
    return place + 1 if found and found[0] in ("EQUAL", "COMPARE") else None


def _align_assignments(group: list[_Line]) -> None:
    halves = []
    for line in group:
        place = _assignment_place([token.type for token in line.tokens])
        halves.append((_code(line.tokens[:place]), _code(line.tokens[place:])))
    width = max(len(left) for left, _ in halves)
    for line, (left, right) in zip(group, halves, strict=True):
        line.code = f"{left:<{width}} {right}"


def _align_table(group: list[_Line]) -> None:
    rows = [_cells(line.tokens) for line in group]
    count = max(len(row) for row in rows)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    for line, row in zip(group, rows, strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        line.code = f"| {' | '.join(cells)} |"


def _cells(tokens: list[Token]) -> list[str]:
    cells: list[list[Token]] = []
    for token in tokens[:-1]:
        if token.type == "BAR":
            cells.append([])
        else:
            cells[-1].append(token)
    return [_code(cell) for cell in cells]


def _has_comment_to_align(line: _Line) -> bool:
    """A comment behind a field; one behind a block of one line would push the others far out."""
    return bool(line.comment and line.tokens) and all(t.type != "LBRACE" for t in line.tokens)


def _align_comments(group: list[_Line]) -> None:
    width = max(len(line.code) for line in group)
    for line in group:
        line.code = f"{line.code:<{width}}"
