"""Values for the fields of the vocabulary: legal ones, ones at the edges, and wrong ones.

All of it is read off the types of the fields, so a field that is new is covered the day it is
written.
"""

from enum import Enum
from typing import Any, Protocol

from hypothesis import strategies as st

from specc.ir import vocabulary as v
from specc.ir.facts import FACTS, METRICS, STATISTICS, limitable
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    ENERGY,
    FLOP_RATE,
    POWER,
    REQUESTS,
    TIME,
    TOKENS,
    Dimension,
)


class Draw(Protocol):
    """What hypothesis hands to a composite strategy."""

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        """Draw a value."""


class Kind(Enum):
    """What a value is like."""

    LEGAL = "legal"
    EDGE = "edge"
    WRONG = "wrong"


KINDS = st.sampled_from([Kind.LEGAL] * 12 + [Kind.EDGE] * 6 + [Kind.WRONG] * 2)

UNITS: dict[Dimension, str] = {
    DIMENSIONLESS: "",
    TIME: " s",
    BYTES: " B",
    TOKENS: " tok",
    BYTES / TIME: " B/s",
    FLOP_RATE: " FLOPS",
    POWER: " W",
    REQUESTS: " req",
    REQUESTS / TIME: " req/s",
    TOKENS / TIME: " tok/s",
    ENERGY: " Wh",
}
_USUAL: dict[Dimension, float] = {
    DIMENSIONLESS: 2,
    TIME: 0.05,
    BYTES: 2**33,
    TOKENS: 2048,
    BYTES / TIME: 196e9,
    FLOP_RATE: 300e12,
    POWER: 400,
    REQUESTS: 100,
    REQUESTS / TIME: 4,
}
_FACTORS = st.sampled_from([0.25, 0.5, 1, 1, 1, 2, 4])
_HOSTILE = [
    '""',
    '"\\u001b[31mred"',
    '"\u202eevil"',
    '"<script>alert(1)</script>"',
    '"a|b\\nc"',
    f'"{"long " * 60}"',
    '"重=cmd|"',
]
_WRONG = st.sampled_from(
    ["auto", "true", '"text"', "no_such_name", "-1", "0", "1e400", "1e308 tok", "[1, 2]", "1 .. 2",
     "5 parsec", "50%", "12 CNY/h", "f(1)", "1/0", "1 ms + 1 B", "9" * 40, "[]", "{"]
)  # fmt: skip


def number(draw: Draw, type_: v.NumberType, default: Any, kind: Kind) -> str:
    """Return a number that a field takes, or at an edge of what it takes."""
    range_, unit = type_.range, UNITS[type_.dimension]
    if kind is Kind.EDGE:
        last = range_.at_most if range_.below is None else range_.below * (1 - 1e-9)
        edges = [range_.at_least, last, 1, type_.range.at_least * 2 or 1]
        value = draw(st.sampled_from([edge for edge in edges if edge is not None]))
    else:
        usual = default if isinstance(default, int | float) and default else _USUAL[type_.dimension]
        value = usual * draw(_FACTORS)
    value = max(value, range_.at_least)
    if range_.at_most is not None:
        value = min(value, range_.at_most)
    if range_.below is not None and value >= range_.below:
        value = range_.below / 2
    return written(round(value) if type_.whole else float(value), unit)


def written(value: float, unit: str) -> str:
    """Return a number as a spec writes it."""
    return f"-{-value!r}{unit}" if value < 0 else f"{value!r}{unit}"


def value(  # noqa: PLR0912 (a case for each type of field)
    draw: Draw, attribute: Any, entry: v.Entry, names: dict[str, list[str]], kind: Kind
) -> str | None:
    """Return what may stand behind the `=` of a field; None for a block or a constraint."""
    if kind is Kind.WRONG:
        return draw(_WRONG)
    match entry.type:
        case v.NumberType():
            return number(draw, entry.type, attribute.default, kind)
        case v.ChoiceType(choices=choices):
            return draw(st.sampled_from([member.value for member in choices]))
        case v.SizesType(at_least=least, at_most=most):
            small = [least, 1, 1, 2, 2, 4, 8, 3]
            sizes = st.sampled_from(small if kind is Kind.LEGAL else [*small, most, most - 1])
            return draw(
                st.one_of(
                    sizes.map(str),
                    st.lists(sizes, min_size=1, max_size=4).map(lambda s: f"{s}"),
                    st.just("auto"),
                    st.just(f"{least} .. 4"),
                )
            )
        case v.IntervalType():
            ends = ["1 .. 64", "1", "4 .. 4", "16 .. 128", "256"]
            return draw(st.sampled_from(ends if kind is Kind.LEGAL else [*ends, "1 .. 1000000"]))
        case v.ReferenceType(kind=wanted):
            return draw(st.sampled_from(names.get(wanted) or ["nothing"]))
        case v.ReferencesType(kind=wanted):
            known = names.get(wanted) or ["nothing"]
            chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
            return f"[{', '.join(chosen)}]"
        case v.BooleanType():
            return draw(st.sampled_from(["true", "false"]))
        case v.TextType():
            return draw(st.sampled_from(_HOSTILE))
        case v.TextsType():
            return f"[{draw(st.sampled_from(_HOSTILE))}]"
        case v.NumbersType():
            shares = st.sampled_from([0.9, 0.8, 0.6, 0.5, 0.3] if kind is Kind.LEGAL else [0, 1, 2])
            return f"{sorted(draw(st.lists(shares, min_size=1, max_size=4)), reverse=True)}"
        case v.PriceType():
            amounts = ["12", "0.5", "900"] if kind is Kind.LEGAL else ["0", "1e-9", "1e9"]
            return f"{draw(st.sampled_from(amounts))} {draw(st.sampled_from(['CNY', 'USD']))}/h"
        case v.LengthsType():
            return draw(st.sampled_from(["1 .. 512", "700", "2Ki .. 4Ki", "0 .. 1", "1000000000"]))
        case v.ArrivalType():
            return arrival(draw, kind)
        case _:
            return None


def arrival(draw: Draw, kind: Kind = Kind.LEGAL) -> str:
    """Return a process of arrivals."""
    rate = draw(st.sampled_from([0.5, 2, 8, 40] if kind is Kind.LEGAL else [1e-6, 1e9, 1e4]))
    cv = draw(st.sampled_from([0.5, 1, 3] if kind is Kind.LEGAL else [0.05, 20]))
    process = draw(st.sampled_from(["poisson", "constant", "gamma", "weibull", "burst"]))
    match process:
        case "burst":
            return "burst"
        case "gamma" | "weibull":
            return f"{process}({rate} req/s, {cv})"
        case _:
            return f"{process}({rate} req/s)"


def limit(draw: Draw, dimension: Dimension, kind: Kind) -> str:
    """Return an upper limit, wide or narrow."""
    usual = _USUAL[dimension]
    factors = [1, 2, 10, 1000] if kind is Kind.LEGAL else [1e-9, 1e9]
    return f"<= {written(float(usual * draw(st.sampled_from(factors))), UNITS[dimension])}"


def bound(draw: Draw) -> tuple[str, str]:
    """Return a fact and a constraint on it."""
    known = limitable()
    name = draw(st.sampled_from(sorted(known)))
    dimension = known[name].dimension
    sign = draw(st.sampled_from(["<=", ">=", "<", ">"]))
    amount = draw(st.sampled_from([1e-6, 1, 8, 1e3, 1e12]))
    return name, f"{name} {sign} {amount}{UNITS.get(dimension, ' CNY')}"


def tail(draw: Draw) -> tuple[str, str]:
    """Return a statistic over requests and a limit on it."""
    metric, statistic = (
        draw(st.sampled_from(list(METRICS))),
        draw(st.sampled_from(list(STATISTICS))),
    )
    name = f"{metric}.{statistic}"
    return name, f"{name} <= {draw(st.sampled_from([0.01, 0.1, 1, 30]))} s"


def expectation(draw: Draw, deployments: list[str]) -> str:
    """Return a condition on the result."""
    name = draw(st.sampled_from([fact.name for fact in FACTS]))
    dimension = next(fact.dimension for fact in FACTS if fact.name == name)
    whose = draw(st.sampled_from(["best", *(f"{d}.best" for d in deployments)]))
    sign = draw(st.sampled_from(["<=", ">=", "<", ">", "=="]))
    unit = "" if dimension is None else UNITS.get(dimension, " CNY")
    amount = (
        "test_device" if dimension is None else f"{draw(st.sampled_from([0, 1, 8, 1e3]))}{unit}"
    )
    return f"expect {whose}.{name} {sign} {amount}"
