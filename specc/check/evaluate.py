"""Expressions → values: quantities, texts, lists, ranges, and names that a field interprets."""

import re

from attrs import define, field, frozen

from specc.check.modules import Found, Module
from specc.check.problems import AlreadyReportedError, ProblemError, Problems, problem
from specc.diagnostics import Diagnostic, Fix, Help, Span, did_you_mean, meant
from specc.syntax import (
    Binary,
    Boolean,
    Call,
    Expression,
    Given,
    Let,
    List,
    Name,
    Number,
    Path,
    Range,
    String,
    Unary,
)
from specc.units import (
    TOKENS,
    DimensionMismatchError,
    NumberError,
    Quantity,
    UnknownUnitError,
    calculate,
    parse_quantity,
)
from specc.units import UNITS as KNOWN_UNITS

DEEPEST_EXPRESSION = 100
POWERS_OF_TWO_IN_THOUSANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@frozen(eq=False, repr=False)
class Interval:
    """A range of quantities, with its step if it has one."""

    low: Quantity
    high: Quantity
    step: Quantity | None
    geometric: bool


@frozen(eq=False, repr=False)
class Symbol:
    """A name that is no `let`: a choice or the name of a block, as the field decides."""

    path: Path


@frozen(eq=False, repr=False)
class Items:
    """The values of a list, each with the span it was written at."""

    values: tuple[tuple["Value", Span], ...]


@frozen(eq=False, repr=False)
class Called:
    """A function with its arguments; those without a name are called by their number."""

    function: str
    span: Span
    arguments: dict[str, tuple["Value", Span]]


Value = Quantity | str | bool | Items | Interval | Symbol | Called

# The functions of the language, with the names of their arguments in order.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "lengths_from": ("file", "bins", "edges", "output"),
    "rows_from": ("file",),
    "acceptance_from": ("file", "tokens"),
    "burst": (),
    "constant": ("rate",),
    "poisson": ("rate",),
    "gamma": ("rate", "cv"),
    "weibull": ("rate", "cv"),
    "concurrency": ("clients", "think", "ramp"),
    "trace": ("file",),
}


@define(eq=False, repr=False)
class Evaluator:
    """Evaluates expressions in the scope of a module; each `let` once."""

    problems: Problems
    _lets: dict[int, Value | None] = field(factory=dict)
    _evaluating: set[int] = field(factory=set)
    _depth: int = 0

    def value(self, expression: Expression, module: Module) -> Value:
        """Evaluate an expression.

        Raises:
            ProblemError: it has no value; AlreadyReportedError: that was reported before.
        """
        if self._depth > DEEPEST_EXPRESSION:
            raise problem(
                expression.span,
                "E0103",
                f"a value is nested more than {DEEPEST_EXPRESSION} deep",
                help="split it with 'let'; a chain of definitions counts too",
            )
        self._depth += 1
        try:
            return self._value(expression, module)
        finally:
            self._depth -= 1

    def _value(self, expression: Expression, module: Module) -> Value:
        match expression:
            case Given():
                value: Value = expression.value
                return value
            case Number():
                return self._number(expression)
            case String():
                return expression.value
            case Boolean():
                return expression.value
            case Path():
                return self._name(expression, module)
            case List():
                return Items(tuple((self.value(i, module), i.span) for i in expression.items))
            case Range():
                return self._range(expression, module)
            case Unary(operator="-"):
                return -self._quantity(expression.operand, module)
            case Binary(operator="+" | "-" | "*" | "/"):
                return self._arithmetic(expression, module)
            case Binary() | Unary():
                raise problem(
                    expression.span,
                    "E0301",
                    "a comparison cannot be the value of a field",
                    help="comparisons stand in constraints, 'assert' and 'expect'",
                )
            case Call():
                return self._call(expression, module)

    def _call(self, node: Call, module: Module) -> Called:
        function = node.function.text
        if function not in FUNCTIONS:
            raise problem(
                node.function.span,
                "E0203",
                f"there is no function '{function}'",
                help=did_you_mean(function, FUNCTIONS, "function", at=node.function.span),
            )
        known = FUNCTIONS[function]
        arguments: dict[str, tuple[Value, Span]] = {}
        for number, argument in enumerate(node.arguments):
            name = argument.name.text if argument.name else (*known, "")[min(number, len(known))]
            if name not in known:
                raise problem(
                    argument.span,
                    "E0202",
                    f"'{function}' has no argument '{name}'"
                    if name
                    else f"'{function}' takes no more than {len(known)} arguments",
                    help=did_you_mean(
                        name, known, "argument", at=argument.name.span if argument.name else None
                    ),
                )
            if name in arguments:
                raise problem(argument.span, "E0204", f"the argument '{name}' is given twice")
            arguments[name] = self.value(argument.value, module), argument.value.span
        return Called(function, node.span, arguments)

    def _number(self, node: Number) -> Quantity:
        try:
            quantity = parse_quantity(node.text)
        except UnknownUnitError as error:
            raise problem(
                node.span,
                "E0304",
                f"there is no unit '{error.unit}'",
                help=_nearest_unit(error.unit, node),
            ) from None
        except NumberError as error:
            raise problem(node.span, "E0305", str(error)) from None
        self._hint_at_binary_multiple(node, quantity)
        return quantity

    def _hint_at_binary_multiple(self, node: Number, quantity: Quantity) -> None:
        head = node.text.split("k")[0]
        if quantity.dimension == TOKENS and "k" in node.text and head.isdigit():
            thousands = int(head)
            if thousands in POWERS_OF_TWO_IN_THOUSANDS[1:]:
                self.problems.add(
                    Diagnostic.at(
                        node.span,
                        "W0001",
                        f"{thousands}k tok are {thousands * 1000} tokens",
                        help=Help(
                            f"for {thousands * 1024} tokens write {thousands}Ki tok",
                            Fix(node.span, f"{thousands}Ki tok"),
                        ),
                    )
                )

    def _name(self, path: Path, module: Module) -> Value:
        found = module.find_let(path)
        if found is None:
            return Symbol(path)
        return self.let(found, path.span)

    def let(self, found: Found[Let], used_at: Span) -> Value:
        """Return the value of a `let`; raises as `value` does."""
        let = found.node
        key = id(let)
        if key in self._lets:
            value = self._lets[key]
            if value is None:
                raise AlreadyReportedError
            return value
        if key in self._evaluating:
            raise problem(
                used_at, "E0206", f"'{let.name.text}' refers to itself", label="used here"
            )
        self._evaluating.add(key)
        try:
            self._lets[key] = value = self.value(let.value, found.module)
        except ProblemError as error:
            self._lets[key] = None
            self.problems.report(error)
            raise AlreadyReportedError from None
        finally:
            self._evaluating.discard(key)
        return value

    def _quantity(self, expression: Expression, module: Module) -> Quantity:
        value = self.value(expression, module)
        if isinstance(value, Quantity):
            return value
        if isinstance(value, Symbol):
            raise problem(
                expression.span,
                "E0203",
                f"there is no '{value.path.text}' to calculate with",
                help=did_you_mean(value.path.text, module.lets, "'let'", at=expression.span),
            )
        raise problem(expression.span, "E0301", f"this is {kind_of(value)}, not a number")

    def _arithmetic(self, node: Binary, module: Module) -> Quantity:
        if isinstance(node.left, Path) and "-" in node.span.text.replace(" -", ""):
            self._check_for_a_dash_in_a_name(node, module)
        left = self._quantity(node.left, module)
        right = self._quantity(node.right, module)
        try:
            return calculate(node.operator, left, right)
        except DimensionMismatchError as error:
            raise problem(
                node.span,
                "E0302",
                f"{error.left} and {error.right} cannot be added or subtracted",
                label=f"{node.left.span.text} is {error.left}, "
                f"{node.right.span.text} is {error.right}",
            ) from None
        except ZeroDivisionError:
            raise problem(
                node.right.span, "E0305", "a division by zero", label="this is zero"
            ) from None
        except (NumberError, OverflowError):
            raise problem(node.span, "E0305", "the result is too large to hold") from None

    def _check_for_a_dash_in_a_name(self, node: Binary, module: Module) -> None:
        """Report `qwen3-32b`, which reads as a difference, where `qwen3_32b` exists."""
        text = node.span.text
        name = text.replace("-", "_")
        if not name.replace("_", "").isalnum():
            return
        path = Path(node.span, (Name(node.span, name),))
        if module.find_block(path) or module.find_let(path):
            raise problem(
                node.span,
                "E0203",
                f"'{text}' is a difference, not a name",
                help=meant(name, text, node.span),
            )

    def _range(self, node: Range, module: Module) -> Interval:
        low, high = self._quantity(node.low, module), self._quantity(node.high, module)
        step = self._quantity(node.step, module) if node.step else None
        return Interval(low, high, step, node.geometric)


_BITS = re.compile(r"([kKMGT]i?)?b")


def _nearest_unit(unit: str, number: Number) -> Help:
    """Suggest a unit for an unknown one, with a fix of this unit alone."""
    found = re.search(rf"(?<![A-Za-z]){re.escape(unit)}(?![A-Za-z])", number.text)
    at = None
    if found is not None:
        start = number.span.start + found.start()
        at = Span(number.span.source, start, start + len(unit))
    # Gb are bits to most readers: GB may be eight times too much. Links are often given in bits.
    bits = _BITS.fullmatch(unit) is not None or (unit.endswith("b") and "/" in number.text)
    return did_you_mean(unit, KNOWN_UNITS, "unit", at=at, is_guess=bits)


def kind_of(value: Value) -> str:
    """Say what a value is, for messages."""
    match value:
        case Quantity():
            return "a number" if not value.dimension.exponents else str(value.dimension)
        case str():
            return "a text"
        case bool():
            return "a truth value"
        case Items():
            return "a list"
        case Interval():
            return "a range"
        case Symbol():
            return f"the name '{value.path.text}'"
        case Called():
            return f"'{value.function}(…)'"
