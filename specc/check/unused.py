"""What a spec brings in and does not use."""

from collections.abc import Iterator

from specc.check.modules import Module
from specc.diagnostics import Diagnostic
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
                    help="remove it, or use it where it was meant to stand",
                )
    for use, used in module.uses if kinds else ():
        if id(used) not in module.found:
            yield Diagnostic.at(
                use.span, "W0004", f"nothing of '{use.target.span.text}' is used", help="remove it"
            )
