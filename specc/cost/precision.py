"""Number formats as the cost model sees them: bytes of elements, and the unit that computes."""

from typing import NamedTuple

from attrs import frozen

from specc.ir import CacheFormat, CubeUnit, Deployment, Quantisation
from specc.records import Choice, Record
from specc.units import FlopPerSecond

HALF = 2  # bytes of an fp16 or bf16 element


class Format(Choice):
    """Number format that a unit computes in."""

    FP16 = "fp16"
    FP32 = "fp32"
    INT8 = "int8"
    FP8 = "fp8"
    FP4 = "fp4"


class Precision(NamedTuple):
    """How a linear layer stores its weights and computes.

    Attributes:
        weight_bytes: bytes of a stored weight, shared scales included.
        activation_bytes: bytes of an input element as the matrix unit reads it.
        format: what the matrix unit computes in.
        dynamic: whether inputs are quantised at run time by scales found then.
    """

    weight_bytes: float
    activation_bytes: int
    format: Format
    dynamic: bool = False

    @property
    def quantised(self) -> bool:
        """Whether inputs are quantised."""
        return self.activation_bytes < HALF

    @property
    def unpacks(self) -> bool:
        """Whether weights are turned into the format of the inputs before they are used."""
        return self.weight_bytes < self.activation_bytes


_PACKED_WEIGHT = 4.125 / 8  # four bits, and a 16-bit scale for each group of 128 weights
_MXFP4_WEIGHT = 4.25 / 8  # OCP microscaling: a shared 8-bit scale for each 32 elements
_MXFP8_WEIGHT = 8.25 / 8  # likewise
_NVFP4_WEIGHT = 4.5 / 8  # an 8-bit scale for each 16 elements
PLAIN = Precision(HALF, HALF, Format.FP16)
FULL = Precision(4, 4, Format.FP32)
_PRECISIONS = {
    Quantisation.BF16: PLAIN,
    Quantisation.FP16: PLAIN,
    Quantisation.W8A8: Precision(1, 1, Format.INT8),
    Quantisation.W8A8_DYNAMIC: Precision(1, 1, Format.INT8, dynamic=True),
    Quantisation.W8A16: Precision(1, HALF, Format.FP16),
    Quantisation.W4A8: Precision(_PACKED_WEIGHT, 1, Format.INT8, dynamic=True),
    Quantisation.W4A16: Precision(_PACKED_WEIGHT, HALF, Format.FP16),
    # No rate of int4 is published for a device here: it computes as int8 does.
    Quantisation.W4A4: Precision(_PACKED_WEIGHT, 1, Format.INT8, dynamic=True),
    Quantisation.FP8: Precision(1, 1, Format.FP8, dynamic=True),
    Quantisation.MXFP8: Precision(_MXFP8_WEIGHT, 1, Format.FP8, dynamic=True),
}
_FP4_WEIGHTS = {Quantisation.MXFP4: _MXFP4_WEIGHT, Quantisation.NVFP4: _NVFP4_WEIGHT}


def precision(quant: Quantisation, cube: CubeUnit) -> Precision:
    """Return how a format is computed on a matrix unit.

    Formats of 4 bits in floating point compute in fp4 where the unit can; elsewhere their weights
    are unpacked to 16 bit, as engines do.
    """
    weight = _FP4_WEIGHTS.get(quant)
    if weight is None:
        return _PRECISIONS[quant]
    if cube.fp4 is None:
        return Precision(weight, HALF, Format.FP16)
    return Precision(weight, 1, Format.FP4, dynamic=True)


@frozen(eq=False, repr=False)
class Precisions(Record):
    """The precisions of the parts of a deployment."""

    attention: Precision
    mlp: Precision
    experts: Precision
    shared_experts: Precision
    output: Precision
    kv_bytes: int

    @classmethod
    def of(cls, deployment: Deployment) -> "Precisions":
        """Return the precisions that a deployment asks for, part by part."""
        cube, formats = deployment.device.cube, deployment.formats
        usual, experts = deployment.usual_format, deployment.expert_format
        return cls(
            attention=precision(deployment.attention_format, cube),
            mlp=precision(formats.mlp or usual, cube),
            experts=precision(experts, cube),
            shared_experts=precision(deployment.shared_expert_format, cube),
            output=precision(formats.output or Quantisation.BF16, cube),
            kv_bytes=HALF if formats.kv_cache is CacheFormat.BF16 else 1,
        )


def peak(format_: Format, cube: CubeUnit) -> FlopPerSecond:
    """Return the peak rate of a format; where it is missing, that of 16 bit."""
    rates = {
        Format.FP16: cube.fp16,
        Format.FP32: cube.fp32,
        Format.INT8: cube.int8,
        Format.FP8: cube.fp8,
        Format.FP4: cube.fp4,
    }
    return rates[format_] or cube.fp16
