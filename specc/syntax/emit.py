"""Tokens and syntax trees as plain data, for tools and for a look inside."""

from typing import Any

from attrs import fields

from specc.diagnostics import Source
from specc.syntax.nodes import File, SyntaxNode
from specc.syntax.parser import all_tokens


def tokens_json(source: Source) -> list[dict[str, Any]]:
    """Return every token with its type, text, line and column (from 1); white space is left out."""
    return [
        {"type": token.type, "text": str(token), "line": line, "column": column}
        for token in all_tokens(source)
        if token.type != "SPACE"
        for line, column in [source.position(token.start_pos)]
    ]


def tree_json(tree: File) -> list[Any]:
    """Return the statements of a file: each node with its kind, place and parts."""
    return [_node(statement) for statement in tree.statements]


def _node(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_node(item) for item in value]
    if not isinstance(value, SyntaxNode):
        return value
    parts = {a.name: _node(getattr(value, a.name)) for a in fields(type(value)) if a.name != "span"}
    place = {"line": value.span.line, "column": value.span.column}
    return {"node": type(value).__name__, **place, **parts}
