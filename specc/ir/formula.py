"""Formulas over facts: the conditions of `assert` and `expect`, as data that can be evaluated."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from attrs import field, frozen

from specc.diagnostics import Span
from specc.records import Record
from specc.units import (
    Dimension,
    DimensionMismatchError,
    Quantity,
    calculate,
)

Fact = Quantity | str | bool


@frozen(eq=False, repr=False)
class Formula(Record):
    """What all formulas have: the text they were written as."""

    text: str = field(eq=False)


@frozen(eq=False, repr=False)
class Constant(Formula):
    """A number: its value in base units and its dimension as (symbol, power) pairs."""

    value: int | float
    dimension: tuple[tuple[str, int], ...]
    unit: str


@frozen(eq=False, repr=False)
class Word(Formula):
    """A text or a bare name that stands for itself."""

    word: str


@frozen(eq=False, repr=False)
class Truth(Formula):
    """`true` or `false`."""

    truth: bool


@frozen(eq=False, repr=False)
class Reference(Formula):
    """The name of a fact, such as `best.throughput`."""

    path: str


@frozen(eq=False, repr=False)
class Operation(Formula):
    """An operator on one or two operands."""

    operator: str
    operands: tuple[Formula, ...]


@frozen(kw_only=True, eq=False, repr=False)
class ExpectedCondition(Record):
    """A condition that the result must meet; `reason` says who wants it."""

    unwritten: ClassVar[tuple[str, ...]] = ("spans",)

    condition: Formula
    reason: str = ""
    spans: Mapping[str, Span] = field(factory=dict, eq=False)


@frozen(kw_only=True, eq=False, repr=False)
class Bound(Record):
    """A constraint on a fact of a candidate; `value` is in base units, `text` as written."""

    unwritten: ClassVar[tuple[str, ...]] = ("spans",)

    fact: str
    operator: str
    value: float
    currency: str = ""
    text: str = ""
    spans: Mapping[str, Span] = field(factory=dict, eq=False)


class FormulaError(Exception):
    """A formula that has no value; `formula` is the part at fault."""

    def __init__(self, formula: Formula, message: str) -> None:
        super().__init__(message)
        self.formula = formula


def references(formula: Formula) -> Iterator[str]:
    """Yield the paths of all facts that a formula names."""
    if isinstance(formula, Reference):
        yield formula.path
    if isinstance(formula, Operation):
        for operand in formula.operands:
            yield from references(operand)


def evaluate(formula: Formula, fact: Callable[[str], Fact]) -> Fact:
    """Return the value of a formula, with `fact` giving the value of each name.

    Raises:
        FormulaError: operands do not fit together.
    """
    match formula:
        case Constant():
            return Quantity(formula.value, Dimension(formula.dimension), formula.unit)
        case Word():
            return formula.word
        case Truth():
            return formula.truth
        case Reference():
            return fact(formula.path)
        case Operation():
            operands = [evaluate(operand, fact) for operand in formula.operands]
            return _operated(formula, operands)
        case _:
            raise TypeError(f"not a formula: {formula!r}")


def _operated(formula: Operation, operands: list[Fact]) -> Fact:
    operator = formula.operator
    if operator in ("and", "or", "not"):
        truths = [_truth(formula, operand) for operand in operands]
        if operator == "not":
            return not truths[0]
        return all(truths) if operator == "and" else any(truths)
    if operator in ("==", "!=") and not isinstance(operands[0], Quantity):
        if type(operands[0]) is not type(operands[1]):
            raise FormulaError(formula, "the two sides are of different kinds")
        return (operands[0] == operands[1]) == (operator == "==")
    numbers = [_number(formula, operand) for operand in operands]
    try:
        return _calculated(operator, numbers)
    except DimensionMismatchError as error:
        raise FormulaError(formula, f"{error.left} and {error.right} do not fit together") from None
    except ZeroDivisionError:
        raise FormulaError(formula, "a division by zero") from None
    except (ValueError, OverflowError):
        raise FormulaError(formula, "the result is too large to hold") from None


def _calculated(operator: str, numbers: list[Quantity]) -> Fact:
    if len(numbers) == 1:
        return -numbers[0]
    left, right = numbers
    if operator in "+-*/":
        return calculate(operator, left, right)
    order = left.compared(right)
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "==": order == 0,
        "!=": order != 0,
    }[operator]


def _truth(formula: Formula, value: Fact) -> bool:
    if isinstance(value, bool):
        return value
    raise FormulaError(formula, "'and', 'or' and 'not' take comparisons")


def _number(formula: Formula, value: Fact) -> Quantity:
    if isinstance(value, Quantity):
        return value
    raise FormulaError(formula, "this takes numbers on both sides")
