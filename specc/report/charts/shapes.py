"""What templates draw: curves, bars, tornados and heat maps, in pixels."""

from attrs import frozen

from specc.records import Record

# As wide as a telephone shows it, so that 12 pixels of text are never less.
WIDTH, HEIGHT = 344, 250
LEFT, RIGHT, TOP, BOTTOM = 66, 34, 30, 44
STYLES = 6  # colours, dashes and markers of the templates
BAR = 32  # pixels from one bar to the next: a line of text, and the bar


@frozen(eq=False, repr=False)
class Tick(Record):
    """A mark on an axis: its place in pixels and its text."""

    place: float
    text: str


@frozen(eq=False, repr=False)
class Axis(Record):
    """An axis: its title with the unit, its ticks, and what a pixel is: start + step · value."""

    title: str
    ticks: tuple[Tick, ...]
    start: float
    step: float


@frozen(eq=False, repr=False)
class PlottedSeries(Record):
    """A curve.

    Attributes:
        label: its name; empty if it is alone.
        style: colour, dash and marker.
        key: what stands at its end, which the legend explains.
        points: all of it, as SVG has it.
        kept_points: the part that keeps the limits.
        markers: some of its points.
        end: where the key stands.
        best: the point that is recommended, if it has one, and `best_text` what it is.
        joined: whether a line joins the points.
    """

    label: str
    style: int
    key: str
    points: str
    kept_points: str
    markers: tuple[tuple[float, float], ...] = ()
    end: tuple[float, float] | None = None
    best: tuple[float, float] | None = None
    best_text: str = ""
    joined: bool = True


@frozen(eq=False, repr=False)
class LineChart(Record):
    """Curves on common axes, with the lines of limits."""

    title: str
    x: Axis
    y: Axis
    series: tuple[PlottedSeries, ...]
    x_limit: Tick | None = None
    y_limit: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def named(self) -> tuple[PlottedSeries, ...]:
        """The curves that the legend explains."""
        return tuple(series for series in self.series if series.label)

    @property
    def limits(self) -> tuple[str, ...]:
        """The lines that the legend explains."""
        known = (limit for limit in (self.x_limit, self.y_limit) if limit is not None)
        return tuple(limit.text for limit in known)

    @property
    def legend_rows(self) -> int:
        """Rows of the legend, one for each curve and limit."""
        return len(self.named) + len(self.limits)


@frozen(eq=False, repr=False)
class Segment(Record):
    """A part of a bar, in percent of the width; `style` is none for what is left over."""

    name: str
    style: int | None
    start: float
    width: float
    text: str


@frozen(eq=False, repr=False)
class Bar(Record):
    """A stacked bar; `end` is written behind it."""

    label: str
    segments: tuple[Segment, ...]
    end: str = ""


@frozen(eq=False, repr=False)
class BarChart(Record):
    """Bars on a common axis.

    Attributes:
        ticks: of the axis, their places in percent of the width.
        unit: of the axis.
        limit: a line across all bars.
        legend: names of the parts of bars with their styles; empty if they have one part.
        width: pixels.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    unit: str
    limit: Tick | None = None
    legend: tuple[tuple[str, int | None], ...] = ()
    width: int = WIDTH

    @property
    def height(self) -> int:
        """Pixels."""
        rows = len(self.legend) + (self.limit is not None)
        return len(self.bars) * BAR + 40 + 18 * ((rows + 1) // 2)


@frozen(eq=False, repr=False)
class Swing(Record):
    """How far one input moves something, in percent of the width; the middle is as it is.

    Attributes:
        low, high: where it ends with less of the input, and with more; None where it ends at all.
        low_text, high_text: what it is there.
        note: what else happens.
    """

    label: str
    low: float | None
    high: float | None
    low_text: str
    high_text: str
    note: str = ""


@frozen(eq=False, repr=False)
class Tornado(Record):
    """What moves something, the input that moves it most on top."""

    swings: tuple[Swing, ...]
    ticks: tuple[Tick, ...]
    unit: str
    width: int = WIDTH

    @property
    def height(self) -> int:
        """Pixels."""
        return len(self.swings) * BAR + 76


@frozen(eq=False, repr=False)
class HeatCell(Record):
    """A cell of a heat map: its text, what a pointer shows, and its shade from 0 to 1."""

    text: str
    title: str
    shade: float


@frozen(eq=False, repr=False)
class HeatMap(Record):
    """The throughput of the best configurations over two swept fields."""

    title: str
    x_title: str
    y_title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
