"""What a spec brings in and does not use."""

from collections.abc import Iterator

from specc.check.modules import Module
from specc.diagnostics import Diagnostic, Fix, Help, Span
from specc.syntax import Block


def unused(module: Module) -> Iterator[Diagnostic]:
    """Yield warnings for a spec that was checked; a file for others to use has none.

    A `let` may be there for others unless the file has a study; a `use` unless it has a block.
    """
    kinds = {s.kind.text for s in module.tree.statements if isinstance(s, Block)}
    if "study" in kinds:
        for name, let in module.lets.items():
            if id(let) not in module.found:
                yield Diagnostic.at(
                    let.name.span,
                    "W0003",
                    f"'{name}' is not used",
                    help=Help("remove it, or use it", removal(let.span)),
                )
    for use, used in module.uses if kinds else ():
        if id(used) not in module.found:
            yield Diagnostic.at(
                use.span,
                "W0004",
                f"no name from '{use.target.span.text}' is used",
                help=Help("remove it", removal(use.span)),
            )


def removal(statement: Span) -> Fix | None:
    """Return the fix that removes a statement, with its line if nothing else stands there.

    None if a comment would be lost with it, or would become that of the block below.
    """
    text, start, end = statement.source.text, statement.start, statement.end
    line = text.rfind("\n", 0, start) + 1
    above = text[: max(line - 1, 0)].rpartition("\n")[2].strip()
    if "#" in statement.text or above.startswith("##"):
        return None
    before = text[line:start]
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    after = text[end:stop]
    if after.lstrip("; \t").startswith("##"):
        return None
    if after.lstrip().startswith(";"):
        end += len(after) - len(after.lstrip().removeprefix(";").lstrip())
    elif before.rstrip().endswith(";"):
        start = line + len(before.rstrip().removesuffix(";").rstrip())
    elif after.strip():
        end += len(after) - len(after.lstrip())  # a comment stays, in the place of the statement
    after = text[end:stop]
    if not text[line:start].strip() and not after.strip():
        start, end = line, min(stop + 1, len(text))
    return Fix(Span(statement.source, start, end), "")
