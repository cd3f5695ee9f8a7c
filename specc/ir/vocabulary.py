"""How a field of the language is declared: its type, dimension, range, default and meaning.

A class of the vocabulary derives from `Node` and builds each field with one of the functions
below. The metadata that they attach is all that the checker and the documentation know.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

import attrs
from attrs import NOTHING, Factory, field, frozen

from specc.diagnostics import Span
from specc.ir.ranges import LARGEST_COUNT, ValueRange, extent_of
from specc.records import Record
from specc.units import DIMENSIONLESS, Dimension

ENTRY = "specc"

F = TypeVar("F", bound=Callable[..., Any])


@frozen(eq=False, repr=False)
class NumberType:
    """A number of a dimension, within bounds; whole if `whole`.

    Where a field has no upper bound of its own, that of its dimension holds; and what must be
    above 0 is at least the smallest quantity of its dimension. Of `several` a list may be given,
    each of which is tried: the block has the first one, and all in its `tried`.
    """

    dimension: Dimension
    whole: bool = False
    several: bool = False
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    @property
    def range(self) -> ValueRange:
        """The values that the field takes, in base units."""
        usual = extent_of(self.dimension)
        at_least, at_most = self.at_least, self.at_most
        if at_least is None:
            at_least = -usual.largest if self.above is None else max(self.above, usual.smallest)
        if at_most is None and self.below is None:
            counts = self.whole and self.dimension == DIMENSIONLESS
            at_most = LARGEST_COUNT if counts else usual.largest
        return ValueRange(at_least, at_most, self.below)


@frozen(eq=False, repr=False)
class LimitType:
    """An upper limit, written as a constraint: `ttft <= 2 s`."""

    dimension: Dimension


@frozen(eq=False, repr=False)
class TextType:
    """A text in quotes."""


@frozen(eq=False, repr=False)
class TextsType:
    """A list of texts in quotes."""


@frozen(eq=False, repr=False)
class NumbersType:
    """A list of plain numbers."""


@frozen(eq=False, repr=False)
class BooleanType:
    """`true` or `false`, or `auto` (None) if `auto`."""

    auto: bool = False


@frozen(eq=False, repr=False)
class ChoiceType:
    """One of the values of an enumeration, written as a bare word.

    `planned` are choices the language knows and this version does not evaluate.
    """

    choices: type[Enum]
    planned: tuple[str, ...] = ()


@frozen(eq=False, repr=False)
class SizesType:
    """A set of whole numbers from `at_least` on: one, a list, a range, or `auto` (None)."""

    at_least: int = 1
    at_most: int = LARGEST_COUNT

    @property
    def each(self) -> NumberType:
        """The type of one of the numbers."""
        return NumberType(DIMENSIONLESS, whole=True, at_least=self.at_least, at_most=self.at_most)


@frozen(eq=False, repr=False)
class IntervalType:
    """An inclusive range of positive whole numbers; one number is the upper end."""


@frozen(eq=False, repr=False)
class ReferenceType:
    """The name of a block of another kind."""

    kind: str


@frozen(eq=False, repr=False)
class ReferencesType:
    """A list of names of blocks of another kind."""

    kind: str


@frozen(eq=False, repr=False)
class PriceType:
    """Money per time, in any currency."""


@frozen(eq=False, repr=False)
class LengthsType:
    """Tokens: one length, or a half-open range `a .. b`; in a table the unit may be left out."""


@frozen(eq=False, repr=False)
class BlockType:
    """A nested block."""

    cls: type["Node"]


@frozen(eq=False, repr=False)
class BlocksType:
    """Nested named blocks of one kind, in their order.

    What a block that `inherits` leaves out is as in the block around it.
    """

    kind: str
    cls: type["Node"]
    inherits: bool = False


@frozen(eq=False, repr=False)
class TableType:
    """A table `| … |` with a row for each node, or a function that builds such rows."""

    cls: type["Node"]


@frozen(eq=False, repr=False)
class BoundsType:
    """Constraints on facts of a result, such as `available >= 4 GiB`; the block holds no more."""


@frozen(eq=False, repr=False)
class ArrivalType:
    """A process of arrivals, written as a function: `poisson(12 req/s)`."""


@frozen(eq=False, repr=False)
class TailsType:
    """Limits on statistics over requests, written as constraints: `ttft.p90 <= 2 s`."""


FieldType = (
    NumberType
    | LimitType
    | TextType
    | TextsType
    | NumbersType
    | BooleanType
    | ChoiceType
    | SizesType
    | IntervalType
    | ReferenceType
    | ReferencesType
    | PriceType
    | LengthsType
    | BlockType
    | BlocksType
    | TableType
    | BoundsType
    | ArrivalType
    | TailsType
)


@frozen(eq=False, repr=False)
class Entry:
    """A field of the language: its type, what it means, and the name it had before, if any."""

    type: FieldType
    doc: str
    was: str = ""
    former_values: Mapping[str, Mapping[str, str]] = Factory(dict)


@frozen(kw_only=True, eq=False, repr=False)
class Node(Record):
    """A block of the language. `spans` tells where each value was written; it is not compared."""

    # Fields the language knows and this version does not evaluate, with what they are.
    planned: ClassVar[Mapping[str, str]] = {}
    # Fields that stand for others: a block that has one inherits none of these.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    name: str = ""
    doc: str = ""
    spans: Mapping[str, Span] = field(factory=dict, eq=False, repr=False)


def _remembered(function: F) -> F:
    """Look at a class once: it does not change, and every field asks for all."""
    return cast(F, cache(function))


@_remembered
def entries(cls: type[Node]) -> Mapping[str, tuple["attrs.Attribute[Any]", Entry]]:
    """Return the fields of a block class by name, in their order."""
    return {a.name: (a, a.metadata[ENTRY]) for a in attrs.fields(cls) if ENTRY in a.metadata}


@_remembered
def nested_class(cls: type[Node] | None, word: str) -> type[Node] | None:
    """Return the class of the block that a word begins inside of a class, if there is one."""
    if cls is None:
        return None
    found = entries(cls).get(word)
    if found is not None and isinstance(found[1].type, BlockType):
        return found[1].type.cls
    return repeated_blocks(cls).get(word)


@_remembered
def former_names(cls: type[Node] | None) -> Mapping[str, str]:
    """Return the names that fields of a class have now, by those they had before."""
    known = entries(cls).items() if cls is not None else ()
    return {entry.was: name for name, (_, entry) in known if entry.was}


@_remembered
def former_values(cls: type[Node]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return the words that are none any more, by their field: what to write instead."""
    known = entries(cls).items()
    return {name: entry.former_values for name, (_, entry) in known if entry.former_values}


def current_names(cls: type[Node] | None, names: Iterable[str]) -> list[str]:
    """Return the path of a field inside of a class with every former name replaced."""
    current = []
    for name in names:
        current.append(former_names(cls).get(name, name))
        cls = nested_class(cls, current[-1])
    return current


@_remembered
def repeated_blocks(cls: type[Node]) -> Mapping[str, type[Node]]:
    """Return the classes of the named blocks inside of a class, by the word they begin with."""
    types = (entry.type for _, entry in entries(cls).values())
    return {type_.kind: type_.cls for type_ in types if isinstance(type_, BlocksType)}


@_remembered
def own_entries(cls: type[Node]) -> Mapping[str, tuple["attrs.Attribute[Any]", Entry]]:
    """Return the entries that are written by their own name: a `level`, not by that of `levels`."""
    found = entries(cls).items()
    return {name: entry for name, entry in found if not isinstance(entry[1].type, BlocksType)}


# Fields that were given as lists, and their values: each is tried.
Tried = tuple[tuple[str, tuple[int, ...]], ...]


def _declared(
    type_: FieldType,
    doc: str,
    default: Any,
    *,
    was: str = "",
    former_values: Mapping[str, Mapping[str, str]] | None = None,
    **options: Any,
) -> Any:
    if default is not NOTHING:
        options["default"] = default
    return field(metadata={ENTRY: Entry(type_, doc, was, former_values or {})}, **options)


def number(dimension: Dimension, doc: str, *, default: Any = NOTHING, **bounds: Any) -> Any:
    """Declare a number with a dimension; `bounds` are those of `NumberType`.

    Beside them, `was` is a former name: it is accepted with a warning and a fix.
    """
    was = bounds.pop("was", "")
    return _declared(NumberType(dimension, **bounds), doc, default, was=was)


def count(doc: str, *, default: Any = NOTHING, at_most: int | None = None) -> Any:
    """Declare a positive whole number without a unit."""
    type_ = NumberType(DIMENSIONLESS, whole=True, at_least=1, at_most=at_most)
    return _declared(type_, doc, default)


def number_of(doc: str, *, default: int, at_most: int | None = None) -> Any:
    """Declare a whole number that may be 0, without a unit."""
    type_ = NumberType(DIMENSIONLESS, whole=True, at_least=0, at_most=at_most)
    return _declared(type_, doc, default)


def fraction(doc: str, *, default: Any = NOTHING, **bounds: Any) -> Any:
    """Declare a number in (0, 1], or within `bounds`."""
    return number(DIMENSIONLESS, doc, default=default, **(bounds or {"above": 0, "at_most": 1}))


def limit(dimension: Dimension, doc: str) -> Any:
    """Declare an optional upper limit."""
    return _declared(LimitType(dimension), doc, None)


def text(doc: str, *, default: Any = NOTHING) -> Any:
    """Declare a text."""
    return _declared(TextType(), doc, default)


def texts(doc: str) -> Any:
    """Declare a list of texts, empty by default."""
    return _declared(TextsType(), doc, ())


def numbers(doc: str) -> Any:
    """Declare a list of plain numbers, empty by default."""
    return _declared(NumbersType(), doc, ())


def boolean(doc: str, *, default: bool | None) -> Any:
    """Declare a truth value; the default None is `auto`."""
    return _declared(BooleanType(auto=default is None), doc, default)


def choice(
    choices: type[Enum],
    doc: str,
    *,
    default: Any = NOTHING,
    planned: tuple[str, ...] = (),
    was: str = "",
    former_values: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """Declare a choice.

    `was` is a former name, and `former_values` say which fields have which words instead of a word
    that is none any more: both are accepted with a warning and a fix.
    """
    type_ = ChoiceType(choices, planned)
    return _declared(type_, doc, default, was=was, former_values=former_values)


def sizes(doc: str, *, default: Any, at_least: int = 1) -> Any:
    """Declare a set of sizes; the default None is `auto`."""
    return _declared(SizesType(at_least), doc, default)


def price(doc: str) -> Any:
    """Declare optional money per time."""
    return _declared(PriceType(), doc, None)


def interval(doc: str) -> Any:
    """Declare an optional inclusive range of whole numbers."""
    return _declared(IntervalType(), doc, None)


def reference(kind: str, doc: str, *, optional: bool = False) -> Any:
    """Declare the name of another block."""
    return _declared(ReferenceType(kind), doc, None if optional else NOTHING)


def references(kind: str, doc: str) -> Any:
    """Declare a list of names of other blocks, empty by default."""
    return _declared(ReferencesType(kind), doc, ())


def lengths(doc: str) -> Any:
    """Declare a column of lengths in tokens."""
    return _declared(LengthsType(), doc, NOTHING)


def table(cls: type[Node], doc: str) -> Any:
    """Declare a table, empty by default."""
    return _declared(TableType(cls), doc, ())


def bounds(doc: str) -> Any:
    """Declare a block of constraints on facts of a result, empty by default."""
    return _declared(BoundsType(), doc, ())


def arrival(doc: str) -> Any:
    """Declare a process of arrivals."""
    return _declared(ArrivalType(), doc, NOTHING)


def tails(doc: str) -> Any:
    """Declare limits on statistics over requests, none by default."""
    return _declared(TailsType(), doc, ())


def block(cls: type[Node], doc: str, *, required: bool = False, optional: bool = False) -> Any:
    """Declare a nested block that is required, or optional (None), or has all its defaults."""
    if required:
        return _declared(BlockType(cls), doc, NOTHING)
    return _declared(BlockType(cls), doc, None if optional else cls())


def blocks(kind: str, cls: type[Node], doc: str) -> Any:
    """Declare nested named blocks."""
    return _declared(BlocksType(kind, cls), doc, NOTHING)


def inheriting_blocks(kind: str, cls: type[Node], doc: str) -> Any:
    """Declare nested named blocks, none by default, that inherit from the block around them."""
    return _declared(BlocksType(kind, cls, inherits=True), doc, ())
