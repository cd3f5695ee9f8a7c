"""What a serving model says about batch sizes: columns of equal length."""

from typing import Any

import numpy as np
from attrs import fields, frozen
from numpy.typing import NDArray

from specc.cost import StepTimes

Column = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]


@frozen(eq=False)
class Shares:
    """What bounds a step: shares of its time, each of shape (N,), that add up to 1."""

    compute: Column
    memory: Column
    communication: Column
    launch: Column

    @classmethod
    def of(cls, times: StepTimes) -> "Shares":
        """Return the shares of step times."""
        total = times.total
        return cls(
            times.compute / total,
            times.memory / total,
            times.communication / total,
            times.launch / total,
        )


@frozen(eq=False)
class Bands:
    """10th and 90th percentiles that the residuals of the cost model lead to, each of shape (N,).

    Errors of all steps are taken to go the same way, which errs on the side of caution.
    """

    ttft_p10: Column
    ttft_p90: Column
    tpot_p10: Column
    tpot_p90: Column
    throughput_p10: Column
    throughput_p90: Column


@frozen(eq=False)
class MemoryParts:
    """Bytes on one device in the tightest step, each of shape (N,)."""

    weights: Column
    kv_cache: Column
    activations: Column
    reserved: Column
    available: Column
    available_at_end: Column


@frozen(eq=False)
class ServingTable:
    """One row per batch size. Times in seconds, throughput in output tokens a second."""

    batch: Integers
    concurrency: Integers
    ttft: Column
    tpot: Column
    throughput: Column
    throughput_per_device: Column
    decode_step: Column
    prefill_step: Column
    wave_requests: Integers
    bands: Bands
    memory: MemoryParts
    prefill: Shares
    decode: Shares

    def __len__(self) -> int:
        return len(self.batch)

    def row(self, index: int) -> dict[str, Any]:
        """Return one row as plain Python numbers, groups of columns as nested dictionaries."""
        return {f.name: _at(getattr(self, f.name), index) for f in fields(ServingTable)}


def _at(column: Any, index: int) -> Any:
    if isinstance(column, np.ndarray):
        return column[index].item()
    return {f.name: getattr(column, f.name)[index].item() for f in fields(type(column))}
