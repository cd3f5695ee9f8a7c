"""Conditions: the syntax of `assert` and `expect` → formulas, checked with sample values."""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from attrs import frozen

from specc.check.bounds import is_tail
from specc.check.evaluate import DEEPEST_EXPRESSION, Evaluator, Symbol, kind_of
from specc.check.former import renamed
from specc.check.modules import Module
from specc.check.problems import Problems, problem
from specc.diagnostics import Diagnostic, Label, Span, did_you_mean
from specc.ir import facts
from specc.ir.facts import METRICS, MONEY, STATISTICS, dimension_of
from specc.ir.formula import (
    Constant,
    ExpectedCondition,
    Fact,
    Formula,
    FormulaError,
    Operation,
    Reference,
    Truth,
    Word,
    evaluate,
    references,
)
from specc.ir.vocabulary import LimitType, Node, NumberType, current_names, entries
from specc.syntax import Assertion, Binary, Boolean, Expectation, Expression, Path, String, Unary
from specc.units import CURRENCIES, Dimension, Quantity

Namer = Callable[[Path], Formula]
_OF_A_CLASS = ("attainment", "goodput")  # and statistics over its requests


@frozen
class ResultNames:
    """What the results of a study can be named by.

    Attributes:
        deployments: its deployments and servers.
        classes: those of its workload.
        simulated: whether there are statistics over requests, goodput and capacity.
    """

    deployments: tuple[str, ...]
    classes: tuple[str, ...]
    simulated: bool


def to_expectation(
    node: Expectation,
    module: Module,
    evaluator: Evaluator,
    known: ResultNames,
) -> ExpectedCondition:
    """Return the expectation of a study, with the names of results checked.

    Raises:
        ProblemError: it names no fact of a result, or its parts do not fit together.
    """
    spans: dict[int, Span] = {}

    def named(path: Path) -> Formula:
        names = [facts.current_name(name.text) for name in path.names[1:]]
        path = renamed(path, [path.names[0].text, *names], evaluator.problems)
        return _result_fact(path, known)

    formula = _whole_formula(node.condition, module, evaluator, named, spans)
    money = next((c for c in _currencies(formula)), MONEY)

    def sample(path: str) -> Fact:
        dimension = dimension_of(path)
        dimension = money if dimension == MONEY else dimension
        return "" if dimension is None else Quantity(1, dimension)

    _evaluated(formula, sample, spans, node.condition.span)
    reason = node.reason.value if node.reason else ""
    return ExpectedCondition(condition=formula, reason=reason, spans={"": node.span})


def check_assertion(
    node: Assertion, module: Module, evaluator: Evaluator, nodes: dict[str, Node]
) -> Diagnostic | None:
    """Return the problem of an assertion that does not hold, with the values it saw.

    Raises:
        ProblemError: it names no fact of the spec, or its parts do not fit together.
    """
    spans: dict[int, Span] = {}
    facts: dict[str, Fact] = {}

    def named(path: Path) -> Formula:
        block = module.find_block(path)
        if block is not None and block.node.name is not None:
            return Word(path.text, block.node.name.text)
        path = _renamed_fields(path, nodes, evaluator.problems)
        facts[path.text] = _spec_fact(path, module, nodes)
        return Reference(path.text, path.text)

    formula = _whole_formula(node.condition, module, evaluator, named, spans)
    if _evaluated(formula, facts.__getitem__, spans, node.condition.span):
        return None
    lets = [
        f"{part.text} is {evaluate(part, facts.__getitem__)}"
        for part in _parts(formula)
        if isinstance(part, Constant) and part.text != str(evaluate(part, facts.__getitem__))
    ]
    seen = [f"{path} is {facts[path]}" for path in references(formula)] + lets
    return Diagnostic(
        "E0405",
        node.reason.value if node.reason else "an assertion does not hold",
        (Label(node.condition.span, "not true"),),
        why=", ".join(dict.fromkeys(seen)),
    )


def _parts(formula: Formula) -> list[Formula]:
    if not isinstance(formula, Operation):
        return [formula]
    return [part for operand in formula.operands for part in _parts(operand)]


def _whole_formula(
    node: Expression, module: Module, evaluator: Evaluator, named: Namer, spans: dict[int, Span]
) -> Formula:
    depth, inner = 0, node
    while isinstance(inner, Binary | Unary) and depth <= DEEPEST_EXPRESSION:
        depth, inner = depth + 1, inner.left if isinstance(inner, Binary) else inner.operand
    if depth > DEEPEST_EXPRESSION:
        raise problem(
            node.span, "E0103", f"a condition has more than {DEEPEST_EXPRESSION} parts in a row"
        )
    return _formula(node, module, evaluator, named, spans)


def _formula(
    node: Expression, module: Module, evaluator: Evaluator, named: Namer, spans: dict[int, Span]
) -> Formula:
    text = node.span.text
    match node:
        case Binary(operator=operator):
            sides = (node.left, node.right)
            operands = tuple(_formula(s, module, evaluator, named, spans) for s in sides)
            formula: Formula = Operation(text, operator, operands)
        case Unary(operator=operator):
            operand = _formula(node.operand, module, evaluator, named, spans)
            formula = Operation(text, operator, (operand,))
        case String():
            formula = Word(text, node.value)
        case Boolean():
            formula = Truth(text, node.value)
        case _:
            formula = _atom(node, module, evaluator, named)
    spans[id(formula)] = node.span
    return formula


def _atom(node: Expression, module: Module, evaluator: Evaluator, named: Namer) -> Formula:
    value = evaluator.value(node, module)
    text = node.span.text
    match value:
        case Symbol(path=path):
            return named(path)
        case Quantity():
            return Constant(text, value.value, value.dimension.exponents, value.unit)
        case bool():
            return Truth(text, value)
        case str():
            return Word(text, value)
        case _:
            raise problem(node.span, "E0301", f"{kind_of(value)} cannot be compared")


def _evaluated(
    formula: Formula, fact: Callable[[str], Fact], spans: dict[int, Span], whole: Span
) -> bool:
    try:
        value = evaluate(formula, fact)
    except FormulaError as error:
        raise problem(spans[id(error.formula)], "E0302", str(error)) from None
    if isinstance(value, bool):
        return value
    raise problem(
        whole, "E0301", "this is not a condition", help="a condition compares: a <= b, a == b"
    )


def _result_fact(path: Path, known: ResultNames) -> Formula:
    names = [name.text for name in path.names]
    if len(names) == 1:
        return Word(path.text, path.text)
    if names[0] != "best" and names[0] in known.deployments:
        names = names[1:]
    if names[0] != "best" or len(names) < 2:
        raise problem(
            path.span,
            "E0203",
            f"there is no result '{path.text}'",
            help="write best.throughput, or DEPLOYMENT.best.throughput for one of the deployments",
        )
    of_phase = names[1] in ("prefill", "decode") and len(names) > 2
    if of_phase:
        names = names[1:]
    if of_phase and (facts.is_simulated(names[-1]) or names[1] in known.classes):
        raise problem(
            path.span,
            "E0203",
            f"a phase has no '{'.'.join(names[1:])}'",
            help="requests pass both phases: write best.ttft.p99 without the phase",
        )
    is_class = names[1] in known.classes
    if is_class and (len(names) > 2 or names[1] not in facts.names(simulated=True)):
        return _fact_of_class(path, names, known)
    tail = is_tail(".".join(names[1:]))
    if (tail or facts.is_simulated(names[1])) and not known.simulated:
        raise problem(
            path.span,
            "E0481",
            f"'{path.text}' needs a simulation",
            help="remove 'simulate = none'",
        )
    if tail:
        return Reference(path.text, path.text)
    there = facts.names(simulated=known.simulated)
    if names[1] not in there:
        at = path.names[len(path.names) - len(names) + 1].span
        raise problem(
            path.span,
            "E0203",
            f"a candidate has no '{names[1]}'",
            help=_turned(names) or did_you_mean(names[1], (*there, *known.classes), "fact", at=at),
        )
    if len(names) > 2:
        raise problem(
            path.span,
            "E0203",
            f"'{names[1]}' has no statistic '{names[2]}'",
            help=f"{', '.join(METRICS)} have {', '.join(STATISTICS)}",
        )
    return Reference(path.text, path.text)


def _fact_of_class(path: Path, names: list[str], known: ResultNames) -> Formula:
    own = ".".join(names[2:])
    if not known.simulated:
        raise problem(
            path.span,
            "E0481",
            f"'{path.text}' needs a simulation",
            help="remove 'simulate = none'",
        )
    if own not in _OF_A_CLASS and (not is_tail(own) or own.startswith("itl.")):
        metrics = ", ".join(metric for metric in METRICS if metric != "itl")
        raise problem(
            path.span,
            "E0203",
            f"a class has no '{own}'" if own else f"'{path.text}' is a class",
            help=f"it has {' and '.join(_OF_A_CLASS)}, and {metrics} with {', '.join(STATISTICS)}",
        )
    return Reference(path.text, path.text)


def _currencies(formula: Formula) -> Iterator[Dimension]:
    """Yield the currencies of the constants of a formula."""
    for part in _parts(formula):
        if isinstance(part, Constant) and Dimension(part.dimension) in CURRENCIES:
            yield Dimension(part.dimension)


def _renamed_fields(path: Path, nodes: dict[str, Node], problems: Problems) -> Path:
    """Return the path of a field of a block by its present names; report former ones."""
    block, *fields = (name.text for name in path.names)
    cls = type(nodes[block]) if block in nodes else None
    return renamed(path, [block, *current_names(cls, fields)], problems)


def _spec_fact(path: Path, module: Module, nodes: dict[str, Node]) -> Fact:
    names = [name.text for name in path.names]
    node: Node | None = nodes.get(names[0])
    if node is None and module.find_block(Path(path.names[0].span, path.names[:1])):
        raise problem(path.span, "E0203", f"'{names[0]}' has errors itself; fix those first")
    if node is None:
        raise problem(
            path.span,
            "E0203",
            f"there is no '{names[0]}' here",
            help=did_you_mean(names[0], [*module.lets, *nodes], "name", at=path.names[0].span),
        )
    for depth, name in enumerate(names[1:], start=1):
        known = entries(type(node))
        if name not in known:
            what = ".".join(names[:depth])
            raise problem(
                path.names[depth].span,
                "E0202",
                f"'{what}' has no field '{name}'",
                help=did_you_mean(name, known, "field", at=path.names[depth].span),
            )
        value = getattr(node, name)
        if isinstance(value, Node) and depth < len(names) - 1:
            node = value
            continue
        if depth < len(names) - 1:
            raise problem(path.span, "E0202", f"'{name}' has no fields")
        return _fact_of(value, known[name][1].type, path)
    raise problem(path.span, "E0301", f"'{path.text}' is a block; name one of its fields")


def _fact_of(value: object, type_: object, path: Path) -> Fact:
    if isinstance(type_, NumberType | LimitType) and isinstance(value, int | float):
        return Quantity(value, type_.dimension)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Node):
        return value.name
    if isinstance(value, bool | str):
        return value
    what = "is not set" if value is None else "cannot be compared"
    raise problem(path.span, "E0301", f"'{path.text}' {what}")


def _turned(names: Sequence[str]) -> str:
    """Return the remedy for a statistic that stands before its metric; empty if none does."""
    from specc.ir.facts import METRICS, STATISTICS

    if len(names) == 3 and names[1] in STATISTICS and names[2] in METRICS:
        return f"did you mean '{names[2]}.{names[1]}'?"
    return ""
