"""The matrix unit of a device."""

from attrs import frozen

from specc.ir import vocabulary as v
from specc.units import FLOP_RATE, FlopPerSecond

_PEAK = {"above": 0}


@frozen(kw_only=True, eq=False, repr=False)
class CubeUnit(v.Node):
    """Peak dense rates of the matrix (cube) unit; a missing rate means unsupported."""

    fp16: FlopPerSecond = v.number(FLOP_RATE, "peak in fp16", **_PEAK)
    bf16: FlopPerSecond = v.number(FLOP_RATE, "peak in bf16", **_PEAK)
    int8: FlopPerSecond = v.number(FLOP_RATE, "peak in int8 (operations a second)", **_PEAK)
    fp32: FlopPerSecond = v.number(FLOP_RATE, "peak in fp32", **_PEAK)
    fp8: FlopPerSecond | None = v.number(FLOP_RATE, "peak in fp8", default=None, **_PEAK)
    fp4: FlopPerSecond | None = v.number(FLOP_RATE, "peak in fp4", default=None, **_PEAK)
