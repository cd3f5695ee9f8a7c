"""Documentation comments: the `##` lines above a block belong to it."""

from typing import Any

import attrs

from specc.diagnostics import Source
from specc.syntax.nodes import Block


def attach_documentation(source: Source, statements: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the statements, each block with the `##` comment that stands above it."""
    if "##" not in source.text:
        return statements
    return tuple(_documented(source, s) if isinstance(s, Block) else s for s in statements)


def _documented(source: Source, block: Block) -> Block:
    body = attach_documentation(source, block.body)
    lines: list[str] = []
    number = block.span.line - 1
    while number >= 1 and (line := source.line(number).strip()).startswith("##"):
        lines.append(line.lstrip("#").strip())
        number -= 1
    return attrs.evolve(block, body=body, doc=" ".join(reversed(lines)))
