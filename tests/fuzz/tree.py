"""Generated specs as trees of blocks, so that fields can be put in and taken out."""

from collections.abc import Iterator

from attrs import Factory, define

from specc.ir.vocabulary import Node


@define(eq=False)
class Block:
    """A block: its header, the class of the vocabulary behind it, its statements and blocks."""

    header: str
    cls: type[Node] | None = None
    fields: dict[str, str] = Factory(dict)  # by what they set
    statements: list[str] = Factory(list)
    blocks: dict[str, "Block"] = Factory(dict)

    def text(self, indent: str = "") -> str:
        """Return it as a spec writes it, a statement a line."""
        inner = indent + "    "
        lines = [f"{indent}{self.header} {{"]
        lines += [f"{inner}{line}" for line in (*self.fields.values(), *self.statements)]
        lines += [block.text(inner) for block in self.blocks.values()]
        return "\n".join([*lines, f"{indent}}}"])

    def all(self) -> Iterator["Block"]:
        """Yield it and all blocks in it."""
        yield self
        for block in self.blocks.values():
            yield from block.all()


@define(eq=False)
class Plan:
    """A spec and the files beside it, by their names."""

    spec: str
    files: dict[str, str] = Factory(dict)


def units(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of every statement and block."""
    opened: list[int] = []
    for number, line in enumerate(lines):
        if line.rstrip().endswith("{"):
            opened.append(number)
        elif line.strip() == "}" and opened:
            yield opened.pop(), number
        else:
            yield number, number
