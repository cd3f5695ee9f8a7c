"""Fits what an engine makes of steps to served runs that were measured, through the simulation.

Each run is simulated with some overheads on its kernels; between them its throughput and its times
are interpolated. The overhead of an engine is that which meets half of its runs from above and half
from below. As engines have few sources, an engine keeps as much of its own overhead as it has runs
for: what all runs together say counts as much as `_AS_ALL` runs; or, in a fit that begins with a
calibration, what that says of the engine as much as `_AS_START`. The time of a request beside its
steps follows from TTFT in the same way.

How good that is, is judged by sources that are left out whole: of a single source by models, of a
single model by fifths of the runs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen

from specc.calibration.fitting import quality_of
from specc.calibration.served.cells import UnclearError
from specc.calibration.served.prediction import SkippedRun, predicted_metrics
from specc.calibration.served.run import Run
from specc.calibration.setting import served_with
from specc.cost.steps import Column
from specc.ir import Execution, Fit, ServedRule, ServedRules, Software
from specc.records import Record
from specc.simulation.requests import TooLongError
from specc.units import Seconds

OVERHEADS = np.array([0.6, 0.8, 1.0, 1.3, 1.7, 2.3, 3.2])
_AS_ALL = 100  # runs of an engine from which its own overhead counts as much as that of all
# Engines that wait for the host in most steps, steps without a server around them, and engines
# that prefill or decode alone: not like all others, and no part of what those say together.
_ALONE = ("vllm_ascend_eager", "cann_recipes", "apart")
_FEWEST_LEFT = 2  # runs below which nothing is fitted where others are left out
_FOLDS = 5
_LONGEST_REQUEST = 2.0  # seconds beside steps that are looked for
_SPEEDS = {"throughput": 1.0, "tpot": -1.0}  # whether more of it is faster; the first counts
_OF_BAND, _OF_NORMAL = 0.8, 1.2816  # share inside p10 to p90, and the deviations from the median
_LEAST_SPREAD = 0.05

Progress = Callable[[], None]


@frozen(eq=False, repr=False)
class Evidence(Record):
    """How much runs of a kind tell.

    Attributes:
        fewest: runs below which nothing is fitted; `ttft` the same for the time of a request.
        as_start: runs from which they count as much as the calibration that a fit begins with.
    """

    fewest: int
    ttft: int
    as_start: int


ROWS = Evidence(fewest=5, ttft=8, as_start=5)  # of a table, from many sources
# Load tests of one's own server: what served, and the load, are known, so few tell all.
OWN = Evidence(fewest=3, ttft=3, as_start=0)


@frozen(eq=False, repr=False)
class Curve(Record):
    """A run as it would be with each of `OVERHEADS`.

    Attributes:
        line: of the table.
        engine: name of its rule in a calibration.
        source, model: of the row.
        measured: metrics in SI units.
        predicted: the same metrics at each overhead, each of shape (7,).
        deviation: standard deviation of log(measured / predicted) of its kernels.
    """

    line: int
    engine: str
    source: str
    model: str
    measured: Mapping[str, float]
    predicted: Mapping[str, Column]
    deviation: float

    def at(self, metric: str, overhead: float) -> float:
        """Return a metric at an overhead, between those that were simulated."""
        values = np.log(np.maximum(self.predicted[metric], 1e-12))
        return float(np.exp(np.interp(math.log(overhead), np.log(OVERHEADS), values)))

    def speed(self, overhead: float) -> float:
        """Return log(predicted / measured) of how fast it is; NaN if nothing tells."""
        for metric, sign in _SPEEDS.items():
            if metric in self.measured and metric in self.predicted:
                return sign * math.log(self.at(metric, overhead) / self.measured[metric])
        return math.nan


@frozen(eq=False, repr=False)
class EngineReport(Record):
    """What became of the runs of one engine.

    Attributes:
        engine: name of its rule.
        runs, sources: how many there are.
        before: how well throughput (or TPOT) was met with the overhead that the fit began with.
        unseen: how well it is met of what was left out, and `inside` its share in p10 to p90.
        seen: how well it is met of all.
        rule: the fitted one; None if nothing was fitted.
        reason: why not.
    """

    engine: str
    runs: int
    sources: int
    before: Fit
    rule: ServedRule | None = None
    unseen: Fit | None = None
    seen: Fit | None = None
    inside: float = math.nan
    reason: str = ""


@frozen(eq=False, repr=False)
class FittedServed(Record):
    """Fitted engines.

    Attributes:
        rules: by engine, `other` with them.
        left_out: what was left out at a time.
        engines: a report for each.
        unseen: for each run, by its line, the rule that was fitted without it.
    """

    rules: Mapping[str, ServedRule]
    left_out: str
    engines: tuple[EngineReport, ...]
    unseen: Mapping[int, ServedRule]


def curves(
    runs: Iterable[Run | SkippedRun], progress: Progress = lambda: None
) -> Iterator[Curve | SkippedRun]:
    """Simulate runs with each overhead."""
    for run in runs:
        if isinstance(run, SkippedRun):
            yield run
            progress()
            continue
        try:
            yield _curve(run)
        except UnclearError as error:
            yield SkippedRun(run.line, str(error))
        except TooLongError:
            yield SkippedRun(run.line, "it takes longer than can be simulated")
        progress()


def _curve(run: Run) -> Curve:
    found: list[Mapping[str, float]] = []
    deviation = 0.0
    for overhead in OVERHEADS.tolist():
        alone = ServedRules(other=ServedRule(overhead=overhead))
        own = evolve(run, deployment=served_with(run.deployment, alone))
        metrics, deviation, _ = predicted_metrics(own)
        found.append(metrics)
    common = [name for name in run.measured if all(name in metrics for metrics in found)]
    if not common:
        raise UnclearError("nothing that was measured is predicted")
    return Curve(
        line=run.line,
        engine=engine_of(run),
        source=run.row.get("source") or "?",
        model=run.row["model"],
        measured=run.measured,
        predicted={name: np.array([metrics[name] for metrics in found]) for name in common},
        deviation=deviation,
    )


def engine_of(run: Run) -> str:
    """Return the name of the rule that a calibration may have for the engine of a run."""
    return engine_name(run.software, run.execution, apart=len(run.parts) > 1)


def engine_name(software: Software | None, how: Execution, *, apart: bool) -> str:
    """Return the name of the rule that a calibration may have for an engine.

    Args:
        software: None if it is not known.
        how: it launches operators.
        apart: whether its instances prefill or decode alone.
    """
    if apart:
        return "apart"
    if software is None:
        return "other"
    name = software.value
    fields = {field.name for field in ServedRules.__attrs_attrs__}
    execution = "eager" if how is Execution.EAGER else "graph"
    with_execution = f"{name}_{execution}"
    return with_execution if with_execution in fields else name


def fit_served(
    found: Sequence[Curve], start: ServedRules | None, evidence: Evidence = ROWS
) -> FittedServed:
    """Fit the engines that curves are of.

    Args:
        found: the runs.
        start: what the calibration says so far, which engines with few runs lean on; None to fit
            them by these runs alone.
        evidence: how much the runs tell.
    """
    usable = [one for one in found if not math.isnan(one.speed(1.0))]
    left_out, groups = _groups(usable)
    rules = _rules(usable, start, evidence)
    unseen = _unseen(usable, groups, start, evidence)
    reports, kept = [], {}
    for engine in _engines(usable, start):
        own = _runs_of(engine, usable, usable, start)
        report = _report(engine, own, rules.get(engine), unseen, start, evidence)
        if report.rule is not None:
            kept[engine] = report.rule
        reports.append(report)
    return FittedServed(kept, left_out, tuple(reports), unseen)


def _unseen(
    found: Sequence[Curve], groups: Sequence[str], start: ServedRules | None, evidence: Evidence
) -> dict[int, ServedRule]:
    """Return for each run, by its line, the rule that is fitted without its group."""
    rules: dict[int, ServedRule] = {}
    for group in sorted(set(groups)):
        others = [one for one, own in zip(found, groups, strict=True) if own != group]
        fitted = _rules(others, start, evolve(evidence, fewest=_FEWEST_LEFT))
        for one, own in zip(found, groups, strict=True):
            if own != group:
                continue
            known: ServedRule | None = getattr(start, one.engine, None)
            own_rule = fitted.get(one.engine, known)
            if own_rule is None:
                own_rule = fitted.get("other") or (start.other if start else None)
            if own_rule is not None:
                rules[one.line] = own_rule
    return rules


def _engines(found: Sequence[Curve], start: ServedRules | None) -> list[str]:
    """Return the engines that are fitted; all together only where no calibration says it yet."""
    return sorted({one.engine for one in found} | ({"other"} if start is None else set()))


def _runs_of(
    engine: str, found: Sequence[Curve], pooled: Sequence[Curve], start: ServedRules | None
) -> Sequence[Curve]:
    """Return the runs of an engine; `pooled` for `other` where no calibration says it yet."""
    if engine == "other" and start is None:
        return pooled
    return [one for one in found if one.engine == engine]


def _known(start: ServedRules, engine: str) -> ServedRule:
    """Return what a calibration says of an engine, or of all others."""
    own: ServedRule | None = getattr(start, engine, None)
    return own or start.other


def _groups(found: Sequence[Curve]) -> tuple[str, list[str]]:
    for what, names in (
        ("sources", [one.source for one in found]),
        ("models", [one.model for one in found]),
    ):
        if len(set(names)) > 1:
            return what, names
    return "fifths of the runs", [str(number % _FOLDS) for number in range(len(found))]


def _rules(
    found: Sequence[Curve], start: ServedRules | None, evidence: Evidence
) -> dict[str, ServedRule]:
    """Return the rule of each engine that has enough runs, and of all together."""
    if len(found) < evidence.fewest:
        return {}
    pooled = [one for one in found if one.engine not in _ALONE] or list(found)
    common = ServedRule(overhead=_overhead(pooled))
    wait = _request_time(pooled, common.overhead, evidence.ttft)
    common = evolve(common, request_time=wait or 0.0)
    rules = {}
    for engine in _engines(found, start):
        own = _runs_of(engine, found, pooled, start)
        if len(own) < evidence.fewest:
            continue
        if start is not None:
            share = len(own) / (len(own) + evidence.as_start)
            rules[engine] = _leaning(own, _known(start, engine), share, evidence)
        elif engine in _ALONE or len(own) == len(pooled):
            rules[engine] = _leaning(own, common, 1.0, evidence)
        else:
            share = len(own) / (len(own) + _AS_ALL)
            rules[engine] = _leaning(own, common, share, evidence)
    return rules


def _leaning(
    own: Sequence[Curve], known: ServedRule, share: float, evidence: Evidence
) -> ServedRule:
    """Return the rule that runs say with this share, and another one with the rest."""
    overhead = math.exp(share * math.log(_overhead(own)) + (1 - share) * math.log(known.overhead))
    wait = _request_time(own, overhead, evidence.ttft)
    if wait is None:
        wait = known.request_time
    elif wait and known.request_time:
        wait = math.exp(share * math.log(wait) + (1 - share) * math.log(known.request_time))
    return ServedRule(overhead=overhead, request_time=wait)


def _overhead(found: Sequence[Curve]) -> float:
    """Return the overhead at which the median run is met, by bisection of its logarithm."""
    low, high = math.log(OVERHEADS[0]), math.log(OVERHEADS[-1])
    for _ in range(40):
        middle = (low + high) / 2
        faster = float(np.median([one.speed(math.exp(middle)) for one in found])) > 0
        low, high = (middle, high) if faster else (low, middle)
    return math.exp((low + high) / 2)


def _request_time(found: Sequence[Curve], overhead: float, fewest: int) -> Seconds | None:
    """Return the time beside steps at which the median TTFT is met; None where too few tell."""
    own = [one for one in found if "ttft" in one.measured and "ttft" in one.predicted]
    if len(own) < fewest:
        return None
    steps = np.array([one.at("ttft", overhead) for one in own])
    measured = np.array([one.measured["ttft"] for one in own])
    low, high = 0.0, _LONGEST_REQUEST
    for _ in range(40):
        middle = (low + high) / 2
        faster = float(np.median((steps + middle) / measured)) < 1
        low, high = (middle, high) if faster else (low, middle)
    return (low + high) / 2 if low > 0 else 0.0


def _report(
    engine: str,
    own: Sequence[Curve],
    rule: ServedRule | None,
    unseen: Mapping[int, ServedRule],
    start: ServedRules | None,
    evidence: Evidence,
) -> EngineReport:
    begin = 1.0 if start is None else _known(start, engine).overhead
    before = _quality(own, [begin] * len(own)) if own else Fit()
    report = EngineReport(engine, len(own), len({one.source for one in own}), before)
    if rule is None:
        return evolve(report, reason=f"fewer than {evidence.fewest} runs")
    judged = [one for one in own if one.line in unseen]
    if not judged:
        return evolve(report, reason="too few runs to leave some out")
    left = _quality(judged, [unseen[one.line].overhead for one in judged])
    speeds = np.array([one.speed(unseen[one.line].overhead) for one in judged])
    kernels = np.array([one.deviation for one in judged])
    # What eight of ten runs keep within, whether they err to one side or to both.
    spread = float(np.quantile(np.abs(speeds), _OF_BAND)) / _OF_NORMAL
    software = math.sqrt(max(spread**2 - float(np.median(kernels)) ** 2, _LEAST_SPREAD**2))
    width = _OF_NORMAL * np.hypot(kernels, software)
    return evolve(
        report,
        rule=evolve(rule, spread=software, fit=left),
        unseen=left,
        seen=_quality(own, [rule.overhead] * len(own)),
        inside=float((np.abs(speeds) <= width).mean()),
    )


def _quality(own: Sequence[Curve], overheads: Sequence[float]) -> Fit:
    """Return how well speeds are met: as throughput is, whose error grows with the prediction."""
    speeds = np.array([one.speed(o) for one, o in zip(own, overheads, strict=True)])
    return quality_of(np.exp(speeds), np.ones(len(speeds)))
