"""Deployments: a model on devices, and the space of layouts and batch sizes to search."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from attrs import evolve, frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.device import Device
from specc.ir.engine import Communication, Engine, ExpertPlacement, StepLatency
from specc.ir.formats import CacheFormat, Quantisation
from specc.ir.formula import Bound
from specc.ir.model import Model
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    REQUESTS,
    TIME,
    Bytes,
    BytesPerSecond,
    Seconds,
    Tokens,
)


class Mode(Enum):
    """How prefill and decode share the devices."""

    AGGREGATED = "aggregated"
    PREFILL_ONLY = "prefill_only"
    DECODE_ONLY = "decode_only"
    DISAGGREGATED = "disaggregated"
    PD_RATIO = "pd_ratio"

    @property
    def phases(self) -> "tuple[Phase, ...]":
        """What the instances of a deployment in this mode do."""
        return _PHASES[self]


class Phase(Enum):
    """What an instance does with a request."""

    WHOLE = "whole"
    PREFILL = "prefill"
    DECODE = "decode"


_PHASES = {
    Mode.AGGREGATED: (Phase.WHOLE,),
    Mode.PREFILL_ONLY: (Phase.PREFILL,),
    Mode.DECODE_ONLY: (Phase.DECODE,),
    Mode.DISAGGREGATED: (Phase.PREFILL, Phase.DECODE),
    Mode.PD_RATIO: (Phase.PREFILL, Phase.DECODE),
}


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
    SCAN = "scan"


class Objective(Enum):
    """What the best candidate has most of."""

    THROUGHPUT = "throughput"
    THROUGHPUT_PER_DEVICE = "throughput_per_device"
    THROUGHPUT_PER_COST = "throughput_per_cost"
    FEWEST_DEVICES = "fewest_devices"


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
        "expert-parallel sizes to try; `auto` tries the powers of two, and all ranks of a stage",
        default=None,
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


class Method(Enum):
    """What says how an instance serves before anything is simulated."""

    STEADY = "steady"
    WAVES = "waves"
    LOOP = "loop"


@frozen(kw_only=True, eq=False, repr=False)
class Search(v.Node):
    """How the best batch size of every layout is found."""

    strategy: Strategy | None = v.choice(
        Strategy,
        "search over the batch size; `auto` is exhaustive in closed form, and for a loop over "
        "steps a scan: a grid of batch sizes, refined around the best",
        default=None,
    )
    method: Method | None = v.choice(
        Method,
        "what ranks candidates. steady: requests come as others go, as in the simulation of a "
        "closed loop. waves: all come at once and nobody later; loop: the same, step by step. "
        "`auto` is steady; under the reference calibration, and with overlapped steps, it is "
        "waves, and loop where a prompt exceeds the chunk budget or a scheduler is named",
        default=None,
    )
    maximize: Objective | None = v.choice(
        Objective,
        "the objective; `auto` is fewest_devices if 'fleet.rate' is set, otherwise throughput",
        default=None,
    )
    slo_relax: float = v.number(
        DIMENSIONLESS,
        "linear_exponential: factor on the extrapolated distance to an SLO",
        default=1.5,
        at_least=1,
        at_most=10,
    )
    limits: tuple[Bound, ...] = v.bounds("constraints on what a candidate may be")


class Timing(Enum):
    """When the KV cache of a prompt moves to the instance that decodes."""

    AFTER_PREFILL = "after_prefill"
    LAYERWISE = "layerwise"
    FREE = "free"


@frozen(kw_only=True, eq=False, repr=False)
class Transfer(v.Node):
    """How the KV cache gets from a prefill instance to a decode instance."""

    timing: Timing = v.choice(
        Timing,
        "after the prefill; layer by layer during it, so that only the last layer remains; or free",
        default=Timing.AFTER_PREFILL,
    )
    bandwidth: BytesPerSecond | None = v.number(
        BYTES / TIME,
        "rate of the link of a device, one way; `auto` is what the outermost level of the slower "
        "device reaches",
        default=None,
        above=0,
    )
    latency: Seconds | None = v.number(
        TIME, "latency of a transfer; `auto` is that of this level", default=None, at_least=0
    )


@frozen(kw_only=True, eq=False, repr=False)
class Instances(v.Node):
    """Instances for one phase; what is left out is as the deployment has it."""

    device: Device | None = v.reference("device", "the device", optional=True)
    devices: tuple[int, ...] | None = v.sizes(
        "devices of an instance, as sizes to try; `auto` is that of the deployment", default=None
    )
    quant: Quantisation | None = v.choice(
        Quantisation, "number formats; `auto` is that of the deployment", default=None
    )
    formats: Formats | None = v.block(Formats, "exceptions", optional=True)
    communication: Communication | None = v.block(
        Communication, "how the devices communicate", optional=True
    )
    experts: ExpertPlacement | None = v.block(
        ExpertPlacement, "how experts are placed on the devices", optional=True
    )
    parallel: Parallel | None = v.block(Parallel, "the space of layouts", optional=True)
    engine: Engine | None = v.block(Engine, "settings of the engine", optional=True)


@frozen(kw_only=True, eq=False, repr=False)
class Fleet(v.Node):
    """How many instances there are: what a number of devices serves, or what a rate needs."""

    devices: int | None = v.number(
        DIMENSIONLESS,
        "devices of the whole fleet, spares included",
        default=None,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    rate: float | None = v.number(
        REQUESTS / TIME, "requests that the fleet must serve", default=None, above=0
    )
    headroom: float = v.fraction(
        "share beyond the rate that the fleet must serve as well; spares come on top",
        default=0.0,
        at_least=0,
        at_most=10,
    )
    spare: int = v.number_of(
        "instances of each kind beyond those that the rate needs, for failures", default=0
    )

    @property
    def carried(self) -> float | None:
        """Requests a second that the instances are counted for: the rate with its headroom."""
        return None if self.rate is None else self.rate * (1 + self.headroom)


_OWN = ("device", "quant", "formats", "communication", "experts", "parallel", "engine")


@frozen(kw_only=True, eq=False, repr=False)
class Deployment(v.Node):
    """A model served on devices of one kind."""

    planned: ClassVar[Mapping[str, str]] = {"cluster": "a custom cluster"}

    model: Model = v.reference("model", "the model")
    quant: Quantisation | None = v.choice(
        Quantisation,
        "number formats of weights and activations; `auto` is that of the checkpoint",
        default=None,
    )
    formats: Formats = v.block(Formats, "exceptions, and the KV cache")
    device: Device = v.reference("device", "the device")
    devices: int | None = v.number(
        DIMENSIONLESS,
        "devices of an instance (on A3: dies); of a list each size is tried",
        default=None,
        several=True,
        whole=True,
        at_least=1,
    )
    mode: Mode = v.choice(
        Mode, "whether prefill and decode share the devices", default=Mode.AGGREGATED
    )
    calibration: Calibration | None = v.choice(
        Calibration,
        "rules of the cost model; `auto` is calibrated where the device has a calibration",
        default=None,
    )
    communication: Communication = v.block(Communication, "how the devices communicate")
    experts: ExpertPlacement = v.block(ExpertPlacement, "how experts are placed on the devices")
    parallel: Parallel = v.block(Parallel, "the space of parallel layouts")
    engine: Engine = v.block(Engine, "settings of the serving engine")
    search: Search = v.block(Search, "how the batch size is searched")
    prefill: Instances = v.block(Instances, "instances that prefill alone")
    decode: Instances = v.block(Instances, "instances that decode alone")
    transfer: Transfer = v.block(Transfer, "how the KV cache moves between them")
    fleet: Fleet | None = v.block(Fleet, "how many instances there are", optional=True)

    # Fields that were given as lists: each of their values is tried.
    tried: v.Tried = ()

    @property
    def objective(self) -> Objective:
        """What the best candidate has most of."""
        rate = self.fleet is not None and self.fleet.rate is not None
        usual = Objective.FEWEST_DEVICES if rate else Objective.THROUGHPUT
        return self.search.maximize or usual

    @property
    def size(self) -> int:
        """Devices of an instance of a deployment that has them."""
        assert self.devices is not None
        return self.devices

    def instances(self, phase: Phase) -> "tuple[Deployment, ...]":
        """Return the deployments that instances of a phase are: one for each that is to try.

        These are the sizes, and the settings of the engine that were given as lists.
        """
        sizes = dict(self.tried).get("devices") or ((self.devices,) if self.devices else ())
        if phase is Phase.WHOLE or len(self.mode.phases) == 1:
            return tuple(
                evolve(self, devices=size, tried=(), engine=engine)
                for size in sizes or (None,)
                for engine in self.engine.each
            )
        own = self.prefill if phase is Phase.PREFILL else self.decode
        given = {name: getattr(own, name) for name in _OWN if getattr(own, name) is not None}
        sizes = own.devices or sizes
        # Messages point at what the instances have of their own.
        written = {name: span for name, span in own.spans.items() if name}
        spans = {**self.spans, **written}
        engines = given.pop("engine", self.engine).each
        return tuple(
            evolve(self, devices=size, tried=(), spans=spans, engine=engine, **given)
            for size in sizes
            for engine in engines
        )

    @property
    def all_instances(self) -> "tuple[Deployment, ...]":
        """The deployments that instances of all phases are."""
        return tuple(i for phase in self.mode.phases for i in self.instances(phase))

    @property
    def memory(self) -> Bytes:
        """Bytes of a device that an engine sees; the reference calibration takes the nameplate."""
        seen = self.device.visible_memory if self.fitted is not None else None
        return seen or self.device.memory

    @property
    def longest_request(self) -> Tokens:
        """Tokens of prompt and output together that an instance takes."""
        return self.engine.max_model_length or self.model.max_positions

    @property
    def method(self) -> Method | None:
        """What ranks its candidates; None for waves or the loop, as prompts and engine have it."""
        steady = self.fitted is not None and self.engine.step is not StepLatency.OVERLAPPED
        return self.search.method or (Method.STEADY if steady else None)

    @property
    def usual_format(self) -> Quantisation:
        """Number format of linear layers without an exception."""
        return self.quant or self.model.weights or Quantisation.BF16

    @property
    def expert_format(self) -> Quantisation:
        """Number format of the routed experts."""
        return self._format(self.formats.experts, self.model.expert_weights)

    @property
    def attention_format(self) -> Quantisation:
        """Number format of attention."""
        return self._format(self.formats.attention, self.model.attention_weights)

    @property
    def shared_expert_format(self) -> Quantisation:
        """Number format of the shared experts."""
        return self._format(self.formats.shared_experts, self.model.shared_expert_weights)

    def _format(self, chosen: Quantisation | None, checkpoint: Quantisation | None) -> Quantisation:
        """Return the format of a part: as chosen for it, else as usual, or as the checkpoint is."""
        published = checkpoint if self.quant is None else None
        return chosen or published or self.usual_format

    @property
    def fitted(self) -> CalibrationData | None:
        """The coefficients that hold; None if the reference calibration does."""
        return None if self.calibration is Calibration.REFERENCE else self.device.calibration
