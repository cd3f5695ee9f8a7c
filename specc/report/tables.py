"""The tables of a report: configurations and candidates, their memory and bounds, and misses."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import frozen

from specc.ir import facts
from specc.ir.facts import Fact
from specc.report import format as show
from specc.report.format import limit_name
from specc.report.frontier import FrontierPoint, has_costs
from specc.results import Candidate, Configuration, Miss, StudyResult, objective_of

Label = Callable[[Candidate], str]

MOST_ROWS = 40  # rows of a table of candidates; the rest is in the JSON file
MOST_PRUNED = 60

_TITLES = {
    "whole": "Candidates, each at its best batch",
    "prefill": "Prefill instances, each at its best batch",
    "decode": "Decode instances, each at its best batch",
}
_STOPPED_BY = {
    "ttft": "TTFT",
    "tpot": "TPOT",
    "max_sequences": "max sequences",
    "chunk_budget": "chunk budget",
    "waves": "saturated",
    "peak": "larger serves less",
}


@frozen
class Column:
    """A column of a table: its title, unit and whether it holds numbers."""

    title: str
    unit: str = ""
    numeric: bool = True


@frozen
class Row:
    """A row of cells; `best` marks the answer."""

    cells: tuple[str, ...]
    best: bool = False


@frozen
class Table:
    """A table with its caption."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@frozen
class Cells:
    """A column with the text of its cell for each row."""

    column: Column
    text: Callable[[Any], str]


def _table(
    title: str,
    cells: Sequence[Cells],
    rows: Sequence[Any],
    is_best: Callable[[Any], bool] = lambda row: False,
    note: str = "",
    most: int = MOST_ROWS,
) -> Table:
    """Build a table with a row for each of `rows`, as many as it may have."""
    left_out = len(rows) - most
    if left_out > 0:
        note = f"{note} {left_out} more are in the result file.".strip()
    return Table(
        title,
        tuple(c.column for c in cells),
        tuple(Row(tuple(c.text(row) for c in cells), is_best(row)) for row in rows[:most]),
        note,
    )


def _text(title: str, text: Callable[[Any], str]) -> Cells:
    return Cells(Column(title, numeric=False), text)


def _number(title: str, unit: str, text: Callable[[Any], str]) -> Cells:
    return Cells(Column(title, unit), text)


# The metrics of a table of configurations, candidates or points, those that any row has.
_METRICS = ("rate", "throughput", "throughput_per_device", "ttft", "tpot", "decode_step")
_MONEY = ("cost_per_million_tokens", "energy_per_thousand_tokens")
# Tells what a fact is for a row.
Reader = Callable[[Fact, Any], Any]


def _columns(read: Reader, names: Sequence[str], rows: Sequence[Any]) -> list[Cells]:
    """Return the columns of facts, but for those that no row has."""
    cells = []
    for name in names:
        fact = facts.fact(name)
        if any(read(fact, row) is not None for row in rows):
            currency = next((row.currency for row in rows if getattr(row, "currency", "")), "")
            unit = fact.unit.format(currency=currency)
            cells.append(Cells(Column(fact.title, unit, fact.is_number), _cell(read, fact)))
    return cells


def _cell(read: Reader, fact: Fact) -> Callable[[Any], str]:
    def cell(row: Any) -> str:
        value = read(fact, row)
        return "–" if value is None else show.cell(fact.digits, value)

    return cell


def _metrics(read: Reader, rows: Sequence[Any], without: Sequence[str] = ()) -> list[Cells]:
    return _columns(read, [name for name in _METRICS if name not in without], rows)


def _of_configuration(fact: Fact, found: Configuration) -> Any:
    return facts.value(fact.configuration, found)


def _of_candidate(fact: Fact, candidate: Candidate) -> Any:
    return facts.value(fact.instance, candidate.instance)


def _of_point(fact: Fact, point: FrontierPoint) -> Any:
    return getattr(point, fact.name)


def answer_table(answers: Sequence[Configuration], several: bool, dropped: int) -> Table:
    """Show the configurations: their instances, and what they serve together."""
    note = f"{dropped} more answers do less than those listed." if dropped else ""
    cells = [
        *([_text("Deployment", lambda a: a.deployment)] if several else []),
        _text("Instances", lambda a: a.layout),
        _number("Devices", "", lambda a: show.integer(a.devices)),
        *_metrics(_of_configuration, answers),
        *_columns(_of_configuration, _MONEY, answers),
        _text("Limited by", _limited_by),
    ]
    return _table("Fleets", cells, answers, lambda a: a is answers[0] and a.feasible, note, 20)


def _limited_by(answer: Configuration) -> str:
    if answer.misses:
        return "; ".join(miss_text(miss) for miss in answer.misses)
    groups = [g for g in answer.instances if answer.bottleneck in ("", g.phase)]
    if not groups:  # what lies between the instances: the transfer of the cache
        return limit_name(answer.bottleneck)
    reason = stopped_text(groups[0].stopped_by)
    return f"{answer.bottleneck}, {reason}" if answer.bottleneck else reason


def stopped_text(stopped_by: str) -> str:
    """Name what stops a larger batch, in a word or two."""
    return _STOPPED_BY.get(stopped_by, stopped_by.replace("_", " "))


def comparison(result: StudyResult) -> Table:
    """Set the best answer of each deployment beside the best of all."""
    best = result.best
    owns = [(d, result.best_of(d.name)) for d in result.study.deployments]
    known = [own for _, own in owns if own is not None]
    metrics = _columns(_of_configuration, (*_METRICS, *_MONEY), known)
    rows = []
    for deployment, own in owns:
        if own is None or best is None:
            blanks = ["–"] * (len(metrics) + 2)
            rows.append(Row((deployment.name, *blanks, "no layout keeps to the limits")))
            continue
        share = _of_best(own, best, result)
        cells = (c.text(own) for c in metrics)
        devices = f"{own.devices} × {own.device}"
        rows.append(Row((deployment.name, devices, _sized(own), *cells, share), best=own is best))
    return Table(
        "Comparison of deployments",
        (
            Column("Deployment", numeric=False),
            Column("Devices", numeric=False),
            Column("Best layout", numeric=False),
            *(c.column for c in metrics),
            Column("of the best"),
        ),
        tuple(rows),
    )


def _sized(answer: Configuration) -> str:
    """Return the layout of an answer with the batch of each of its groups."""
    batches = ", ".join(show.integer(group.point.batch) for group in answer.instances)
    return f"{answer.layout}, batch {batches}"


def _of_best(own: Configuration, best: Configuration, result: StudyResult) -> str:
    mine, most = (objective_of(a, result.study.objective) for a in (own, best))
    return show.percent(mine / most if most > 0 else most / mine)


def summary(
    candidates: Sequence[Candidate], label: Label, phase: str, best: Configuration | None
) -> Table:
    """The candidates of a phase in the width of a terminal."""
    cells = [
        _text("Candidate", label),
        _number("Batch", "", lambda c: show.integer(c.point.batch)),
        *_metrics(_of_candidate, candidates, ("decode_step", "rate")),
        _text("Stopped by", lambda c: stopped_text(c.instance.stopped_by)),
    ]
    return _table(_TITLES[phase], cells, candidates, _in(best), most=20)


def candidate_table(
    candidates: Sequence[Candidate], several: bool, phase: str, best: Configuration | None
) -> Table:
    """Show the feasible candidates of a phase with their metrics."""
    without = () if phase != "whole" else ("rate",)
    cells = [
        _who(several),
        _text("Parallel", lambda c: c.instance.parallel),
        *_columns(_of_candidate, ("batch", "concurrency"), candidates),
        *_metrics(_of_candidate, candidates, without),
        _text("Stopped by", lambda c: stopped_text(c.instance.stopped_by)),
    ]
    return _table(_TITLES[phase], cells, candidates, _in(best))


def _in(best: Configuration | None) -> Callable[[Candidate], bool]:
    tasks = {group.task for group in best.instances} if best else set()
    return lambda candidate: candidate.instance.task in tasks


def _who(several: bool) -> Cells:
    """Return the first column: deployments where there are several, and else the devices."""
    if several:
        return _text("Deployment", lambda c: c.deployment)
    return _text("Devices", devices_of)


def devices_of(candidate: Candidate) -> str:
    """Say how many of which device: `8 × test_device`."""
    return f"{candidate.instance.devices} × {candidate.instance.device}"


def details(feasible: Sequence[Candidate], label: Label) -> Iterable[Table]:
    """Yield the tables behind the answer: memory, bounds, and how each was evaluated."""
    yield _memory(feasible, label)
    yield _bounds(feasible, label)
    yield _evaluation(feasible, label)


_MEMORY = ("weights", "kv_cache", "activations", "reserved", "available", "available_at_end")


def _memory(feasible: Sequence[Candidate], label: Label) -> Table:
    return _table(
        "Memory of a device",
        [_text("Candidate", label), *_columns(_of_candidate, _MEMORY, feasible)],
        feasible,
        note="In the tightest step, with the KV cache at the mean context of the batch.",
    )


def _bounds(feasible: Sequence[Candidate], label: Label) -> Table:
    phases = [p for p in ("prefill", "decode") if any(getattr(c.point, p) for c in feasible)]
    parts = [(p, name) for p in phases for name in ("compute", "memory", "communication", "launch")]

    def of(phase: str, name: str) -> Callable[[Candidate], str]:
        def cell(c: Candidate) -> str:
            shares = getattr(c.point, phase)
            return "–" if shares is None else show.percent(getattr(shares, name))

        return cell

    return _table(
        "What bounds the time",
        [
            _text("Candidate", label),
            *(_number(name, phase, of(phase, name)) for phase, name in parts),
        ],
        feasible,
        note="Shares of a step's time by what bounds its operators: arithmetic, memory traffic, "
        "links, or the fixed time to launch them.",
    )


def _evaluation(feasible: Sequence[Candidate], label: Label) -> Table:
    cells = [
        _text("Candidate", label),
        _text("Devices", devices_of),
        *_columns(_of_candidate, ("model", "quantisation"), feasible),
        _number("Input", "tok", lambda c: show.tokens(c.input)),
        _number("Effective input", "tok", lambda c: show.tokens(c.effective_input)),
        _number("Output", "tok", lambda c: show.tokens(c.output)),
        *_columns(_of_candidate, ("chunk_budget",), feasible),
        _number("Chunks", "", lambda c: show.integer(c.chunks)),
        _text("Method", lambda c: c.method),
        _number("Batches probed", "", lambda c: show.integer(c.probes)),
    ]
    return _table("How each was evaluated", cells, feasible)


def bin_table(answer: Configuration) -> Table:
    """Show the requests as a whole, and then those of each length."""
    whole = (
        "all",
        "100 %",
        show.integer(sum(row.samples for row in answer.bins)),
        *(
            show.tokens(math.fsum(row.share * getattr(row, name) for row in answer.bins))
            for name in ("input", "cached", "output")
        ),
    )
    metrics = [n for n in ("ttft", "tpot") if any(getattr(r, n) is not None for r in answer.bins)]

    def shown(value: float | None) -> str:
        return "–" if value is None else show.milliseconds(value)

    rows = [Row((*whole, *(shown(getattr(answer, name)) for name in metrics)), best=True)]
    for number, row in enumerate(answer.bins, start=1):
        cells = (
            str(number),
            show.percent(row.share),
            show.integer(row.samples),
            *(show.integer(n) for n in (row.input, row.cached, row.output)),
            *(shown(getattr(row, name)) for name in metrics),
        )
        rows.append(Row(cells))
    columns = (
        Column("Lengths", numeric=False),
        Column("Share"),
        Column("In flight"),
        Column("Prompt", "tok"),
        Column("Cached", "tok"),
        Column("Answer", "tok"),
        *(Column(name.upper(), "ms") for name in metrics),
    )
    return Table(
        "What requests of each length see",
        columns,
        tuple(rows),
        "Of the best answer. Requests in flight are dealt to the lengths by largest remainder.",
    )


def infeasible_table(candidates: Sequence[Candidate], several: bool) -> Table:
    """Show the candidates that break a limit, and which and by how much."""
    several_phases = len({c.phase for c in candidates}) > 1
    cells = [
        _who(several),
        *([_text("Phase", lambda c: c.phase)] if several_phases else []),
        _text("Parallel", lambda c: c.instance.parallel),
        _number("Batch", "", lambda c: show.integer(c.point.batch)),
        *_metrics(
            _of_candidate,
            candidates,
            ("rate", "throughput", "throughput_per_device", "decode_step"),
        ),
        _text("Misses", lambda c: "; ".join(miss_text(miss) for miss in c.misses)),
    ]
    return _table("Layouts that miss a limit, at the batch nearest to it", cells, candidates)


@frozen
class Relaxation:
    """A limit, what it would have to be, and for which layout and batch."""

    miss: Miss
    where: str
    batch: int


def relaxation_table(relaxed: Sequence[Relaxation]) -> Table:
    """Show, per limit, the least that would have to be allowed if the other limits stay."""
    cells = [
        _text("Limit", lambda r: show.limit_name(r.miss.limit)),
        _text("Asked for", lambda r: show.fact(r.miss.limit, r.miss.allowed)),
        _text("Feasible from", lambda r: show.fact(r.miss.limit, r.miss.value)),
        _text("Change", lambda r: excess_text(r.miss)),
        _text("With", lambda r: r.where),
        _number("Batch", "", lambda r: show.integer(r.batch)),
    ]
    return _table(
        "The cheapest way to make it feasible: one limit relaxed, the others kept",
        cells,
        relaxed,
        lambda r: r is relaxed[0],
    )


def miss_text(miss: Miss) -> str:
    """Say how far a value is from its limit."""
    value, allowed = show.fact(miss.limit, miss.value), show.fact(miss.limit, miss.allowed)
    return (
        f"{show.limit_name(miss.limit)} {value} where {allowed} are allowed ({excess_text(miss)})"
    )


def excess_text(miss: Miss) -> str:
    """Say how far beyond its limit a value is, relative to it."""
    if miss.value < miss.allowed:
        return f"{show.percent(miss.excess)} below"
    if miss.excess > 1000:
        return "more than 1,000 times the limit"
    if miss.excess > 1:
        return f"{1 + miss.excess:.1f} times the limit"
    return f"{show.percent(miss.excess)} above"


def verdict_table(result: StudyResult) -> Table:
    """Show what the study expects of its result, and whether that is met."""
    columns = (
        Column("Expected", numeric=False),
        Column("Met", numeric=False),
        Column("Seen", numeric=False),
        Column("Because", numeric=False),
    )
    rows = tuple(
        Row((v.expectation, "yes" if v.met else "NO", v.seen, v.reason)) for v in result.verdicts
    )
    return Table("Expectations", columns, rows)


def sweep_table(results: Sequence[StudyResult]) -> Table:
    """Set the best answer of each variant of a swept study beside the others."""
    names = [path for path, _ in results[0].study.settings]
    best = [result.best for result in results if result.best is not None]
    metrics = _columns(_of_configuration, (*_METRICS, *_MONEY), best)
    columns = (
        *(Column(name, numeric=False) for name in names),
        Column("Best", numeric=False),
        Column("Devices"),
        *(c.column for c in metrics),
    )
    rows = []
    for result in results:
        values = tuple(value for _, value in result.study.settings)
        own = result.best
        if own is None:
            blanks = ["–"] * (len(metrics) + 1)
            rows.append(Row((*values, "no layout keeps to the limits", *blanks)))
            continue
        where = f"{own.deployment}, {_sized(own)}"
        cells = (c.text(own) for c in metrics)
        rows.append(Row((*values, where, show.integer(own.devices), *cells)))
    return Table("Sweep", columns, tuple(rows))


def frontier_table(points: Sequence[FrontierPoint]) -> Table:
    """Show the candidates that nothing beats in every respect."""
    cells = [
        _text("Candidate", lambda p: p.label),
        _number("Batch", "", lambda p: show.integer(p.batch)),
        *_metrics(_of_point, points, ("rate", "throughput", "decode_step")),
        _number("Available", "GiB", lambda p: show.gibibytes(p.available)),
        *_cost(points),
    ]
    criteria = "throughput per device, TTFT, TPOT, free memory and cost"
    if not has_costs(points):
        criteria = "throughput per device, TTFT, TPOT and free memory"
    return _table(
        "Pareto frontier",
        cells,
        points,
        note=f"Feasible batch sizes that no other beats in {criteria} at once, thinned.",
    )


def _cost(points: Sequence[FrontierPoint]) -> list[Cells]:
    """Return the column of costs, if any point has one."""
    currency = next((p.currency for p in points if p.cost is not None), None)
    if currency is None:
        return []
    return [
        _number(
            "Cost",
            f"{currency}/Mtok",
            lambda p: "–" if p.cost is None else show.quantity(p.cost),
        )
    ]


def pruned_table(result: StudyResult) -> Table:
    """Show what was dropped before evaluation, and why."""
    cells = [
        _text("Deployment", lambda p: p.deployment),
        _text("Reason", lambda p: p.reason),
        _number("Combinations", "", lambda p: show.integer(p.combinations)),
        _text("Such as", lambda p: p.label),
    ]
    return _table(
        "Combinations that were dropped before evaluation", cells, result.pruned, most=MOST_PRUNED
    )
