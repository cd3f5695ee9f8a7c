"""Rules between the fields of a block that is well typed by itself."""

from collections.abc import Iterator

from specc.check import modes, simulations, studies
from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import (
    CacheFormat,
    Calibration,
    Deployment,
    Dispatch,
    MeasuredServer,
    Model,
    Quantisation,
    Representative,
    Study,
    Workload,
)
from specc.ir.vocabulary import Node


def problems_of(node: Node) -> Iterator[Diagnostic]:
    """Yield what contradicts itself in a block of a file."""
    match node:
        case Model():
            yield from _model(node)
        case Deployment():
            yield from _deployment(node)
        case Workload():
            yield from _workload(node)
        case MeasuredServer():
            yield from simulations.problems_of_server(node)
        case Study():
            yield from _study(node)


def _workload(workload: Workload) -> Iterator[Diagnostic]:
    lengths = [name for name in ("input", "output") if getattr(workload, name) is not None]
    if workload.requests and lengths:
        yield Diagnostic(
            "E0406",
            f"'{lengths[0]}' and the table 'requests' both say how long requests are",
            (
                label_of(workload, lengths[0], "one length"),
                label_of(workload, "requests", "a mixture"),
            ),
            help="keep one of them",
        )
    if not workload.requests and len(lengths) < 2:
        missing = [name for name in ("input", "output") if name not in lengths]
        fields = "fields" if len(missing) > 1 else "field"
        yield Diagnostic(
            "E0401",
            f"the workload '{workload.name}' lacks the {fields} "
            + ", ".join(f"'{name}'" for name in missing),
            (label_of(workload, "", ""),),
            help="or give a table: requests { | share | input | output | … }",
        )
    chosen = workload.representative
    if chosen is not None and not workload.requests:
        yield Diagnostic(
            "E0406",
            "'representative' picks a length of a bin, and there are no bins",
            (label_of(workload, "representative", "no use here"),),
        )
    if chosen is Representative.MEAN and any(row.means is None for row in workload.requests):
        yield Diagnostic(
            "E0406",
            "a range has no mean of its samples",
            (
                label_of(workload, "representative", "asked for here"),
                label_of(workload, "requests", "bins without samples"),
            ),
            why="only bins that were built from a trace have samples",
            help="write representative = mid",
        )


def _model(model: Model) -> Iterator[Diagnostic]:
    if model.attention_heads % model.kv_heads:
        yield Diagnostic(
            "E0406",
            f"{model.kv_heads} key-value heads do not divide {model.attention_heads} query heads",
            (
                label_of(model, "kv_heads", "key-value heads"),
                label_of(model, "attention_heads", "query heads"),
            ),
            why="each key-value head serves the same number of query heads",
        )
    if model.full_layers < 0:
        yield Diagnostic(
            "E0406",
            f"more layers are described than the {model.layers} that the model has",
            (label_of(model, "layers", "all layers"),),
            why="sliding and linear layers are part of them",
        )
    if model.experts and model.dense_layers < 0:
        yield Diagnostic(
            "E0406",
            f"{model.expert_layers} layers have experts, but there are {model.layers}",
            (
                label_of(model.experts, "layers", "layers with experts", model),
                label_of(model, "layers", "all layers"),
            ),
        )
    if model.dense_layers > 0 and not model.intermediate_size:
        yield Diagnostic(
            "E0406",
            f"{model.dense_layers} layers have a dense MLP without a width",
            (label_of(model, "layers", "all layers"),),
            help="give 'intermediate_size', or experts for every layer",
        )
    if model.experts and model.experts.active > model.experts.count:
        yield Diagnostic(
            "E0406",
            f"a token cannot pass {model.experts.active} of {model.experts.count} experts",
            (label_of(model.experts, "active", "more than there are", model),),
        )
    if model.indexer and not (model.latent or model.compressed):
        yield Diagnostic(
            "E0406",
            "an indexer picks tokens of a latent or compressed cache, and the model has neither",
            (label_of(model, "indexer", "this indexer"),),
        )


def _deployment(deployment: Deployment) -> Iterator[Diagnostic]:
    for phase in deployment.mode.phases:
        for instance in deployment.instances(phase):
            yield from _devices(instance)
            yield from _formats(instance)
            yield from _options(instance)
    yield from modes.problems_of(deployment)


def _devices(deployment: Deployment) -> Iterator[Diagnostic]:
    device = deployment.device
    if deployment.devices is not None and deployment.devices > device.largest_group:
        yield Diagnostic(
            "E0406",
            f"{deployment.devices} devices are more than '{device.name}' can join",
            (label_of(deployment, "devices", f"at most {device.largest_group}"),),
            why="its interconnect levels join "
            + " × ".join(str(level.size) for level in reversed(device.levels)),
        )


def _formats(deployment: Deployment) -> Iterator[Diagnostic]:
    """A format needs a unit that computes in it."""
    if deployment.device.cube.fp8 is not None:
        return
    formats = deployment.formats
    places: list[tuple[Node, str, Quantisation | None]] = [
        (deployment, "quant", deployment.usual_format),
        *((formats, part, getattr(formats, part)) for part in _PARTS),
    ]
    for node, field, format_ in places:
        if format_ is Quantisation.FP8:
            own = field == "quant" and deployment.quant is None
            yield Diagnostic(
                "E0406",
                f"'{deployment.device.name}' cannot compute in fp8",
                (
                    label_of(
                        node,
                        field,
                        "no format is chosen here" if own else "this format",
                        deployment,
                    ),
                    label_of(deployment, "device", "this device"),
                ),
                why=f"the checkpoint of '{deployment.model.name}' is in fp8, and no other format "
                "is chosen"
                if own
                else "its matrix unit has no rate for fp8",
                help="choose a format that the device has: quant = w8a8_dynamic, or bf16",
            )
    if formats.kv_cache is CacheFormat.FP8:
        yield Diagnostic(
            "E0406",
            f"'{deployment.device.name}' has no fp8 for the KV cache",
            (
                label_of(formats, "kv_cache", "this format", deployment),
                label_of(deployment, "device", "this device"),
            ),
            help="write kv_cache = int8",
        )


_PARTS = ("attention", "mlp", "experts", "shared_experts", "output")


def _options(deployment: Deployment) -> Iterator[Diagnostic]:
    """Options that need experts, or attention with copies of key-value heads."""
    model, placement, options = deployment.model, deployment.experts, deployment.communication
    parallel = deployment.parallel
    engine, formats = deployment.engine, deployment.formats
    if engine.micro_batches > 1 and (parallel.pp == (1,) or options.two_streams):
        yield Diagnostic(
            "E0406",
            "'micro_batches' are for pipeline stages, and there are none"
            if parallel.pp == (1,)
            else "'micro_batches' and 'two_streams' both cut a step into parts",
            (label_of(engine, "micro_batches", "no use here", deployment),),
        )
    reference = deployment.calibration is Calibration.REFERENCE
    if "generation" in engine.spans and deployment.fitted is None:
        yield Diagnostic(
            "E0406",
            "'generation' is known to the calibrated cost model alone",
            (
                label_of(engine, "generation", "no use here"),
                label_of(deployment, "calibration" if reference else "device", "no calibration"),
            ),
        )
    if model.experts is None:
        for node, field, used in (
            (placement, "shard_shared", placement.shard_shared),
            (formats, "experts", formats.experts is not None),
            (formats, "shared_experts", formats.shared_experts is not None),
            (placement, "redundant", placement.redundant > 0),
            (placement, "imbalance", placement.imbalance > 1),
            (parallel, "ep", parallel.ep not in (None, (1,))),
            (parallel, "moe_tp", parallel.moe_tp not in (None, (1,))),
            (parallel, "moe_dp", parallel.moe_dp != (1,)),
            (options, "two_streams", options.two_streams),
            (options, "dispatch", options.dispatch is not Dispatch.ALL_TO_ALL),
        ):
            if used:
                yield Diagnostic(
                    "E0406",
                    f"'{field}' is about experts, and '{model.name}' has none",
                    (
                        label_of(node, field, "no use here", deployment),
                        label_of(deployment, "model", "this model"),
                    ),
                )
    if deployment.calibration is Calibration.CALIBRATED and deployment.device.calibration is None:
        yield Diagnostic(
            "E0406",
            f"'{deployment.device.name}' has no calibration",
            (
                label_of(deployment, "calibration", "asked for here"),
                label_of(deployment, "device", "this device"),
            ),
            help="fit one with 'specc calibrate', or leave 'calibration' out",
        )


def _study(study: Study) -> Iterator[Diagnostic]:
    names = [deployment.name for deployment in study.deployments]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Diagnostic(
            "E0204",
            f"the study names the deployment '{name}' twice",
            (label_of(study, "deployments", ""),),
        )
    yield from simulations.problems_of_study(study)
    if not names and "deployments" in study.spans:
        yield Diagnostic(
            "E0401", "the study names no deployment", (label_of(study, "deployments", "empty"),)
        )
    if names:
        yield from studies.problems_of(study)
