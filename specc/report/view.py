"""The view model: everything a template shows, as text and pixels. No template calculates."""

import math
from collections.abc import Sequence

from attrs import evolve, frozen

from specc.ir import Objective, Phase, Slo, Study
from specc.ir.facts import Term, glossary
from specc.report import format as show
from specc.report.accuracy import accuracy
from specc.report.charts import (
    Bar,
    HeatMap,
    LineChart,
    heat_map,
    latency_charts,
    memory_bar,
    request_bars,
    share_bar,
    sweep_chart,
    timeline_charts,
)
from specc.report.frontier import frontier
from specc.report.inputs import inputs, objectives
from specc.report.simulation import SimulationView, simulation_view
from specc.report.tables import (
    Relaxation,
    Table,
    answer_table,
    bin_table,
    candidate_table,
    comparison,
    details,
    excess_text,
    frontier_table,
    infeasible_table,
    miss_text,
    pruned_table,
    relaxation_table,
    stopped_text,
    summary,
    sweep_table,
    verdict_table,
)
from specc.results import (
    Candidate,
    Configuration,
    Instance,
    Miss,
    Results,
    StudyResult,
    objective_of,
    short_label,
)
from specc.units import counted

MOST_BARS = 16
_LIMITS = {
    "ttft": "the TTFT limit",
    "tpot": "the TPOT limit",
    "memory": "the memory of a device",
    "range": "the end of the range of batch sizes",
    "max_sequences": "the engine's limit on sequences",
    "chunk_budget": "the chunk budget, of which every sequence takes its share a step",
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
class AnswerView:
    """The answer to a study: one sentence, its figures, and what to know about it."""

    feasible: bool
    headline: str
    layout: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]


@frozen
class Picture:
    """A picture of its own file: panels, bars or a heat map."""

    name: str
    alt: str
    panels: tuple[LineChart, ...] = ()
    bars: tuple[Bar, ...] = ()
    heat: HeatMap | None = None


@frozen
class StudyView:
    """One study."""

    name: str
    slug: str
    is_variant: bool
    expected: bool
    doc: str
    question: str
    answer: AnswerView
    sweep: Table | None
    sweep_chart: LineChart | None
    heat_map: HeatMap | None
    expectations: Table | None
    comparison: Table | None
    answers: Table | None
    summaries: tuple[Table, ...]
    candidates: tuple[Table, ...]
    bins: Table | None
    request_bars: tuple[Bar, ...]
    timeline: tuple[LineChart, ...]
    frontier: Table | None
    details: tuple[Table, ...]
    latency_charts: tuple[LineChart, ...]
    memory_bars: tuple[Bar, ...]
    prefill_bars: tuple[Bar, ...]
    decode_bars: tuple[Bar, ...]
    relaxations: Table | None
    infeasible: Table | None
    pruned: Table | None
    inputs: tuple[Table, ...]
    simulation: SimulationView | None = None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures that are files of their own."""
        drawn = []
        if self.sweep_chart is not None:
            drawn.append(
                Picture("sweep", "Throughput over the swept field", panels=(self.sweep_chart,))
            )
        if self.heat_map is not None:
            drawn.append(Picture("sweep", "Throughput over the swept fields", heat=self.heat_map))
        drawn += self._simulated()
        if self.latency_charts:
            drawn.append(
                Picture(
                    "curves",
                    "Throughput over latency of every layout; the dot is the best batch size",
                    panels=self.latency_charts,
                )
            )
        if self.request_bars:
            drawn.append(
                Picture("requests", "Time of a request of each length", bars=self.request_bars)
            )
        if self.timeline:
            drawn.append(
                Picture("timeline", "What runs in the steps of a batch", panels=self.timeline)
            )
        if self.memory_bars:
            drawn.append(
                Picture("memory", "Memory of a device, by candidate", bars=self.memory_bars)
            )
        return tuple(drawn)

    def _simulated(self) -> list[Picture]:
        """The pictures of a simulation."""
        if self.simulation is None:
            return []
        named = (
            ("capacity", "Latency and attainment over the rate", self.simulation.capacity),
            ("requests-cdf", "Distribution of latencies", self.simulation.distributions),
            ("state", "Queue, batch and KV cache over time", self.simulation.state),
            ("steps", "Steps around the longest queue", self.simulation.steps),
        )
        return [Picture(name, alt, panels=panels) for name, alt, panels in named if panels]


@frozen
class ReportView:
    """The whole report."""

    title: str
    version: str
    studies: tuple[StudyView, ...]
    definitions: tuple[Term, ...]
    accuracy: str
    provenance: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...]


def view(results: Results) -> ReportView:
    """Build the view model of results."""
    header = results.header
    return ReportView(
        title=header.spec.removesuffix(".spec"),
        version=header.specc,
        studies=tuple(study_views(results)),
        definitions=tuple(glossary(simulated=results.simulated)),
        accuracy=accuracy(results),
        provenance=tuple(header.inputs.items()),
        overrides=header.overrides,
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
    shown = _most_telling(result, feasible or infeasible)
    label = _labels(several, result)
    first = len(variants) > 1 and result is variants[0]
    swept = len(study.settings)
    phases = list(dict.fromkeys(c.phase for c in feasible))
    plain = result.is_plain
    best = result.best
    simulation = simulation_view(result)
    return StudyView(
        name=study.name,
        slug=study.name if index is None else f"{study.name}-{index}",
        is_variant=index is not None,
        expected=all(verdict.met for verdict in result.verdicts),
        doc=study.doc,
        question=_question(study),
        answer=_answer(result, simulation),
        sweep=sweep_table(variants) if first else None,
        sweep_chart=sweep_chart(variants) if first and swept == 1 else None,
        heat_map=heat_map(variants) if first and swept == 2 else None,
        expectations=verdict_table(result) if result.verdicts else None,
        comparison=comparison(result) if several else None,
        answers=None
        if plain or not result.configurations
        else answer_table(result.configurations, several, result.omitted),
        summaries=tuple(
            summary([c for c in feasible if c.phase == phase], label, phase, best)
            for phase in phases
        ),
        candidates=tuple(
            candidate_table([c for c in feasible if c.phase == phase], several, phase, best)
            for phase in phases
        ),
        bins=bin_table(best) if best is not None and len(best.bins) > 1 else None,
        request_bars=request_bars(best.bins) if best and len(best.bins) > 1 else (),
        timeline=tuple(timeline_charts(best.timeline)) if best and best.timeline else (),
        frontier=_frontier(study, feasible, label) if len(phases) == 1 else None,
        details=tuple(details(feasible, label)) if feasible else (),
        latency_charts=tuple(_latency(study, shown)),
        memory_bars=tuple(_memory_bars(study, shown, label)),
        prefill_bars=tuple(share_bar(c, "prefill", label(c)) for c in shown if c.point.prefill),
        decode_bars=tuple(share_bar(c, "decode", label(c)) for c in shown if c.point.decode),
        relaxations=_relaxations(result) if best is None else None,
        infeasible=infeasible_table(infeasible, several) if infeasible else None,
        pruned=pruned_table(result) if result.pruned else None,
        inputs=tuple(inputs(study)),
        simulation=simulation,
    )


def _labels(several: bool, result: StudyResult) -> "_Label":
    return _Label(several, len({c.phase for c in result.candidates}) > 1)


@frozen
class _Label:
    """Names a candidate by what tells it from the others of its study."""

    several_deployments: bool
    several_phases: bool

    def __call__(self, candidate: Candidate) -> str:
        parts = [short_label(candidate.instance.parallel)]
        if self.several_phases:
            parts.insert(0, candidate.phase)
        if self.several_deployments:
            parts.insert(0, candidate.deployment)
        return " · ".join(parts)


def _most_telling(result: StudyResult, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates to draw: those of the best answer, then the best of the others."""
    own = {g.task for g in result.best.instances} if result.best else set()
    order = sorted(candidates, key=lambda c: c.instance.task not in own)
    kept: list[Candidate] = []
    for phase in dict.fromkeys(c.phase for c in candidates):
        kept += [c for c in order if c.phase == phase][:MOST_BARS]
    return kept


def _memory_bars(study: Study, shown: Sequence[Candidate], label: _Label) -> list[Bar]:
    memory = {instance.device.name: instance.device.memory for instance in study.instances}
    return [memory_bar(c, memory[c.instance.device], label(c)) for c in shown]


def _frontier(study: Study, feasible: Sequence[Candidate], label: _Label) -> Table | None:
    points = frontier(study, feasible, label)
    return frontier_table(points) if len(points) > 1 else None


def _question(study: Study) -> str:
    workload = study.workload
    settings = ", ".join(f"{path} = {value}" for path, value in study.settings)
    settings += ": " if settings else ""
    images = f", {counted(workload.images.count, 'image')}" if workload.images else ""
    return f"{settings}{_lengths(study)}{images}; {_judged(study)}"


def _judged(study: Study) -> str:
    """Say the objectives, and which of them no instance of the study has."""
    slo = study.workload.slo
    phases = {phase for d in study.deployments for phase in d.mode.phases}
    alone = next(iter(phases)) if len(phases) == 1 else Phase.WHOLE
    if alone is Phase.PREFILL and slo.tpot is not None:
        return f"{objectives(evolve(slo, tpot=None))}; TPOT is no matter of prefill alone"
    if alone is Phase.DECODE and slo.ttft is not None:
        return f"{objectives(evolve(slo, ttft=None))}; TTFT is no matter of decode alone"
    return objectives(slo)


def _lengths(study: Study) -> str:
    workload = study.workload
    shapes = workload.shapes()
    prompt, cached, answer = (
        math.fsum(s.share * getattr(s, name) for s in shapes)
        for name in ("input", "cached", "output")
    )
    hit = f", {show.percent(cached / prompt)} of it cached" if cached else ""
    if len(shapes) == 1:
        return (
            f"{counted(shapes[0].input, 'token')} of prompt{hit}, "
            f"{show.integer(shapes[0].output)} of answer"
        )
    return (
        f"{len(shapes)} lengths of requests, on the mean {show.tokens(prompt)} tokens of "
        f"prompt{hit}, {show.tokens(answer)} of answer"
    )


def _answer(result: StudyResult, simulation: SimulationView | None) -> AnswerView:
    best = result.best
    if result.study.servers:
        assert simulation is not None
        return _server_answer(result, simulation)
    if best is None:
        return _no_answer(result)
    remarks = [] if simulation is None else [f"As simulated: {simulation.headline}."]
    remarks += [_arithmetic(best), _stopped(best)]
    failed = sum(not verdict.met for verdict in result.verdicts)
    if failed:
        remarks.append(f"{failed} of {counted(len(result.verdicts), 'expectation')} not met.")
    remarks += _fleet_remarks(result, best)
    remarks += _runner_up(result, best)
    remarks += _two_kinds_of_tpot(result)
    remarks += _overflow(best)
    remarks.append(_sureness(best))
    figures = _figures(best, result.study.planned_workload.slo, bool(result.simulations))
    return AnswerView(True, _headline(best), best.layout, figures, tuple(remarks))


def _server_answer(result: StudyResult, simulation: SimulationView) -> AnswerView:
    """The answer of a study of measured servers is that of its simulation."""
    failed = sum(not verdict.met for verdict in result.verdicts)
    remarks = (
        (f"{failed} of {counted(len(result.verdicts), 'expectation')} not met.",) if failed else ()
    )
    return AnswerView(simulation.meets, simulation.headline, "", (), remarks)


def _headline(best: Configuration) -> str:
    devices = counted(best.devices, "device")
    if len({g.device for g in best.instances}) == 1:
        devices = f"{best.devices} × {best.instances[0].device}"
    batches = [f"batch {g.point.batch}" for g in best.instances]
    if len(best.instances) == 2:
        batches = [f"{g.phase} batch {g.point.batch}" for g in best.instances]
    return f"{devices}, {', '.join(batches)} a replica: {show.rate(best.throughput)} tok/s"


def _sureness(best: Configuration) -> str:
    bands = best.bands
    return (
        f"As far as errors of the cost model go, eight of ten measurements would lie between "
        f"{show.rate(bands.throughput_p10)} and {show.rate(bands.throughput_p90)} tok/s "
        f"(± {show.percent(_half_width(best))}); see How sure this is."
    )


def _half_width(best: Configuration) -> float:
    """Half of the band of the throughput, relative to it."""
    return (best.bands.throughput_p90 - best.bands.throughput_p10) / 2 / best.throughput


def _stopped(best: Configuration) -> str:
    return " ".join(_stopper(group, len(best.instances) > 1) for group in best.instances)


def _stopper(group: Instance, several: bool) -> str:
    batch = f"{group.phase} batch" if several else "batch"
    if group.stopped_by == "waves":
        return f"A larger {batch} would only let requests wait."
    if group.stopped_by == "peak":
        return f"A larger {batch} serves less."
    limit = _LIMITS.get(group.stopped_by) or f"the limit on {stopped_text(group.stopped_by)}"
    return f"A larger {batch} is stopped by {limit}."


def _arithmetic(best: Configuration) -> str:
    """Say what the devices add up to: instances, replicas, their sizes, requests in flight."""
    if len(best.instances) == 1 and best.instance_count == 1:
        return _group_arithmetic(best.instances[0])
    parts = []
    for group in best.instances:
        name = "instances" if group.count > 1 else "instance"
        phase = "" if group.phase == "whole" else f"{group.phase} "
        parts.append(
            f"{group.count} {phase}{name} × {group.devices} = {group.count * group.devices} "
            f"{group.device}"
        )
    each = " ".join(
        f"{'Each' if g.phase == 'whole' else 'A ' + g.phase} instance: {_group_arithmetic(g)}"
        for g in best.instances
    )
    return f"{' and '.join(parts)}. {each}"


def _group_arithmetic(group: Instance) -> str:
    sizes = {"TP": group.layout.tp, "PP": group.layout.pp, "CP": group.layout.cp}
    each = " × ".join(f"{name} {n}" for name, n in sizes.items() if n > 1 or name == "TP")
    batch = group.point.batch
    stages = f", in {group.layout.pp} batches of {batch}" if group.layout.pp > 1 else ""
    flight = counted(batch * group.layout.pp, "request")
    if group.layout.dp == 1:
        devices = counted(group.devices, "device")
        shape = f" ({each})" if each != f"TP {group.devices}" else ""
        return f"One replica of {devices}{shape} keeps {flight} in flight{stages}."
    return (
        f"{group.devices} devices = {group.layout.dp} replicas × {each}; {flight} in flight on each"
        f"{stages}, {show.integer(group.point.concurrency)} in total."
    )


def _fleet_remarks(result: StudyResult, best: Configuration) -> list[str]:
    remarks = []
    fleet = next(d.fleet for d in result.study.deployments if d.name == best.deployment)
    spare = next((g.spare for g in best.instances if g.spare), 0)
    if len(best.instances) == 2:
        first, last = best.instances
        rates = [(g.count - g.spare) * g.point.rate for g in best.instances]
        other = "decode" if rates[0] < rates[1] else "prefill"
        text = (
            f"Prefill can take {show.quantity(rates[0])}, decode {show.quantity(rates[1])} "
            f"requests a second; "
        )
        if best.bottleneck == "transfer":
            text += (
                f"the links that move the KV cache limit both to {show.quantity(best.rate)}: "
                "ask for more bandwidth before more instances."
            )
        else:
            idle = 1 - min(rates) / max(rates)
            text += (
                f"{best.bottleneck} limits, and {show.percent(idle)} of {other} stays idle. One "
                f"decode instance keeps {show.quantity(last.point.rate / first.point.rate)} "
                "prefill instances busy."
            )
        remarks.append(text)
        moved = show.duration(best.transfer) if best.transfer else "nothing"
        remarks.append(f"The KV cache of a request takes {moved} from prefill to decode.")
    if fleet is not None and fleet.rate is not None:
        room = best.rate / fleet.rate - 1
        remarks.append(
            f"Asked for {show.quantity(fleet.rate)} requests a second: {best.devices} devices "
            f"can take {show.quantity(best.rate)}, {show.percent(room)} more."
        )
    if spare:
        kind = " of each kind" if len(best.instances) > 1 else ""
        count = counted(spare, "instance")
        remarks.append(f"{count}{kind} may fail without a loss of this rate.")
    return remarks


def _two_kinds_of_tpot(result: StudyResult) -> list[str]:
    """Warn where the TPOT of some configurations includes prefill's share, of others not."""
    tasks = {c.instance.task: c for c in result.candidates}
    kinds = {
        tasks[g.task].method == "closed form" and g.phase == "whole"
        for answer in result.configurations
        for g in answer.instances
        if g.phase != "prefill"
    }
    if len(kinds) < 2:
        return []
    return [
        "TPOT is not the same everywhere here: the closed form spreads TTFT over the answer, step "
        "loops and separate phases count the gaps between tokens. Name a scheduler for the former "
        "to compare like with like."
    ]


def _runner_up(result: StudyResult, best: Configuration) -> list[str]:
    others = [a for a in result.configurations if a.feasible and a is not best]
    if not others:
        return ["No other candidate keeps to the limits."]
    second = others[0]
    objective = result.study.objective
    mine, theirs = objective_of(best, objective), objective_of(second, objective)
    where = f"{second.deployment}, " if len(result.study.deployments) > 1 else ""
    if objective is Objective.FEWEST_DEVICES:
        more = second.devices - best.devices
        less = f"{counted(more, 'device')} more" if more else "as many devices"
        return [f"Next best: {where}{second.layout} with {less}."]
    gap = 1 - theirs / mine
    less = f"{show.percent(gap)} less" if gap > 0 else "the same"
    text = f"Next best: {where}{second.layout} with {less}."
    if gap < _half_width(best):
        text += " That is within the error of the cost model: measure both before deciding."
    return [text]


def _overflow(best: Configuration) -> list[str]:
    short = best.available_at_end
    if short >= 0:
        return []
    return [
        f"If all requests reach the end of their answers together they need {show.size(-short)} "
        "more memory than a device has; an engine would preempt some."
    ]


def _figures(best: Configuration, slo: Slo, simulated: bool) -> tuple[Figure, ...]:
    bands = best.bands
    per_device = f"{show.rate(best.throughput_per_device)} a device"
    what = " of prompts" if best.mode == "prefill_only" else ""
    figures = [Figure("Throughput", show.rate(best.throughput), "tok/s", per_device + what)]
    if len(best.instances) > 1 or best.instance_count > 1 or best.mode != "aggregated":
        figures.append(Figure("Rate", show.quantity(best.rate), "req/s", "of the slower phase"
                              if len(best.instances) > 1 else "of all instances"))  # fmt: skip
    for title, value, limit, band in (
        ("TTFT", best.ttft, slo.ttft, (bands.ttft_p10, bands.ttft_p90)),
        ("TPOT", best.tpot, slo.tpot, (bands.tpot_p10, bands.tpot_p90)),
    ):
        if value is not None:
            figure = _latency_figure(title, value, limit, band)
            if simulated and limit is None:
                figure = evolve(figure, note="of a whole batch at once; judged as simulated")
            figures.append(figure)
    reserved = max(g.point.memory.reserved for g in best.instances)
    figures.append(
        Figure(
            "Free memory",
            show.gibibytes(best.available),
            "GiB",
            f"a device, beside {show.size(reserved)} reserved",
        )
    )
    if best.cost_per_million_tokens is not None and best.cost_per_second is not None:
        figures.append(
            Figure(
                "Cost",
                show.quantity(best.cost_per_million_tokens),
                f"{best.currency}/Mtok",
                f"{show.quantity(best.cost_per_second * 3600)} {best.currency} an hour",
            )
        )
    if best.energy_per_thousand_tokens is not None:
        figures.append(
            Figure(
                "Energy",
                show.watt_hours(best.energy_per_thousand_tokens),
                "Wh/ktok",
                "at the power of the devices under load",
            )
        )
    return tuple(figures)


def _latency_figure(
    title: str, value: float, limit: float | None, band: tuple[float | None, float | None]
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


def _range(band: tuple[float | None, float | None]) -> str:
    low, high = band
    assert low is not None
    assert high is not None
    return f"p10–p90 {show.duration(low)} to {show.duration(high)}"


def _no_answer(result: StudyResult) -> AnswerView:
    several = len(result.study.deployments) > 1
    missed = [a for a in result.configurations if not a.feasible]
    if missed:
        nearest = missed[0]
        misses = ", ".join(miss_text(miss) for miss in nearest.misses)
        where = f"{nearest.deployment}, " if several else ""
        text = f"The nearest is {where}{nearest.layout}: {misses}."
    else:
        text = _nearest_candidate(result, several)
    remarks = [text]
    relaxed = _relaxed(result)
    if relaxed:
        first = relaxed[0]
        remarks.append(
            f"With {show.limit_name(first.miss.limit)} at "
            f"{show.fact(first.miss.limit, first.miss.value)} ({excess_text(first.miss)}) and "
            f"everything else kept, {first.where} is feasible."
        )
    return AnswerView(
        feasible=False,
        headline="No layout keeps to the limits",
        layout="",
        figures=(),
        remarks=tuple(remarks),
    )


def _nearest_candidate(result: StudyResult, several: bool) -> str:
    """Say what is nearest; where phases are apart, of the phase that has nothing feasible."""
    phases = dict.fromkeys(c.phase for c in result.candidates)
    feasible = {c.phase for c in result.candidates if c.feasible}
    short = [phase for phase in phases if phase not in feasible]
    nearest = next(
        (c for c in result.candidates if c.phase in (short or phases) and not c.feasible), None
    )
    if nearest is None:
        return "Each phase has feasible instances, but no pair of them keeps to the limits."
    misses = ", ".join(miss_text(miss) for miss in nearest.misses)
    where = f"{nearest.deployment}, " if several else ""
    phase = f"{nearest.phase} in " if len(phases) > 1 else ""
    layout, batch = nearest.instance.parallel, nearest.point.batch
    return f"The nearest is {where}{phase}{layout} at batch {batch}: {misses}."


def _relaxed(result: StudyResult) -> list[Relaxation]:
    """Return, for each limit, what needs least of it, the least change first.

    Where phases are apart, relaxing one of them helps only if the other has feasible instances.
    """
    found: dict[str, Relaxation] = {}

    def offer(miss: Miss, where: str, batch: int) -> None:
        held = found.get(miss.limit)
        if miss.excess > 0 and (held is None or miss.excess < held.miss.excess):
            found[miss.limit] = Relaxation(miss, where, batch)

    for answer in result.configurations:
        if len(answer.misses) == 1:
            where = f"{answer.deployment}, {answer.layout}"
            offer(answer.misses[0], where, answer.instances[-1].point.batch)
    feasible = {(c.deployment, c.phase) for c in result.candidates if c.feasible}
    phases = {(c.deployment, c.phase) for c in result.candidates}
    for c in result.candidates:
        others = {p for p in phases if p[0] == c.deployment and p[1] != c.phase}
        if not c.feasible and others <= feasible and (c.deployment, c.phase) not in feasible:
            for miss in c.relaxations:
                offer(miss, f"{c.deployment}, {c.instance.parallel}", c.point.batch)
    return sorted(found.values(), key=lambda relaxation: relaxation.miss.excess)


def _relaxations(result: StudyResult) -> Table | None:
    relaxed = _relaxed(result)
    return relaxation_table(relaxed) if relaxed else None


def _latency(study: Study, shown: Sequence[Candidate]) -> list[LineChart]:
    slo = study.planned_workload.slo
    charts = []
    for phase in dict.fromkeys(c.phase for c in shown):
        own = [c for c in shown if c.phase == phase]
        alone = slo.ttft is not None and slo.tpot is None
        by_ttft = any(c.point.tpot is None for c in own) or (phase == "whole" and alone)
        metric, title, limit = ("ttft", "TTFT", slo.ttft) if by_ttft else ("tpot", "TPOT", slo.tpot)
        named = "" if phase == "whole" else f", {phase}"
        charts += latency_charts(own, metric, title, limit, named)
    return charts
