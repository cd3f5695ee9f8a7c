"""Syntax trees of the standard library, kept in the user's cache: they change with specc alone.

Parsing the library takes a quarter of `specc check`. Of its trees, a spec needs a few blocks: the
body of a block is read when somebody looks into it.
"""

import contextlib
import json
from collections.abc import Callable
from typing import Any, cast

from attrs import evolve, fields

from specc import cache
from specc._version import __version__
from specc.diagnostics import Diagnostic, Source, Span
from specc.syntax import nodes
from specc.syntax.nodes import Block, Field, File, Statement, SyntaxNode
from specc.syntax.parser import parse

# What is raised by a tree of another form, which is none.
_OTHER_FORMS = (TypeError, ValueError, LookupError, AttributeError, RecursionError)


class KeptBlock(Block):
    """A block whose body has not been looked into: its slot holds what the body is made of.

    Looking into it makes it a usual `Block`.
    """

    __slots__ = ()

    @property
    def body(self) -> tuple[Statement, ...]:
        """The statements of the block."""
        return self._opened().body

    def texts(self, field: str) -> list[str]:
        """Return what a field lists as texts."""
        lists, _ = Block.body.__get__(self)  # type: ignore[attr-defined]
        return list(lists.get(field, ()))

    def __eq__(self, other: object) -> bool:
        return self._opened() == other

    def __hash__(self) -> int:
        return hash(self._opened())

    def __repr__(self) -> str:
        return repr(self._opened())

    def _opened(self) -> Block:
        _, body = Block.body.__get__(self)  # type: ignore[attr-defined]
        try:
            statements = tuple(map(_unpacker(self.span.source), json.loads(body)))
        except _OTHER_FORMS:
            blocks = [s for s in parse(self.span.source)[0].statements if isinstance(s, Block)]
            statements = next(block.body for block in blocks if block.span == self.span)
        object.__setattr__(self, "__class__", Block)
        object.__setattr__(self, "body", statements)
        return self


def parse_library(source: Source) -> tuple[File, list[Diagnostic]]:
    """Parse a source of the standard library, or take its tree from the cache."""
    kept = cache.entry("tree", __version__, _FORM, source.name, source.text)
    data = kept.load()
    if data is not None:
        with contextlib.suppress(*_OTHER_FORMS):
            return File(source, tuple([_taken(source, part) for part in data["statements"]])), []
    tree, diagnostics = parse(source)
    if not diagnostics:
        kept.save({"statements": [_given(statement) for statement in tree.statements]})
    return tree, diagnostics


_KINDS: list[type[SyntaxNode]] = [
    kind
    for kind in vars(nodes).values()
    if isinstance(kind, type) and issubclass(kind, SyntaxNode) and kind is not SyntaxNode
]
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_PARTS = {kind: [part.name for part in fields(kind)[1:]] for kind in _KINDS}
# What trees are made of: those of another version of the nodes are not taken for ours.
_FORM = repr(["bodies apart", *((kind.__name__, parts) for kind, parts in _PARTS.items())])
_TUPLE = -1

# A statement of a file is kept as [lists of texts, its body as JSON, what is left of it].


def _given(statement: Statement) -> Any:
    """Return a statement of a file as plain data; the body of a block apart from it."""
    if not isinstance(statement, Block):
        return [{}, "", _packed(statement)]
    names = [part.path.text for part in statement.body if isinstance(part, Field)]
    lists = {name: texts for name in names if (texts := statement.texts(name))}
    body = json.dumps([*map(_packed, statement.body)], separators=(",", ":"))
    return [lists, body, _packed(evolve(statement, body=()))]


def _taken(source: Source, data: Any) -> Statement:
    lists, body, rest = data
    statement = cast(Statement, _unpacker(source)(rest))
    if isinstance(statement, Block):
        object.__setattr__(statement, "body", (lists, body))
        object.__setattr__(statement, "__class__", KeptBlock)
    return statement


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
