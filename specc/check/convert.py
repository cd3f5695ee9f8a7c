"""Fits a value to the type of its field, or says why it does not fit."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs
from attrs import frozen

from specc.check.evaluate import Interval, Items, Symbol, Value, kind_of
from specc.check.problems import ProblemError, planned, problem
from specc.diagnostics import Fix, Help, Span, did_you_mean
from specc.ir.ranges import LARGEST_HOURLY_PRICE
from specc.ir.vocabulary import (
    BooleanType,
    ChoiceType,
    IntervalType,
    LengthsType,
    Node,
    NumbersType,
    NumberType,
    PriceType,
    SizesType,
    TextsType,
    TextType,
    entries,
)
from specc.units import (
    BYTES,
    CURRENCIES,
    DIMENSIONLESS,
    TIME,
    TOKENS,
    Dimension,
    Number,
    Price,
    Quantity,
    parse_quantity,
    typical_unit,
    units_of,
)

MOST_SIZES = 4096
_DIGITS = 20
AUTO = "auto"
_POSITIVE = SizesType()


def convert(type_: Any, value: Value, span: Span, field: str) -> Any:
    """Return `value` as the plain Python value of a field of `type_`.

    References are resolved by the builder, not here.

    Raises:
        ProblemError: the value does not fit; the diagnostic names the field.
    """
    match type_:
        case NumberType(several=True) if isinstance(value, Items):
            return _several(type_, value, span, field)
        case NumberType():
            return to_number(type_, value, span, field)
        case ChoiceType():
            return _choice(type_, value, span, field)
        case SizesType():
            return _sizes(type_, value, span, field)
        case IntervalType():
            return _interval(value, span, field)
        case LengthsType():
            return _lengths(value, span, field)
        case PriceType():
            return _price(value, span, field)
        case BooleanType() if isinstance(value, bool):
            return value
        case BooleanType(auto=True) if isinstance(value, Symbol) and value.path.text == AUTO:
            return None
        case TextType() if isinstance(value, str):
            return value
        case TextsType() if isinstance(value, Items):
            return tuple(_text(item, at, field) for item, at in value.values)
        case NumbersType() if isinstance(value, Items):
            return tuple(_plain_number(item, at, field) for item, at in value.values)
        case NumbersType():
            raise _wrong(field, "a list of numbers, such as [0.5, 1]", value, span)
        case BooleanType(auto=auto):
            raise _wrong(field, "true, false or auto" if auto else "true or false", value, span)
        case TextsType():
            raise _wrong(field, 'a list of texts, such as ["a", "b"]', value, span)
        case _:
            return _text(value, span, field)


@frozen(eq=False)
class Several:
    """Numbers that are tried, each once, rising."""

    values: tuple[int, ...]


@frozen(eq=False)
class FromFile:
    """Numbers that a file gives, and which file."""

    values: tuple[float, ...]
    source: str


def _several(type_: NumberType, value: Items, span: Span, field: str) -> Several:
    if not value.values:
        raise problem(span, "E0402", f"'{field}' is an empty list", help="name at least one number")
    return Several(tuple(sorted({_whole(type_, item, at, field) for item, at in value.values})))


def to_number(type_: NumberType, value: Value, span: Span, field: str) -> Number | None:
    """Return a number in base units after checking dimension, wholeness and range."""
    if isinstance(value, Symbol) and value.path.text == AUTO:
        return None
    quantity = _quantity(value, span, field, type_.dimension)
    number = quantity.value
    if type_.whole:
        if type_.dimension == BYTES:
            number = round(number)  # 60.97 GiB is no whole number of bytes, and nobody means one
        if number != int(number):
            raise problem(span, "E0301", f"'{field}' takes a whole number", label="not whole")
        number = int(number)
    else:
        number = float(number)
    check_range(type_, number, span, field, quantity.unit)
    return number


def check_range(
    type_: NumberType, number: Number, span: Span, field: str, unit: str = "", why: str = ""
) -> None:
    """Refuse a number in base units that a field does not take.

    Raises:
        ProblemError: it is too small or too large; the remedy is in `unit`.
    """
    reason = type_.range.misses(number)
    if reason:
        raise problem(
            span,
            "E0402",
            f"'{field}' is out of its range",
            label=reason,
            why=why,
            help=f"it must be {_range_text(type_, number, unit)}",
        )


def check_read(
    cls: type[Node], values: Mapping[str, Any], span: Span, file: str = "", block: str = ""
) -> None:
    """Refuse numbers that a file, or a caller, gives and the fields of a class do not take.

    Args:
        cls: the class; numbers of blocks and nodes in it are checked as well.
        values: its fields, those that are given.
        span: what the diagnostic points at.
        file: the file that gives them; empty if it is none.
        block: the path of the block that they are in, with its dot.

    Raises:
        ProblemError: one is out of its range.
    """
    for name, (_, entry) in entries(cls).items():
        value, path = values.get(name), f"{block}{name}"
        if isinstance(entry.type, NumberType) and value is not None:
            why = f"computed from '{file}': {brief(value)}" if file else ""
            if entry.type.whole and value != int(value):
                raise problem(span, "E0301", f"'{path}' takes a whole number", why=why)
            check_range(entry.type, value, span, path, why=why)
        elif isinstance(value, Node):
            check_read(type(value), attrs.asdict(value, recurse=False), span, file, f"{path}.")


def brief(value: object) -> str:
    """Return the beginning of how a value of a file is written, for a message."""
    if isinstance(value, int) and abs(value) >= 10**_DIGITS:
        return f"a number of more than {_DIGITS} digits"
    from specc.tables.error import shortened

    return f"'{shortened(value)}'" if isinstance(value, str) else shortened(repr(value))


def dimension_problem(
    field: str, wanted: Dimension, quantity: Quantity, span: Span
) -> ProblemError:
    """Say that a quantity has the wrong dimension or lacks its unit."""
    units = ", ".join(units_of(wanted))
    if quantity.dimension == DIMENSIONLESS and quantity.unit != "%":
        # A cell of a file has no place of its own: the span is that of the file's name.
        number = span.text if not span.text.startswith('"') else f"{quantity.value:g}"
        written = f"{number} {typical_unit(wanted)}"
        return problem(
            span,
            "E0303",
            f"'{field}' needs a unit",
            label="without a unit",
            help=Help(
                f"write {written}" + (f" (units: {units})" if "," in units else ""),
                # A unit can be put behind a number, not behind a name or a sum.
                Fix(span, written) if _is_number(span.text) else None,
            ),
        )
    help_ = f"units that fit: {units}" if units else f"its unit is {wanted.symbol}"
    if wanted == DIMENSIONLESS:
        help_ = "write the number without a unit"
    return problem(
        span,
        "E0302",
        f"'{field}' is {wanted}, not {quantity.dimension}",
        label=f"this is {quantity.dimension}",
        help=help_,
    )


def _is_number(text: str) -> bool:
    try:
        return not parse_quantity(text).unit
    except ValueError:
        return False


def _quantity(value: Value, span: Span, field: str, wanted: Dimension) -> Quantity:
    if not isinstance(value, Quantity):
        if isinstance(value, Symbol):
            raise problem(
                span,
                "E0203",
                f"there is no '{value.path.text}' here",
                why=f"'{field}' takes {_a_number_of(wanted)}, or the name of a 'let' that has one",
            )
        raise _wrong(field, _a_number_of(wanted), value, span)
    if value.dimension == wanted:
        return value
    raise dimension_problem(field, wanted, value, span)


def _a_number_of(dimension: Dimension) -> str:
    if dimension == DIMENSIONLESS:
        return "a plain number"
    return f"a number with a unit ({', '.join(units_of(dimension))})"


def _range_text(type_: NumberType, number: Number, unit: str) -> str:
    """Say in words which numbers a type takes, in `unit` if that is one of its dimension.

    The wide bounds of a dimension are only told to a number that breaks them.
    """
    range_ = type_.range
    small = number < range_.at_least
    parts = [
        f"{words} {_bound_text(bound, type_.dimension, unit)}"
        for words, bound in (
            ("at least", range_.at_least if small and number > 0 else type_.at_least),
            ("more than", None if small and number > 0 else type_.above),
            ("at most", range_.at_most if number > 0 and not small else type_.at_most),
            ("less than", type_.below),
        )
        if bound is not None
    ]
    return " and ".join(parts) or f"at least {_bound_text(range_.at_least, type_.dimension, unit)}"


def _bound_text(bound: Number, dimension: Dimension, unit: str) -> str:
    shown = unit or typical_unit(dimension)
    return str(Quantity(bound, dimension, shown)) if bound else "0"


def _choice(type_: ChoiceType, value: Value, span: Span, field: str) -> Enum | None:
    names: dict[str, Enum] = {member.value: member for member in type_.choices}
    if not isinstance(value, Symbol):
        if isinstance(value, str) and value in names:
            raise problem(
                span,
                "E0301",
                f"'{field}' takes a word, not a text",
                help=f"write {value} without quotes",
            )
        raise _wrong(field, f"one of {', '.join(names)}", value, span)
    chosen = names.get(value.path.text)
    if chosen is None and value.path.text == AUTO:
        return None
    if chosen is None and value.path.text in type_.planned:
        raise planned(span, f"'{field} = {value.path.text}'")
    if chosen is None:
        raise problem(
            span,
            "E0306",
            f"'{field}' has no choice '{value.path.text}'",
            help=did_you_mean(value.path.text, names, "choice", at=value.path.span),
        )
    return chosen


def _price(value: Value, span: Span, field: str) -> Price | None:
    if isinstance(value, Symbol) and value.path.text == AUTO:
        return None
    example = "such as 12 CNY/h"
    if not isinstance(value, Quantity):
        raise _wrong(field, f"money per time, {example}", value, span)
    currency = value.dimension * TIME
    if currency not in CURRENCIES:
        raise problem(
            span,
            "E0303" if not value.dimension.exponents else "E0302",
            f"'{field}' is money per time, not {value.dimension}",
            help=f"write it with its unit, {example}",
        )
    hourly = value * Quantity(3600, TIME)
    check_range(_hourly(currency), hourly.value, span, field, f"{currency.symbol}/h")
    return Price(float(value.value), currency.symbol)


def _hourly(currency: Dimension) -> NumberType:
    return NumberType(currency / TIME, at_least=0, at_most=LARGEST_HOURLY_PRICE)


def _sizes(type_: SizesType, value: Value, span: Span, field: str) -> tuple[int, ...] | None:
    if isinstance(value, Symbol) and value.path.text == AUTO:
        return None
    if isinstance(value, Interval):
        return _steps(type_, value, span, field)
    items = value.values if isinstance(value, Items) else ((value, span),)
    if not items:
        raise problem(span, "E0402", f"'{field}' is an empty list", help="name at least one size")
    sizes = [_count(item, at, field, type_) for item, at in items]
    return tuple(sorted(set(sizes)))


def _steps(type_: SizesType, interval: Interval, span: Span, field: str) -> tuple[int, ...]:
    low, high = _ends(interval, span, field, type_)
    step = 1 if interval.step is None else _count(interval.step, span, field)
    if interval.geometric and step < 2:
        raise problem(span, "E0402", f"'{field}' multiplies by {step}", help="use a factor above 1")
    sizes = []
    size = low
    while size <= high:
        sizes.append(size)
        size = size * step if interval.geometric else size + step
        if len(sizes) > MOST_SIZES:
            raise problem(span, "E0402", f"'{field}' has more than {MOST_SIZES} sizes")
    return tuple(sizes)


def _interval(value: Value, span: Span, field: str) -> tuple[int, int] | None:
    if isinstance(value, Symbol) and value.path.text == AUTO:
        return None
    if isinstance(value, Interval):
        if value.step is not None:
            raise problem(span, "E0301", f"'{field}' takes a range without 'by'")
        return _ends(value, span, field)
    return 1, _count(value, span, field)


def _lengths(value: Value, span: Span, field: str) -> tuple[int, int]:
    """Return a half-open range of tokens; one length n is [n, n + 1)."""
    if not isinstance(value, Interval):
        length = _tokens(value, span, field, at_least=1)
        return length, length + 1
    if value.step is not None:
        raise problem(span, "E0301", f"'{field}' takes a range without 'by'")
    low = _tokens(value.low, span, field, at_least=0)
    high = _tokens(value.high, span, field, at_least=0)
    if high <= low:
        raise problem(
            span,
            "E0402",
            f"the range of '{field}' is empty",
            label=f"no length is at least {low} and below {high}",
            why="a range of lengths is half open: its end does not belong to it",
        )
    return low, high


def _tokens(value: Value, span: Span, field: str, at_least: int) -> int:
    if isinstance(value, Quantity) and not value.dimension.exponents and value.unit != "%":
        value = Quantity(value.value, TOKENS)  # the column fixes the unit
    number = to_number(NumberType(TOKENS, whole=True, at_least=at_least), value, span, field)
    if number is None:
        raise problem(span, "E0301", f"'{field}' cannot be 'auto'")
    return int(number)


def _ends(
    interval: Interval, span: Span, field: str, type_: SizesType = _POSITIVE
) -> tuple[int, int]:
    low, high = (_count(end, span, field, type_) for end in (interval.low, interval.high))
    if high < low:
        raise problem(
            span, "E0402", f"the range of '{field}' is empty", label=f"{high} is less than {low}"
        )
    return low, high


def _count(value: Value, span: Span, field: str, type_: SizesType = _POSITIVE) -> int:
    return _whole(type_.each, value, span, field)


def _whole(type_: NumberType, value: Value, span: Span, field: str) -> int:
    """Return a whole number that stands in a list or a range."""
    number = to_number(type_, value, span, field)
    if number is None:
        raise problem(span, "E0301", f"'{field}' takes numbers in a list, not 'auto'")
    return int(number)


def _plain_number(value: Value, span: Span, field: str) -> float:
    number = to_number(NumberType(DIMENSIONLESS), value, span, field)
    if number is None:
        raise problem(span, "E0301", f"'{field}' takes numbers in a list, not 'auto'")
    return float(number)


def _text(value: Value, span: Span, field: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(field, 'a text in quotes, such as "a"', value, span)


def _wrong(field: str, wanted: str, value: Value, span: Span) -> ProblemError:
    return problem(span, "E0301", f"'{field}' takes {wanted}", label=f"this is {kind_of(value)}")
