"""Constraints on facts of a result: `limits { available >= 4 GiB }`."""

from specc.check.convert import dimension_problem
from specc.check.evaluate import Value, kind_of
from specc.check.problems import problem
from specc.diagnostics import did_you_mean
from specc.ir.formula import Bound
from specc.syntax import Constraint
from specc.units import CURRENCIES, Quantity


def to_bound(node: Constraint, value: Value) -> Bound:
    """Return a constraint with its value in base units.

    Raises:
        ProblemError: there is no such fact, or the value does not fit it.
    """
    from specc.ir.facts import MONEY, limitable

    fact, span = node.path.text, node.bound.span
    numbers = limitable()
    if fact not in numbers:
        raise problem(
            node.path.span,
            "E0203",
            f"a candidate has no number '{fact}'",
            help=did_you_mean(fact, numbers, "fact", at=node.path.span),
        )
    if node.operator not in ("<=", ">=", "<", ">"):
        raise problem(node.span, "E0403", f"'{fact}' is limited by <= or >=")
    if not isinstance(value, Quantity):
        raise problem(span, "E0301", f"'{fact}' takes a number", label=f"this is {kind_of(value)}")
    wanted, currency = numbers[fact].dimension, ""
    assert wanted is not None
    if wanted == MONEY:
        if value.dimension not in CURRENCIES:
            raise problem(span, "E0302", f"'{fact}' is money", help="write it as 5 CNY")
        currency = value.dimension.symbol
    elif value.dimension != wanted:
        raise dimension_problem(fact, wanted, value, span)
    return Bound(
        fact=fact,
        operator=node.operator,
        value=float(value.value),
        currency=currency,
        text=node.span.text,
        spans={"": node.span},
    )


def is_tail(path: str) -> bool:
    """Say whether a path names a statistic over requests, such as `ttft.p90`."""
    metric, _, statistic = path.partition(".")
    if not statistic:
        return False
    from specc.ir.facts import METRICS, STATISTICS

    return metric in METRICS and statistic in STATISTICS


def to_tail(node: Constraint, limit: float) -> Bound:
    """Return a limit on a statistic over requests."""
    return Bound(
        fact=node.path.text,
        operator=node.operator,
        value=limit,
        text=node.span.text,
        spans={"": node.span},
    )
