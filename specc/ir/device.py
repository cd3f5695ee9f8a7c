"""Devices: peaks, memory, interconnect, and the calibration of the cost model on them."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.cube import CubeUnit
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    FLOP_RATE,
    POWER,
    TIME,
    Bytes,
    BytesPerSecond,
    FlopPerSecond,
    Price,
    Seconds,
    Watts,
)

_PEAK = {"above": 0}


class Vendor(Enum):
    """Who makes a device, which decides on the engines that run on it."""

    HUAWEI = "huawei"
    NVIDIA = "nvidia"
    AMD = "amd"


class Topology(Enum):
    """How the members of an interconnect level are joined."""

    FULL_MESH = "full_mesh"
    SWITCHED = "switched"


@frozen(kw_only=True, eq=False, repr=False)
class VectorUnit(v.Node):
    """Peak rates of the vector unit."""

    fp16: FlopPerSecond = v.number(FLOP_RATE, "peak in fp16", **_PEAK)
    fp32: FlopPerSecond = v.number(FLOP_RATE, "peak in fp32", **_PEAK)


@frozen(kw_only=True, eq=False, repr=False)
class Level(v.Node):
    """One level of the interconnect; levels are listed from the innermost outwards."""

    size: int = v.count("members of this level: devices, or groups of the level below")
    topology: Topology = v.choice(Topology, "how the members are joined")
    bandwidth: BytesPerSecond = v.number(
        BYTES / TIME, "bandwidth of a device at this level, one way", above=0
    )
    latency: Seconds = v.number(TIME, "latency of one message", at_least=0)
    efficiency: float = v.fraction("share of the bandwidth that collectives reach")


@frozen(kw_only=True, eq=False, repr=False)
class ReferenceCalibration(v.Node):
    """The flat roofline: one efficiency for all compute, one for all memory traffic."""

    compute_efficiency: float = v.fraction("share of the peak rates that operators reach")
    memory_efficiency: float = v.fraction("share of the memory bandwidth that operators reach")
    cube_launch: Seconds = v.number(TIME, "fixed time of an operator on the cube unit", at_least=0)
    vector_launch: Seconds = v.number(TIME, "fixed time of any other operator", at_least=0)
    collective_launch: Seconds = v.number(TIME, "fixed time of a collective", at_least=0)
    memory_bandwidth: BytesPerSecond | None = v.number(
        BYTES / TIME,
        "peak memory bandwidth as the published planner has it; by default that of the device",
        default=None,
        above=0,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Device(v.Node):
    """An accelerator as one rank sees it (on A3 that is one of the two dies of a card)."""

    # What a runtime shows of another size nobody has seen.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {"memory": ("visible_memory",)}

    aliases: tuple[str, ...] = v.texts("names that other tools use for it")
    vendor: Vendor | None = v.choice(
        Vendor, "who makes it; `auto` leaves open which engines run on it", default=None
    )
    memory: Bytes = v.number(BYTES, "memory of the device", whole=True, above=0)
    visible_memory: Bytes | None = v.number(
        BYTES,
        "what the runtime shows of the memory, which an engine takes its share of; by default all "
        "of it. The reference calibration keeps to 'memory'",
        default=None,
        whole=True,
        above=0,
    )
    memory_bandwidth: BytesPerSecond = v.number(BYTES / TIME, "peak memory bandwidth", above=0)
    cores: int = v.count("matrix cores (AI cores, streaming multiprocessors)", default=24)
    cube: CubeUnit = v.block(CubeUnit, "matrix unit", required=True)
    vector: VectorUnit = v.block(VectorUnit, "vector unit", required=True)
    reference: ReferenceCalibration = v.block(
        ReferenceCalibration, "parameters of the reference calibration", required=True
    )
    calibration: CalibrationData | None = v.reference(
        "calibration", "coefficients of the calibrated cost model", optional=True
    )
    calibration_spread: float = v.number(
        DIMENSIONLESS,
        "standard deviation of log(measured / predicted) of a step that a calibration of another "
        "device adds, beside that of its own",
        default=0.0,
        at_least=0,
        at_most=2,
    )
    dies_per_card: int = v.count("devices of a card, such as dies or chips", default=1)
    cards_per_server: int | None = v.number(
        DIMENSIONLESS,
        "cards of a server; by default not known",
        default=None,
        whole=True,
        at_least=1,
        at_most=1024,
    )
    price: Price | None = v.price("what an hour of the device costs, with its share of the server")
    power: Watts | None = v.number(
        POWER,
        "power that the device draws under load, with its share of the server; in std.devices that "
        "of the data sheet, without the server",
        default=None,
        above=0,
    )
    levels: tuple[Level, ...] = v.blocks("level", Level, "interconnect, from the inside out")

    @property
    def planned_bandwidth(self) -> BytesPerSecond:
        """Peak memory bandwidth of the reference calibration."""
        return self.reference.memory_bandwidth or self.memory_bandwidth

    @property
    def largest_group(self) -> int:
        """Devices that the interconnect joins."""
        total = 1
        for level in self.levels:
            total *= level.size
        return total
