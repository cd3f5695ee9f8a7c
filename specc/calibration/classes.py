"""The operator classes as a fit sees them: sizes of kernels in, seconds out, by a rule."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.calibration.aiconfigurator import OPERATIONS
from specc.calibration.kernel import Kernel, KernelClass
from specc.cost.operators.communication import Collective
from specc.cost.precision import Format
from specc.cost.rules import attention, experts, gemm
from specc.cost.rules.links import hierarchical_time, hops
from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import Shape
from specc.cost.steps import Column
from specc.ir import CalibrationData, Device, ExpertsRule
from specc.records import Record


@frozen(eq=False)
class Sample:
    """Kernels of one class as columns of equal length."""

    sizes: dict[str, Column]
    seconds: Column
    benchmark: Column
    places: tuple[str, ...]

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> "Sample":
        """Turn kernels into columns."""
        names = kernels[0].sizes if kernels else ()
        return cls(
            {name: np.array([k.sizes[name] for k in kernels]) for name in names},
            np.array([k.seconds for k in kernels]),
            np.array([k.benchmark for k in kernels]),
            tuple(k.place for k in kernels),
        )

    def pick(self, index: NDArray[Any]) -> "Sample":
        """Return the kernels that an index or a mask picks."""
        return Sample(
            {name: values[index] for name, values in self.sizes.items()},
            self.seconds[index],
            self.benchmark[index],
            tuple(np.array(self.places)[index].tolist()),
        )

    def __len__(self) -> int:
        return len(self.seconds)


@frozen(eq=False, repr=False)
class Target(Record):
    """The device that ran the kernels, relative to the one that a calibration is of."""

    device: Device
    machine: Machine

    @classmethod
    def of(cls, device: Device, data: CalibrationData) -> "Target":
        """Return a device by the calibration of itself or of a relative."""
        return cls(device, Machine.of(device, data))

    @classmethod
    def itself(cls, device: Device, data: CalibrationData) -> "Target":
        """Return the device that a calibration is of."""
        return cls(device, Machine.measured(data))


Predict = Callable[[CalibrationData, Target, Sample], Column]


def _gemm_shape(machine: Machine, sample: Sample, element: int) -> Shape:
    s = sample.sizes
    shape = Shape(s["m"], s["n"], s["k"], element, element)
    cold = np.where(sample.benchmark, gemm.benchmark_share(machine, shape), 1.0)
    return Shape(s["m"], s["n"], s["k"], element, element, cold=cold)


def _gemm(data: CalibrationData, target: Target, sample: Sample) -> Column:
    machine = target.machine
    shape = _gemm_shape(machine, sample, 2)
    return gemm.gemm_time(data.gemm, machine, shape, machine.peak(Format.FP16))


def _gemm_int8(data: CalibrationData, target: Target, sample: Sample) -> Column:
    machine = target.machine
    shape = _gemm_shape(machine, sample, 1)
    product = gemm.gemm_time(data.gemm_int8, machine, shape, machine.peak(Format.INT8))
    quantising = gemm.quantisation_time(data.quantisation, machine, shape.m, shape.k)
    return product + quantising * sample.sizes["quantises"]


def _quantisation(data: CalibrationData, target: Target, sample: Sample) -> Column:
    s = sample.sizes
    return gemm.quantisation_time(data.quantisation, target.machine, s["m"], s["k"])


def _heads(sample: Sample) -> attention.Heads:
    s = sample.sizes
    return attention.Heads(s["heads"], s["kv_heads"], 1.0, s["kv_heads"] * s["head_dim"] * 2)


def _prefill(data: CalibrationData, target: Target, sample: Sample) -> Column:
    s = sample.sizes
    tokens = s["batch"] * s["length"]
    return attention.prefill_time(
        data.prefill_attention,
        target.machine,
        _heads(sample),
        causal_pairs=tokens * (s["length"] + 1) / 2,
        tokens=tokens,
        context=tokens,
        requests=s["batch"],
    )


def _decode(data: CalibrationData, target: Target, sample: Sample) -> Column:
    s, rule, machine = sample.sizes, data.decode_attention, target.machine
    cache = 2 * s.get("element", 2.0) * s["batch"] * s["length"] * s["kv_heads"] * s["head_dim"]
    cold = np.where(sample.benchmark, attention.benchmark_share(machine, cache), 1.0)
    time = attention.decode_time(
        rule,
        machine,
        _heads(sample),
        requests=s["batch"],
        context=s["batch"] * s["length"],
        cache_bytes=cache,
        element=s.get("element", 2.0),
        cold=cold,
    )
    return np.where(sample.benchmark, attention.host_floor(rule, time), time)


def _experts(rule: ExpertsRule, machine: Machine, sample: Sample, element: int) -> Column:
    """Experts in a benchmark that draws them once: the mean of log time over what it may hit."""
    s = sample.sizes
    share = s["local"] / s["count"]
    chance = 1 - (1 - s["active"] / s["count"]) ** s["tokens"]

    def time(hit: Column) -> Column:
        return experts.experts_time(
            rule,
            machine,
            tokens=s["tokens"],
            copies=s["tokens"] * s["active"] * share,
            active=s["active"],
            hit=hit,
            local=s["local"],
            hidden=s["hidden"],
            inner=s["inner"],
            matrices=3,
            weight_bytes=element,
            peak_ratio=1.0,
        )

    most = int(s["local"].max())
    total = np.zeros(len(sample))
    for hit, weight in enumerate(_binomial(most, s["local"], chance)):
        total = total + weight * np.log(time(np.full(len(sample), max(hit, 0.1))))
    return np.exp(total)


def _binomial(most: int, trials: Column, chance: Column) -> Column:
    """Return P(X = x) for x = 0 … `most`, shape (most + 1, N), X binomial."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    x = np.arange(most + 1)[:, None]
    left = trials[None, :].astype(int) - x
    ways = factorials[trials.astype(int)] - factorials[x] - factorials[np.maximum(left, 0)]
    p = np.clip(chance, 1e-12, 1 - 1e-12)
    density: Column = np.where(
        left >= 0, np.exp(np.minimum(ways + x * np.log(p) + left * np.log1p(-p), 0.0)), 0.0
    )
    return density


def _vector(data: CalibrationData, target: Target, sample: Sample) -> Column:
    rule = data.vector
    return rule.launch + sample.sizes["bytes"] / (rule.rate * target.machine.memory)


def _collective(data: CalibrationData, target: Target, sample: Sample) -> Column:
    """Collectives within a level; a message is the whole that all ranks have or get together."""
    s, time = sample.sizes, np.zeros(len(sample))
    for ranks in np.unique(s["ranks"]):
        path = tuple(hops(target.device, int(ranks), 1))
        held = {
            Collective.ALL_GATHER: s["bytes"] / ranks,
            Collective.REDUCE_SCATTER: s["bytes"],
            Collective.ALL_TO_ALL: s["bytes"] * (1 - 1 / ranks),
            Collective.ALL_REDUCE: s["bytes"],
        }
        for number, name in enumerate(OPERATIONS):
            own = (s["ranks"] == ranks) & (s["operation"] == number)
            kind = Collective(name)
            if own.any():
                time[own] = hierarchical_time(data.collectives, kind, held[kind][own], path)
    return time


@frozen(eq=False, repr=False)
class FittedClass(Record):
    """A class of kernels: how it is predicted, and which coefficients a fit may move.

    `blocks` name the blocks of a calibration whose fields are fitted, with these fields. Kernels
    that are equal in the sizes of `shape` are seen or not seen by a fit together.
    """

    kind: KernelClass
    predict: Predict
    blocks: dict[str, tuple[str, ...]]
    shape: tuple[str, ...]
    corrected: bool = False

    def block_of_fit(self) -> str:
        """Return the block that keeps how well the class fits."""
        return next(iter(self.blocks)).partition(".")[0]


_GEMM = (
    "launch",
    "cube_efficiency",
    "feed_rate",
    "loop_time",
    "l2_rate",
    "memory_rate",
    "overlap",
    "stages",
    "tile_time",
    "split_time",
    "split_rate",
)
_HEADS = ("heads", "kv_heads", "head_dim")
_BLOCK = ("hidden", "inner", "count")
_EXPERTS = ("launch", "memory_rate", "cube_rate", "token_rate")

CLASSES = (
    FittedClass(
        KernelClass.GEMM,
        _gemm,
        {
            "gemm": (
                *_GEMM,
                "gemv_loop_time",
                "hiding",
                "spill_rate",
                "stride_input_rate",
                "stride_weight_rate",
                "small_floor",
                "large_floor",
            )
        },
        ("n", "k"),
        corrected=True,
    ),
    FittedClass(
        KernelClass.GEMM_INT8,
        _gemm_int8,
        {
            "gemm_int8": (
                *_GEMM,
                "result_rate",
                "result_time",
            ),
            "quantisation": ("launch", "ramp", "row_time", "rate"),
        },
        ("n", "k"),
        corrected=True,
    ),
    FittedClass(
        KernelClass.PREFILL_ATTENTION,
        _prefill,
        {
            "prefill_attention": (
                "launch",
                "pair_time",
                "token_time",
                "grouped_token_time",
                "token_length",
                "head_time",
                "grouped_head_time",
                "shared_gain",
                "memory_rate",
                "wide_rows",
                "tiles_held",
                "grouped_tiles_held",
            )
        },
        _HEADS,
    ),
    FittedClass(
        KernelClass.DECODE_ATTENTION,
        _decode,
        {
            "decode_attention": (
                "launch",
                "floor",
                "sequence_time",
                "head_time",
                "grouped_head_time",
                "memory_rate",
                "grouped_memory_rate",
                "single_head_gain",
                "l2_rate",
                "unevenness",
                "head_unevenness",
                "score_time",
                "wide_rows",
                "narrow_share",
            )
        },
        _HEADS,
    ),
    FittedClass(
        KernelClass.EXPERTS,
        lambda data, target, sample: _experts(data.experts, target.machine, sample, 2),
        {"experts": (*_EXPERTS, "large_weights", "tile_reads")},
        _BLOCK,
    ),
    FittedClass(
        KernelClass.EXPERTS_INT8,
        lambda data, target, sample: _experts(data.experts_int8, target.machine, sample, 1),
        {"experts_int8": (*_EXPERTS, "tile_reads")},
        _BLOCK,
    ),
    FittedClass(KernelClass.VECTOR, _vector, {"vector": ("launch", "rate")}, ("bytes",)),
    FittedClass(
        KernelClass.QUANTISATION,
        _quantisation,
        {"quantisation": ("launch", "ramp", "row_time", "rate")},
        ("k",),
    ),
    FittedClass(
        KernelClass.COLLECTIVE,
        _collective,
        {f"collectives.{name}": ("launch", "rank_time", "share") for name in OPERATIONS},
        ("bytes",),
    ),
)


def flat_time(kind: KernelClass, device: Device, sample: Sample) -> Column:
    """Return the seconds that the flat reference model gives kernels of a class, NaN for none."""
    s = sample.sizes
    half, int8 = 2, 1
    match kind:
        case KernelClass.GEMM:
            return _flat_gemm(device, s["m"], s["n"], s["k"], half)
        case KernelClass.GEMM_INT8:
            quantising = _flat(device, moved=3 * s["m"] * s["k"]) * s["quantises"]
            return _flat_gemm(device, s["m"], s["n"], s["k"], int8) + quantising
        case KernelClass.PREFILL_ATTENTION:
            pairs = s["batch"] * s["length"] ** 2
            return _flat_attention(device, s, pairs, s["batch"] * s["length"])
        case KernelClass.DECODE_ATTENTION:
            return _flat_attention(device, s, s["batch"] * s["length"], s["batch"])
        case KernelClass.EXPERTS:
            return _flat_experts(device, s, half)
        case KernelClass.EXPERTS_INT8:
            return _flat_experts(device, s, int8)
        case KernelClass.VECTOR:
            return _flat(device, moved=s["bytes"])
        case KernelClass.QUANTISATION:
            return _flat(device, moved=3 * s["m"] * s["k"])
        case KernelClass.COLLECTIVE:
            return np.full(len(sample), np.nan)


def _flat(
    device: Device,
    *,
    moved: Column,
    matrix: Column | float = 0.0,
    vector: Column | float = 0.0,
    int8: bool = False,
) -> Column:
    """One operator on the flat roofline."""
    flat, cube = device.reference, device.cube
    peak = cube.int8 if int8 else cube.fp16
    compute = matrix / (peak * flat.compute_efficiency)
    compute = compute + vector / (device.vector.fp16 * flat.compute_efficiency)
    memory = moved / (device.planned_bandwidth * flat.memory_efficiency)
    launch = flat.cube_launch if np.any(np.asarray(matrix) > 0) else flat.vector_launch
    time: Column = np.maximum(compute, memory) + launch
    return time


def _flat_gemm(device: Device, m: Column, n: Column, k: Column, element: int) -> Column:
    moved = element * (m * k + n * k) + 2 * m * n
    return _flat(device, moved=moved, matrix=2 * m * n * k, int8=element == 1)


def _flat_attention(device: Device, s: dict[str, Column], pairs: Column, tokens: Column) -> Column:
    width = s["heads"] * s["head_dim"]
    cache = 2 * 2 * s["batch"] * s["length"] * s["kv_heads"] * s["head_dim"]
    return _flat(
        device,
        moved=cache + 2 * 2 * tokens * width,
        matrix=4 * width * pairs,
        vector=4 * s["heads"] * pairs,
    )


def _flat_experts(device: Device, s: dict[str, Column], element: int) -> Column:
    """Routing, two grouped GEMMs, reordering and weighing, with experts chosen evenly."""
    h, i, copies = s["hidden"], s["inner"], s["tokens"] * s["active"]
    rows = copies * s["local"] / s["count"]
    read, int8 = np.minimum(s["local"], rows), element == 1
    up = element * (rows * h + read * 2 * h * i) + 2 * rows * i
    down = element * (rows * i + read * h * i) + 2 * rows * h
    time = _flat(device, moved=up, matrix=4 * rows * h * i, vector=7 * rows * i, int8=int8)
    time = time + _flat(device, moved=down, matrix=2 * rows * h * i, int8=int8)
    for moved in (
        2 * copies * h + 2 * s["tokens"] * h,
        4 * rows * h,
        4 * copies * h,
        6 * copies * h,
    ):
        time = time + _flat(device, moved=moved)
    if int8:
        time = time + _flat(device, moved=3 * rows * h) + _flat(device, moved=3 * rows * i)
    return time
