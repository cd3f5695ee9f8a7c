"""What templates draw: lines, bars and heat maps, in pixels and percent."""

from attrs import frozen

from specc.records import Record

WIDTH, HEIGHT = 620, 330
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 16, 48
COLORS = 8  # colours of the palette in the templates


@frozen(eq=False, repr=False)
class Tick(Record):
    """A mark on an axis: its place in pixels and its text."""

    place: float
    text: str


@frozen(eq=False, repr=False)
class PlottedSeries(Record):
    """A curve: SVG points of all rows, of the feasible ones, and the best of them."""

    label: str
    color: int
    points: str
    feasible_points: str
    best: tuple[float, float] | None
    best_text: str


@frozen(eq=False, repr=False)
class LineChart(Record):
    """Throughput over a latency, one curve a layout."""

    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    limit: Tick | None
    series: tuple[PlottedSeries, ...]
    y_limit: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def legend_step(self) -> int:
        """Pixels from one entry of the legend to the next."""
        longest = max((len(series.label) for series in self.series), default=0)
        return max(108, 40 + 7 * longest)

    @property
    def legend_columns(self) -> int:
        """Entries of the legend in a row."""
        return max(1, (self.width - self.left) // self.legend_step)

    @property
    def legend_rows(self) -> int:
        """Rows of the legend."""
        named = sum(bool(series.label) for series in self.series)
        return -(-named // self.legend_columns)


@frozen(eq=False, repr=False)
class Segment(Record):
    """A part of a bar, in percent of its length."""

    name: str
    kind: str
    start: float
    width: float
    text: str


@frozen(eq=False, repr=False)
class Bar(Record):
    """A stacked bar."""

    label: str
    segments: tuple[Segment, ...]


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
