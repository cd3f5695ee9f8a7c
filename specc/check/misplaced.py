"""Reports what stands where it has no place: unknown kinds, fields, blocks and statements."""

from collections.abc import Mapping
from typing import Any

from attrs import define

from specc.check.bounds import is_tail
from specc.check.merge import MergedBlock, Written, is_without
from specc.check.problems import Problems, planned
from specc.check.strangers import meant_by
from specc.diagnostics import Diagnostic, Help, Span, did_you_mean
from specc.ir import KINDS
from specc.ir.vocabulary import (
    BlockType,
    BoundsType,
    LimitType,
    Node,
    TableType,
    TailsType,
    entries,
    own_entries,
    repeated_blocks,
)
from specc.syntax import Assertion, Block, Constraint, Field, Let, Statement, Sweep, SweepZip, Use

_BLOCKS = BlockType | TableType | BoundsType


@define(eq=False, repr=False)
class Misplaced:
    """Reports to `problems`; each method tells whether, or what, it found."""

    problems: Problems

    def check_top_level(self, statement: Statement) -> None:
        """Report a statement that has no place outside of blocks."""
        match statement:
            case Use() | Let():
                return
            case Block() if statement.kind.text not in KINDS:
                self.report(
                    statement.kind.span,
                    "E0201",
                    f"there is no kind of block '{statement.kind.text}'",
                    help=did_you_mean(statement.kind.text, KINDS, "kind", at=statement.kind.span),
                )
            case Block() if statement.name is None:
                kind = statement.kind.text
                self.report(
                    statement.kind.span,
                    "E0207",
                    f"this {kind} has no name",
                    help=f"write {kind} some_name {{ … }}",
                )
            case Block():
                return
            case Assertion():
                return
            case _:
                self.report(
                    statement.span,
                    "E0202",
                    "this has no place outside of a block",
                    help="a file holds use, let and blocks; a value of your own is 'let x = …'",
                )

    def report_unknown(self, cls: type[Node], merged: MergedBlock) -> bool:
        """Report what the class does not have; tell whether there was any."""
        known = own_entries(cls)
        found = False
        for name, written in merged.fields.items():
            if self.problems.is_full:
                return True
            found |= self._report_field(cls, known, merged, name, written)
        for path, limit in merged.constraints.items():
            found |= self._report_constraint(known, merged, path, limit)
        for (kind, _), child in merged.children.items():
            found |= self._report_child(cls, known, merged, kind, child)
        return found

    def _report_field(
        self,
        cls: type[Node],
        known: Mapping[str, Any],
        merged: MergedBlock,
        name: str,
        written: Written[Field],
    ) -> bool:
        span = written.node.path.span
        type_ = known[name][1].type if name in known else None
        if isinstance(type_, LimitType):
            self.report(
                written.node.span,
                "E0403",
                f"'{name}' is a limit, not a value",
                help=f"write {name} <= {written.node.span.text.partition('=')[2].strip()}",
            )
        elif isinstance(type_, BlockType) and is_without(known[name][0], written):
            return False
        elif isinstance(type_, BlockType | BoundsType):
            self.report(span, "E0301", f"'{name}' is a block", help=f"write {name} {{ … }}")
        elif type_ is not None:
            return False
        elif name in repeated_blocks(cls):
            self.report(
                span, "E0301", f"'{name}' is a block with a name", help=f"write {name} NAME {{ … }}"
            )
        elif name in cls.planned:
            self.report_planned(span, cls.planned[name])
        else:
            self.report(
                span,
                "E0202",
                f"{_a(merged.kind)} has no field '{name}'",
                help=_where_it_stands(cls, name)
                or meant_by(name, merged.kind)
                or did_you_mean(name, known, "field", more=cls.planned, at=span),
            )
        return True

    def _report_constraint(
        self, known: Mapping[str, Any], merged: MergedBlock, path: str, written: Written[Constraint]
    ) -> bool:
        metric, _, statistic = path.partition(".")
        limits = [n for n, (_, entry) in known.items() if isinstance(entry.type, LimitType)]
        span = written.node.path.span
        if metric in limits and not statistic:
            return False
        tails = any(isinstance(entry.type, TailsType) for _, entry in known.values())
        if tails and is_tail(path):
            return False
        from specc.ir.facts import METRICS, STATISTICS

        if tails and metric in METRICS:
            self.report(
                span,
                "E0202",
                f"there is no statistic '{statistic}'"
                if statistic
                else f"'{metric}' needs a statistic",
                help=did_you_mean(
                    statistic, STATISTICS, "statistic", at=written.node.path.names[-1].span
                )
                if statistic
                else f"write {metric}.p99",
            )
        elif limits:
            self.report(
                span,
                "E0202",
                f"there is no objective '{path}'",
                help=did_you_mean(
                    path, [*limits, *METRICS] if tails else limits, "objective", at=span
                ),
            )
        else:
            self.report(
                written.node.span,
                "E0202",
                f"{_a(merged.kind)} has no constraints",
                help=meant_by(metric, merged.kind)
                or "constraints stand in the block 'slo' of a workload; values have '='",
            )
        return True

    def _report_child(
        self,
        cls: type[Node],
        known: Mapping[str, Any],
        merged: MergedBlock,
        kind: str,
        child: MergedBlock,
    ) -> bool:
        blocks = {n for n, (_, e) in known.items() if isinstance(e.type, _BLOCKS)}
        repeated = repeated_blocks(cls)
        if kind in repeated or (kind in blocks and not child.name):
            return False
        if kind in cls.planned:
            self.report_planned(child.span, cls.planned[kind])
        elif kind in KINDS:
            self.report(
                child.span,
                "E0202",
                f"{_a(kind)} cannot stand inside of {_a(merged.kind)}",
                help="is a '}' missing before it?",
            )
        elif kind in blocks:
            self.report(
                child.span,
                "E0202",
                f"the block '{kind}' takes no name",
                help=f"write {kind} {{ … }}",
            )
        else:
            self.report(
                child.span,
                "E0202",
                f"'{kind}' is a field, not a block"
                if kind in known
                else f"{_a(merged.kind)} has no block '{kind}'",
                help=_other_block(kind)
                or meant_by(kind, merged.kind)
                or did_you_mean(kind, [*blocks, *repeated], "block", at=child.span),
            )
        return True

    def report_statement(self, statement: Statement, merged: MergedBlock) -> None:
        """Report a statement that is neither a field nor a block, where it has no place."""
        if merged.kind == "study" and isinstance(statement, Sweep | SweepZip):
            return
        if isinstance(statement, Use | Let):
            self.report(statement.span, "E0202", "'use' and 'let' stand outside of blocks")
        else:
            self.report(statement.span, "E0202", f"this has no place in {_a(merged.kind)}")

    def report_missing(self, merged: MergedBlock, missing: list[str]) -> None:
        """Report required fields that a block lacks."""
        names = ", ".join(f"'{name}'" for name in missing)
        title = f"{merged.kind} '{merged.name}'" if merged.name else f"block '{merged.kind}'"
        plural = "fields" if len(missing) > 1 else "field"
        self.report(merged.span, "E0401", f"the {title} lacks the {plural} {names}")

    def report_planned(self, span: Span, what: str) -> None:
        """Report what the language knows and this version does not evaluate."""
        self.problems.report(planned(span, what))

    def report(
        self, span: Span, code: str, message: str, *, why: str = "", help: str | Help = ""
    ) -> None:
        """Report a problem at one span."""
        self.problems.add(Diagnostic.at(span, code, message, why=why, help=help))


def _where_it_stands(cls: type[Node], name: str) -> str:
    """Say which nested block has a field, if one does."""
    for block, (_, entry) in entries(cls).items():
        if isinstance(entry.type, BlockType) and name in entries(entry.type.cls):
            return f"it stands in the block '{block}': write {block} {{ {name} … }}"
    return ""


def _other_block(kind: str) -> str:
    """Say which block of a file has a block, if one does."""
    for owner, cls in KINDS.items():
        if kind in entries(cls) and isinstance(entries(cls)[kind][1].type, BlockType):
            return f"it stands in {_a(owner)}"
    return ""


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
