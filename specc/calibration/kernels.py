"""Reads tables of measured kernels: of Ascend, and of AIConfigurator for NVIDIA GPUs.

A row becomes a `Kernel` of one operator class, or a reason why it cannot be used. Columns are found
by the names that the tools use: `ascend.py` and `aiconfigurator.py` know them.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence

from specc.calibration import aiconfigurator, ascend
from specc.calibration.kernel import Kernel, KernelClass, KernelTable
from specc.calibration.rows import Row, UnusableError, number
from specc.tables import ColumnSchema, Schema, TextCells, read_table

__all__ = ["Kernel", "KernelClass", "KernelTable", "read_kernels"]

_DURATION = "Average Duration(us)"
_LATENCY = "latency"  # in ms
# Cells stay text: a row that has no rule, or sizes that cannot be read, is counted and left out.
_KERNELS = Schema(
    "a table of kernels",
    (ColumnSchema(_DURATION, names=("Task Duration(us)", "Duration(us)", _LATENCY)),),
    others=TextCells(),
)


def read_kernels(texts: Sequence[tuple[str, str]]) -> KernelTable:
    """Read tables, each given as its name and its text.

    Raises:
        specc.tables.TableError: a text is no table with a duration, or it holds no row.
    """
    kernels: list[Kernel] = []
    skipped: Counter[str] = Counter()
    for name, text in texts:
        for kernel in _read_table(name, text):
            if isinstance(kernel, str):
                skipped[kernel] += 1
            else:
                kernels.append(kernel)
    return KernelTable(tuple(kernels), dict(skipped.most_common()))


def _read_table(name: str, text: str) -> Iterator[Kernel | str]:
    table = read_table(name, text, _KERNELS)
    duration = table.written[_DURATION]
    for line, cells in table.rows():
        row = {table.written[column]: cell for column, cell in cells.items()}
        yield _kernel(row, duration, f"{name}:{line}", row)


def _kernel(row: Row, duration: str, place: str, columns: Container[str]) -> Kernel | str:
    """Read a row.

    Ascend's benchmarks find weights and caches in part in the L2 cache, AIConfigurator's caches.
    """
    try:
        if duration == _LATENCY:
            kind, sizes = aiconfigurator.reader_of(columns)(row)
            warm = kind is KernelClass.DECODE_ATTENTION
            return Kernel(kind, sizes, number(row, duration) * 1e-3, place, benchmark=warm)
        seconds = number(row, duration) * 1e-6
        kind, sizes = ascend.reader_of(row, columns)(row)
        return Kernel(kind, sizes, seconds, place, benchmark=duration == _DURATION)
    except UnusableError as reason:
        return str(reason)
