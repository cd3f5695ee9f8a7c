"""The document of a report: a flat tree of blocks, which every output shows in its own way.

A block holds text and pixels. Headings carry their level and so make the tree; each block has an
id of its own, under which an output can link to it.
"""

from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import ClassVar

from attrs import field, frozen

from specc.ir.facts import Term
from specc.records import Record
from specc.report.charts.shapes import BarChart, HeatMap, LineChart, Tornado


class Depth(IntEnum):
    """How far down a block stands: an output shows what is as deep as it goes, or less deep."""

    SUMMARY = 0  # on a terminal too
    REPORT = 1  # in Markdown too
    PAGE = 2  # where there is room for all


@frozen(kw_only=True, eq=False, repr=False)
class ReportBlock(Record):
    """What all blocks have.

    Attributes:
        id: unique in the document, safe in a link and in the name of a file.
        depth: which outputs show it.
    """

    kind: ClassVar[str]
    id: str
    depth: Depth = Depth.REPORT


@frozen(kw_only=True, eq=False, repr=False)
class Heading(ReportBlock):
    """A heading: level 2 for a study or a chapter, level 3 for what belongs to one.

    Attributes:
        folded: whether what belongs to it is shown when somebody opens it, where that can be.
    """

    kind = "heading"
    text: str
    level: int = 3
    folded: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Text(ReportBlock):
    """A paragraph; `lead` is one that a chapter begins with."""

    kind = "text"
    text: str
    lead: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Note(ReportBlock):
    """A paragraph about the blocks around it."""

    kind = "note"
    text: str


class Odds(Enum):
    """How surely a limit holds."""

    SURE = "sure"
    LIKELY = "likely"  # more often than not
    FLIP = "flip"  # as often as not
    AGAINST = "against"  # less often than not, or not at all


@frozen(kw_only=True, eq=False, repr=False)
class Figure(Record):
    """A number that a reader decides on, with its limit.

    Attributes:
        value: with the digits that its interval allows.
        limit: of it; empty if there is none.
        interval: in which eight of ten such numbers lie; empty if that is not known.
        probability: that the limit holds, in words; empty if that is not known.
        odds: the same, for a colour; None if that is not known.
        note: what else to know.
        filled: how much of the limit it takes, in %.
    """

    title: str
    value: str
    unit: str = ""
    limit: str = ""
    interval: str = ""
    probability: str = ""
    odds: Odds | None = None
    note: str = ""
    filled: float | None = None


@frozen(eq=False, repr=False)
class Finding(Record):
    """A question that a reviewer has, in a word or two, and what the report says to it."""

    title: str
    text: str


@frozen(kw_only=True, eq=False, repr=False)
class Figures(ReportBlock):
    """What a reader decides on: a sentence, its figures, and what to know about them.

    Attributes:
        good: whether there is a configuration that meets the limits.
        headline: the sentence.
        findings: what a reviewer asks next.
    """

    kind = "figures"
    good: bool
    headline: str
    figures: tuple[Figure, ...] = ()
    findings: tuple[Finding, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Remarks(ReportBlock):
    """Sentences about one thing, each by itself."""

    kind = "remarks"
    title: str
    remarks: tuple[str, ...]


@frozen(eq=False, repr=False)
class Column(Record):
    """A column of a table.

    Attributes:
        numeric: whether it holds numbers, which stand right.
        code: whether its cells are shown as code.
        detail: whether an output with little width leaves it out.
    """

    title: str
    unit: str = ""
    numeric: bool = True
    code: bool = False
    detail: bool = False


@frozen(eq=False, repr=False)
class Row(Record):
    """A row of cells; `best` marks the recommendation."""

    cells: tuple[str, ...]
    best: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Table(ReportBlock):
    """A table with its caption.

    Attributes:
        beside: whether it is small and may stand beside its neighbours.
        whole: whether all its rows are shown where others are cut off.
    """

    kind = "table"
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    beside: bool = False
    whole: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Chart(ReportBlock):
    """A picture: line charts, bars, a tornado, or a heat map.

    Attributes:
        alt: what it shows, for those who do not see it.
        beside: whether it is small and may stand beside its neighbours.
    """

    kind = "chart"
    title: str
    alt: str
    note: str = ""
    lines: tuple[LineChart, ...] = ()
    bars: BarChart | None = None
    tornado: Tornado | None = None
    heat: HeatMap | None = None
    beside: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Terms(ReportBlock):
    """The words of the report."""

    kind = "terms"
    terms: tuple[Term, ...]


@frozen(eq=False, repr=False)
class ReportDocument(Record):
    """A report before it is written.

    Attributes:
        title: the name of the spec.
    """

    title: str
    blocks: tuple[ReportBlock, ...] = field()

    @blocks.validator
    def _ids_are_unique(self, _: object, blocks: tuple[ReportBlock, ...]) -> None:
        assert len({block.id for block in blocks}) == len(blocks)

    def down_to(self, depth: Depth) -> Iterator[ReportBlock]:
        """Yield the blocks that an output shows."""
        return (block for block in self.blocks if block.depth <= depth)
