"""Stacked bars: the time of requests, the memory of a device, what bounds a step."""

from collections.abc import Sequence

from specc.report import format as show
from specc.report.charts.shapes import Bar, Segment
from specc.results import BinRow, Candidate

BOUNDS = ("compute", "memory", "communication", "launch")  # of the operators of a step


def request_bars(bins: Sequence[BinRow], *, includes_ttft: bool) -> tuple[Bar, ...]:
    """Draw how long a request of each length takes: until its first token, and after it.

    Args:
        bins: the lengths.
        includes_ttft: whether TPOT is the end-to-end time by output token, as in the closed form.
    """
    parts = []
    for row in bins:
        tpot, first = row.tpot or 0.0, row.ttft or 0.0
        whole = max(tpot * row.output, first)
        decode = whole - first if includes_ttft else tpot * max(row.output - 1, 0)
        name = f"{show.integer(row.input)} in, {show.integer(row.output)} out"
        parts.append((name, first, decode))
    longest = max(first + decode for _, first, decode in parts) or 1.0
    return tuple(
        _stacked(
            name,
            [
                ("TTFT", first / longest, show.duration(first)),
                ("decode", decode / longest, show.duration(decode)),
            ],
            kinds=("compute", "memory"),
        )
        for name, first, decode in parts
    )


def memory_bar(candidate: Candidate, memory: int, label: str) -> Bar:
    """Split the memory of a device into its parts."""
    use = candidate.point.memory
    parts = [
        ("weights", use.weights),
        ("KV cache", use.kv_cache),
        ("activations", use.activations),
        ("reserved", use.reserved),
        ("free", max(0, use.available)),
    ]
    total = max(memory, sum(size for _, size in parts))
    return _stacked(label, [(name, size / total, show.size(size)) for name, size in parts])


def share_bar(candidate: Candidate, phase: str, label: str) -> Bar:
    """Split the time of a step by what bounds its operators."""
    shares = getattr(candidate.point, phase)
    assert shares is not None
    parts = [(name, getattr(shares, name)) for name in BOUNDS]
    return _stacked(label, [(name, share, show.percent(share)) for name, share in parts])


def _stacked(label: str, parts: list[tuple[str, float, str]], kinds: Sequence[str] = ()) -> Bar:
    segments = []
    start = 0.0
    for number, (name, share, text) in enumerate(parts):
        width = round(100 * share, 2)
        kind = kinds[number] if kinds else name.split()[0].lower()
        segments.append(Segment(name, kind, round(start, 2), width, text))
        start += width
    return Bar(label, tuple(segments))
