"""A measured run of a configuration beside what was predicted of it; times in seconds."""

from collections.abc import Mapping

from attrs import frozen

from specc.records import Record

Range = tuple[float, float]
# By metric (`ttft`, `tpot`, `itl`, `latency`) and statistic (`mean`, `p50`, `p90`, `p95`, `p99`,
# `max`); of `throughput` and `rate` the statistic is `mean`.
Figures = Mapping[str, Mapping[str, float]]


@frozen(kw_only=True, eq=False, repr=False)
class Looks(Record):
    """What a difference looks like.

    Attributes:
        kind: a short name, such as `host overhead`.
        why: what of the figures says so.
        remedy: what to try.
    """

    kind: str
    why: str
    remedy: str


@frozen(kw_only=True, eq=False, repr=False)
class LoggedMemory(Record):
    """One figure of the log of an engine's start, beside specc's.

    Attributes:
        name: what it is.
        unit: of both.
        logged, predicted: None where one of them is not known.
    """

    name: str
    unit: str
    logged: float | None
    predicted: float | None


@frozen(kw_only=True, eq=False, repr=False)
class Comparison(Record):
    """One run of a load test, and what the simulation says of the same load.

    Attributes:
        tool, version, name: what measured it, and the name of the run.
        model: as the tool called it.
        load: how requests were sent.
        input, output: mean tokens of a request.
        requests, failed, cancelled: that succeeded, over which all figures are, and others; None
            where the files do not say.
        duration: seconds.
        configuration: what was predicted; empty where nothing was.
        measured: what requests saw.
        predicted: the same of the simulation; empty where nothing was predicted.
        interval: in which eight of ten such runs lie, as far as it is known.
        looks: what the difference looks like, the likeliest first.
        memory: figures of the log of its start.
        notes: what was converted or assumed.
    """

    tool: str
    version: str
    name: str
    model: str
    load: str
    input: float
    output: float
    requests: int
    failed: int | None
    cancelled: int | None
    duration: float
    configuration: str
    measured: Figures
    predicted: Figures
    interval: Mapping[str, Mapping[str, Range]]
    looks: tuple[Looks, ...] = ()
    memory: tuple[LoggedMemory, ...] = ()
    notes: tuple[str, ...] = ()

    def inside(self, metric: str, statistic: str = "mean") -> bool | None:
        """Say whether a measured figure lies in its interval; None where one is not known."""
        value = self.measured.get(metric, {}).get(statistic)
        ends = self.interval.get(metric, {}).get(statistic)
        return None if value is None or ends is None else ends[0] <= value <= ends[1]

    @property
    def verdict(self) -> str:
        """`inside` if every mean is in its interval, `outside` if one is not; else empty."""
        judged = [self.inside(metric) for metric in ("ttft", "tpot", "throughput")]
        known = [found for found in judged if found is not None]
        return "" if not known else "inside" if all(known) else "outside"
