"""Words that are no value of a field any more: accepted, with a warning and a fix."""

import attrs

from specc.check.merge import MergedBlock
from specc.check.problems import Problems
from specc.diagnostics import Diagnostic, Fix, Help
from specc.ir.vocabulary import Node, former_values
from specc.syntax import Name, Path


def replace_former_values(cls: type[Node], merged: MergedBlock, problems: Problems) -> None:
    """Put fields as they are today where a block has a word that is none any more; report it."""
    for name, words in former_values(cls).items():
        written = merged.fields.get(name)
        if written is None or not isinstance(written.node.value, Path):
            continue
        value = written.node.value
        instead = words.get(value.text)
        if instead is None:
            continue
        others = "".join(f"; {field} = {word}" for field, word in instead.items() if field != name)
        problems.add(
            Diagnostic.at(
                value.span,
                "W0007",
                f"'{value.text}' has become {name} = {instead[name]}{others}",
                help=Help(
                    f"write {name} = {instead[name]}{others}",
                    Fix(value.span, f"{instead[name]}{others}"),
                ),
            )
        )
        for field, word in instead.items():
            if field == name or field not in merged.fields:
                path = Path(value.span, (Name(value.span, word),))
                node = attrs.evolve(written.node, value=path)
                merged.fields[field] = attrs.evolve(written, node=node)
