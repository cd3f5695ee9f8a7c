"""Overrides: a field set from outside of its block, by a sweep or from the command line.

An override is a layer over the block it names, and so also under the blocks that extend that one:
the spec means what it would mean if the value stood in the block.
"""

import hashlib
from collections.abc import Iterable
from itertools import product

from attrs import Factory, define, frozen

from specc.check.evaluate import Evaluator, Interval, Items, Value, kind_of
from specc.check.modules import Module
from specc.check.problems import problem
from specc.diagnostics import Label, Source, Span, did_you_mean
from specc.ir import KINDS
from specc.ir.vocabulary import (
    BlockType,
    LimitType,
    Node,
    current_names,
    former_names,
    own_entries,
    repeated_blocks,
)
from specc.syntax import (
    Block,
    Constraint,
    Expression,
    Field,
    Given,
    List,
    Name,
    Path,
    Statement,
    Sweep,
    SweepZip,
)
from specc.syntax.parser import all_tokens
from specc.units import Quantity

MOST_VARIANTS = 10_000
MOST_VALUES = 1_000


@define(eq=False, repr=False)
class Overrides:
    """Layers of statements over blocks."""

    _layers: dict[int, list[tuple[Block, Module]]] = Factory(dict)
    _set_at: dict[tuple[int, str], Span] = Factory(dict)

    def add(self, path: Path, value: Expression, module: Module) -> None:
        """Set the field that a path names: `chat.slo.tpot` or `workload.chat.slo.tpot`.

        Raises:
            ProblemError: there is no such block or field.
        """
        block, names = _target(path, module)
        written = [name.text for name in names]
        key = (id(block), ".".join(current_names(KINDS.get(block.kind.text), written)))
        if key in self._set_at:
            raise problem(
                path.span,
                "E0204",
                f"'{path.text}' is set twice",
                label="again here",
                second=Label(self._set_at[key], "first here"),
                help="use one sweep or one --set for each field",
            )
        self._set_at[key] = path.span
        layer = _layer(block, names, value)
        self._layers.setdefault(id(block), []).append((layer, module))

    def of(self, block: Block) -> list[tuple[Block, Module]]:
        """Return the layers over a block, the last one winning."""
        return self._layers.get(id(block), [])

    def extended(self) -> "Overrides":
        """Return a copy to add to."""
        layers = {key: list(layers) for key, layers in self._layers.items()}
        return Overrides(layers, dict(self._set_at))


def digest(overrides: Iterable[str]) -> str:
    """Return eight digits that tell overrides of the command line from others.

    Neither their order counts nor white space in them, nor whether a path names the kind.
    """
    texts = sorted(map(_normal, overrides))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def _normal(override: str) -> str:
    tokens = [token for token in all_tokens(Source("--set", override)) if token.type not in _BLANK]
    words = [text if text[:1] == '"' else "".join(text.split()) for text in tokens]
    return " ".join(words[2:] if words[1:2] == ["."] and words[0] in KINDS else words)


_BLANK = ("SPACE", "COMMENT", "_END")


@frozen(eq=False)
class SweepValue:
    """One value of a sweep: what is set to what, and the text that shows the value."""

    path: Path
    value: Expression
    text: str


def variants(
    sweeps: list[Sweep | SweepZip], module: Module, evaluator: Evaluator
) -> list[tuple[SweepValue, ...]]:
    """Return the settings of every variant: sweeps multiply, those in `sweep zip` advance together.

    Raises:
        ProblemError: values that are no list, lists of different length, too many variants.
    """
    axes = [_axis(sweep, module, evaluator) for sweep in sweeps]
    count = 1
    for axis in axes:
        count *= len(axis)
    if count > MOST_VARIANTS:
        raise problem(
            sweeps[-1].span,
            "E0402",
            f"the sweeps make {count:,} variants, more than {MOST_VARIANTS:,}",
        )
    return [tuple(s for point in points for s in point) for points in product(*axes)]


def _axis(
    sweep: Sweep | SweepZip, module: Module, evaluator: Evaluator
) -> list[tuple[SweepValue, ...]]:
    if isinstance(sweep, Sweep):
        return [(setting,) for setting in _settings(sweep, module, evaluator)]
    columns = [_settings(inner, module, evaluator) for inner in sweep.sweeps]
    for inner, column in zip(sweep.sweeps, columns, strict=True):
        if len(column) != len(columns[0]):
            raise problem(
                inner.values.span,
                "E0477",
                f"'sweep zip' pairs values: this sweep has {len(column)}, the first "
                f"{len(columns[0])}",
                help="give every sweep in it the same number of values",
            )
    return list(zip(*columns, strict=True))


def _settings(sweep: Sweep, module: Module, evaluator: Evaluator) -> list[SweepValue]:
    values = sweep.values
    if isinstance(values, List):
        settings = [SweepValue(sweep.path, item, item.span.text) for item in values.items]
    else:
        settings = [
            SweepValue(sweep.path, Given(span, value), text)
            for value, span, text in _expanded(values, module, evaluator)
        ]
    if not settings:
        raise problem(
            values.span, "E0402", "this sweep has no values", help="name at least one value"
        )
    return settings


def _expanded(
    values: Expression, module: Module, evaluator: Evaluator
) -> list[tuple[Value, Span, str]]:
    """Return the values of a named list or of a range, each with its place and its text."""
    value = evaluator.value(values, module)
    if isinstance(value, Items):
        return [(item, span, span.text) for item, span in value.values]
    if not isinstance(value, Interval) or value.step is None:
        raise problem(
            values.span,
            "E0301",
            "a sweep takes a list, or a range with 'by'",
            label=f"this is {kind_of(value)}",
            help="write [30 ms, 50 ms], or 10 ms .. 50 ms by 10 ms",
        )
    return [(step, values.span, str(step)) for step in _steps(value, values)]


def _steps(interval: Interval, node: Expression) -> list[Quantity]:
    assert interval.step is not None
    _check_units(interval, interval.step, node.span)
    steps = [interval.low]
    while len(steps) <= MOST_VALUES:
        last = steps[-1]
        following = last * interval.step if interval.geometric else last + interval.step
        if following.compared(last) <= 0:
            raise problem(node.span, "E0402", "the range of a sweep never reaches its end")
        if following.compared(interval.high) > 0:
            return steps
        steps.append(following)
    raise problem(node.span, "E0402", f"a sweep has more than {MOST_VALUES} values")


def _check_units(interval: Interval, step: Quantity, span: Span) -> None:
    if interval.geometric and step.dimension.exponents:
        raise problem(
            span,
            "E0302",
            f"the factor of a range is {step.dimension}",
            help="write a factor without a unit, as in 'by *2'",
        )
    others = [interval.high] if interval.geometric else [interval.high, step]
    for other in others:
        if other.dimension != interval.low.dimension:
            raise problem(
                span,
                "E0302",
                f"a range from {interval.low.dimension} with {other.dimension}",
                help="write both ends and the step in the same unit",
            )


def _target(path: Path, module: Module) -> tuple[Block, list[Name]]:
    names = list(path.names)
    if names[0].text in KINDS and len(names) > 1:
        names = names[1:]
    for used in (2, 1):
        head = Path(names[0].span.to(names[min(used, len(names)) - 1].span), tuple(names[:used]))
        found = module.find_block(head)
        if found is not None and len(names) > used:
            return found.node, names[used:]
    known = [name for name, block in module.blocks.items() if block.kind.text in KINDS]
    if len(names) == 1 and names[0].text in known:
        raise problem(path.span, "E0202", f"'{path.text}' is a block; name one of its fields")
    raise problem(
        names[0].span,
        "E0203",
        f"there is no block '{names[0].text}' in this spec",
        help=did_you_mean(names[0].text, known, "block", at=names[0].span),
    )


def _layer(block: Block, names: list[Name], value: Expression) -> Block:
    """Return a block of the same kind that holds one statement, nested as deep as the path."""
    cls = KINDS.get(block.kind.text)
    if cls is None:
        raise problem(block.kind.span, "E0201", f"'{block.kind.text}' is not a kind of block")
    return Block(value.span, block.kind, block.name, None, (_nested(cls, names, value),))


def _nested(cls: type[Node], names: list[Name], value: Expression) -> Statement:
    first, *rest = names
    known = own_entries(cls)
    repeated = repeated_blocks(cls)
    if first.text in repeated and len(rest) > 1:
        inner = _nested(repeated[first.text], rest[1:], value)
        return Block(first.span, first, rest[0], None, (inner,))
    # A former name stays here, and is reported where the layer is laid over its block.
    current = former_names(cls).get(first.text, first.text)
    type_ = known[current][1].type if current in known else None
    if isinstance(type_, BlockType) and rest:
        return Block(first.span, first, None, None, (_nested(type_.cls, rest, value),))
    if type_ is None and first.text not in cls.planned:
        what = "field" if not rest else "block"
        if first.text in repeated:
            raise problem(
                first.span,
                "E0202",
                f"'{first.text}' lacks a name and a field",
                help=f"write {first.text}.NAME.FIELD",
            )
        raise problem(
            first.span,
            "E0202",
            f"there is no {what} '{first.text}' here",
            help=did_you_mean(
                first.text, [*known, *repeated], what, more=cls.planned, at=first.span
            ),
        )
    path = Path(first.span, (first,))
    if rest:
        raise problem(rest[0].span, "E0202", f"'{first.text}' has no fields")
    if isinstance(type_, LimitType):
        return Constraint(first.span, path, "<=", value)
    return Field(first.span, path, value)
