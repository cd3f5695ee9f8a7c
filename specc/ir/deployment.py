"""Deployments: a model on devices, and the space of layouts and batch sizes to search."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.device import Device
from specc.ir.model import Model
from specc.units import BYTES, DIMENSIONLESS, TOKENS, Bytes, Tokens


class Quantisation(Enum):
    """Number formats of weights and activations."""

    BF16 = "bf16"
    FP16 = "fp16"
    W8A8_DYNAMIC = "w8a8_dynamic"


class Mode(Enum):
    """How prefill and decode share the devices."""

    AGGREGATED = "aggregated"


class Calibration(Enum):
    """Which rules turn the work of an operator into time."""

    REFERENCE = "reference"


class Strategy(Enum):
    """How the batch size of a layout is searched."""

    EXHAUSTIVE = "exhaustive"
    BINARY = "binary"
    EXPONENTIAL = "exponential"
    LINEAR_EXPONENTIAL = "linear_exponential"


class Objective(Enum):
    """What the best candidate has most of."""

    THROUGHPUT = "throughput"
    THROUGHPUT_PER_DEVICE = "throughput_per_device"


@frozen(kw_only=True, eq=False, repr=False)
class Parallel(v.Node):
    """The space of parallel layouts: every combination whose product is the device count."""

    planned: ClassVar[Mapping[str, str]] = {
        "ep": "expert parallelism",
        "moe_tp": "tensor parallelism of experts",
        "moe_dp": "data parallelism of experts",
        "cp": "context parallelism of prefill",
        "dcp": "context parallelism of decode",
    }

    tp: tuple[int, ...] | None = v.sizes(
        "tensor-parallel sizes to try; `auto` tries the powers of two", default=None
    )
    pp: tuple[int, ...] | None = v.sizes("pipeline-parallel sizes to try", default=(1,))
    dp: tuple[int, ...] | None = v.sizes(
        "data-parallel sizes to allow; `auto` takes devices / (tp · pp)", default=None
    )


@frozen(kw_only=True, eq=False, repr=False)
class Engine(v.Node):
    """Settings of the serving engine."""

    planned: ClassVar[Mapping[str, str]] = {
        "prefill_admission": "admission of waiting requests (simulation)",
        "max_sequences": "a limit on sequences in the engine (simulation)",
        "max_model_length": "a context limit of the engine",
        "scheduler": "a scheduler of mixed steps",
        "generation": "a named software generation",
        "speculative": "speculative decoding",
        "sequence_parallel": "sequence parallelism",
        "kv_cache": "a format of the KV cache",
    }

    chunk_budget: Tokens | None = v.number(
        TOKENS,
        "new tokens that a replica takes in a prefill step; `auto` tries 4, 2 and 1 times the "
        "tokens of a prompt and takes the first whose prefill fits the memory",
        default=None,
        whole=True,
        at_least=1,
    )
    decode_batch: tuple[int, int] | None = v.interval(
        "requests a replica decodes together, as a range to search; by default from 1 to what "
        "the memory holds"
    )
    reserved_memory: Bytes = v.number(
        BYTES,
        "memory of a device kept for the runtime, workspaces and fragmentation",
        default=10 * 2**30,
        whole=True,
        at_least=0,
    )
    block_size: Tokens = v.number(
        TOKENS, "tokens of a KV-cache block", default=128, whole=True, at_least=1
    )


@frozen(kw_only=True, eq=False, repr=False)
class Search(v.Node):
    """How the best batch size of every layout is found."""

    strategy: Strategy = v.choice(
        Strategy, "search over the batch size", default=Strategy.EXHAUSTIVE
    )
    maximize: Objective = v.choice(Objective, "the objective", default=Objective.THROUGHPUT)
    slo_relax: float = v.number(
        DIMENSIONLESS,
        "linear_exponential: factor on the extrapolated distance to an SLO",
        default=1.5,
        at_least=1,
        at_most=10,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Deployment(v.Node):
    """A model served on devices of one kind."""

    planned: ClassVar[Mapping[str, str]] = {
        "prefill": "separate prefill instances",
        "decode": "separate decode instances",
        "fleet": "a fleet of instances",
        "cluster": "a cluster of one's own",
    }

    model: Model = v.reference("model", "the model")
    quant: Quantisation = v.choice(
        Quantisation,
        "number formats of weights and activations",
        default=Quantisation.BF16,
        planned=("w8a8", "w8a16", "w4a8", "w4a16", "fp8", "mxfp4"),
    )
    device: Device = v.reference("device", "the device")
    devices: int = v.count("devices of the deployment (on A3: dies)")
    mode: Mode = v.choice(
        Mode,
        "prefill and decode on the same devices",
        default=Mode.AGGREGATED,
        planned=("disaggregated", "pd_ratio", "prefill_only", "decode_only"),
    )
    calibration: Calibration = v.choice(
        Calibration,
        "rules of the cost model",
        default=Calibration.REFERENCE,
        planned=("calibrated",),
    )
    parallel: Parallel = v.block(Parallel, "the space of parallel layouts")
    engine: Engine = v.block(Engine, "settings of the serving engine")
    search: Search = v.block(Search, "how the batch size is searched")
