"""`extends`: the statements of a block over those of its base."""

from typing import Generic, TypeVar

from attrs import Factory, define, frozen

from specc.check.modules import Module
from specc.check.overrides import Overrides
from specc.check.problems import ProblemError, Problems, problem
from specc.diagnostics import Label, Span, did_you_mean
from specc.syntax import Block, Constraint, Expectation, Field, Name, Path, Statement

S = TypeVar("S", bound=Statement)


@frozen(eq=False, repr=False)
class Written(Generic[S]):
    """A statement and the module whose names it sees."""

    node: S
    module: Module


@define(eq=False, repr=False)
class MergedBlock:
    """A block with what it inherits. Fields and constraints are keyed by their first name."""

    kind: str
    name: str
    doc: str
    span: Span
    fields: dict[str, Written[Field]] = Factory(dict)
    constraints: dict[str, Written[Constraint]] = Factory(dict)
    children: dict[tuple[str, str], "MergedBlock"] = Factory(dict)
    claims: list[Written[Expectation]] = Factory(list)
    others: list[Statement] = Factory(list)
    lacks_base: bool = False


def merge(block: Block, module: Module, problems: Problems, overrides: Overrides) -> MergedBlock:
    """Return a block with the statements of its chain of bases, the nearest one winning."""
    merged = _empty(block)
    chain = _chain(block, module, problems, merged)
    for node, home in reversed(chain):
        _overlay(merged, node, home, problems)
        for layer, origin in overrides.of(node):
            _overlay(merged, layer, origin, problems)
    return merged


def _chain(
    block: Block, module: Module, problems: Problems, merged: MergedBlock
) -> list[tuple[Block, Module]]:
    chain = [(block, module)]
    while (base := chain[-1][0].base) is not None:
        try:
            found = _base(base, *chain[-1])
        except ProblemError as error:
            problems.report(error)
            merged.lacks_base = True
            break
        if any(found[0] is node for node, _ in chain):
            problems.report(
                problem(base.span, "E0206", f"'{base.text}' extends itself", label="in a circle")
            )
            merged.lacks_base = True
            break
        chain.append(found)
    return chain


def _base(base: Path, block: Block, module: Module) -> tuple[Block, Module]:
    found = module.find_block(base)
    kind = block.kind.text
    if found is None:
        raise problem(
            base.span,
            "E0203",
            f"there is no {kind} '{base.text}' to extend",
            help=did_you_mean(base.text, module.names_of(kind), kind),
        )
    if found.node.kind.text != kind:
        raise problem(
            base.span,
            "E0205",
            f"a {kind} extends a {kind}, but '{base.text}' is a {found.node.kind.text}",
            second=Label(found.node.kind.span, "defined here"),
        )
    return found.node, found.module


def _empty(block: Block) -> MergedBlock:
    header = block.kind.span if block.name is None else block.kind.span.to(block.name.span)
    name = "" if block.name is None else block.name.text
    return MergedBlock(block.kind.text, name, block.doc, header)


def _overlay(merged: MergedBlock, block: Block, module: Module, problems: Problems) -> None:
    written_here: dict[tuple[str, ...], Span] = {}
    for statement in block.body:
        match statement:
            case Field() | Constraint():
                path = [name.text for name in statement.path.names]
                _check_once((type(statement).__name__, *path), statement, written_here, problems)
                _place(merged, statement, module)
            case Block():
                key = (statement.kind.text, statement.name.text if statement.name else "")
                _check_once(("Block", *key), statement, written_here, problems)
                if statement.base is not None:
                    problems.report(
                        problem(statement.base.span, "E0205", "only blocks of a file extend others")
                    )
                child = merged.children.setdefault(key, _empty(statement))
                _overlay(child, statement, module, problems)
            case Expectation():
                merged.claims.append(Written(statement, module))
            case _:
                merged.others.append(statement)


def _place(merged: MergedBlock, statement: Field | Constraint, module: Module) -> None:
    """File a statement; `engine.chunk_budget = …` goes into the block `engine`."""
    first, *rest = statement.path.names
    if rest and isinstance(statement, Field):
        child = merged.children.setdefault(
            (first.text, ""), MergedBlock(first.text, "", "", first.span)
        )
        inner = Field(statement.span, _path(rest), statement.value)
        _place(child, inner, module)
    elif isinstance(statement, Field):
        merged.fields[first.text] = Written(statement, module)
    else:
        merged.constraints[statement.path.text] = Written(statement, module)


def _path(names: list[Name]) -> Path:
    return Path(names[0].span.to(names[-1].span), tuple(names))


def _check_once(
    key: tuple[str, ...],
    statement: Field | Constraint | Block,
    written: dict[tuple[str, ...], Span],
    problems: Problems,
) -> None:
    span = statement.kind.span if isinstance(statement, Block) else statement.path.span
    if key in written:
        problems.report(
            problem(
                span,
                "E0204",
                f"'{' '.join(filter(None, key[1:]))}' is given twice",
                label="again here",
                second=Label(written[key], "first here"),
                help="remove one of them",
            )
        )
    written.setdefault(key, span)
