"""`extends`: the statements of a block over those of its base."""

from typing import Any, Generic, TypeVar

import attrs
from attrs import Factory, define, frozen

from specc.check.former import current_path
from specc.check.modules import Module
from specc.check.overrides import Overrides
from specc.check.problems import ProblemError, Problems, problem
from specc.diagnostics import Label, Span, did_you_mean
from specc.ir import KINDS
from specc.ir.vocabulary import Node, entries, nested_class
from specc.syntax import (
    Block,
    Constraint,
    Expectation,
    Expression,
    Field,
    Path,
    Statement,
    TableRow,
)

LONGEST_CHAIN = 64

S = TypeVar("S", bound=Statement)
_SIDES = ("<", ">", "=", "!")


@frozen(eq=False, repr=False)
class Written(Generic[S]):
    """A statement and the module whose names it sees."""

    node: S
    module: Module


@define(eq=False, repr=False)
class MergedBlock:
    """A block with what it inherits. Fields and constraints are keyed by their first name.

    `is_set` tells whether anything in it is set from outside.
    """

    kind: str
    name: str
    doc: str
    span: Span
    fields: dict[str, Written[Field]] = Factory(dict)
    constraints: dict[str, Written[Constraint]] = Factory(dict)
    children: dict[tuple[str, str], "MergedBlock"] = Factory(dict)
    claims: list[Written[Expectation]] = Factory(list)
    others: list[Statement] = Factory(list)
    is_set: bool = False
    lacks_base: bool = False
    _module: Module | None = None

    @property
    def module(self) -> Module:
        """The module whose names the statements of a nested block see."""
        assert self._module is not None
        return self._module


def merge(block: Block, module: Module, problems: Problems, overrides: Overrides) -> MergedBlock:
    """Return a block with the statements of its chain of bases, the nearest one winning."""
    merged = _empty(block, module)
    chain = _chain(block, module, problems, merged)
    for node, home in reversed(chain):
        cls = KINDS.get(node.kind.text)
        _replace(merged, node, cls)
        _Layer(home, problems).overlay(merged, node, cls)
        for layer, origin in overrides.of(node):
            _replace(merged, layer, cls)
            _Layer(origin, problems, is_override=True).overlay(merged, layer, cls)
            merged.is_set = True
    return merged


def _replace(merged: MergedBlock, layer: Block, cls: type[Node] | None) -> None:
    """Take out what a layer gives something else for: lengths instead of a table of them."""
    given = {_first_name(statement) for statement in layer.body}
    for name in _replaced(given, cls) - given:
        merged.fields.pop(name, None)
        merged.children.pop((name, ""), None)
    for statement in layer.body:
        if isinstance(statement, Block) and statement.name is not None:
            child = merged.children.get((statement.kind.text, statement.name.text))
            if child is not None:
                _replace(child, statement, nested_class(cls, statement.kind.text))


def _replaced(given: set[str], cls: type[Node] | None) -> set[str]:
    """Return the fields that a class has others instead of, if these are given."""
    instead = cls.instead if cls is not None else {}
    return {name for one in given for name in instead.get(one, ())}


def _first_name(statement: Statement) -> str:
    match statement:
        case Field() | Constraint():
            return statement.path.names[0].text
        case Block():
            return statement.kind.text
        case _:
            return ""


def inherited(outer: MergedBlock, inner: MergedBlock, cls: type[Node]) -> MergedBlock:
    """Return a block with what it leaves out from the block around it, as far as its class has it.

    What it gives instead of other fields it does not inherit these beside.
    """
    given = {*inner.fields, *(kind for kind, _ in inner.children)}
    left = _replaced(given, cls) | given

    def takes(name: str) -> bool:
        return name in entries(cls) and name not in left

    children = dict(inner.children)
    for (kind, name), block in outer.children.items():
        own = inner.children.get((kind, name))
        if own is not None:
            children[kind, name] = _over(block, own)
        elif takes(kind):
            children[kind, name] = block
    fields = {name: field for name, field in outer.fields.items() if takes(name)}
    return attrs.evolve(inner, fields=fields | inner.fields, children=children)


def _over(outer: MergedBlock, inner: MergedBlock) -> MergedBlock:
    """Return a nested block over that which it overrides; a table replaces it."""
    if any(isinstance(statement, TableRow) for statement in inner.others):
        return inner
    children = dict(outer.children)
    for key, own in inner.children.items():
        children[key] = _over(outer.children[key], own) if key in outer.children else own
    return attrs.evolve(
        inner,
        fields=outer.fields | inner.fields,
        constraints=outer.constraints | inner.constraints,
        children=children,
    )


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
        if len(chain) == LONGEST_CHAIN:
            message = f"blocks extend each other more than {LONGEST_CHAIN} deep"
            problems.report(problem(base.span, "E0103", message))
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
            help=did_you_mean(
                base.text, set(module.names_of(kind)) - {_name(block)}, kind, at=base.span
            ),
        )
    if found.node.kind.text != kind:
        raise problem(
            base.span,
            "E0205",
            f"a {kind} extends a {kind}, but '{base.text}' is a {found.node.kind.text}",
            second=Label(found.node.kind.span, "defined here"),
        )
    return found.node, found.module


def _name(block: Block) -> str:
    return block.name.text if block.name else ""


def _empty(block: Block, module: Module) -> MergedBlock:
    header = block.kind.span if block.name is None else block.kind.span.to(block.name.span)
    return MergedBlock(block.kind.text, _name(block), block.doc, header, module=module)


def is_none(value: Expression) -> bool:
    """Say whether a value is the word `none`, which may stand for an optional block."""
    return isinstance(value, Path) and value.text == "none"


def is_without(attribute: "attrs.Attribute[Any]", written: Written[Field] | None) -> bool:
    """Say whether an optional block is `none`."""
    return written is not None and attribute.default is None and is_none(written.node.value)


def _side(merged: MergedBlock, statement: Field | Constraint) -> tuple[str, ...]:
    """Tell limits from below and from above apart: a fact of a result may have both."""
    if merged.kind != "limits" or not isinstance(statement, Constraint):
        return ()
    return (statement.operator[0],)


@define(eq=False, repr=False)
class _Layer:
    """One block being laid over what it inherits; a field may be given once in it."""

    module: Module
    problems: Problems
    is_override: bool = False
    written: dict[tuple[str, ...], Span] = Factory(dict)

    def overlay(
        self,
        merged: MergedBlock,
        block: Block,
        cls: type[Node] | None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        for statement in block.body:
            match statement:
                case Field() | Constraint():
                    path = current_path(statement.path, cls, self.problems)
                    is_current = path is statement.path
                    current = statement if is_current else attrs.evolve(statement, path=path)
                    names = [name.text for name in path.names]
                    side = _side(merged, current)
                    self._check_once((type(current).__name__, *prefix, *names, *side), current)
                    self._place(merged, current, cls)
                case Block():
                    key = (statement.kind.text, statement.name.text if statement.name else "")
                    inside = (*prefix, *filter(None, key))
                    self._check_once(("Block", *inside), statement)
                    if statement.base is not None:
                        self.problems.report(
                            problem(
                                statement.base.span, "E0205", "only blocks of a file extend others"
                            )
                        )
                    none = merged.fields.get(key[0])
                    if none is not None and self.is_override:
                        self._report_none(key[0], statement.kind.span, none)
                        continue
                    merged.fields.pop(key[0], None)  # a block after 'none' stands again
                    child = merged.children.setdefault(key, _empty(statement, self.module))
                    if any(isinstance(inner, TableRow) for inner in statement.body):
                        # A table replaces the one that it overrides: rows have no names.
                        child.others = [o for o in child.others if not isinstance(o, TableRow)]
                    self.overlay(child, statement, nested_class(cls, key[0]), inside)
                case Expectation():
                    merged.claims.append(Written(statement, self.module))
                case _:
                    merged.others.append(statement)

    def _place(
        self, merged: MergedBlock, statement: Field | Constraint, cls: type[Node] | None
    ) -> None:
        """File a statement; `engine.chunk_budget = …` goes into the block `engine`."""
        first, *rest = statement.path.names
        inner = nested_class(cls, first.text)
        if rest and inner is not None and first.text in merged.fields:
            self._report_none(first.text, statement.path.span, merged.fields[first.text])
        elif rest and (isinstance(statement, Field) or inner is not None):
            child = merged.children.setdefault(
                (first.text, ""), MergedBlock(first.text, "", "", first.span)
            )
            path = Path(rest[0].span.to(rest[-1].span), tuple(rest))
            self._place(child, attrs.evolve(statement, path=path), inner)
        elif isinstance(statement, Field):
            merged.fields[first.text] = Written(statement, self.module)
            if inner is not None and is_none(statement.value):
                merged.children.pop((first.text, ""), None)
        else:
            key = " ".join((statement.path.text, *_side(merged, statement)))
            merged.constraints[key] = Written(statement, self.module)

    def _report_none(self, name: str, span: Span, none: Written[Field]) -> None:
        self.problems.report(
            problem(
                span,
                "E0204",
                f"'{name}' is none, so nothing in it can be set",
                second=Label(none.node.span, "none here"),
                help=f"write the block instead of none: {name} {{ … }}",
            )
        )

    def _check_once(self, key: tuple[str, ...], statement: Field | Constraint | Block) -> None:
        span = statement.kind.span if isinstance(statement, Block) else statement.path.span
        first = self.written.setdefault(key, span)
        if first is not span:
            self.problems.report(
                problem(
                    span,
                    "E0204",
                    f"'{'.'.join(part for part in key[1:] if part not in _SIDES)}' is given twice",
                    label="again here",
                    second=Label(first, "first here"),
                    help="remove one of them",
                )
            )
