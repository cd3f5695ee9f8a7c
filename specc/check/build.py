"""Builds the IR: from blocks with statements to typed classes, whatever the vocabulary is."""

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import attrs
from attrs import Factory, define

from specc.check import rules
from specc.check.convert import FromFile, Several, convert, to_number
from specc.check.evaluate import Called, Evaluator, Items, Symbol, Value, kind_of
from specc.check.former_values import replace_former_values
from specc.check.merge import MergedBlock, inherited, is_without, merge
from specc.check.misplaced import Misplaced
from specc.check.modules import Found, Loader, Module
from specc.check.overrides import Overrides, SweepValue, variants
from specc.check.problems import AlreadyReportedError, ProblemError, Problems, problem
from specc.check.unused import unused
from specc.diagnostics import Diagnostic, Help, Label, Source, Span, did_you_mean
from specc.ir import KINDS, Bound, Document, LengthBin, Model, Study
from specc.ir.vocabulary import (
    ArrivalType,
    BlocksType,
    BlockType,
    BoundsType,
    Entry,
    LimitType,
    Node,
    NumbersType,
    NumberType,
    ReferencesType,
    ReferenceType,
    TableType,
    TailsType,
    entries,
)
from specc.syntax import (
    Assertion,
    Block,
    Constraint,
    Expression,
    Field,
    Let,
    List,
    Sweep,
    SweepZip,
    TableRow,
    parse,
)
from specc.syntax import Path as NamePath
from specc.units import TIME
from specc.workspace import STANDARD_LIBRARY, Workspace


@define(eq=False, repr=False)
class Checked:
    """What checking a spec found out, for tools that need more than its document.

    Attributes:
        root: the module of the spec; None if it could not be read.
        document: its meaning; None if there are errors.
        diagnostics: all problems, by place.
        nodes: what was built, by the identity of its block.
        evaluator: evaluates expressions of the spec.
    """

    root: Module | None
    document: Document | None
    diagnostics: list[Diagnostic]
    nodes: dict[int, Node | None]
    evaluator: Evaluator


def check(
    workspace: Workspace, path: FilePath, overrides: Sequence[str] = ()
) -> tuple[Document | None, list[Diagnostic]]:
    """Check a spec and all files that it uses.

    `overrides` set fields from outside, each as `path=value`; they are checked like the source.

    Returns:
        Its document (None if anything is wrong) and every problem found.
    """
    checked = check_all(workspace, path, overrides)
    return checked.document, checked.diagnostics


def check_all(workspace: Workspace, path: FilePath, overrides: Sequence[str] = ()) -> Checked:
    """Check a spec as `check` does, and keep what was found on the way."""
    problems = Problems()
    loader = Loader(workspace, problems)
    builder = _Builder(workspace, problems)
    root = loader.load(path)
    if root is None:
        return Checked(None, None, problems.found, {}, builder.evaluator)
    for override in overrides:
        _override(override, root, builder)
    built: list[Node] = []
    for module in loader.modules.values():
        if not module.is_library:
            nodes = builder.module(module)
            if module is root:
                built = nodes
    studies = tuple(node for node in built if isinstance(node, Study))
    if not any(diagnostic.is_error for diagnostic in problems.found):
        # What is not used because of an error is no news.
        for diagnostic in unused(root):
            problems.add(diagnostic)
    sources = [module.tree.source for module in loader.modules.values()]
    found = sorted(problems.found, key=lambda diagnostic: _order(diagnostic, sources))
    wrong = any(diagnostic.is_error for diagnostic in found)
    document = None if wrong else Document(studies)
    return Checked(root, document, found, builder.built, builder.evaluator)


def build_block(found: Found[Block], workspace: Workspace) -> tuple[Node | None, list[Diagnostic]]:
    """Build one block of a loaded module, and what it refers to.

    Returns:
        Its meaning (None if anything is wrong with it) and every problem found.
    """
    problems = Problems()
    node = _Builder(workspace, problems).block(found)
    return node, problems.found


def _override(text: str, root: Module, builder: "_Builder") -> None:
    """Put an override of the command line over the block that it names."""
    tree, diagnostics = parse(Source("--set", text))
    for diagnostic in diagnostics:
        builder.problems.add(diagnostic)
    try:
        match tree.statements:
            case [Field(path=path, value=value)]:
                builder.overrides.add(path, value, root)
            case _ if not diagnostics:
                raise problem(
                    Span(tree.source, 0, len(text)),
                    "E0008",
                    "an override sets one field",
                    help="write PATH=VALUE: --set workload.chat.output=2000tok",
                )
    except ProblemError as error:
        builder.problems.report(error)


def _order(diagnostic: Diagnostic, sources: list[Source]) -> tuple[int, int]:
    """Sort by file, in the order they were loaded, then by place."""
    span = diagnostic.span
    if span is None or span.source not in sources:
        return len(sources), 0
    return sources.index(span.source), span.start


@define(eq=False, repr=False)
class _Builder:
    """Builds each block of a file once.

    Attributes:
        shared: blocks that are the same in all variants of a swept study: nothing in them, or in
            what they refer to, is set from outside.
    """

    workspace: Workspace
    problems: Problems
    evaluator: Evaluator = Factory(lambda self: Evaluator(self.problems), takes_self=True)
    overrides: Overrides = Factory(Overrides)
    misplaced: Misplaced = Factory(lambda self: Misplaced(self.problems), takes_self=True)
    built: dict[int, Node | None] = Factory(dict)
    shared: dict[int, Node | None] = Factory(dict)
    # Of the blocks that are being built, from the outside in: whether anything is set in them.
    _set: list[bool] = Factory(list)
    _sets: set[int] = Factory(set)  # blocks that are built, and in which something is set

    def module(self, module: Module) -> list[Node]:
        """Build every block of a module; return those without problems."""
        for statement in module.tree.statements:
            self.misplaced.check_top_level(statement)
        nodes: list[Node] = []
        for block in module.blocks.values():
            if block.kind.text in KINDS:
                nodes += self._variants(Found(block, module))
        for let in module.lets.values():
            self._evaluate_let(let, module)
        self._check_assertions(module, nodes)
        return nodes

    def _variants(self, found: Found[Block]) -> list[Node]:
        """Build a block; a study with sweeps once for every combination of their values."""
        sweeps = [s for s in found.node.body if isinstance(s, Sweep | SweepZip)]
        if not sweeps or found.node.kind.text != "study":
            node = self.block(found)
            return [] if node is None else [node]
        try:
            combinations = variants(sweeps, found.module, self.evaluator)
            shared: dict[int, Node | None] = {}
            nodes = [self._variant(found, settings, shared) for settings in combinations]
        except ProblemError as error:
            self.problems.report(error)
            return []
        except AlreadyReportedError:
            return []
        built = [node for node in nodes if node is not None]
        self._check_that_sweeps_matter(sweeps, built)
        return built

    def _variant(
        self,
        found: Found[Block],
        settings: tuple[SweepValue, ...],
        shared: dict[int, Node | None],
    ) -> Node | None:
        overrides = self.overrides.extended()
        for setting in settings:
            overrides.add(setting.path, setting.value, found.module)
        builder = _Builder(self.workspace, self.problems, self.evaluator, overrides, shared=shared)
        node = builder.block(found)
        if node is None:
            return None
        if _assertions(found.module):
            others = [
                builder.block(Found(block, found.module))
                for block in found.module.blocks.values()
                if block.kind.text in KINDS
            ]
            builder._check_assertions(found.module, [o for o in others if o is not None])
        texts = tuple((setting.path.text, setting.text) for setting in settings)
        return attrs.evolve(node, settings=texts)  # type: ignore[call-arg]

    def _check_that_sweeps_matter(self, sweeps: list[Sweep | SweepZip], built: list[Node]) -> None:
        """Report sweeps after which every variant of the study is the same."""
        plain = [attrs.evolve(node, settings=()) for node in built]  # type: ignore[call-arg]
        if len(plain) > 1 and all(node == plain[0] for node in plain):
            self.misplaced.report(
                sweeps[0].span,
                "E0476",
                "this sweep changes nothing in the study",
                why="the study does not use what it sets, or all values are the same",
            )

    def _check_assertions(self, module: Module, nodes: list[Node]) -> None:
        assertions = _assertions(module)
        if not assertions:
            return
        from specc.check.formulas import check_assertion

        by_name = {node.name: node for node in nodes}
        for assertion in assertions:
            try:
                problem_ = check_assertion(assertion, module, self.evaluator, by_name)
            except ProblemError as error:
                self.problems.report(error)
            except AlreadyReportedError:
                continue
            else:
                if problem_ is not None:
                    self.problems.add(problem_)

    def _evaluate_let(self, let: Let, module: Module) -> None:
        try:
            self.evaluator.let(Found(let, module), let.name.span)
        except ProblemError as error:
            self.problems.report(error)
        except AlreadyReportedError:
            pass

    def block(self, found: Found[Block]) -> Node | None:
        """Build the block of a definition; None if it has problems, which are reported."""
        key = id(found.node)
        if key in self.shared:
            return self.shared[key]
        if key not in self.built:
            self.built[key] = None
            self._set.append(False)
            self.built[key] = self._whole(found)
            if self._set.pop():
                self._sets.add(key)
            else:
                self.shared[key] = self.built[key]
        if key in self._sets and self._set:
            self._set[-1] = True
        return self.built[key]

    def _whole(self, found: Found[Block]) -> Node | None:
        merged = merge(found.node, found.module, self.problems, self.overrides)
        self._set[-1] |= merged.is_set
        before = self.problems.errors
        node = self._node(KINDS[merged.kind], merged)
        for diagnostic in rules.problems_of(node) if node is not None else ():
            self.problems.add(diagnostic)
        return node if self.problems.errors == before else None

    def _node(self, cls: type[Node], merged: MergedBlock) -> Node | None:
        """Build one block; None if a value is wrong or missing."""
        values: dict[str, Any] = {}
        if cls is Study:
            values["unsimulated"] = _is_unsimulated(merged)
        for statement in merged.others:
            self.misplaced.report_statement(statement, merged)
        spans: dict[str, Span] = {"": merged.span}
        failed = False
        if cls is Model:
            failed = not self._read_config(merged, values, spans)
        known = entries(cls)
        replace_former_values(cls, merged, self.problems)
        for attribute, entry in known.values():
            try:
                self._field(attribute, entry, merged, values, spans)
            except ProblemError as error:
                self.problems.report(error)
                failed = True
            except AlreadyReportedError:
                failed = True
        if cls is Study:
            self._expectations(merged, values)
        failed |= self.misplaced.report_unknown(cls, merged)
        if failed:
            return None
        missing = [
            name
            for name, (attribute, _) in known.items()
            if name not in values and attribute.default is attrs.NOTHING
        ]
        if missing and not merged.lacks_base:
            self.misplaced.report_missing(merged, missing)
        if missing:
            return None
        return cls(name=merged.name, doc=merged.doc, spans=spans, **values)

    def _field(
        self,
        attribute: "attrs.Attribute[Any]",
        entry: Entry,
        merged: MergedBlock,
        values: dict[str, Any],
        spans: dict[str, Span],
    ) -> None:
        """Put the value of one field into `values`, if the block gives it."""
        name = attribute.name
        match entry.type:
            case BlockType(cls=cls):
                self._nested(attribute, cls, merged, values, spans)
            case BlocksType() as repeated:
                nodes = [self._node(repeated.cls, block) for block in _blocks(repeated, merged)]
                if nodes:
                    values[name] = tuple(self._required(node) for node in nodes)
            case TableType(cls=cls):
                self._table(name, cls, merged, values, spans)
            case TailsType():
                values[name] = self._tails(merged)
            case BoundsType():
                child = merged.children.get((name, ""))
                if child is not None:
                    values[name], spans[name] = self._bounds(child), child.span
            case LimitType(dimension=dimension):
                limit = merged.constraints.get(name)
                if limit is not None:
                    bound = self._limit(limit.node, limit.module, NumberType(dimension, above=0))
                    values[name], spans[name] = bound, limit.node.span
            case _ if name in merged.fields:
                written = merged.fields[name]
                spans[name] = written.node.value.span
                value = self._value(entry, written.node, written.module, name)
                if value is None and attribute.default is not None:
                    raise problem(spans[name], "E0301", f"'{name}' cannot be 'auto'")
                _put(name, value, values)

    def _nested(
        self,
        attribute: "attrs.Attribute[Any]",
        cls: type[Node],
        merged: MergedBlock,
        values: dict[str, Any],
        spans: dict[str, Span],
    ) -> None:
        """Put a nested block into `values`; one that is `none` stays out, but has its place."""
        name = attribute.name
        child = merged.children.get((name, ""))
        if child is not None:
            values[name] = self._required(self._node(cls, child))
            spans[name] = child.span
        elif is_without(attribute, merged.fields.get(name)):
            spans[name] = merged.fields[name].node.value.span

    @staticmethod
    def _required(node: Node | None) -> Node:
        if node is None:
            raise AlreadyReportedError
        return node

    def _value(self, entry: Entry, node: Field, module: Module, name: str) -> Any:
        value = self.evaluator.value(node.value, module)
        span = node.value.span
        match entry.type:
            case ReferenceType(kind=kind):
                return self._reference(kind, value, span, module, name)
            case ReferencesType(kind=kind):
                items = value.values if isinstance(value, Items) else ((value, span),)
                return tuple(self._reference(kind, v, at, module, name) for v, at in items)
            case ArrivalType():
                from specc.check.arrivals import arrival_of

                return arrival_of(value, span, self.workspace, name)
            case NumbersType() if isinstance(value, Called) and value.function == "acceptance_from":
                from specc.check.acceptance import acceptance_of

                return acceptance_of(value, self.workspace)
            case type_:
                return convert(type_, value, span, name)

    def _reference(self, kind: str, value: Any, span: Span, module: Module, name: str) -> Node:
        match value:
            case Symbol(path=path):
                found, text, at = module.find_block(path), path.text, path.span
            case str():  # an alias that is no word of the language: "Qwen/Qwen3-8B"
                found, text, at = module.find_alias(value), value, span
            case _:
                raise problem(
                    span,
                    "E0301",
                    f"'{name}' takes the name of a {kind}",
                    label=f"this is {kind_of(value)}",
                )
        if found is None:
            raise problem(
                span,
                "E0203",
                f"there is no {kind} '{text}'",
                help=self._where_to_find(kind, text, module, at),
            )
        if found.node.kind.text not in KINDS:
            raise AlreadyReportedError
        if found.node.kind.text != kind:
            raise problem(
                span,
                "E0205",
                f"'{name}' takes a {kind}, but '{text}' is a {found.node.kind.text}",
                second=Label(found.node.kind.span, "defined here"),
            )
        return self._required(self.block(found))

    def _where_to_find(self, kind: str, name: str, module: Module, at: Span) -> str | Help:
        known = module.names_of(kind)
        if not known and f"{kind}s" in self.workspace.modules(STANDARD_LIBRARY):
            return f"the standard library has {kind}s: add 'use std.{kind}s' at the top"
        return did_you_mean(name, known, kind, at=at)

    def _limit(self, node: Constraint, module: Module, type_: NumberType) -> Any:
        name = node.path.text
        if node.operator not in ("<=", "<"):
            raise problem(
                node.span,
                "E0403",
                f"'{name}' takes an upper limit",
                label=f"'{node.operator}' is not an upper limit",
                help=f"write {name} <= {node.bound.span.text}",
            )
        value = self.evaluator.value(node.bound, module)
        bound = to_number(type_, value, node.bound.span, name)
        if bound is None:
            raise problem(node.bound.span, "E0301", f"a limit of '{name}' cannot be 'auto'")
        return bound

    def _read_config(
        self, merged: MergedBlock, values: dict[str, Any], spans: dict[str, Span]
    ) -> bool:
        """Read the fields that the `config` of a model gives; tell whether it went well."""
        written = merged.fields.get("config")
        if written is None:
            return True
        span = written.node.value.span
        try:
            name = convert(
                entries(Model)["config"][1].type,
                self.evaluator.value(written.node.value, written.module),
                span,
                "config",
            )
            from specc.check.huggingface import read_config

            folder = self.workspace.folder_of(span.source)
            read = read_config(self.workspace, folder / name, span, self._given_of(merged))
            values.update(read)
            spans.update(dict.fromkeys(read, span))
        except ProblemError as error:
            self.problems.report(error)
            return False
        except AlreadyReportedError:
            return False
        return True

    def _given_of(self, merged: MergedBlock) -> dict[str, object]:
        """Return what a model says beside its `config` that decides over the file."""
        written = {name: merged.fields.get(name) for name in ("weights", "architecture", "ignore")}
        values = {
            name: self.evaluator.value(field.node.value, field.module)
            for name, field in written.items()
            if field is not None
        }
        given: dict[str, object] = {
            name: value
            for name, value in values.items()
            if not (isinstance(value, Symbol) and value.path.text == "auto")
        }
        if (ignore := written["ignore"]) is not None:
            type_, span = entries(Model)["ignore"][1].type, ignore.node.value.span
            given["ignore"] = convert(type_, values["ignore"], span, "ignore")
        return given

    def _expectations(self, merged: MergedBlock, values: dict[str, Any]) -> None:
        """Put the expectations of a study into `values`."""
        if not merged.claims:
            return
        from specc.check.formulas import ResultNames, to_expectation

        lists = [merged.fields.get(field) for field in ("deployments", "servers")]
        deployments = [name for names in lists if names for name in _names_in(names.node.value)]
        workload = values.get("workload")
        classes = () if workload is None else tuple(one.name for one in workload.classes)
        known = ResultNames(tuple(deployments), classes, not _is_unsimulated(merged))
        expectations = []
        for claim in merged.claims:
            try:
                expectations.append(to_expectation(claim.node, claim.module, self.evaluator, known))
            except ProblemError as error:
                self.problems.report(error)
            except AlreadyReportedError:
                continue
        values["expectations"] = tuple(expectations)

    def _tails(self, merged: MergedBlock) -> tuple[Bound, ...]:
        """Return the limits of a block on statistics over requests."""
        from specc.check.bounds import is_tail, to_tail

        found = []
        for path, written in merged.constraints.items():
            if is_tail(path):
                value = self._limit(written.node, written.module, NumberType(TIME, above=0))
                found.append(to_tail(written.node, value))
        return tuple(found)

    def _table(
        self,
        name: str,
        cls: type[Node],
        merged: MergedBlock,
        values: dict[str, Any],
        spans: dict[str, Span],
    ) -> None:
        """Put the rows of a table into `values`: written as a block, or by a function."""
        child, written = merged.children.get((name, "")), merged.fields.get(name)
        if child is not None and written is not None:
            raise problem(
                written.node.path.span,
                "E0204",
                f"'{name}' is given twice",
                second=Label(child.span, "as a table here"),
            )
        if child is not None:
            values[name], spans[name] = self._rows(cls, child), child.span
        elif written is not None:
            span = written.node.value.span
            value = self.evaluator.value(written.node.value, written.module)
            values[name], spans[name] = self._filed(name, cls, value, span), span

    def _filed(self, name: str, cls: type[Node], value: Value, span: Span) -> tuple[Node, ...]:
        """Return the rows of a table that a function reads from a file."""
        match value:
            case Called(function="lengths_from") if cls is LengthBin:
                from specc.check.lengths import bins_of

                return bins_of(value, self.workspace, name)
            case Called(function="rows_from") if cls is not LengthBin:
                from specc.check.table_files import rows_from

                return rows_from(cls, value, self.workspace, name)
        function = 'lengths_from("trace.csv")' if cls is LengthBin else 'rows_from("rows.csv")'
        raise problem(
            span,
            "E0301",
            f"'{name}' takes a table or a function",
            label=f"this is {kind_of(value)}",
            help=f"write {name} {{ | {' | '.join(entries(cls))} | … }} or {name} = {function}",
        )

    def _rows(self, cls: type[Node], child: MergedBlock) -> tuple[Node, ...]:
        from specc.check.tables import check_requests, check_rows

        before = self.problems.errors
        rows = [statement for statement in child.others if isinstance(statement, TableRow)]
        for statement in child.others:
            if not isinstance(statement, TableRow):
                self.misplaced.report_statement(statement, child)
        misplaced = [w.node.span for w in child.fields.values()]
        misplaced += [w.node.span for w in child.constraints.values()]
        for span in misplaced:
            self.misplaced.report(span, "E0202", f"the table '{child.kind}' holds only rows")
        given = (rows, child.span, child.module, self.evaluator, self.problems)
        found = check_requests(*given) if cls is LengthBin else check_rows(cls, *given)
        if self.problems.errors != before:
            raise AlreadyReportedError
        return tuple(found)

    def _bounds(self, child: MergedBlock) -> tuple[Bound, ...]:
        """Return the constraints of a block on facts of a result."""
        from specc.check.bounds import to_bound

        before = self.problems.errors
        found = []
        for written in child.constraints.values():
            try:
                value = self.evaluator.value(written.node.bound, written.module)
                found.append(to_bound(written.node, value))
            except ProblemError as error:
                self.problems.report(error)
            except AlreadyReportedError:
                continue
        for other in child.fields.values():
            self.misplaced.report(
                other.node.span,
                "E0403",
                f"'{child.kind}' holds constraints, not values",
                help=f"write {other.node.path.text} <= or >= a value",
            )
        for statement in child.others:
            self.misplaced.report_statement(statement, child)
        if self.problems.errors != before:
            raise AlreadyReportedError
        return tuple(found)


def _put(name: str, value: Any, values: dict[str, Any]) -> None:
    """Put a value into those of a block, with what else it says."""
    if isinstance(value, Several):
        values["tried"] = (*values.get("tried", ()), (name, value.values))
        value = value.values[0]
    if isinstance(value, FromFile):  # unless the block says another source
        values["source"] = value.source
        value = value.values
    values[name] = value


def _blocks(type_: BlocksType, merged: MergedBlock) -> list[MergedBlock]:
    """Return the named blocks of a kind inside of a block, each with what it inherits."""
    own = [block for (kind, _), block in merged.children.items() if kind == type_.kind]
    return [inherited(merged, block, type_.cls) for block in own] if type_.inherits else own


def _is_unsimulated(merged: MergedBlock) -> bool:
    """Say whether a study has `simulate = none`."""
    return is_without(entries(Study)["simulate"][0], merged.fields.get("simulate"))


def _assertions(module: Module) -> list[Assertion]:
    return [s for s in module.tree.statements if isinstance(s, Assertion)]


def _names_in(expression: Expression) -> list[str]:
    """Return the names that a list of names, or one name, holds."""
    items = expression.items if isinstance(expression, List) else (expression,)
    return [item.text.rpartition(".")[2] for item in items if isinstance(item, NamePath)]
