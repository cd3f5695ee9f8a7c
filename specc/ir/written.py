"""What a spec wrote, as text: the fields of a block that were set, and the defaults of the others.

Values are the resolved ones. A block without spans, such as one from a result file, does not tell
what was set: there it is what differs from its default.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import attrs

from specc.ir.simulation import Arrival, Process
from specc.ir.vocabulary import (
    ArrivalType,
    BlocksType,
    BlockType,
    BoundsType,
    FieldType,
    IntervalType,
    LengthsType,
    LimitType,
    Node,
    NumbersType,
    NumberType,
    PriceType,
    ReferencesType,
    ReferenceType,
    SizesType,
    TableType,
    TailsType,
    TextsType,
    entries,
)
from specc.units import DIMENSIONLESS, REQUESTS, TIME, Dimension, Quantity, units_of

Row = tuple[str, str]  # the path of a field in its block, and its value


def written(node: Node, prefix: str = "") -> Iterator[Row]:
    """Yield the fields that were set, those of nested blocks with their path."""
    for name, (attribute, entry) in entries(type(node)).items():
        value, path = getattr(node, name), f"{prefix}{name}"
        if isinstance(value, Node) and isinstance(entry.type, BlockType):
            yield from written(value, f"{path}.")
        elif isinstance(entry.type, BlocksType):
            yield from _blocks(entry.type.kind, value, prefix)
        elif isinstance(entry.type, TailsType):
            yield from ((f"{prefix}{bound.fact}", _after(bound)) for bound in value)
        elif name in (tried := dict(getattr(node, "tried", ()))):
            yield path, ", ".join(text_of(each, entry.type) for each in tried[name])
        elif _is_set(node, name, value, attribute):
            sign = "≤ " if isinstance(entry.type, LimitType) else ""
            yield path, f"{sign}{text_of(value, entry.type)}"


def defaults(node: Node, prefix: str = "") -> Iterator[Row]:
    """Yield the fields that were not set, and have a number or a choice for their default."""
    for name, (attribute, entry) in entries(type(node)).items():
        value, path = getattr(node, name), f"{prefix}{name}"
        if isinstance(value, Node) and isinstance(entry.type, BlockType):
            yield from defaults(value, f"{path}.")
        elif _is_set(node, name, value, attribute) or isinstance(entry.type, _REFERRED):
            continue
        elif value is not None and value is not False and value not in ((), ""):
            yield path, text_of(value, entry.type)


_REFERRED = ReferenceType | ReferencesType | BlocksType | TailsType


def is_of_library(node: Node) -> bool:
    """Say whether a block stands in the standard library."""
    span = node.spans.get("")
    return span is not None and span.source.name.startswith("std/")


def _is_set(node: Node, name: str, value: Any, attribute: "attrs.Attribute[Any]") -> bool:
    if node.spans:
        return name in node.spans
    default = attribute.default
    return bool(default is attrs.NOTHING or value != default)


def _blocks(kind: str, nodes: tuple[Node, ...], prefix: str) -> Iterator[Row]:
    for node in nodes:
        parts = "; ".join(f"{name} = {text}" for name, text in written(node))
        yield f"{prefix}{kind} {node.name}", parts


def _after(bound: Any) -> str:
    """Return a limit as it was written, without the fact that it is on."""
    text: str = bound.text
    return text.removeprefix(bound.fact).strip() or f"{bound.operator} {bound.value:g}"


def text_of(value: Any, type_: FieldType) -> str:
    """Return a value of a field as a person writes it."""
    if value is None:
        return "none" if isinstance(type_, BlockType | ReferenceType) else "auto"
    match type_:
        case NumberType():
            return _number(value, type_)
        case LimitType(dimension=dimension):
            return quantity_text(value, dimension)
        case SizesType() | TextsType():
            return ", ".join(str(item) for item in value)
        case NumbersType():
            return ", ".join(_plain(item) for item in value)
        case IntervalType():
            return f"{value[0]:,} to {value[1]:,}"
        case LengthsType():
            low, high = value
            return f"{low:,}" if high == low + 1 else f"{low:,} .. {high:,}"
        case ReferenceType():
            return str(value.name)
        case ReferencesType():
            return ", ".join(node.name for node in value)
        case PriceType():
            return f"{_plain(value.per_second * 3600)} {value.currency}/h"
        case TableType():
            return "; ".join(_row(node) for node in value)
        case BoundsType() | TailsType():
            return "; ".join(bound.text for bound in value)
        case ArrivalType():
            return _arrival(value)
        case _:
            return _word(value)


def quantity_text(value: float, dimension: Dimension) -> str:
    """Return a quantity in the unit in which it is shortest: `1.6 TiB/s`, `50 ms`."""
    texts = [
        (_plain(value / scale), unit, value >= scale)
        for unit in units_of(dimension)
        if (scale := _scale(unit, dimension))
    ]
    if not texts:
        return str(Quantity(value, dimension))
    number, unit, _ = min(texts, key=lambda t: (not t[2], len(t[0].replace(",", "")), t[1]))
    return f"{number} {unit}"


def _scale(unit: str, dimension: Dimension) -> float:
    from specc.units import parse_quantity

    one = parse_quantity(f"1 {unit}")
    return float(one.value) if one.dimension == dimension else 0.0


def _number(value: float, type_: NumberType) -> str:
    if type_.dimension != DIMENSIONLESS:
        return quantity_text(value, type_.dimension) if value else "0"
    is_share = not type_.whole and 1 in (type_.at_most, type_.below)
    return f"{_plain(value * 100)} %" if is_share else _plain(value)


def _plain(value: float) -> str:
    """Return a number with what counts of it: whole ones whole, others with six digits."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.6g}"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value) if isinstance(value, Enum) else str(value)


def _row(node: Node) -> str:
    cells = entries(type(node)).items()
    known = ((name, entry, getattr(node, name)) for name, (_, entry) in cells)
    return ", ".join(
        f"{name.replace('_', ' ')} {text_of(value, entry.type)}"
        for name, entry, value in known
        if value is not None
    )


def _arrival(arrival: Arrival) -> str:
    if arrival.trace is not None:
        return f'{arrival.process.value}("{arrival.trace.file}")'
    if arrival.clients is not None:
        pauses = (("think", arrival.think), ("ramp", arrival.ramp))
        named = [f"{name} = {quantity_text(value, TIME)}" for name, value in pauses if value]
        return f"{arrival.process.value}({', '.join([str(arrival.clients), *named])})"
    values = [] if arrival.rate is None else [quantity_text(arrival.rate, REQUESTS / TIME)]
    if arrival.process in (Process.GAMMA, Process.WEIBULL):
        values.append(_plain(arrival.cv))
    return f"{arrival.process.value}({', '.join(values)})" if values else arrival.process.value
