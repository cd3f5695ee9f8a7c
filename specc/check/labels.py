"""Labels that point at fields of nodes."""

from specc.diagnostics import Label
from specc.ir import RequestKind
from specc.ir.vocabulary import Node


def label_of(node: Node, field: str, text: str, parent: Node | None = None) -> Label:
    """Point at a field; if it has its default at the block, and else at the block around that."""
    span = node.spans.get(field) or node.spans.get("")
    if span is None:
        assert parent is not None
        span = parent.spans[""]
    return Label(span, text)


def label_of_hits(kind: RequestKind, text: str, parent: Node) -> Label:
    """Point at the hit rate of requests: that of all, or the column of their table."""
    return label_of(kind, "prefix_hit" if "prefix_hit" in kind.spans else "requests", text, parent)
