"""The view model: everything a template shows, as text and pixels. No template calculates."""

from collections.abc import Sequence

from attrs import frozen

from specc.ir import Slo, Study
from specc.plan import Candidate, Point, Results, StudyResult
from specc.report import format as show
from specc.report.accuracy import accuracy
from specc.report.charts import Bar, LineChart, latency_charts, memory_bar, share_bar
from specc.report.inputs import inputs, objectives
from specc.report.tables import (
    Table,
    candidate_table,
    comparison,
    details,
    devices_of,
    infeasible_table,
    miss_text,
    pruned_table,
    summary,
    sweep_table,
    verdict_table,
)
from specc.serving import DEFINITIONS, Definition

_LIMITS = {
    "ttft": "the TTFT limit",
    "tpot": "the TPOT limit",
    "memory": "the memory of a device",
    "range": "the end of the range of batch sizes",
    "unknown": "a limit that was not probed",
}


@frozen
class Figure:
    """A number of the answer with its limit; `filled` is how much of the limit it takes, in %."""

    title: str
    value: str
    unit: str
    note: str
    filled: float | None = None


@frozen
class Answer:
    """The answer to a study: one sentence, its figures, and what to know about it."""

    feasible: bool
    headline: str
    layout: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]


@frozen
class StudyView:
    """One study."""

    name: str
    slug: str
    is_variant: bool
    expected: bool
    doc: str
    question: str
    answer: Answer
    sweep: Table | None
    expectations: Table | None
    comparison: Table | None
    summary: Table
    candidates: Table
    details: tuple[Table, ...]
    latency_charts: tuple[LineChart, ...]
    memory_bars: tuple[Bar, ...]
    prefill_bars: tuple[Bar, ...]
    decode_bars: tuple[Bar, ...]
    infeasible: Table | None
    pruned: Table | None
    inputs: tuple[Table, ...]


@frozen
class ReportView:
    """The whole report."""

    title: str
    version: str
    studies: tuple[StudyView, ...]
    definitions: tuple[Definition, ...]
    accuracy: str
    provenance: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...]


def view(
    results: Results,
    spec: str,
    version: str,
    hashes: dict[str, str],
    overrides: Sequence[str] = (),
) -> ReportView:
    """Build the view model of results."""
    return ReportView(
        title=spec.removesuffix(".spec"),
        version=version,
        studies=tuple(study_views(results)),
        definitions=tuple(DEFINITIONS.values()),
        accuracy=accuracy(results),
        provenance=tuple(hashes.items()),
        overrides=tuple(overrides),
    )


def study_views(results: Results) -> list[StudyView]:
    """Build the views of all studies; the first variant of a swept one shows the sweep too."""
    views = []
    for name in dict.fromkeys(result.study.name for result in results.studies):
        variants = [result for result in results.studies if result.study.name == name]
        for number, result in enumerate(variants, start=1):
            views.append(_study(result, variants, number if len(variants) > 1 else None))
    return views


def _study(result: StudyResult, variants: list[StudyResult], index: int | None) -> StudyView:
    study = result.study
    feasible = [c for c in result.candidates if c.feasible]
    infeasible = [c for c in result.candidates if not c.feasible]
    several = len(study.deployments) > 1
    shown = feasible or infeasible
    memory = {d.device.name: d.device.memory for d in study.deployments}

    def label(candidate: Candidate) -> str:
        short = show.short_layout(candidate.parallel)
        return f"{candidate.deployment} · {short}" if several else short

    return StudyView(
        name=study.name,
        slug=study.name if index is None else f"{study.name}-{index}",
        is_variant=index is not None,
        expected=all(verdict.met for verdict in result.verdicts),
        doc=study.doc,
        question=_question(study),
        answer=_answer(result),
        sweep=sweep_table(variants) if len(variants) > 1 and result is variants[0] else None,
        expectations=verdict_table(result) if result.verdicts else None,
        comparison=comparison(result) if several else None,
        summary=summary(feasible, label),
        candidates=candidate_table(feasible, several),
        details=tuple(details(feasible, label)) if feasible else (),
        latency_charts=tuple(_latency(study, shown)),
        memory_bars=tuple(memory_bar(c, memory[c.device], label(c)) for c in shown),
        prefill_bars=tuple(share_bar(c, "prefill", label(c)) for c in shown),
        decode_bars=tuple(share_bar(c, "decode", label(c)) for c in shown),
        infeasible=infeasible_table(infeasible, several) if infeasible else None,
        pruned=pruned_table(result) if result.pruned else None,
        inputs=tuple(inputs(study)),
    )


def _question(study: Study) -> str:
    workload = study.workload
    hit = f", {show.percent(workload.prefix_hit)} of it cached" if workload.prefix_hit else ""
    settings = ", ".join(f"{path} = {value}" for path, value in study.settings)
    settings += ": " if settings else ""
    return (
        f"{settings}{show.counted(workload.input, 'token')} of prompt{hit}, "
        f"{show.integer(workload.output)} of answer; {objectives(workload.slo)}"
    )


def _answer(result: StudyResult) -> Answer:
    best = result.best
    if best is None:
        return _no_answer(result)
    headline = (
        f"{devices_of(best)}, batch {best.point.batch} a replica: "
        f"{show.rate(best.point.throughput)} tok/s"
    )
    remarks = [_arithmetic(best), f"A larger batch is stopped by {_LIMITS[best.stopped_by]}."]
    failed = sum(not verdict.met for verdict in result.verdicts)
    if failed:
        remarks.append(f"{failed} of {show.counted(len(result.verdicts), 'expectation')} not met.")
    remarks += _runner_up(result, best)
    remarks += _overflow(best)
    remarks.append(_sureness(best))
    return Answer(
        True, headline, best.parallel, _figures(best, result.study.workload.slo), tuple(remarks)
    )


def _sureness(best: Candidate) -> str:
    bands, point = best.point.bands, best.point
    return (
        f"As far as errors of the cost model go, eight of ten measurements would lie between "
        f"{show.rate(bands.throughput_p10)} and {show.rate(bands.throughput_p90)} tok/s "
        f"(± {show.percent(_half_width(point))}); see How sure this is."
    )


def _half_width(point: Point) -> float:
    """Half of the band of the throughput, relative to it."""
    return (point.bands.throughput_p90 - point.bands.throughput_p10) / 2 / point.throughput


def _arithmetic(best: Candidate) -> str:
    """Say what the devices add up to: replicas, the sizes of each, and requests in flight."""
    sizes = {"TP": best.tp, "PP": best.pp, "CP": best.cp}
    each = " × ".join(f"{name} {n}" for name, n in sizes.items() if n > 1 or name == "TP")
    stages = f", in {best.pp} batches of {best.point.batch}" if best.pp > 1 else ""
    flight = show.counted(best.point.batch * best.pp, "request")
    if best.dp == 1:
        devices = show.counted(best.devices, "device")
        shape = f" ({each})" if each != f"TP {best.devices}" else ""
        return f"One replica of {devices}{shape} keeps {flight} in flight{stages}."
    return (
        f"{best.devices} devices = {best.dp} replicas × {each}; {flight} in flight on each"
        f"{stages}, {show.integer(best.point.concurrency)} in total."
    )


def _runner_up(result: StudyResult, best: Candidate) -> list[str]:
    others = [c for c in result.candidates if c.feasible and c is not best]
    if not others:
        return ["No other candidate keeps to the limits."]
    second = others[0]
    name = result.study.objective.value
    gap = 1 - getattr(second.point, name) / getattr(best.point, name)
    where = f"{second.deployment}, " if len(result.study.deployments) > 1 else ""
    less = f"{show.percent(gap)} less" if gap > 0 else "the same"
    text = f"Next best: {where}{second.parallel} with {less}."
    if gap < _half_width(best.point):
        text += " That is within the error of the cost model: measure both before deciding."
    return [text]


def _overflow(best: Candidate) -> list[str]:
    short = best.point.memory.available_at_end
    if short >= 0:
        return []
    return [
        f"If all requests reach the end of their answers together they need {show.size(-short)} "
        "more memory than a device has; an engine would preempt some."
    ]


def _figures(best: Candidate, slo: Slo) -> tuple[Figure, ...]:
    point, bands = best.point, best.point.bands
    per_device = f"{show.rate(point.throughput_per_device)} a device"
    return (
        Figure("Throughput", show.rate(point.throughput), "tok/s", per_device),
        _latency_figure("TTFT", point.ttft, slo.ttft, (bands.ttft_p10, bands.ttft_p90)),
        _latency_figure("TPOT", point.tpot, slo.tpot, (bands.tpot_p10, bands.tpot_p90)),
        Figure(
            "Free memory",
            show.gibibytes(point.memory.available),
            "GiB",
            f"a device, beside {show.size(point.memory.reserved)} reserved",
        ),
    )


def _latency_figure(
    title: str, value: float, limit: float | None, band: tuple[float, float]
) -> Figure:
    number, unit = show.duration(value).split(" ")
    if limit is None:
        return Figure(title, number, unit, f"no limit set; {_range(band)}")
    return Figure(
        title,
        number,
        unit,
        f"limit {show.duration(limit)}; {_range(band)}",
        round(min(100, 100 * value / limit), 1),
    )


def _range(band: tuple[float, float]) -> str:
    return f"p10–p90 {show.duration(band[0])} to {show.duration(band[1])}"


def _no_answer(result: StudyResult) -> Answer:
    nearest = result.candidates[0]
    misses = ", ".join(miss_text(miss) for miss in nearest.misses)
    where = f"{nearest.deployment}, " if len(result.study.deployments) > 1 else ""
    return Answer(
        feasible=False,
        headline="No layout keeps to the limits",
        layout="",
        figures=(),
        remarks=(
            f"The nearest is {where}{nearest.parallel} at batch {nearest.point.batch}: {misses}.",
        ),
    )


def _latency(study: Study, shown: Sequence[Candidate]) -> list[LineChart]:
    slo = study.workload.slo
    if slo.ttft is not None and slo.tpot is None:
        return latency_charts(shown, "ttft", "TTFT", slo.ttft)
    return latency_charts(shown, "tpot", "TPOT", slo.tpot)
