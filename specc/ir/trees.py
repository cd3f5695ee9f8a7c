"""Trees of nodes, such as a study with all that it refers to, with some of their nodes changed."""

from collections.abc import Callable
from typing import Any

from attrs import evolve, fields

from specc.ir.vocabulary import Node


def rebuilt(value: Any, change: Callable[[Node], Any]) -> Any:
    """Return a tree with its nodes changed, the inner ones first; what stays the same is shared."""
    seen: dict[int, Any] = {}

    def visit(part: Any) -> Any:
        if isinstance(part, tuple):
            parts = tuple(map(visit, part))
            same = all(a is b for a, b in zip(parts, part, strict=True))
            return part if same else parts
        if not isinstance(part, Node):
            return part
        if id(part) not in seen:
            seen[id(part)] = changed(part)
        return seen[id(part)]

    def changed(node: Node) -> Any:
        own = {f.name: getattr(node, f.name) for f in fields(type(node)) if f.name != "spans"}
        inner = {name: visit(part) for name, part in own.items()}
        moved = {name: part for name, part in inner.items() if part is not own[name]}
        return change(evolve(node, **moved) if moved else node)

    return visit(value)
