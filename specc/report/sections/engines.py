"""The simulated engines: their settings, and their state over time."""

from collections.abc import Iterator, Sequence

from specc.engines import rules_of, state_rules
from specc.ir import Admission, Engine, Queue, SoftwareSettings, Study
from specc.report import format as show
from specc.report.charts.simulation import state_charts, step_charts
from specc.report.document import Chart, Column, Depth, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import EngineLimits, Simulated

_ROWS = (
    "Engines",
    "Scheduler",
    "Budget (tok a step)",
    "Budget of one prompt (tok a step)",
    "Sequences",
    "Decode batch",
    "Prefill admission (a step)",
    "KV cache (tok)",
    "Block (tok)",
    "Queue",
    "Admission",
    "Prefix caching",
    "Async scheduling",
)
_BY_SOFTWARE = ("admission", "prefix_caching", "async_scheduling")
_STARTS = {Admission.WHOLE_PROMPT: "whole prompt", Admission.FIRST_CHUNK: "first chunk"}


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of engines, and the pictures of their state and steps."""
    if not study.simulations:
        return
    best = study.simulations[0]
    yield _table(study, best)
    for name, depth, title, note, lines in (
        (
            "state",
            Depth.REPORT,
            "Queue, batch and KV cache over time",
            "All engines together: the most of each one in each of equal intervals.",
            state_charts(best),
        ),
        (
            "steps",
            Depth.PAGE,
            "Steps around the longest queue",
            "Of the engine with the longest queue.",
            step_charts(best),
        ),
    ):
        if lines:
            yield Chart(
                id=study.id(name),
                depth=depth,
                title=title,
                alt=title,
                note=note,
                lines=tuple(lines),
            )


def _table(study: ReportedStudy, best: Simulated) -> Table:
    phases = ("Prefill", "Decode") if len(best.engines) > 1 else ("Engine",)
    own = zip(phases, best.engines, best.settings, strict=True)
    fixed = study.study.workload.has_hits
    columns = [_cells(count, limits, fixed and phase != "Decode") for phase, count, limits in own]
    return Table(
        id=study.id("engines"),
        depth=Depth.PAGE,
        title="Simulated engines",
        columns=(Column("Setting", numeric=False), *(Column(phase) for phase in phases)),
        rows=tuple(Row(cells) for cells in zip(_ROWS, *columns, strict=True)),
        note="A simulated engine runs one batch; an instance has one for each data-parallel rank "
        f"and pipeline stage. {_in_step(study)}{_rules(study, best)}{_states(study, best)}",
    )


def _cells(count: int, limits: EngineLimits, fixed: bool) -> tuple[str, ...]:
    """Return the column of a phase; `fixed` if the workload says what share is cached."""
    from specc.simulation.instances import is_unlimited  # something is simulated, or it stays out

    off = "a fixed share" if fixed else "no"
    cache = limits.capacity * limits.block
    return (
        show.integer(count),
        limits.scheduler.value,
        show.integer(limits.budget),
        show.integer(limits.long_prompt) if limits.long_prompt else "no limit",
        show.integer(limits.limit),
        show.integer(limits.decode_batch),
        show.integer(limits.admission),
        "no limit" if is_unlimited(limits) else show.integer(cache),
        show.integer(limits.block),
        "by priority" if limits.queue is Queue.PRIORITY else "by arrival",
        _STARTS[limits.start],
        "by hash" if limits.prefix_caching else off,
        "yes" if limits.async_scheduling else "no",
    )


def _rules(study: ReportedStudy, best: Simulated) -> str:
    """Say whose rules hold for what the spec leaves open."""
    servers = [server for server in study.study.servers if server.name == best.name]
    own: Sequence[SoftwareSettings] = servers or _engines(study.study, best.name)
    whose = dict.fromkeys(
        rules_of(each.software, each.version).name_of(field)
        + ("" if each.software else " (no software is named)")
        for each in own
        for field in _BY_SOFTWARE
    )
    return (
        "Admission, prefix caching and asynchronous scheduling, where the spec leaves them open, "
        f"are as in {' and '.join(whose)}."
    )


def _states(study: ReportedStudy, best: Simulated) -> str:
    """Say how an engine keeps the states of recurrent layers."""
    recurrent = [d for d in study.study.deployments if d.name == best.name]
    if not any(deployment.model.recurrent_layers for deployment in recurrent):
        return ""
    texts = []
    for rules in dict.fromkeys(state_rules(e.software) for e in _engines(study.study, best.name)):
        blocks = (
            "A block is as large as the state of a recurrent layer, and cached prefixes are found "
            "at ends of blocks alone"
            if rules.unit
            else "States of recurrent layers have memory of their own"
        )
        outputs = "are" if rules.keeps_outputs else "are not"
        if not any(limits.prefix_caching for limits in best.settings):
            blocks = blocks.partition(",")[0]
            texts.append(f" {blocks} (read in {rules.source}).")
            continue
        texts.append(f" {blocks}; states of outputs {outputs} kept (read in {rules.source}).")
    return "".join(texts)


def _in_step(study: ReportedStudy) -> str:
    if not any(deployment.model.experts for deployment in study.study.deployments):
        return ""
    return "Ranks that share experts run in step. "


def _engines(study: Study, name: str) -> list[Engine]:
    """Return the engines of a deployment, of each phase."""
    return [instance.engine for instance in study.deployment(name).all_instances]
