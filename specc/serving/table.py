"""What a serving model says about batch sizes: columns of equal length."""

import math
from collections.abc import Sequence
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

    @classmethod
    def none(cls, rows: int) -> "Shares":
        """Shares of a step that there is not: NaN."""
        return cls(*(np.full(rows, np.nan) for _ in fields(cls)))


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
    """One row per batch size of an instance. Times in seconds, throughput in tokens a second.

    `rate` is in requests a second. What a phase does not have is NaN: decode alone has no TTFT,
    prefill alone no TPOT and no decode step.
    """

    batch: Integers
    concurrency: Integers
    ttft: Column
    tpot: Column
    throughput: Column
    throughput_per_device: Column
    rate: Column
    decode_step: Column
    prefill_step: Column
    wave_requests: Integers
    bands: Bands
    memory: MemoryParts
    prefill: Shares
    decode: Shares

    def __len__(self) -> int:
        return len(self.batch)

    def rows(self, index: NDArray[np.int64]) -> "ServingTable":
        """Return the rows that an index picks, in its order."""
        picked: ServingTable = _picked(self, index)
        return picked

    def row(self, index: int) -> dict[str, Any]:
        """Return one row as plain Python numbers, groups of columns as nested dictionaries."""
        return {f.name: _at(getattr(self, f.name), index) for f in fields(ServingTable)}


def _at(column: Any, index: int) -> Any:
    if isinstance(column, np.ndarray):
        value = column[index].item()
        return None if isinstance(value, float) and math.isnan(value) else value
    return {f.name: _at(getattr(column, f.name), index) for f in fields(type(column))}


def joined(tables: Sequence[ServingTable]) -> ServingTable:
    """Join the rows of several tables."""
    if len(tables) == 1:
        return tables[0]
    whole: ServingTable = _joined(tables, ServingTable)
    return whole


def _picked(table: Any, index: NDArray[np.int64]) -> Any:
    columns = {f.name: getattr(table, f.name) for f in fields(type(table))}
    return type(table)(
        **{
            name: value[index] if isinstance(value, np.ndarray) else _picked(value, index)
            for name, value in columns.items()
        }
    )


def _joined(parts: Sequence[Any], cls: Any) -> Any:
    columns = {}
    for f in fields(cls):
        values = [getattr(part, f.name) for part in parts]
        first = values[0]
        columns[f.name] = (
            np.concatenate(values)
            if isinstance(first, np.ndarray)
            else _joined(values, type(first))
        )
    return cls(**columns)
