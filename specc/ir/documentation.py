"""The reference of the language, made from the vocabulary: nothing is written down twice."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import attrs
from attrs import evolve, frozen

from specc.ir.facts import FACTS, METRICS, STATISTICS, Fact, limitable
from specc.ir.policies import POLICIES, Policy
from specc.ir.study import KINDS
from specc.ir.vocabulary import (
    ArrivalType,
    BlocksType,
    BlockType,
    BooleanType,
    BoundsType,
    ChoiceType,
    Entry,
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
    TextType,
    entries,
)
from specc.ir.workload import LengthBin
from specc.records import Record
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    FLOP_RATE,
    POWER,
    REQUESTS,
    TIME,
    TOKENS,
    Dimension,
    Quantity,
    typical_unit,
    units_of,
)


@frozen(eq=False, repr=False)
class FieldPage(Record):
    """What there is to say about a field or a block of the language."""

    path: str
    type: str
    default: str
    doc: str
    example: str
    choices: tuple[tuple[str, str], ...] = ()  # names of policies with a line about each


def pages() -> Iterator[FieldPage]:
    """Yield the pages of all kinds and their fields, a block before what is in it.

    A block that stands in several places has its fields at the first of them.
    """
    for kind, cls in KINDS.items():
        yield FieldPage(
            kind, "block with a name", "", _first_line(cls), f"{kind} my_{kind} {{ … }}"
        )
        yield from _fields(kind, cls, set())


def page(path: str) -> FieldPage | None:
    """Return the page of a kind or a field such as `workload.slo.tpot`."""
    own = [p for kind, cls in KINDS.items() for p in _fields(kind, cls, None)]
    known = (*pages(), *own, *_planned_pages(), *_fact_pages(), *_former_pages())
    return next((p for p in known if p.path == path), None)


def _former_pages() -> Iterator[FieldPage]:
    for path, cls in _classes():
        for name, (_, entry) in entries(cls).items():
            if entry.was:
                about = f"former name of '{name}', accepted with a warning"
                yield FieldPage(f"{path}.{entry.was}", about, "", entry.doc, example(name, entry))
    for fact in FACTS:
        if fact.was:
            about = f"former name of 'best.{fact.name}', accepted with a warning"
            yield FieldPage(f"best.{fact.was}", about, "", fact.definition, "")


def _planned_pages() -> Iterator[FieldPage]:
    later = "known to the language, not evaluated by this version"
    for path, cls in _classes():
        for name, what in cls.planned.items():
            yield FieldPage(f"{path}.{name}", later, "", what, "")


def _classes() -> Iterator[tuple[str, type[Node]]]:
    """Yield the classes of all blocks, with the path of each."""
    classes = [(kind, cls) for kind, cls in KINDS.items()]
    while classes:
        path, cls = classes.pop()
        yield path, cls
        for name, (_, entry) in entries(cls).items():
            if isinstance(entry.type, BlockType):
                classes.append((f"{path}.{name}", entry.type.cls))


def markdown() -> str:
    """Return the reference as Markdown, a section for each kind."""
    sections = []
    for kind, cls in KINDS.items():
        rows = "\n".join(_row(p, kind) for p in _fields(kind, cls, set()))
        planned = _planned(kind, cls)
        sections.append(
            f"### {kind}\n{_first_line(cls)}\n\n"
            "| field | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n"
            f"{rows}\n{planned}"
        )
    return "\n".join([*sections, _policies(), _facts()])


def _policies() -> str:
    """Return the policies of engines as a section, a row for each."""
    about = "What `scheduler` and `router` can be, and when the simulation lets a request start"
    head = f"### policies\n{about}\n\n| policy | name | what it does |\n| --- | --- | --- |\n"
    named = [(kind, policy) for kind, names in POLICIES.items() for policy in names]
    return head + "".join(f"| {kind} | `{p.value}` | {p.doc} |\n" for kind, p in named)


def _facts() -> str:
    """Return the facts of a result as a section, a row for each."""
    about = "What `expect` can name as `best.FACT`, and `limits` as `FACT`"
    head = f"### facts of a result\n{about}\n\n"
    head += (
        "| fact | in | dimension | better | of | meaning |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(_fact_row(fact) for fact in FACTS) + "\n"


def _fact_row(fact: Fact) -> str:
    where = "`expect`, `limits`" if fact.limitable else "`expect`"
    phases = "" if len(fact.phases) == 3 else " or ".join(phase.value for phase in fact.phases)
    cells = (
        f"`best.{fact.name}`",
        where,
        str(fact.dimension) if fact.dimension is not None else "a word",
        fact.better.value,
        "a simulation" if fact.simulated else phases,
        fact.definition or fact.title,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fact_pages() -> Iterator[FieldPage]:
    for fact in FACTS:
        kind = str(fact.dimension) if fact.dimension is not None else "a word"
        about = fact.definition or fact.title
        yield FieldPage(f"best.{fact.name}", f"fact of a result, {kind}", "", about, "")


def _row(page_: FieldPage, kind: str) -> str:
    cells = (
        f"`{page_.path.removeprefix(kind + '.')}`",
        page_.type,
        f"`{page_.default}`" if page_.default else "",
        page_.doc,
        f"`{page_.example}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _planned(kind: str, cls: type[Node], prefix: str = "") -> str:
    names = [f"`{prefix}{name}` ({what})" for name, what in cls.planned.items()]
    for name, (_, entry) in entries(cls).items():
        if isinstance(entry.type, BlockType):
            inner = entry.type.cls.planned.items()
            names += [f"`{prefix}{name}.{field}` ({what})" for field, what in inner]
        if isinstance(entry.type, ChoiceType) and entry.type.planned:
            choices = ", ".join(entry.type.planned)
            names.append(f"`{prefix}{name}` = {choices}")
    return f"\nKnown, but not evaluated by this version: {', '.join(names)}.\n" if names else ""


def _fields(prefix: str, cls: type[Node], shown: set[type[Node]] | None) -> Iterator[FieldPage]:
    """Yield the pages of fields; the blocks in `shown` are not entered again, if it is given."""
    for name, (attribute, entry) in entries(cls).items():
        word = entry.type.kind if isinstance(entry.type, BlocksType) else name
        path = f"{prefix}.{word}"
        yield FieldPage(
            path,
            type_text(entry.type),
            _default(attribute, entry),
            entry.doc,
            example(word, entry),
            _choices(entry.type),
        )
        if not isinstance(entry.type, BlockType | BlocksType | TableType):
            continue
        inner = entry.type.cls
        if shown is not None and inner in shown:
            continue
        if shown is not None:
            shown.add(inner)
        for field in _fields(path, inner, shown):
            column = isinstance(entry.type, TableType)
            cell = f"a cell: {field.example.partition('= ')[2]}"
            yield evolve(field, example=cell) if column else field


def _choices(type_: FieldType) -> tuple[tuple[str, str], ...]:
    if not isinstance(type_, ChoiceType) or not issubclass(type_.choices, Policy):
        return ()
    return tuple((member.value, member.doc) for member in type_.choices)


def type_text(type_: FieldType) -> str:
    """Say in a few words what a field takes."""
    match type_:
        case NumberType():
            return _number_text(type_)
        case LimitType(dimension=dimension):
            return f"upper limit, {dimension} ({_units(dimension)})"
        case ChoiceType(choices=choices):
            return "one of " + ", ".join(str(member.value) for member in choices)
        case SizesType():
            return "whole numbers: one, a list, a range, or auto"
        case IntervalType():
            return "range of whole numbers, both ends included; one number is the upper end"
        case BooleanType(auto=auto):
            return "true, false or auto" if auto else "true or false"
        case TextType():
            return "text"
        case TextsType():
            return "list of texts"
        case NumbersType():
            return "list of numbers"
        case LengthsType():
            return "tokens: one length, or a range a .. b, half open"
        case ReferenceType(kind=kind):
            return f"name of a {kind}"
        case ReferencesType(kind=kind):
            return f"names of {kind}s, one or a list"
        case PriceType():
            return "money per time (CNY/h, USD/h, EUR/h)"
        case TableType(cls=cls):
            return f"table, or {'lengths_from' if cls is LengthBin else 'rows_from'}(file)"
        case BoundsType():
            return "block of constraints on " + ", ".join(limitable())
        case ArrivalType():
            return "burst, constant, poisson, gamma, weibull, concurrency or trace"
        case TailsType():
            return (
                "constraints on METRIC.STATISTIC, with metrics "
                + ", ".join(METRICS)
                + " and statistics "
                + ", ".join(STATISTICS)
            )
        case BlockType():
            return "block"
        case BlocksType():
            return "blocks with names"


def _number_text(type_: NumberType) -> str:
    dimension = type_.dimension
    kind = "whole number" if type_.whole else "number"
    if dimension != DIMENSIONLESS:
        kind = f"{dimension} ({_units(dimension)})"
    bounds = [
        f"{sign} {Quantity(bound, dimension, typical_unit(dimension)) if bound else 0}"
        for sign, bound in (
            ("≥", type_.at_least),
            (">", type_.above),
            ("≤", type_.at_most),
            ("<", type_.below),
        )
        if bound is not None
    ]
    return f"{kind}, {', '.join(bounds)}" if bounds else kind


def _units(dimension: Dimension) -> str:
    units = units_of(dimension)
    return ", ".join(units) if len(units) <= 6 else f"{typical_unit(dimension)} and the like"


_WITHOUT_DEFAULT = (
    BlockType | TextsType | TextType | NumbersType | TableType | BoundsType | TailsType
)


def _default(attribute: "attrs.Attribute[Any]", entry: Entry) -> str:
    value = attribute.default
    if value is attrs.NOTHING or isinstance(entry.type, _WITHOUT_DEFAULT):
        return ""
    if value is None:
        if isinstance(entry.type, LimitType):
            return "no limit"
        return (
            "none" if isinstance(entry.type, NumberType) and "`auto`" not in entry.doc else "auto"
        )
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(entry.type, NumberType):
        unit = typical_unit(entry.type.dimension)
        return str(Quantity(value, entry.type.dimension, unit))
    return ", ".join(str(item) for item in value)


_SAMPLES: dict[Dimension, str] = {
    TIME: "50 ms",
    BYTES: "10 GiB",
    TOKENS: "2Ki tok",
    BYTES / TIME: "196 GB/s",
    FLOP_RATE: "376 TFLOPS",
    POWER: "400 W",
    REQUESTS / TIME: "20 req/s",
}
_TEXTS = {"version": "0.18"}
_NAMES = {"model": "qwen3_32b", "device": "atlas_800_a3_752t_die", "workload": "chat"}


def example(name: str, entry: Entry) -> str:
    """Return the field with a value that it takes."""
    match entry.type:
        case NumberType():
            return f"{name} = {_sample(entry.type)}"
        case LimitType(dimension=dimension):
            return f"{name} <= {_SAMPLES[dimension]}"
        case ChoiceType(choices=choices):
            return f"{name} = {next(iter(choices)).value}"
        case SizesType():
            return f"{name} = [1, 2, 4]"
        case IntervalType():
            return f"{name} = 1 .. 256"
        case BooleanType():
            return f"{name} = true"
        case TextType():
            return f'{name} = "{_TEXTS.get(name, "config.json")}"'
        case NumbersType():
            return f"{name} = [0.5, 1]"
        case TextsType():
            return f'{name} = ["OTHER_NAME"]'
        case ReferenceType(kind=kind):
            return f"{name} = {_NAMES.get(kind, f'my_{kind}')}"
        case ReferencesType(kind=kind):
            return f"{name} = [my_{kind}]"
        case LengthsType():
            return f"{name} = 2Ki .. 8Ki"
        case PriceType():
            return f"{name} = 12 CNY/h"
        case TableType():
            if entry.type.cls is LengthBin:
                return f'{name} = lengths_from("trace.csv", bins = 8)'
            return f"{name} {{ | {' | '.join(entries(entry.type.cls))} | … }}"
        case BoundsType():
            return f"{name} {{ available >= 4 GiB }}"
        case BlocksType():
            return f"{name} NAME {{ … }}"
        case ArrivalType():
            return f"{name} = poisson(12 req/s)"
        case TailsType():
            return "ttft.p99 <= 2 s"
        case BlockType():
            return f"{name} {{ … }}"


def _sample(type_: NumberType) -> str:
    if type_.dimension != DIMENSIONLESS:
        return _SAMPLES[type_.dimension]
    if type_.whole:
        return "8"
    return "2" if type_.at_least == 1 else "70%"


def _first_line(cls: type[Node]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
