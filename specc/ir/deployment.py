"""Deployments: a model on devices, and the space of layouts and batch sizes to search."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.device import Device
from specc.ir.formats import CacheFormat, Quantisation
from specc.ir.model import Model
from specc.units import BYTES, DIMENSIONLESS, TOKENS, Bytes, Tokens


class Mode(Enum):
    """How prefill and decode share the devices."""

    AGGREGATED = "aggregated"


class Calibration(Enum):
    """Which rules turn the work of an operator into time."""

    REFERENCE = "reference"
    CALIBRATED = "calibrated"


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

    tp: tuple[int, ...] | None = v.sizes(
        "tensor-parallel sizes to try; `auto` tries the powers of two", default=None
    )
    pp: tuple[int, ...] | None = v.sizes("pipeline-parallel sizes to try", default=(1,))
    dp: tuple[int, ...] | None = v.sizes(
        "data-parallel sizes to allow; `auto` takes devices / (tp · cp · pp)", default=None
    )
    cp: tuple[int, ...] | None = v.sizes(
        "context-parallel sizes to try: ranks that share the tokens of a prompt, and in decode "
        "its KV cache",
        default=(1,),
    )
    dcp: tuple[int, ...] | None = v.sizes(
        "decode-context-parallel sizes to try: tensor-parallel ranks that share the KV cache of a "
        "sequence instead of copies of it",
        default=(1,),
    )
    ep: tuple[int, ...] | None = v.sizes(
        "expert-parallel sizes to try; `auto` tries the powers of two", default=None
    )
    moe_tp: tuple[int, ...] | None = v.sizes(
        "tensor-parallel sizes of experts to allow; `auto` takes tp · cp · dp / (ep · moe_dp)",
        default=None,
    )
    moe_dp: tuple[int, ...] | None = v.sizes(
        "copies of the experts to try, each serving its share of the replicas", default=(1,)
    )


@frozen(kw_only=True, eq=False, repr=False)
class Formats(v.Node):
    """Exceptions from the number formats of the deployment, for kinds of layers."""

    attention: Quantisation | None = v.choice(
        Quantisation, "projections of attention", default=None
    )
    mlp: Quantisation | None = v.choice(Quantisation, "dense MLPs", default=None)
    experts: Quantisation | None = v.choice(Quantisation, "routed experts", default=None)
    shared_experts: Quantisation | None = v.choice(Quantisation, "shared experts", default=None)
    output: Quantisation | None = v.choice(
        Quantisation, "projection to the vocabulary; 16 bit unless set", default=None
    )
    kv_cache: CacheFormat = v.choice(CacheFormat, "the KV cache", default=CacheFormat.BF16)


class Dispatch(Enum):
    """How tokens reach the experts of other devices and come back."""

    ALL_TO_ALL = "all_to_all"
    FUSED = "fused"
    ALL_GATHER = "all_gather"


class Generation(Enum):
    """Generations of serving software; the numbers of each are in the calibration of a device."""

    EAGER = "eager"
    GRAPH = "graph"
    TUNED = "tuned"


@frozen(kw_only=True, eq=False, repr=False)
class Communication(v.Node):
    """How a deployment communicates."""

    sequence_parallel: bool = v.boolean(
        "reduce-scatter before and all-gather after the norms instead of an all-reduce",
        default=False,
    )
    fuse_all_reduce: bool = v.boolean(
        "the all-reduce runs while the GEMM before it does: the longer of the two counts",
        default=False,
    )
    two_streams: bool = v.boolean(
        "two micro-batches take turns: each computes while the other exchanges tokens with experts",
        default=False,
    )
    dispatch: Dispatch = v.choice(
        Dispatch, "how tokens reach their experts", default=Dispatch.ALL_TO_ALL
    )


@frozen(kw_only=True, eq=False, repr=False)
class ExpertPlacement(v.Node):
    """How experts lie on the devices."""

    imbalance: float = v.number(
        DIMENSIONLESS,
        "tokens of the fullest device over the mean",
        default=1.0,
        at_least=1,
        at_most=1e3,
    )
    redundant: int = v.number_of(
        "copies of much used experts beside the experts; what they even out is up to 'imbalance'",
        default=0,
    )
    shard_shared: bool = v.boolean(
        "shared experts are split over the tensor-parallel ranks; otherwise each rank runs them "
        "whole on its share of the tokens",
        default=False,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Engine(v.Node):
    """Settings of the serving engine."""

    planned: ClassVar[Mapping[str, str]] = {
        "prefill_admission": "admission of waiting requests (simulation)",
        "max_sequences": "a limit on sequences in the engine (simulation)",
        "max_model_length": "a context limit of the engine",
        "scheduler": "a scheduler of mixed steps",
        "speculative": "speculative decoding",
    }

    generation: Generation = v.choice(
        Generation,
        "generation of the serving software: host gaps, sampling, fused kernels",
        default=Generation.GRAPH,
    )
    micro_batches: int = v.number(
        DIMENSIONLESS,
        "parts that a prefill step is cut into on its way through the pipeline stages",
        whole=True,
        at_least=1,
        at_most=1024,
        default=1,
    )

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
    quant: Quantisation | None = v.choice(
        Quantisation,
        "number formats of weights and activations; `auto` is that of the checkpoint",
        default=None,
    )
    formats: Formats = v.block(Formats, "exceptions from it, and the KV cache")
    device: Device = v.reference("device", "the device")
    devices: int = v.count("devices of the deployment (on A3: dies)")
    mode: Mode = v.choice(
        Mode,
        "prefill and decode on the same devices",
        default=Mode.AGGREGATED,
        planned=("disaggregated", "pd_ratio", "prefill_only", "decode_only"),
    )
    calibration: Calibration | None = v.choice(
        Calibration,
        "rules of the cost model; `auto` is calibrated where the device has a calibration",
        default=None,
    )
    communication: Communication = v.block(Communication, "how the devices communicate")
    experts: ExpertPlacement = v.block(ExpertPlacement, "how experts lie on the devices")
    parallel: Parallel = v.block(Parallel, "the space of parallel layouts")
    engine: Engine = v.block(Engine, "settings of the serving engine")
    search: Search = v.block(Search, "how the batch size is searched")

    @property
    def usual_format(self) -> Quantisation:
        """Number format of linear layers without an exception."""
        return self.quant or self.model.weights or Quantisation.BF16

    @property
    def expert_format(self) -> Quantisation:
        """Number format of the routed experts."""
        checkpoint = self.model.expert_weights if self.quant is None else None
        return self.formats.experts or checkpoint or self.usual_format

    @property
    def fitted(self) -> CalibrationData | None:
        """The coefficients that hold; None if the reference calibration does."""
        return None if self.calibration is Calibration.REFERENCE else self.device.calibration
