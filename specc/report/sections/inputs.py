"""The inputs of a report: all that the spec wrote, resolved, and what follows from it.

The rows are generated from the vocabulary and from where each value was written, so that nothing
that was set can be left out; what was not set stands below them with its default.
"""

from collections.abc import Iterable, Iterator

from attrs import evolve

from specc.cost import calibration_name
from specc.engines import rules_of, scheduling_of, with_defaults
from specc.ir import (
    Deployment,
    Engine,
    MeasuredServer,
    Mode,
    Model,
    Scheduler,
    SoftwareSettings,
    Study,
    Workload,
)
from specc.ir.images import image_tokens
from specc.ir.vocabulary import Node, entries
from specc.ir.written import Row as Written
from specc.ir.written import defaults, is_of_library, text_of, written
from specc.report import format as show
from specc.report.document import Column, Depth, Heading, Note, ReportBlock, Row, Table
from specc.report.study import ReportedStudy

_COLUMNS = (Column("Input", numeric=False), Column("Value", numeric=False))


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the tables of the inputs of a study."""
    yield Heading(id=study.id("inputs"), text="Inputs")
    for table in _tables(study):
        yield evolve(table, id=study.id(f"input-{table.id}"))


def _tables(study: ReportedStudy) -> Iterator[Table]:
    """Yield the tables; those of deployments that are not recommended stand in the page alone."""
    best = study.best
    others = {d.name for d in study.study.deployments if best and d.name != best.deployment}
    for table in inputs(study.study):
        kind, _, name = table.id.partition("-")
        is_other = kind == "deployment" and name in others
        yield evolve(table, depth=Depth.PAGE) if is_other else table


def swept(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the inputs that the variants of a swept study share, with those of one of them."""
    yield Heading(id=study.sweep_id("inputs"), text="Inputs")
    settings = study.study.variant
    yield Note(id=study.sweep_id("inputs-note"), text=f"Those of the variant with {settings}.")
    for table in _tables(study):
        yield evolve(table, id=study.sweep_id(f"input-{table.id}"))


def inputs(study: Study) -> Iterator[Table]:
    """Yield a table for each block that a study uses, but for models of the library."""
    yield _table("Workload", study.workload, _of_workload(study))
    for deployment in study.deployments:
        yield _table("Deployment", deployment, _of_deployment(deployment, study))
    for server in study.servers:
        yield _table(
            "Server", server, _of_software(server, _scheduled(server, study, server.scheduler))
        )
    if study.simulate is not None or study.capacity is not None:
        yield _table("Study", study)
    for model in _models(study):
        yield _table("Model", model)
    devices = {instance.device.name: instance.device for instance in study.instances}
    for device in devices.values():
        yield _table("Device", device)
    found = (device.calibration for device in devices.values())
    calibrations = {data.name: data for data in found if data is not None}
    for data in calibrations.values():
        if not is_of_library(data):
            yield _table("Calibration", data)


def _table(kind: str, node: Node, more: Iterable[Written] = ()) -> Table:
    """Show what a block wrote, what follows from it, and in a note what it left out."""
    about = [("About", node.doc)] if node.doc else []
    own = [(path, text) for path, text in written(node) if path != "aliases"]
    rows = [*about, *own, *more]
    left = "; ".join(f"{path} = {text}" for path, text in defaults(node) if _counts(node, path))
    return Table(
        id=f"{kind.lower()}-{node.name}",
        depth=Depth.REPORT if kind in _OWN else Depth.PAGE,
        title=f"{kind} {node.name}",
        columns=_COLUMNS,
        rows=tuple(Row(row) for row in rows),
        note=f"By default: {left}." if left else "",
        beside=True,
        whole=True,
    )


_OWN = ("Workload", "Deployment", "Server", "Study")  # what a spec is about; others are data


def _counts(node: Node, path: str) -> bool:
    """Say whether a default has an effect: a share of the memory replaces the reserve in bytes."""
    shared = isinstance(node, Deployment) and node.engine.memory_utilization is not None
    return not (shared and path == "engine.reserved_memory")


def _models(study: Study) -> Iterator[Model]:
    """Yield the models that are not those of the library, each once."""
    models = {instance.model.name: instance.model for instance in study.instances}
    for instance in study.instances:
        speculative = instance.engine.speculative
        if speculative is not None and speculative.draft is not None:
            models[speculative.draft.name] = speculative.draft
    return (model for model in models.values() if not is_of_library(model))


def _of_workload(study: Study) -> Iterator[Written]:
    """Yield how requests are counted where that is not what was written."""
    workload = study.workload
    shapes = workload.shapes()
    if workload.is_mixed:
        yield "Counted as", "; ".join(_bins(workload))
    elif shapes[0].cached:
        yield "Computed by prefill", f"{show.integer(shapes[0].new)} tok"
    models = {instance.model.name: instance.model for instance in study.instances}
    for name, model in models.items():
        tokens = image_tokens(workload, model)
        for part, own in zip(workload.parts, tokens, strict=True):
            if part.images is not None:
                of = f" of {part.name}" if workload.classes else ""
                said = f"{show.integer(own)} tok, added to the prompt"
                yield f"Tokens of images{of}, {name}", said


def _bins(workload: Workload) -> Iterator[str]:
    for (part, _), shape in zip(workload.rows, workload.shapes(), strict=True):
        of = f"{part.name}: " if workload.classes else ""
        cached = f", {show.integer(shape.cached)} of it cached" if shape.cached else ""
        yield (
            f"{of}{show.percent(shape.share)} with {show.integer(shape.input)} in{cached} and "
            f"{show.integer(shape.output)} out"
        )


def _of_deployment(deployment: Deployment, study: Study) -> Iterator[Written]:
    """Yield what the names in a deployment stand for, of each kind of instance."""
    several = len(deployment.mode.phases) > 1
    for phase in deployment.mode.phases:
        instance = deployment.instances(phase)[0]
        prefix = f"{phase.value.capitalize()}: " if several else ""
        model = instance.model
        yield (
            f"{prefix}Parameters",
            f"{model.parameters / 1e9:.2f} billion, {model.active_parameters / 1e9:.2f} active",
        )
        yield f"{prefix}Format", _format(instance)
        seen = instance.memory
        of = f" of {show.size(instance.device.memory)}" if seen < instance.device.memory else ""
        yield f"{prefix}Memory that the engine sees", f"{show.size(seen)}{of} a device"
        yield f"{prefix}Cost model", calibration_name(instance)
        engine = instance.engine
        if engine.software is not None:
            limits = with_defaults(engine, instance.device.memory)
            values = {name: getattr(limits, name) for name in ("chunk_budget", "max_sequences")}
            scheduler = engine.scheduler if deployment.mode is Mode.AGGREGATED else None
            values |= _scheduled(engine, study, scheduler, model)
            yield from _of_software(engine, values, prefix)


def _scheduled(
    settings: Engine | MeasuredServer,
    study: Study,
    scheduler: Scheduler | None,
    model: Model | None = None,
) -> dict[str, object]:
    """Return the rules of a scheduler that a simulation follows, by the names of their fields."""
    if study.simulate is None or settings.software is None:
        return {}
    found = scheduling_of(settings, scheduler, model=model)
    # A fixed hit rate is instead of prefix caching, whatever the engine does.
    caching = () if study.workload.has_hits else ("prefix_caching",)
    names = ("admission", *caching, "async_scheduling")
    return {name: getattr(found, name) for name in names}


def _of_software(
    settings: SoftwareSettings, values: dict[str, object], prefix: str = ""
) -> Iterator[Written]:
    """Yield the settings that an engine has by default of its software, and whose rules count."""
    if settings.software is None:
        return
    rules, known = rules_of(settings.software, settings.version), entries(type(settings))
    left: dict[str, list[str]] = {}
    for name, value in values.items():
        if getattr(settings, name) is None and value is not None:
            text = f"{name} = {text_of(value, known[name][1].type)}"
            left.setdefault(rules.name_of(name), []).append(text)
    for whose, texts in left.items():
        unknown = "" if whose == rules.name else f" (not known of {settings.software.value})"
        yield f"{prefix}By default of {whose}{unknown}", "; ".join(texts)
    if rules.note:
        yield f"{prefix}Version", rules.note


def _format(deployment: Deployment) -> str:
    """Say the format of the weights, and what departs from it."""
    formats = deployment.formats
    parts = {name: getattr(formats, name) for name in _PARTS}
    if deployment.model.experts is not None and formats.experts is None:
        parts["experts"] = deployment.expert_format
    usual = deployment.usual_format
    other = [
        f"{name.replace('_', ' ')} {format_.value}"
        for name, format_ in parts.items()
        if format_ is not None and format_ is not usual
    ]
    return "; ".join([usual.value, *other, f"KV cache {formats.kv_cache.value}"])


_PARTS = ("attention", "mlp", "experts", "shared_experts", "output")
