"""Diagnostics as text for a terminal and as JSON."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from specc.diagnostics.diagnostic import Diagnostic, Label
from specc.diagnostics.span import Span
from specc.diagnostics.visible import visible_line

_STYLES = {"error": "1;31", "warning": "1;33", "bold": "1", "gutter": "34", "note": "36"}
_LONGEST_LINE = 160


def render_terminal(diagnostics: Iterable[Diagnostic], *, color: bool) -> str:
    """Render diagnostics for people: headline, place, source line, underline, why and help."""
    return "\n".join(_render(d.shown, color) for d in diagnostics)


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data; lines and columns count from 1."""
    diagnostic = diagnostic.shown
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "why": diagnostic.why,
        "help": diagnostic.help,
        "labels": [{**_place(label.span), "text": label.text} for label in diagnostic.labels],
        "fixes": [
            {
                "title": diagnostic.title_of(fix),
                "safe": diagnostic.is_safe(fix),
                **_place(fix.span),
                "text": fix.text,
            }
            for fix in diagnostic.fixes
        ],
    }


def _place(span: Span) -> dict[str, Any]:
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _render(diagnostic: Diagnostic, color: bool) -> str:
    severity = diagnostic.severity.value
    headline = _paint(f"{severity}[{diagnostic.code}]", severity, color)
    lines = [f"{headline}{_paint(': ' + diagnostic.message, 'bold', color)}"]
    width = max((len(str(label.span.line)) for label in diagnostic.labels), default=1)
    previous: Span | None = None
    for index, label in enumerate(diagnostic.labels):
        marker = "^" if index == 0 else "-"
        lines += _excerpt(label, marker, width, severity if index == 0 else "note", color, previous)
        previous = label.span
    gutter = _paint(" " * width + " =", "gutter", color)
    lines += [
        f"{gutter} {_paint(name, 'bold', color)}: {text}"
        for name, text in (("why", diagnostic.why), ("help", diagnostic.help))
        if text
    ]
    return "\n".join(lines) + "\n"


def _excerpt(
    label: Label, marker: str, width: int, style: str, color: bool, previous: Span | None
) -> list[str]:
    span = label.span
    line_number = span.line
    bar = _paint(" " * width + " |", "gutter", color)
    number = _paint(f"{line_number:>{width}} |", "gutter", color)
    line, start, end = _window(span)
    underline = " " * _columns(line[:start]) + marker * max(1, _columns(line[start:end]))
    remark = f"{underline} {label.text}".rstrip()
    lines = []
    if previous is None or previous.source is not span.source:
        arrow = _paint(" " * width + "-->", "gutter", color)
        lines = [f"{arrow} {visible_line(str(span))}", bar]
    elif previous.line == line_number:
        return [f"{bar} {_paint(remark, style, color)}"]
    return [*lines, f"{number} {line}", f"{bar} {_paint(remark, style, color)}"]


def _window(span: Span) -> tuple[str, int, int]:
    """Return the line of a span, cut around it if long, and the span's place in it."""
    line = span.source.line(span.line)
    start = min(span.column - 1, len(line))
    end = max(start, min(start + span.end - span.start, len(line)))
    if len(line) > _LONGEST_LINE:
        first = max(0, start - _LONGEST_LINE // 2)
        line = line[first : first + _LONGEST_LINE]
        start, end = start - first, min(end - first, len(line))
        if first:
            line, start, end = "…" + line, start + 1, end + 1
    # Tabs and control characters would shift the underline.
    seen = "".join(c if c.isprintable() and visible_line(c) == c else " " for c in line)
    return seen, start, end


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text
