"""What a report shows of a simulation: the decision, its figures, tables and charts."""

from collections.abc import Sequence

from attrs import frozen

from specc.ir import LengthBin, MeasuredServer, Process, Simulate, Study
from specc.ir.facts import REQUEST_METRICS, STATISTICS
from specc.ir.simulation import USUAL_REQUESTS, StepKind
from specc.report import format as show
from specc.report.charts import LineChart
from specc.report.simulation_charts import (
    capacity_charts,
    distribution_charts,
    named,
    state_charts,
    step_charts,
)
from specc.report.tables import Column, Row, Table
from specc.results import CapacityFound, Metrics, Simulated, StudyResult, short_label
from specc.simulation.instances import UNLIMITED
from specc.units import counted

_STEEP = 0.05  # attainment lost by 5 % more load that is worth a warning
MOST_DRAWN = 4


@frozen
class SimulationView:
    """The simulation of a study."""

    question: str
    headline: str
    meets: bool
    remarks: tuple[str, ...]
    tables: tuple[Table, ...]
    distributions: tuple[LineChart, ...]
    capacity: tuple[LineChart, ...]
    state: tuple[LineChart, ...]
    steps: tuple[LineChart, ...]


def simulation_view(result: StudyResult) -> SimulationView | None:
    """Build the view of the simulations of a study; None if there were none."""
    study, shown = result.study, result.simulations
    if study.simulate is None or not shown:
        return None
    best, slo = shown[0], study.workload.slo
    tables = [
        _shortlist(shown) if len(shown) > 1 else None,
        *(_statistics(s, len(shown) > 1) for s in shown[:MOST_DRAWN]),
        _objectives(shown) if best.metrics.objectives else None,
        _closed(shown) if best.closed else None,
        _capacity(best, len(shown) > 1) if best.capacity and best.capacity.curve else None,
        _bins(best, study.workload.requests) if best.metrics.bins else None,
        _engines(best),
    ]
    return SimulationView(
        question=arrivals_text(study),
        headline=_headline(result, best),
        meets=result.feasible,
        remarks=tuple(_remarks(study, best, shown)),
        tables=tuple(t for t in tables if t is not None),
        distributions=tuple(distribution_charts(shown[:MOST_DRAWN], slo)),
        capacity=tuple(capacity_charts(shown[:MOST_DRAWN], slo)),
        state=tuple(state_charts(best)),
        steps=tuple(step_charts(best)),
    )


def arrivals_text(study: Study) -> str:
    """Say which requests come, and when."""
    simulate = study.simulate
    assert simulate is not None
    arrival = simulate.arrival
    if arrival.trace is not None:
        count = min(simulate.requests or arrival.trace.requests, arrival.trace.requests)
        speed = f", {simulate.speed:g} times as fast" if simulate.speed != 1 else ""
        requests = f"{show.integer(count)} requests of '{arrival.trace.file}'{speed}"
    else:
        count = simulate.requests or USUAL_REQUESTS
        requests = f"{show.integer(count)} requests, {_process(simulate)}, seed {simulate.seed}"
    sessions = simulate.sessions
    if sessions is not None:
        requests += f"; sessions of {sessions.turns:g} turns {show.duration(sessions.gap)} apart"
        if sessions.system_prompt:
            requests += f", {show.integer(sessions.system_prompt)} tokens of system prompt"
    router = simulate.router.value.replace("_", " ")
    replicas = counted(simulate.replicas, "replica")
    return f"{requests}; {replicas}, {router}"


def _process(simulate: Simulate) -> str:
    arrival = simulate.arrival
    names = {
        Process.BURST: "all at once",
        Process.CONSTANT: "at even intervals",
        Process.POISSON: "Poisson",
        Process.GAMMA: f"gamma gaps (cv {arrival.cv:g})",
        Process.WEIBULL: f"Weibull gaps (cv {arrival.cv:g})",
    }
    name = names[arrival.process]
    if simulate.rates:
        rates = [point.rate for point in simulate.rates]
        low, high = show.quantity(min(rates)), show.quantity(max(rates))
        return f"{name}, at a rate between {low} and {high} req/s"
    return name if arrival.rate is None else f"{name} at {show.quantity(arrival.rate)} req/s"


def _headline(result: StudyResult, best: Simulated) -> str:
    several = len(result.simulations) > 1
    name = f"{named(best)}: " if several else ""
    found, metrics = best.capacity, best.metrics
    if found is not None:
        missed = "" if best.meets else "the simulated load does not meet all objectives; "
        replicas = result.study.simulate.replicas if result.study.simulate else 1
        each = best.devices // replicas if best.closed else 0
        return name + missed + _capacity_sentence(found, each)
    if not metrics.objectives:
        return f"{name}{show.quantity(metrics.served)} requests a second served"
    verdict = "meets all objectives" if best.meets else "does not meet all objectives"
    return (
        f"{name}{verdict}: {show.attainment(metrics.attainment)} of the requests within all of "
        f"them, goodput {show.quantity(metrics.goodput)} req/s"
    )


def _capacity_sentence(found: CapacityFound, devices: int) -> str:
    """Say the capacity; `devices` are those of a replica, 0 for a measured server."""
    target = show.percent(found.target)
    if found.rate is None or found.low is None or found.high is None:
        return f"at no rate do {target} of the requests meet all objectives"
    interval = ""
    if found.seeds > 1:
        interval = (
            f" ({show.quantity(found.low)} to {show.quantity(found.high)} over {found.seeds} seeds)"
        )
    text = (
        f"{target} of the requests meet all objectives up to "
        f"{show.quantity(found.rate)} req/s{interval}"
    )
    if found.wanted is not None:
        wanted = f"{show.quantity(found.wanted)} req/s"
        if found.replicas is None:
            return f"{text}; no number of replicas carries {wanted}"
        size = f" ({counted(found.replicas * devices, 'device')})" if devices else ""
        carry = "carries" if found.replicas == 1 else "carry"
        text += f"; {counted(found.replicas, 'replica')}{size} {carry} {wanted}"
    return text


def _remarks(study: Study, best: Simulated, shown: Sequence[Simulated]) -> list[str]:
    metrics, remarks = best.metrics, []
    if study.deployments:
        remarks.append(
            "Closed form or step loop, without queues, chose the batch and made the shortlist"
            + (
                f" of {len(shown)}; the simulation chose from it."
                if len(shown) > 1
                else ", of one: the simulation says how it does."
            )
        )
    undone = metrics.requests - metrics.finished - metrics.rejected
    if undone:
        remarks.append(
            f"{counted(undone, 'request')} not done when the simulation ended, after 100 days."
        )
    if metrics.rejected:
        remarks.append(
            f"{counted(metrics.rejected, 'request')} rejected: longer than the KV cache or "
            "than the engine takes. They count as missed."
        )
    if metrics.growing:
        remarks.append(
            "The queue still grows when the last request comes: the load is above what is served, "
            "and the longer the simulation, the worse its percentiles."
        )
    if metrics.preemptions:
        remarks.append(
            f"{counted(metrics.preemptions, 'preemption')}: the KV cache ran out, and what "
            "was computed was thrown away and computed again."
        )
    remarks.append(_why(best))
    remarks += [text for server in study.servers for text in _beyond(server, shown)]
    found = best.capacity
    if found is not None:
        remarks += _capacity_remarks(study, best, found)
    if best.estimates:
        parts = [
            f"{_fact_name(e.fact)} {show.duration(e.fast)} to {show.duration(e.slow)}"
            for e in best.estimates
            if e.fast is not None and e.slow is not None
        ]
        remarks.append(
            "If every step took as long as the 10th or the 90th percentile of the error of the "
            f"cost model: {', '.join(parts)}."
        )
    return remarks


def _fact_name(fact: str) -> str:
    metric, _, statistic = fact.partition(".")
    return f"{show.limit_name(metric)} {statistic}"


def _why(best: Simulated) -> str:
    """Say what the engines were like: how full, how long the queue, how much of the cache."""
    m = best.metrics
    limit = best.settings[-1].limit
    if m.prefill_busy is not None:
        return (
            f"An engine that prefills runs a step {show.percent(m.prefill_busy)} of the time, one "
            f"that decodes {show.percent(m.busy)}, with {show.quantity(m.batch)} sequences of "
            f"{show.integer(limit)} on the mean; at most {show.integer(m.most_waiting)} requests "
            f"wait for one, and {show.percent(m.cache)} of a KV cache is in use."
        )
    cache = "" if _unlimited(best) else f", and {show.percent(m.cache)} of a KV cache is in use"
    return (
        f"An engine runs a step {show.percent(m.busy)} of the time, with {show.quantity(m.batch)} "
        f"sequences of {show.integer(limit)} on the mean; at most {show.integer(m.most_waiting)} "
        f"requests wait for one{cache}."
    )


def _beyond(server: MeasuredServer, shown: Sequence[Simulated]) -> list[str]:
    """Say which steps were larger than the largest that was measured."""
    metrics = next(s.metrics for s in shown if s.name == server.name)
    ran = {StepKind.PREFILL: metrics.most_tokens, StepKind.DECODE: metrics.most_decoding}
    units = {StepKind.PREFILL: "new token", StepKind.DECODE: "sequence"}
    parts = []
    for kind, most in ran.items():
        measured = max(row.size for row in server.step_cost if row.step is kind)
        if most > measured:
            parts.append(
                f"{kind.value} steps of up to {counted(most, units[kind])}, measured up to "
                f"{show.integer(measured)}"
            )
    if not parts:
        return []
    return [f"{server.name} ran {' and '.join(parts)}: their times are extrapolated."]


def _unlimited(best: Simulated) -> bool:
    return all(settings.capacity >= UNLIMITED // settings.block for settings in best.settings)


def _capacity_remarks(study: Study, best: Simulated, found: CapacityFound) -> list[str]:
    remarks = []
    if found.rate is None:
        lost = best.metrics.rejected / best.metrics.requests
        if lost > 1 - found.target:
            return [f"{show.percent(lost)} of the requests are rejected at any rate."]
        return [
            "Even a hardly loaded engine misses an objective, or the simulation is too short to "
            "tell: look at the limits, and simulate more requests."
        ]
    if found.short:
        remarks.append(
            "Above it the requests come within a few latencies, too soon for a queue to build up: "
            "this is the highest rate that so few requests can tell of. Simulate more."
        )
    offered = best.metrics.rate
    if offered:
        remarks.append(
            f"The simulated load of {show.quantity(offered)} req/s is "
            f"{show.percent(offered / found.rate)} of the capacity."
        )
    if found.limiting:
        remarks.append(f"What breaks first beyond it: {found.limiting}.")
    if found.slow is not None and found.fast is not None:
        remarks.append(
            f"With the error of the cost model the capacity lies between "
            f"{show.quantity(found.slow)} and {show.quantity(found.fast)} req/s (p10–p90)."
        )
    steep = found.steepness
    if steep is not None and steep > _STEEP:
        remarks.append(
            f"Near saturation: 5 % more load costs {show.percent(steep)} of the requests, so a "
            "cost model that errs by as little moves the tail as much. Plan with a margin."
        )
    if found.seeds == 1:
        remarks.append(
            "One search: a trace has no chance in it."
            if study.simulate is not None and study.simulate.arrival.trace
            else "One search, with one seed: another may differ by several percent."
        )
    if found.wanted is not None and found.attainment_at_wanted is not None:
        remarks.append(
            f"Checked by simulation: {counted(found.replicas or 0, 'replica')} at "
            f"{show.quantity(found.wanted)} req/s reach "
            f"{show.attainment(found.attainment_at_wanted)}."
        )
    elif found.wanted is not None and found.replicas is not None:
        remarks.append(
            f"Not checked by simulation at {show.quantity(found.wanted)} req/s: so many requests "
            "are over too soon, or too few come a day."
        )
    return remarks


def _ms(value: float | None) -> str:
    return "–" if value is None else show.milliseconds(value)


def _statistics(simulated: Simulated, several: bool) -> Table:
    which = f": {named(simulated)}" if several else ""
    return statistics_table(f"Requests, as simulated{which}", simulated.metrics)


def statistics_table(title: str, metrics: Metrics) -> Table:
    """Show the statistics of each metric over requests."""
    rows = []
    for metric in REQUEST_METRICS:
        statistics = getattr(metrics, metric.name)
        cells = [_ms(None if statistics is None else getattr(statistics, s)) for s in STATISTICS]
        rows.append(Row((metric.title, *cells)))
    columns = (Column("Metric", numeric=False), *(Column(s, "ms") for s in STATISTICS))
    return Table(title, columns, tuple(rows), _totals(metrics))


def _totals(metrics: Metrics) -> str:
    return (
        f"{show.integer(metrics.finished)} of {show.integer(metrics.requests)} requests in "
        f"{show.duration(metrics.span)}: {show.quantity(metrics.served)} req/s, "
        f"{show.rate(metrics.throughput)} tok/s of answers, "
        f"{show.rate(metrics.input_throughput)} tok/s of prompts"
        + (f", {show.percent(metrics.hits)} of them from the cache." if metrics.hits else ".")
    )


def _shortlist(shown: Sequence[Simulated]) -> Table:
    capacity = any(s.capacity for s in shown)
    planned = any(s.closed for s in shown)
    rows = []
    for s in shown:
        m = s.metrics
        cells = [
            s.name,
            short_label(s.layout),
            *((str(s.place),) if planned else ()),
            "yes" if s.meets else "no",
            show.attainment(m.attainment),
            show.quantity(m.goodput),
            _ms(m.statistic("ttft.p99")),
            _ms(m.statistic("tpot.p99")),
            show.rate(m.throughput),
        ]
        if capacity:
            rate = s.capacity.rate if s.capacity else None
            cells.append("–" if rate is None else show.quantity(rate))
        rows.append(Row(tuple(cells), s is shown[0]))
    columns = [
        Column("Name", numeric=False),
        Column("Layout", numeric=False),
        *((Column("Place by closed form"),) if planned else ()),
        Column("Meets all", numeric=False),
        Column("Attainment"),
        Column("Goodput", "req/s"),
        Column("TTFT p99", "ms"),
        Column("TPOT p99", "ms"),
        Column("Throughput", "tok/s"),
    ]
    if capacity:
        columns.append(Column("Capacity", "req/s"))
    return Table("What the simulation decides between", tuple(columns), tuple(rows))


def _objectives(shown: Sequence[Simulated]) -> Table:
    several = len(shown) > 1
    rows = []
    for s in shown[:MOST_DRAWN]:
        name = (named(s),) if several else ()
        for o in s.metrics.objectives:
            cells = (o.objective, show.duration(o.limit), _duration(o.seen))
            rows.append(Row((*name, *cells, "yes" if o.met else "no", show.attainment(o.share))))
        share = show.attainment(s.metrics.attainment)
        rows.append(Row((*name, "all together", "", "", "", share)))
    columns = [Column("Simulated", numeric=False)] if several else []
    columns += [
        Column("Objective", numeric=False),
        Column("Limit"),
        Column("Seen"),
        Column("Met", numeric=False),
        Column("Attainment"),
    ]
    note = (
        "Attainment is the share of the requests (for ITL of the gaps) within the limit; together, "
        "each metric counts at its widest limit."
    )
    return Table("Objectives, as simulated", tuple(columns), tuple(rows), note)


def _duration(value: float | None) -> str:
    return "–" if value is None else show.duration(value)


def _closed(shown: Sequence[Simulated]) -> Table:
    rows = []
    for s in shown:
        for c in s.closed:
            seconds = c.metric in ("ttft", "tpot")
            text = show.duration if seconds else show.quantity
            name = f"{c.metric.upper()}, mean" if seconds else "Rate (can serve, did serve), req/s"
            rows.append(
                Row(
                    (
                        named(s),
                        name,
                        text(c.planned),
                        text(c.simulated),
                        _difference(c.planned, c.simulated),
                    )
                )
            )
    note = (
        "The closed form and the step loop load an instance with its whole batch at once and "
        "nobody comes later; in the simulation requests come when they come, and wait."
    )
    columns = (
        Column("Simulated", numeric=False),
        Column("Metric", numeric=False),
        Column("Closed form or step loop"),
        Column("Simulation"),
        Column("Difference"),
    )
    return Table("Closed form and simulation", columns, tuple(rows), note)


def _difference(planned: float, simulated: float) -> str:
    if not planned:
        return "–"
    return f"{(simulated / planned - 1) * 100:+,.0f} %"


def _capacity(best: Simulated, several: bool) -> Table:
    assert best.capacity is not None
    own = best.capacity.curve_rate or 1.0
    rows = []
    for p in best.capacity.curve:
        cells = (
            show.quantity(p.rate),
            show.percent(p.rate / own),
            _ms(p.ttft_p50),
            _ms(p.ttft_p99),
            _ms(p.tpot_p50),
            _ms(p.tpot_p99),
            show.attainment(p.attainment),
            show.rate(p.throughput),
            show.quantity(p.batch),
            show.integer(p.most_waiting),
            show.percent(p.cache),
            show.integer(p.preemptions),
        )
        rows.append(Row(cells, p.rate == own))
    columns = (
        Column("Rate", "req/s"),
        Column("of capacity"),
        Column("TTFT p50", "ms"),
        Column("TTFT p99", "ms"),
        Column("TPOT p50", "ms"),
        Column("TPOT p99", "ms"),
        Column("Attainment"),
        Column("Throughput", "tok/s"),
        Column("Batch", "mean"),
        Column("Queue", "longest"),
        Column("KV cache", "fullest"),
        Column("Preemptions"),
    )
    which = f": {named(best)}" if several else ""
    note = ""
    if best.capacity.seeds > 1:
        note = f"With the first seed, whose own capacity is {show.quantity(own)} req/s."
    return Table(f"Latency over the rate{which}", columns, tuple(rows), note)


def _bins(best: Simulated, rows: Sequence[LengthBin]) -> Table:
    cells = []
    for own in best.metrics.bins:
        row = rows[own.bin]
        ttft, tpot = own.ttft, own.tpot
        cells.append(
            Row(
                (
                    _range(row.input),
                    _range(row.output),
                    show.integer(own.requests),
                    _ms(ttft.p50 if ttft else None),
                    _ms(ttft.p99 if ttft else None),
                    _ms(tpot.p50 if tpot else None),
                    _ms(tpot.p99 if tpot else None),
                    show.attainment(own.attainment) if own.requests else "–",
                )
            )
        )
    columns = (
        Column("Prompt", "tok"),
        Column("Answer", "tok"),
        Column("Requests"),
        Column("TTFT p50", "ms"),
        Column("TTFT p99", "ms"),
        Column("TPOT p50", "ms"),
        Column("TPOT p99", "ms"),
        Column("Attainment"),
    )
    return Table("Requests of each length, as simulated", columns, tuple(cells))


def _range(lengths: tuple[int, int]) -> str:
    low, high = lengths
    return show.integer(low) if high == low + 1 else f"{low:,} .. {high:,}"


def _engines(best: Simulated) -> Table:
    phases = ("Prefill", "Decode") if len(best.engines) > 1 else ("Engine",)
    rows = []
    for phase, count, s in zip(phases, best.engines, best.settings, strict=True):
        unlimited = s.capacity >= UNLIMITED // s.block
        rows.append(
            Row(
                (
                    phase,
                    show.integer(count),
                    s.scheduler.value,
                    show.integer(s.budget),
                    show.integer(s.limit),
                    show.integer(s.decode_batch),
                    show.integer(s.admission),
                    "no limit" if unlimited else show.integer(s.capacity * s.block),
                    show.integer(s.block),
                )
            )
        )
    columns = (
        Column("", numeric=False),
        Column("Engines"),
        Column("Scheduler", numeric=False),
        Column("Budget", "tok a step"),
        Column("Sequences"),
        Column("Decode batch"),
        Column("Admission", "a step"),
        Column("KV cache", "tok"),
        Column("Block", "tok"),
    )
    note = (
        "An engine is a data-parallel replica (all of them, where they share experts), or one of "
        "the batches of a pipeline."
    )
    return Table("Simulated engines", columns, tuple(rows), note)
