"""Shapes of GEMMs, and the smooth functions that rules are made of."""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.cost.steps import Column
from specc.ir.calibration import CORRECTIONS
from specc.records import Record


@frozen(eq=False, repr=False)
class Shape(Record):
    """Rows m, columns n, inner width k, arrays that broadcast, and how they are stored.

    `batch` such products run side by side. `cold` is the share of the weights that comes from
    memory: 1 in serving.
    """

    m: Column
    n: Column
    k: Column
    weight_bytes: float
    input_bytes: int
    batch: int = 1
    cold: Column | float = 1.0

    @property
    def weights(self) -> Column:
        """Bytes of the weights."""
        return self.batch * self.n * self.k * self.weight_bytes

    @property
    def inputs(self) -> Column:
        """Bytes of the inputs."""
        return self.batch * self.m * self.k * self.input_bytes

    @property
    def results(self) -> Column:
        """Bytes of the results, 16 bit."""
        return 2 * self.batch * self.m * self.n


def smooth_max(exponent: float, *terms: Column | float) -> Column:
    """Return (Σ tᵖ)^(1/p), which is a maximum that rounds its corner."""
    largest = np.maximum.reduce(np.broadcast_arrays(*terms))
    safe = np.maximum(largest, 1e-30)
    total: Column = safe * sum((t / safe) ** exponent for t in terms) ** (1 / exponent)
    return total


# Where the bumps of a correction stand, by their number: over log2 rows, columns and inner width.
_GRIDS = {
    27: (((0, 7, 14), 5.6), ((8, 11, 14), 2.4), ((8, 11, 14), 2.4)),
    64: (((0, 4.5, 9, 14), 3.6), ((6.5, 9.5, 12.5, 15.5), 2.4), ((6.5, 9.5, 12.5, 15.5), 2.4)),
}
GRIDS = CORRECTIONS


def bumps(s: Shape, count: int) -> tuple[NDArray[np.float64], ...]:
    """Return the bumps of a correction of `count` weights over its three axes, each (…, count^⅓).

    Raises:
        KeyError: there is no grid of so many.
    """
    axes = zip((s.m, s.n, s.k), _GRIDS[count], strict=True)
    return tuple(_bumps(size, np.array(centres), width) for size, (centres, width) in axes)


def _bumps(size: Column, centres: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    away = np.log2(np.maximum(size, 1))[..., None] - centres
    return np.exp(-0.5 * (away / width) ** 2)
