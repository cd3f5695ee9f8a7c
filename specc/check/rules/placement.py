"""Rules of one instance of a deployment: its devices, number formats and options of layout."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import CacheFormat, Calibration, Deployment, Dispatch, Quantisation
from specc.ir.vocabulary import Node

_PARTS = ("attention", "mlp", "experts", "shared_experts", "output")


def devices(deployment: Deployment) -> Iterator[Diagnostic]:
    """The interconnect joins so many devices."""
    device = deployment.device
    if deployment.devices is not None and deployment.devices > device.largest_group:
        yield Diagnostic(
            "E0431",
            f"{deployment.devices} devices are more than '{device.name}' can connect",
            (label_of(deployment, "devices", f"at most {device.largest_group}"),),
            why="its interconnect levels connect "
            + " × ".join(str(level.size) for level in reversed(device.levels)),
        )


def formats_of_weights(deployment: Deployment) -> Iterator[Diagnostic]:
    """A format needs a unit that computes in it."""
    if deployment.device.cube.fp8 is not None:
        return
    formats = deployment.formats
    places: list[tuple[Node, str, Quantisation | None]] = [
        (deployment, "quant", deployment.usual_format),
        *((formats, part, getattr(formats, part)) for part in _PARTS),
    ]
    for node, field, format_ in places:
        if format_ in (Quantisation.FP8, Quantisation.MXFP8):
            own = field == "quant" and deployment.quant is None
            yield Diagnostic(
                "E0432",
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


def token_rate_of_int8(deployment: Deployment) -> Iterator[Diagnostic]:
    """Some devices have int8 in name only: slower than 16 bit."""
    cube, formats = deployment.device.cube, deployment.formats
    if cube.int8 >= cube.bf16:
        return
    chosen = (deployment.usual_format, *(getattr(formats, part) for part in _PARTS))
    found = next((each for each in chosen if each in _COMPUTES_IN_INT8), None)
    if found is not None:
        better = "fp8" if cube.fp8 is not None else "bf16"
        yield Diagnostic(
            "W0010",
            f"'{deployment.device.name}' computes {found.value} more slowly than 16 bit",
            (
                label_of(deployment, "quant", "this format", deployment),
                label_of(deployment, "device", "this device"),
            ),
            why=f"its int8 rate is {cube.int8 / 1e12:,.4g} TOPS, its bf16 rate "
            f"{cube.bf16 / 1e12:,.4g} TFLOPS",
            help=f"write quant = {better} for it, or the comparison with other devices means "
            "nothing",
        )


_COMPUTES_IN_INT8 = (
    Quantisation.W8A8,
    Quantisation.W8A8_DYNAMIC,
    Quantisation.W4A8,
    Quantisation.W4A4,
)


def format_of_cache(deployment: Deployment) -> Iterator[Diagnostic]:
    """So does the format of the KV cache."""
    if deployment.device.cube.fp8 is not None:
        return
    if deployment.formats.kv_cache is CacheFormat.FP8:
        yield Diagnostic(
            "E0433",
            f"'{deployment.device.name}' has no fp8 for the KV cache",
            (
                label_of(deployment.formats, "kv_cache", "this format", deployment),
                label_of(deployment, "device", "this device"),
            ),
            help="write kv_cache = int8",
        )


def micro_batches(deployment: Deployment) -> Iterator[Diagnostic]:
    """Micro batches fill the stages of a pipeline."""
    engine, staged = deployment.engine, deployment.parallel.pp != (1,)
    if engine.micro_batches > 1 and (not staged or deployment.communication.two_streams):
        yield Diagnostic(
            "E0438" if staged else "E0437",
            "'micro_batches' and 'two_streams' both cut a step into parts"
            if staged
            else "'micro_batches' are for pipeline stages, and there are none",
            (label_of(engine, "micro_batches", "no effect here", deployment),),
        )


def execution(deployment: Deployment) -> Iterator[Diagnostic]:
    """How steps are launched is known to the calibrated cost model."""
    engine = deployment.engine
    reference = deployment.calibration is Calibration.REFERENCE
    if "execution" in engine.spans and deployment.fitted is None:
        yield Diagnostic(
            "E0434",
            "'execution' needs the calibrated cost model",
            (
                label_of(engine, "execution", "no effect here"),
                label_of(deployment, "calibration" if reference else "device", "no calibration"),
            ),
        )


def settings_of_experts(deployment: Deployment) -> Iterator[Diagnostic]:
    """A model without experts has no use for their settings."""
    model, placement, options = deployment.model, deployment.experts, deployment.communication
    parallel, formats = deployment.parallel, deployment.formats
    if model.experts is not None:
        return
    for node, field, used in (
        (placement, "shard_shared", placement.shard_shared is True),
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
                "E0436",
                f"'{field}' applies to experts, and '{model.name}' has none",
                (
                    label_of(node, field, "no effect here", deployment),
                    label_of(deployment, "model", "this model"),
                ),
            )


def calibration(deployment: Deployment) -> Iterator[Diagnostic]:
    """The calibrated cost model needs a calibration of the device."""
    if deployment.calibration is Calibration.CALIBRATED and deployment.device.calibration is None:
        yield Diagnostic(
            "E0435",
            f"'{deployment.device.name}' has no calibration",
            (
                label_of(deployment, "calibration", "asked for here"),
                label_of(deployment, "device", "this device"),
            ),
            help="fit one with 'specc calibrate', or leave 'calibration' out",
        )
