"""Rules between the fields of a block that is well typed by itself."""

from collections.abc import Iterator

from specc.diagnostics import Diagnostic, Label
from specc.ir import (
    CacheFormat,
    Calibration,
    Deployment,
    Dispatch,
    Model,
    Quantisation,
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
        case Study():
            yield from _study(node)


def _label(node: Node, field: str, text: str, parent: Node | None = None) -> Label:
    """Point at a field; if it has its default at the block, and else at the block around that."""
    span = node.spans.get(field) or node.spans.get("")
    if span is None:
        assert parent is not None
        span = parent.spans[""]
    return Label(span, text)


def _model(model: Model) -> Iterator[Diagnostic]:
    if model.attention_heads % model.kv_heads:
        yield Diagnostic(
            "E0406",
            f"{model.kv_heads} key-value heads do not divide {model.attention_heads} query heads",
            (
                _label(model, "kv_heads", "key-value heads"),
                _label(model, "attention_heads", "query heads"),
            ),
            why="each key-value head serves the same number of query heads",
        )
    if model.full_layers < 0:
        yield Diagnostic(
            "E0406",
            f"more layers are described than the {model.layers} that the model has",
            (_label(model, "layers", "all layers"),),
            why="sliding and linear layers are part of them",
        )
    if model.experts and model.dense_layers < 0:
        yield Diagnostic(
            "E0406",
            f"{model.expert_layers} layers have experts, but there are {model.layers}",
            (
                _label(model.experts, "layers", "layers with experts", model),
                _label(model, "layers", "all layers"),
            ),
        )
    if model.dense_layers > 0 and not model.intermediate_size:
        yield Diagnostic(
            "E0406",
            f"{model.dense_layers} layers have a dense MLP without a width",
            (_label(model, "layers", "all layers"),),
            help="give 'intermediate_size', or experts for every layer",
        )
    if model.experts and model.experts.active > model.experts.count:
        yield Diagnostic(
            "E0406",
            f"a token cannot pass {model.experts.active} of {model.experts.count} experts",
            (_label(model.experts, "active", "more than there are", model),),
        )
    if model.indexer and not (model.latent or model.compressed):
        yield Diagnostic(
            "E0406",
            "an indexer picks tokens of a latent or compressed cache, and the model has neither",
            (_label(model, "indexer", "this indexer"),),
        )


def _deployment(deployment: Deployment) -> Iterator[Diagnostic]:
    device = deployment.device
    if deployment.devices > device.largest_group:
        yield Diagnostic(
            "E0406",
            f"{deployment.devices} devices are more than '{device.name}' can join",
            (_label(deployment, "devices", f"at most {device.largest_group}"),),
            why="its interconnect levels join "
            + " × ".join(str(level.size) for level in reversed(device.levels)),
        )
    yield from _formats(deployment)
    yield from _options(deployment)


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
                    _label(
                        node,
                        field,
                        "no format is chosen here" if own else "this format",
                        deployment,
                    ),
                    _label(deployment, "device", "this device"),
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
                _label(formats, "kv_cache", "this format", deployment),
                _label(deployment, "device", "this device"),
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
            (_label(engine, "micro_batches", "no use here", deployment),),
        )
    reference = deployment.calibration is Calibration.REFERENCE
    if "generation" in engine.spans and deployment.fitted is None:
        yield Diagnostic(
            "E0406",
            "'generation' is known to the calibrated cost model alone",
            (
                _label(engine, "generation", "no use here"),
                _label(deployment, "calibration" if reference else "device", "no calibration"),
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
                        _label(node, field, "no use here", deployment),
                        _label(deployment, "model", "this model"),
                    ),
                )
    if deployment.calibration is Calibration.CALIBRATED and deployment.device.calibration is None:
        yield Diagnostic(
            "E0406",
            f"'{deployment.device.name}' has no calibration",
            (
                _label(deployment, "calibration", "asked for here"),
                _label(deployment, "device", "this device"),
            ),
            help="fit one with 'specc calibrate', or leave 'calibration' out",
        )


def _study(study: Study) -> Iterator[Diagnostic]:
    names = [deployment.name for deployment in study.deployments]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Diagnostic(
            "E0204",
            f"the study names the deployment '{name}' twice",
            (_label(study, "deployments", ""),),
        )
    if not names:
        yield Diagnostic(
            "E0401", "the study names no deployment", (_label(study, "deployments", "empty"),)
        )
    yield from _objective(study)
    for deployment in study.deployments:
        yield from _context(study.workload, deployment, study)
        yield from _chunks(study.workload, deployment)


def _objective(study: Study) -> Iterator[Diagnostic]:
    for deployment in study.deployments[1:]:
        first = study.deployments[0]
        if deployment.search.maximize is not first.search.maximize:
            yield Diagnostic(
                "E0406",
                f"'{first.name}' and '{deployment.name}' maximize different things",
                (
                    _label(study, "deployments", "compared here"),
                    _label(first.search, "maximize", f"'{first.name}'", first),
                    _label(deployment.search, "maximize", f"'{deployment.name}'", deployment),
                ),
                why="a study ranks all its candidates by one objective",
            )


def _context(workload: Workload, deployment: Deployment, study: Study) -> Iterator[Diagnostic]:
    context = workload.input + workload.output
    longest = deployment.model.max_positions
    if context > longest:
        yield Diagnostic(
            "E0407",
            f"'{workload.name}' needs a context of {context} tokens, "
            f"'{deployment.model.name}' has {longest}",
            (
                _label(workload, "input", f"{workload.input} tokens of prompt"),
                _label(workload, "output", f"and {workload.output} of answer"),
                _label(study, "deployments", f"'{deployment.name}' serves this model"),
            ),
            help="shorten the requests, or choose a model with a longer context",
        )


def _chunks(workload: Workload, deployment: Deployment) -> Iterator[Diagnostic]:
    budget = deployment.engine.chunk_budget
    if budget is not None and budget < workload.effective_input:
        yield Diagnostic(
            "E0501",
            "a prompt of several chunks cannot be evaluated by this version",
            (
                _label(deployment.engine, "chunk_budget", f"a chunk takes {budget} tokens"),
                _label(workload, "input", f"prefill computes {workload.effective_input}"),
            ),
            help="raise 'chunk_budget' to the computed length of the prompt, or leave it out",
        )
