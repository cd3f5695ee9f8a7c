"""Stacked bars: the time of requests, the memory of a device, a step by operator or by bound."""

from collections.abc import Sequence

from specc.report import format as show
from specc.report.charts.scales import ticks_in_percent
from specc.report.charts.shapes import Bar, BarChart, Segment, Tick
from specc.results import BinRow, Candidate, StepParts

BOUNDS = ("compute", "memory", "communication", "launch")  # of the operators of a step
MEMORY = ("weights", "KV cache", "activations", "reserved", "free")
_ROOM = 0.82  # of the width, that bars take: what stands behind them needs the rest

Part = tuple[str, float, str]  # a name, a value, and its text
Named = tuple[str, list[Part], str]  # a label, its parts, and what stands behind them


def request_bars(bins: Sequence[BinRow], *, includes_ttft: bool) -> BarChart:
    """Draw how long a request of each length takes: until its first token, and after it.

    Args:
        bins: the lengths.
        includes_ttft: whether TPOT is the end-to-end time by output token, as in the closed form.
    """
    rows: list[Named] = []
    for row in bins:
        tpot, first = row.tpot or 0.0, row.ttft or 0.0
        whole = max(tpot * row.output, first)
        decode = whole - first if includes_ttft else tpot * max(row.output - 1, 0)
        name = f"{show.integer(row.input)} in, {show.integer(row.output)} out"
        parts = [("TTFT", first, show.duration(first)), ("decode", decode, show.duration(decode))]
        rows.append((name, parts, show.duration(first + decode)))
    return _chart(rows, ("TTFT", "decode"), "s")


def memory_bars(drawn: Sequence[tuple[str, Candidate, int]]) -> BarChart:
    """Split the memory of devices into their parts; each with its label and its memory."""
    rows: list[Named] = []
    for label, candidate, total in drawn:
        use = candidate.point.memory
        sizes = (use.weights, use.kv_cache, use.activations, use.reserved, max(0, use.available))
        parts = [
            (name, size / 2**30, show.size(size)) for name, size in zip(MEMORY, sizes, strict=True)
        ]
        rows.append((label, parts, f"{show.significant((total - use.available) / 2**30)} used"))
    totals = {total for _, _, total in drawn}
    limit = None
    if len(totals) == 1:
        (total,) = totals
        limit = (total / 2**30, f"a device has {show.size(total)}")
    return _chart(rows, MEMORY, "GiB", limit, left_over="free")


def step_bars(step: StepParts) -> BarChart:
    """Draw what each operator takes of a step."""
    rows: list[Named] = [
        (
            _operator(part.name, part.bound),
            [("", max(0.0, part.time * 1e3), show.duration(abs(part.time)))],
            ("−" if part.time < 0 else "") + show.duration(abs(part.time)),
        )
        for part in step.parts
    ]
    return _chart(rows, (), "ms")


def _operator(name: str, bound: str) -> str:
    words = name.replace("_", " ")
    return f"{words} ({bound})" if bound else words


def share_bars(rows: Sequence[tuple[str, Candidate]], phase: str) -> BarChart:
    """Split the time of steps by what bounds their operators."""
    found: list[Named] = []
    for label, candidate in rows:
        shares = getattr(candidate.point, phase)
        assert shares is not None
        values = [(name, getattr(shares, name)) for name in BOUNDS]
        found.append((label, [(name, 100 * v, show.percent(v)) for name, v in values], ""))
    return _chart(found, BOUNDS, "%")


def _chart(
    rows: Sequence[Named],
    names: Sequence[str],
    unit: str,
    limit: tuple[float, str] | None = None,
    left_over: str = "",
) -> BarChart:
    longest = max((sum(value for _, value, _ in parts) for _, parts, _ in rows), default=1.0) or 1.0
    if limit is not None:
        longest = max(longest, limit[0])
    scale = 100 * _ROOM / longest
    bars = []
    for label, parts, end in rows:
        segments, start = [], 0.0
        for number, (name, value, text) in enumerate(parts):
            width = round(value * scale, 2)
            style = None if name and name == left_over else number
            segments.append(Segment(name, style, round(start, 2), width, text))
            start += width
        bars.append(Bar(label, tuple(segments), end))
    ticks = tuple(Tick(round(t.place * _ROOM, 2), t.text) for t in ticks_in_percent(longest))
    styles = tuple((name, None if name == left_over else n) for n, name in enumerate(names))
    mark = None if limit is None else Tick(round(limit[0] * scale, 2), limit[1])
    return BarChart(tuple(bars), ticks, unit, mark, styles)
