"""A measured kernel, and the classes that a calibration has a rule for."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from specc.records import Record
from specc.units import Seconds


class KernelClass(Enum):
    """Classes of kernels that a calibration has a rule for."""

    GEMM = "gemm_bf16"
    GEMM_INT8 = "gemm_w8a8"
    PREFILL_ATTENTION = "prefill_attention"
    DECODE_ATTENTION = "decode_attention"
    EXPERTS = "moe_bf16"
    EXPERTS_INT8 = "moe_w8a8"
    VECTOR = "vector"
    QUANTISATION = "quantisation"
    COLLECTIVE = "collectives"


@frozen(eq=False, repr=False)
class Kernel(Record):
    """A measured kernel: its sizes by name, its time, and where it stands.

    `benchmark` tells that weights and caches were warm in part, as in a loop over few copies.
    """

    kind: KernelClass
    sizes: Mapping[str, float]
    seconds: Seconds
    place: str
    benchmark: bool = True


@frozen(eq=False, repr=False)
class KernelTable(Record):
    """What was read from tables: kernels, and counts of rows left out by their reason."""

    kernels: tuple[Kernel, ...]
    skipped: Mapping[str, int] = field(factory=dict)

    def of(self, kind: KernelClass) -> list[Kernel]:
        """Return the kernels of a class."""
        return [kernel for kernel in self.kernels if kernel.kind is kind]
