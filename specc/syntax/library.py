"""Syntax trees of the standard library, kept in the user's cache: they change with specc alone.

Parsing the library takes 15 ms, a quarter of `specc check`; reading its trees takes two.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from attrs import fields

from specc import cache
from specc._version import __version__
from specc.diagnostics import Diagnostic, Source, Span
from specc.syntax import nodes
from specc.syntax.nodes import File, SyntaxNode
from specc.syntax.parser import parse


def parse_library(source: Source) -> tuple[File, list[Diagnostic]]:
    """Parse a source of the standard library, or take its tree from the cache."""
    kept = cache.entry("tree", __version__, _FORM, source.name, source.text)
    data = kept.load()
    if data is not None:
        # A tree of another form is none.
        with contextlib.suppress(TypeError, ValueError, LookupError, RecursionError):
            statements = _unpacker(source)(data)
            if isinstance(statements, tuple):
                return File(source, statements), []
    tree, diagnostics = parse(source)
    if not diagnostics:
        kept.save(_packed(tree.statements))
    return tree, diagnostics


_KINDS: list[type[SyntaxNode]] = [
    kind
    for kind in vars(nodes).values()
    if isinstance(kind, type) and issubclass(kind, SyntaxNode) and kind is not SyntaxNode
]
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_PARTS = {kind: [part.name for part in fields(kind)[1:]] for kind in _KINDS}
# What trees are made of: those of another version of the nodes are not taken for ours.
_FORM = repr([(kind.__name__, parts) for kind, parts in _PARTS.items()])
_TUPLE = -1


def _packed(part: Any) -> Any:
    """Return a part of a tree as plain data: a list that begins with the number of its kind."""
    if isinstance(part, SyntaxNode):
        parts = [_packed(getattr(part, name)) for name in _PARTS[type(part)]]
        return [_NUMBERS[type(part)], part.span.start, part.span.end, *parts]
    if isinstance(part, tuple):
        return [_TUPLE, *map(_packed, part)]
    return part


def _unpacker(source: Source) -> Callable[[Any], Any]:
    """Return what makes a tree of its data; a closure, as it is called for thousands of nodes."""

    def unpacked(data: Any) -> Any:
        if data.__class__ is not list:
            return data
        kind, *rest = data
        if kind == _TUPLE:
            return tuple([unpacked(part) for part in rest])
        start, end, *parts = rest
        return _KINDS[kind](Span(source, start, end), *[unpacked(part) for part in parts])

    return unpacked
